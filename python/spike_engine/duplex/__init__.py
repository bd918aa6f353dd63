"""Microphone and loudspeaker as one device that does not hear itself."""

from spike_engine.duplex.audio import DuplexAudio
from spike_engine.duplex.block import Block

__all__ = ["Block", "DuplexAudio"]
