"""A voice for many bots: one copy in memory, and the room of a user in which the AI is heard again."""

from __future__ import annotations

import asyncio

import numpy as np

RATE_HZ = 48000
BLOCK_SAMPLES = 960
LOUD = 0.01


def speech(rate_hz: int = RATE_HZ, seconds: int = 4) -> np.ndarray:
    """A buzz whose level moves as syllables do, shape ``(n,)``, float32, which can be repeated without a seam."""
    time_s = np.arange(rate_hz * seconds) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 140 * k * time_s + k * k) / k for k in range(1, 15))
    return (0.15 * buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def background() -> np.ndarray:
    """The noise of a room in which nobody speaks, at 48 kHz and -50 dBFS."""
    return np.random.default_rng(0).normal(0.0, 10 ** (-50 / 20), RATE_HZ).astype(np.float32)


class Room:
    """A microphone and a loudspeaker of one rate: the user talks, and what plays comes back at a third 60 ms later."""

    def __init__(self, rate_hz: int, voice: np.ndarray) -> None:
        self.sample_rate_hz = rate_hz
        self._voice = voice
        self._at = 0
        self._began_s: float | None = None
        self._played = np.zeros(rate_hz * 60 // 1000, np.float32)

    async def start(self) -> None: ...

    async def read(self, samples: int) -> np.ndarray:
        loop = asyncio.get_running_loop()
        self._began_s = self._began_s or loop.time()
        begin = self._at % (len(self._voice) - samples)
        self._at += samples
        await asyncio.sleep(max(0.0, self._began_s + self._at / self.sample_rate_hz - loop.time()))
        return self._voice[begin : begin + samples] + self._played[:samples] / 3

    def write(self, samples: np.ndarray) -> None:
        self._played = np.concatenate([self._played[len(samples) :], samples])

    def played(self, samples: int) -> np.ndarray:
        return self._played[-samples:]

    def flush(self) -> None: ...

    async def close(self) -> None: ...
