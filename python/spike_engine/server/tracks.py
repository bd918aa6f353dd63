"""The tracks that the server sends, each paced by a clock, and the user's voice as it arrives."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.server.persona import MouthShape, Viseme
from spike_engine.server.picture.avatar import Avatar
from spike_engine.webrtc.clock import running_clock
from spike_engine.webrtc.fed_track import FedVoice
from spike_engine.webrtc.seam import voice_of

FRAME_SAMPLES = 960  # 20 ms, the usual Opus packet
FADE_SAMPLES = 240  # 5 ms: short enough to stop at once, long enough not to click
VIDEO_CLOCK_HZ = 90_000
LATE_S = 0.2
GLANCE_WIDTH, GLANCE_HEIGHT = 160, 90
_BEATS_A_FRAME = 2
_MOST_FRAMES_LATE = 5  # a sender that was held up for longer has lost that time
SILENCE_AFTER_S = 0.2  # packets that stay away so long mean that the user is silent

Samples = NDArray[np.float32]
_SILENCE = np.zeros(FRAME_SAMPLES, np.float32)


class Pacer:
    """Releases one caller per interval, without drift; after a stall it skips ticks instead of bursting."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._start_s: float | None = None
        self._ticks = -1

    async def tick(self) -> int:
        """Wait for the next tick and return its number, from 0."""
        loop = asyncio.get_running_loop()
        if self._start_s is None:
            self._start_s = loop.time()
        self._ticks += 1
        delay_s = self._start_s + self._ticks * self._interval_s - loop.time()
        if delay_s < -LATE_S:
            self._ticks += int(-delay_s / self._interval_s)
        await asyncio.sleep(max(0.0, delay_s))
        return self._ticks


class VoiceTrack(FedVoice):
    """What the AI says: mono speech queued by `play`, silence otherwise, fed by the process's clock once it is read.

    Positions count the samples of speech since the track began, so that a word can be reported when it is really sent.

    Attributes:
        mouth: The shape that goes with the sound that is being sent.
        held: Hold the voice back from the next packet on. When this ends, it goes on where it was.
    """

    def __init__(self) -> None:
        super().__init__(_MOST_FRAMES_LATE)
        self.mouth: MouthShape = "rest"
        self.held = False
        self._was_held = False
        self.position_samples = 0
        self._pending: Samples = np.zeros(0, np.float32)
        self._shapes: deque[tuple[float, MouthShape]] = deque()  # with the positions at which they begin
        self._runs = False
        self._sent = asyncio.Event()

    def play(self, samples: Samples, visemes: Iterable[Viseme] = ()) -> int:
        """Queue mono float32 speech at 48 kHz and return the position at which it begins."""
        start = self.position_samples + len(self._pending)
        self._pending = np.concatenate([self._pending, samples])
        self._shapes.extend((start + viseme.start_s * ENGINE_RATE_HZ, viseme.shape) for viseme in visemes)
        return start

    def cut(self) -> None:
        """Drop what is queued: the voice fades within 5 ms of the next packet."""
        self._shapes.clear()
        self._pending = _faded(self._pending[: 0 if self._was_held else FADE_SAMPLES], 1, 0)

    async def sent(self, position_samples: float) -> None:
        """Wait until the speech up to `position_samples` has left."""
        while self.position_samples < position_samples:
            self._sent.clear()
            await self._sent.wait()

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, when their time has come."""
        self._run()
        frame: av.AudioFrame = await super().recv()
        return frame

    def feed(self, taker: Callable[[Samples], None] | None) -> None:
        """See :meth:`FedVoice.feed`."""
        super().feed(taker)
        if taker:
            self._run()

    def stop(self) -> None:
        """End the track; a waiting ``recv`` raises."""
        super().stop()
        if self._runs:
            self._runs = False
            running_clock().leave(self._beat)

    def _run(self) -> None:
        if not self._runs and self.readyState == "live":
            self._runs = True
            self._beat()
            running_clock().listen(self._beat, every=_BEATS_A_FRAME)

    def _beat(self) -> None:
        self.push(self._next_block())

    def _next_block(self) -> Samples:
        was_held, self._was_held = self._was_held, self.held
        count = FRAME_SAMPLES if not self.held else 0 if was_held else FADE_SAMPLES
        speech, self._pending = self._pending[:count], self._pending[count:]
        if not len(speech):
            self.mouth = "rest"
            return _SILENCE
        while self._shapes and self._shapes[0][0] < self.position_samples + FRAME_SAMPLES / 2:
            self.mouth = self._shapes.popleft()[1]
        self.position_samples += len(speech)
        self._sent.set()
        if was_held != self.held:
            speech = _faded(speech, not was_held, not self.held)
        return np.concatenate([speech, _SILENCE[len(speech) :]]) if len(speech) < FRAME_SAMPLES else speech


class AvatarTrack(MediaStreamTrack):
    """The AI's face, one drawn picture per tick."""

    kind = "video"

    def __init__(self, avatar: Avatar, voice: VoiceTrack) -> None:
        super().__init__()
        self._avatar = avatar
        self._voice = voice
        self._pacer = Pacer(1 / avatar.fps)
        self._ticks_per_frame = VIDEO_CLOCK_HZ // avatar.fps

    async def recv(self) -> av.VideoFrame:
        """The next picture, when its time has come."""
        tick = await self._pacer.tick()
        frame = frames.from_ndarray(self._avatar.draw(self._voice.mouth), "rgb24", to="yuv420p")
        frame.pts = tick * self._ticks_per_frame
        frame.time_base = Fraction(1, VIDEO_CLOCK_HZ)
        return frame


