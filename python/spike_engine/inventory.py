"""What is plugged in, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """One microphone, loudspeaker or camera.

    Attributes:
        id: What `audio_source`, `audio_output` and `video_source` accept.
        name: For a person.
        is_default: The system's choice.
        sample_rate_hz: The rate it runs at by itself; 0 for a camera.
    """

    id: str
    name: str
    is_default: bool = False
    sample_rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class Devices:
    """What is plugged in: microphones, cameras and loudspeakers."""

    audio: tuple[Device, ...] = ()
    video: tuple[Device, ...] = ()
    audio_output: tuple[Device, ...] = ()
