"""The devices of this machine."""

from __future__ import annotations

from spike_engine.devices.cameras import list_cameras
from spike_engine.devices.portaudio import audio_devices
from spike_engine.events import Devices


def list_devices() -> Devices:
    """The devices of this machine, empty where there are none. Blocks for some milliseconds."""
    return Devices(audio=audio_devices("input"), video=list_cameras(), audio_output=audio_devices("output"))
