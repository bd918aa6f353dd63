"""Microphones, loudspeakers and cameras, and what anything that stands in for one must do."""

from spike_engine.devices.base import AudioSink, AudioSource, VideoSource
from spike_engine.devices.cameras import Camera
from spike_engine.devices.listing import list_devices
from spike_engine.devices.screens import SCREEN, Screen
from spike_engine.devices.sound import Loudspeaker, Microphone
from spike_engine.devices.stand_ins import Silence
from spike_engine.events import Devices

__all__ = [
    "SCREEN",
    "AudioSink",
    "AudioSource",
    "Camera",
    "Devices",
    "Loudspeaker",
    "Microphone",
    "Screen",
    "Silence",
    "VideoSource",
    "list_devices",
]