def _faded(speech: Samples, start: float, end: float) -> Samples:
    """`speech` with a gain that goes from `start` to `end` within its first 5 ms."""
    gain = np.linspace(start, end, min(FADE_SAMPLES, len(speech)), dtype=np.float32)
    return np.concatenate([speech[: len(gain)] * gain, speech[len(gain) :]])


def at_opus_rate(samples: Samples, from_hz: int) -> Samples:
    """Mono float32 `samples` brought to the rate of Opus."""
    return samples if from_hz == ENGINE_RATE_HZ else dsp.resample(samples, from_hz, ENGINE_RATE_HZ)


async def mono_at(rate_hz: int, track: MediaStreamTrack) -> AsyncIterator[Samples]:
    """The sound of a remote `track` as mono float32 at `rate_hz`, until it ends; silence where nothing arrives."""
    to_rate, from_hz = RateConverter(rate_hz), ENGINE_RATE_HZ
    if voice := voice_of(track):
        async for samples in voice.blocks():
            yield to_rate(samples, from_hz)
        return
    while True:
        try:
            async with asyncio.timeout(SILENCE_AFTER_S):
                frame = await track.recv()
            assert isinstance(frame, av.AudioFrame)
            samples, from_hz = frames.audio_to_ndarray(frame, dtype="float32", channels=1), frame.sample_rate
        except TimeoutError:
            samples = np.zeros(int(SILENCE_AFTER_S * from_hz), np.float32)
        except MediaStreamError:
            return
        yield to_rate(samples, from_hz)


async def glances(track: MediaStreamTrack, interval_s: float) -> AsyncIterator[NDArray[np.uint8]]:
    """A small rgb24 picture of a remote `track` every `interval_s`, until it ends.

    All other frames are dropped here: a track that nobody reads keeps every one of them.
    """
    next_s = 0.0
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        assert isinstance(frame, av.VideoFrame)
        now_s = frame.time or 0.0
        if now_s >= next_s and interval_s < math.inf:
            next_s = now_s + interval_s
            yield frames.to_ndarray(frame, "rgb24", width=GLANCE_WIDTH, height=GLANCE_HEIGHT)
