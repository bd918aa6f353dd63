"""A room in which the microphone hears the loudspeaker, for whoever talks through a duplex device."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from rooms import FAR, Samples, level_db, speech

from spike_engine import dsp
from spike_engine.duplex import DuplexAudio

ECHO = 0.4
LATE_BLOCKS = 4
BOT_S = 4.0
CONVERGED_S = 2.0


class LeakingLoudspeaker(RecordingLoudspeaker):
    """What is written sounds at once."""

    def __init__(self) -> None:
        super().__init__()
        self.air = [np.zeros(480, np.float32)] * LATE_BLOCKS

    def played(self, samples: int) -> Samples:
        block = self.blocks[-1][:samples] if self.blocks else np.zeros(samples, np.float32)
        self.air.append(ECHO * block)
        return block


class LeakedMicrophone(ArrayMicrophone):
    """Hears it 40 ms later."""

    def __init__(self, loudspeaker: LeakingLoudspeaker) -> None:
        super().__init__()
        self._loudspeaker = loudspeaker

    async def read(self, samples: int) -> Samples:
        quiet = await super().read(samples)
        return quiet + self._loudspeaker.air.pop(0)


def device(rate_hz: int, *, cancels: bool, **options: Any) -> DuplexAudio:
    """A duplex device in that room; without its canceller it hears what any plain stream hears there."""
    loudspeaker = LeakingLoudspeaker()
    return DuplexAudio(
        rate_hz,
        dtype="int16",
        microphone=LeakedMicrophone(loudspeaker),
        loudspeaker=loudspeaker,
        echo_cancellation=cancels,
        noise_suppression=False,
        auto_gain_control=False,
        hold_interruptions=False,
        **options,
    )


def bot_speech(rate_hz: int) -> bytes:
    """What the bot says, int16."""
    voice = dsp.resample(speech(FAR, 48000, BOT_S), 48000, rate_hz)
    return np.round(20000 * voice / np.abs(voice).max()).astype(np.int16).tobytes()


def comes_back_db(heard: bytes, rate_hz: int) -> float:
    """How loud what a cloud heard of a user who is silent is, below what its bot said; once the canceller knows."""
    samples = np.frombuffer(heard, np.int16).astype(np.float32)
    said = np.frombuffer(bot_speech(rate_hz), np.int16).astype(np.float32)
    whole = slice(round(CONVERGED_S * rate_hz), round(BOT_S * rate_hz))
    return level_db(samples[whole]) - level_db(said[whole])


async def until_long_enough(heard: bytearray, rate_hz: int) -> None:
    async with asyncio.timeout(40):
        while len(heard) < 2 * (BOT_S + 0.3) * rate_hz:
            await asyncio.sleep(0.05)
