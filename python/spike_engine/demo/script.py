"""What the demo's user says, and when: real recorded speech, and one interruption."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spike_engine import dsp, frames
from spike_engine.demo.acoustics import Samples
from spike_engine.dsp.rates import ENGINE_RATE_HZ

# Debian's asterisk-core-sounds-en-g722: Allison Smith's recordings for Asterisk, CC BY-SA 3.0.
RECORDINGS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_SPEECH_LEVEL = 0.5  # peak
_SILENCE = 0.02  # of the peak: what is cut at both ends


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that the user says.

    Attributes:
        recording: Its file in the package of recordings.
        text: What is said in it, for the screen and for the voice that stands in where the package is missing.
        interrupts_after_s: Say it this long into the AI's answer; None waits until the AI has finished.
    """

    recording: str
    text: str
    interrupts_after_s: float | None = None


TURNS = (
    Turn("hello", "Hello."),
    Turn("something-terribly-wrong", "Something is terribly wrong."),
    Turn("tt-weasels", "Weasels have eaten our phone system."),
    Turn("vm-nobodyavail", "Nobody is available to take your call at the moment.", interrupts_after_s=4.0),
    Turn("auth-thankyou", "Thank you."),
    Turn("vm-goodbye", "Goodbye."),
)


def has_recordings() -> bool:
    """Whether the package of recordings is installed."""
    return all((RECORDINGS / f"{turn.recording}.g722").exists() for turn in TURNS)


def load_recording(name: str) -> Samples:
    """A recording at the room's rate and level, without the silence around it."""
    import av  # noqa: PLC0415 (only the demo reads files)

    with av.open(RECORDINGS / f"{name}.g722", format="g722") as container:
        blocks = [frames.audio_to_ndarray(frame, channels=1) for frame in container.decode(audio=0)]
    return trimmed(dsp.resample(np.concatenate(blocks), 16000, ENGINE_RATE_HZ))


def trimmed(speech: Samples) -> Samples:
    """`speech` at the room's level, without the silence around it."""
    speech = speech * np.float32(_SPEECH_LEVEL / max(float(np.abs(speech).max()), 1e-6))
    loud = np.flatnonzero(np.abs(speech) > _SILENCE * _SPEECH_LEVEL)
    return speech[loud[0] : loud[-1] + 1] if len(loud) else speech
