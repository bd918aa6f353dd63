"""The AI's pictures and its voice in step, over real connections whose network treats them differently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamTrack
from bot import Bot
from endpoints import ColourCamera
from udp_relay import BadNetwork

from spike_engine import SpikeClient, frames

pytestmark = pytest.mark.usefixtures("nothing_left_open")

EVERY_S, LASTS_S = 0.5, 0.1
FPS = 25
MOST_SKEW_MS = 40.0


class Beeps(MediaStreamTrack):
    """A beep at each half second, by a clock of the sender's that may be too fast. Nothing at all from `until_s` on."""

    kind = "audio"

    def __init__(self, *, speed: float = 1.0) -> None:
        super().__init__()
        self.until_s = float("inf")
        self.began_s = time.monotonic()
        self.has_begun = asyncio.Event()
        self._speed = speed
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        due_s = self.began_s + self._at / 48000 / self._speed
        while due_s > self.until_s:
            await asyncio.sleep(1.0)
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        if self._at == 0:  # only now somebody listens
            self.began_s = time.monotonic()
            self.has_begun.set()
        at_s = (self._at + np.arange(960)) / 48000
        is_on = (at_s / self._speed) % EVERY_S < LASTS_S
        beep = (0.4 * is_on * np.sin(2 * np.pi * 700 * at_s)).astype(np.float32)
        frame = frames.audio_from_ndarray(beep, format="s16", sample_rate_hz=48000)
        frame.pts, frame.time_base = self._at, Fraction(1, 48000)
        self._at += 960
        return frame


class Flashes(MediaStreamTrack):
    """White while there is a beep."""

    kind = "video"

    def __init__(self, beeps: Beeps) -> None:
        super().__init__()
        self._beeps = beeps
        self._tick = -1

    async def recv(self) -> av.VideoFrame:
        await self._beeps.has_begun.wait()  # from then on both have one clock
        now_s = time.monotonic() - self._beeps.began_s
        self._tick = max(self._tick + 1, int(now_s * FPS))
        await asyncio.sleep(max(0.0, self._tick / FPS - now_s))
        is_on = (self._tick / FPS + 1e-6) % EVERY_S < LASTS_S
        frame = frames.from_ndarray(np.full((48, 64, 3), 255 if is_on else 0, np.uint8), "rgb24", to="yuv420p")
        frame.pts, frame.time_base = self._tick * 90000 // FPS, Fraction(1, 90000)
        return frame


class Ear:
    """A loudspeaker that keeps when each beep began."""

    sample_rate_hz = 48000

    def __init__(self) -> None:
        self.beeps_s: list[float] = []

    async def start(self) -> None: ...

    def write(self, samples: np.ndarray) -> None:
        loud = np.flatnonzero(np.abs(samples) > 0.1)
        now_s = time.monotonic()
        if len(loud) and (not self.beeps_s or now_s - self.beeps_s[-1] > EVERY_S / 2):
            self.beeps_s.append(now_s + loud[0] / 48000)

    def played(self, samples: int) -> np.ndarray:
        return np.zeros(samples, np.float32)

    def flush(self) -> None: ...

    async def close(self) -> None: ...


class Watcher:
    """A client that hears and sees, and keeps when each flash began."""

    def __init__(self, network: BadNetwork, beeps: Beeps) -> None:
        self.network, self.beeps = network, beeps
        self.ear = Ear()
        self.client = SpikeClient(
            conversation_url=network.url,
            token="t",
            audio=False,
            audio_output=self.ear,
            video_source=ColourCamera(),
            video_quality="low",
            join_timeout_s=20,
        )
        self.flashes_s: list[float] = []
        self.pictures = 0

    async def watch(self, seconds: float, *, in_step: bool = True) -> list[float]:
        """By how many ms each flash of the second half of this time came later than its beep."""
        self.flashes_s.clear()
        task = asyncio.create_task(self._look(in_step))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        flashes = [at for at in self.flashes_s if at > self.flashes_s[-1] - seconds / 2]
        beeps = np.array(self.ear.beeps_s)
        return [1000 * (at - beeps[np.argmin(np.abs(beeps - at))]) for at in flashes]

    async def _look(self, in_step: bool) -> None:
        while not self.client.get_ai_video_track():
            await asyncio.sleep(0.01)  # the state tells of it as well; this is only the beginning
        async for picture in self.client.ai_pictures("gray", in_step=in_step):
            self.pictures += 1
            now_s = time.monotonic()
            if picture.mean() > 128 and (not self.flashes_s or now_s - self.flashes_s[-1] > EVERY_S / 2):
                self.flashes_s.append(now_s)


@asynccontextmanager
async def watching(*, speed: float = 1.0, improved: bool = True, **network: Any) -> AsyncIterator[Watcher]:
    beeps = Beeps(speed=speed)
    async with (
        Bot(tracks=(beeps, Flashes(beeps)), improved=improved) as bot,
        BadNetwork(bot.url) as bad,
    ):
        for name, value in network.items():
            setattr(bad, name, value)
        watcher = Watcher(bad, beeps)
        async with watcher.client:
            yield watcher


@pytest.mark.parametrize(
    "network",
    [
        {"held_up_s": {"audio": 0.2}, "speed": 1.002},
        {"held_up_s": {"video": 0.12}},
        {"jitter_s": 0.06, "improved": False},
    ],
    ids=["late voice by a fast clock", "late pictures", "jitter and a plain sender"],
)
async def test_a_flash_is_seen_when_its_beep_is_heard(network: dict[str, Any]) -> None:
    async with watching(**network) as watcher:
        skews_ms = await watcher.watch(6.0)
    assert len(skews_ms) >= 4
    assert abs(float(np.median(skews_ms))) <= MOST_SKEW_MS, skews_ms
    assert np.mean(np.abs(skews_ms) <= MOST_SKEW_MS) >= 0.6, skews_ms  # a busy machine is late now and then


@pytest.mark.parametrize("without", [{"in_step": False}, {"hides_reports": True}], ids=["in step", "reports"])
async def test_without_it_no_picture_waits(without: dict[str, bool]) -> None:
    in_step = without.pop("in_step", True)
    async with watching(held_up_s={"audio": 0.12}, **without) as watcher:
        skews_ms = await watcher.watch(4.0, in_step=in_step)
        assert np.median(skews_ms) < -80
        assert watcher.pictures > 50


async def test_a_voice_that_stops_holds_no_picture() -> None:
    async with watching(held_up_s={"audio": 0.2}) as watcher:
        await watcher.watch(3.0)
        watcher.beeps.until_s = time.monotonic()
        before = watcher.pictures
        await watcher.watch(3.0)
        assert watcher.pictures - before > 50
