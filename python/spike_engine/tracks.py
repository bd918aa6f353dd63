"""Where samples and pictures meet WebRTC on their way out: microphone and camera as tracks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.devices import AudioSource, Silence, VideoSource
from spike_engine.errors import MediaError
from spike_engine.fed_track import FedTrack
from spike_engine.playback import SAMPLE_RATE_HZ, Playback, resampler

__all__ = [
    "AudioTap",
    "CameraTrack",
    "Capture",
    "Filming",
    "MediaStreamError",  # what recv() of an ended track raises
    "MicrophoneTrack",
]

FRAME_SAMPLES = SAMPLE_RATE_HZ // 50
_FRAMES_PER_SECOND = 50
# What a sender that falls behind may still catch up with; older frames would only be delay.
_QUEUED_FRAMES = 3

AudioTap: TypeAlias = Callable[[Literal["microphone", "processed", "ai"], NDArray[np.float32]], None]


class Capture:
    """Reads a microphone for as long as it is open, runs the capture pipeline, and hands the frames to its tracks.

    It outlives connections, so that the echo canceller keeps what it has learned when one is replaced.

    Attributes:
        enabled: False sends silence.
        on_voice: Takes, every 20 ms, whether the user speaks.
    """

    def __init__(
        self,
        source: AudioSource,
        playback: Playback,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool = True,
        on_error: Callable[[MediaError], None],
        tap: AudioTap,
    ) -> None:
        self.enabled = True
        self.pipeline = dsp.CapturePipeline(
            SAMPLE_RATE_HZ, echo_cancellation=echo_cancellation, noise_suppression=noise_suppression
        )
        self._source = source
        self._to_engine = resampler(source.sample_rate_hz, SAMPLE_RATE_HZ)
        self._playback = playback
        self._on_error = on_error
        self._tap = tap
        self.on_voice: Callable[[bool], None] | None = None
        self._tracks: list[MicrophoneTrack] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read the source, which has been started."""
        self._task = asyncio.create_task(self._run())

    def create_track(self) -> MicrophoneTrack:
        """A new track that carries the processed microphone from now on."""
        self._tracks = [track for track in self._tracks if track.readyState == "live"]
        track = MicrophoneTrack()
        self._tracks.append(track)
        return track

    async def replace_source(self, source: AudioSource) -> None:
        """Read `source`, which has been started, from the next frame on and close the one before."""
        before, self._source = self._source, source
        self._to_engine = resampler(source.sample_rate_hz, SAMPLE_RATE_HZ)
        await before.close()
        if self._task and self._task.done():
            self.start()

    async def close(self) -> None:
        """Stop reading and close the source."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._source.close()
        for track in self._tracks:
            track.stop()

    async def _run(self) -> None:
        while True:
            source = self._source
            try:
                captured = await source.read(source.sample_rate_hz // _FRAMES_PER_SECOND)
            except MediaError as error:
                if source is not self._source:  # it was replaced, and closed while it was read
                    continue
                self._on_error(error)
                await self.replace_source(Silence())
                continue
            self._process(captured)

    def _process(self, captured: NDArray[np.float32]) -> None:
        microphone = self._to_engine(captured)
        processed = self.pipeline.process(microphone, self._playback.played(FRAME_SAMPLES))
        self._tap("microphone", microphone)
        self._tap("processed", processed)
        if self.on_voice:
            self.on_voice(self.enabled and self.pipeline.stats.voice_active)
        if not self.enabled:  # the pipeline has run all the same: muted, it goes on learning the room
            processed = np.zeros_like(processed)
        for track in self._tracks:
            track.push(processed)


class MicrophoneTrack(FedTrack):
    """The processed microphone as an aiortc track: mono, 48 kHz, 20 ms frames. Samples are pushed."""

    def __init__(self) -> None:
        super().__init__("audio", _QUEUED_FRAMES)
        self._timestamp = 0

    def prepare(self, item: Any) -> Any:
        """The samples as a numbered frame."""
        frame = frames.audio_from_ndarray(item, format="s16", sample_rate_hz=SAMPLE_RATE_HZ)
        frame.pts, frame.time_base = self._timestamp, Fraction(1, SAMPLE_RATE_HZ)
        self._timestamp += len(item)
        return frame


class Filming:
    """Reads a camera for as long as it is open and scales its pictures to what the client sends. Disabled, it is black.

    It outlives connections: each has a :class:`CameraTrack` of its own.

    Attributes:
        size: Width and height of what is sent, pixels; may change at any time.
        fps: How many pictures a second are sent at most; may change at any time.
    """

    def __init__(
        self, source: VideoSource, *, width: int, height: int, fps: int, on_error: Callable[[MediaError], None]
    ) -> None:
        self.enabled = True
        self.size = width, height
        self.fps = float(fps)
        self.pictures = 0
        self._source = source
        self._on_error = on_error
        self._black = np.zeros((height, width, 3), np.uint8)
        self._next_at = 0.0

    def create_track(self) -> CameraTrack:
        """A new track that shows the camera."""
        return CameraTrack(self)

    async def read(self) -> NDArray[np.uint8]:
        """The next picture to send as RGB, as soon as it is due."""
        loop = asyncio.get_running_loop()
        while True:
            picture = await self._read_source()
            now, interval_s = loop.time(), 1 / self.fps
            if now >= self._next_at - interval_s / 4:  # a camera that is faster than what is sent gives some to skip
                break
        self._next_at = max(self._next_at, now - interval_s / 4) + interval_s
        self.pictures += 1
        return picture if self.enabled else self._black

    async def replace_source(self, source: VideoSource) -> None:
        """Show `source`, which has been started, from the next picture on and close the one before."""
        before, self._source = self._source, source
        await before.close()

    async def close(self) -> None:
        """Close the camera."""
        await self._source.close()

    async def _read_source(self) -> NDArray[np.uint8]:
        source = self._source
        try:
            return await source.read()
        except MediaError as error:
            if source is self._source:
                self._on_error(error)
                self._source = _BlackPictures(self._black, self.fps)
                await source.close()
            return self._black


class CameraTrack(MediaStreamTrack):
    """A camera as an aiortc track, of the size and rate that its :class:`Filming` says."""

    kind = "video"

    def __init__(self, filming: Filming) -> None:
        super().__init__()
        self._filming = filming
        self._started_at: float | None = None

    async def recv(self) -> Any:
        """The next picture, an ``av.VideoFrame`` in yuv420p."""
        if self.readyState != "live":
            raise MediaStreamError
        picture = await self._filming.read()
        width, height = self._filming.size
        frame = frames.from_ndarray(picture, "rgb24", to="yuv420p", width=width, height=height)
        now = asyncio.get_running_loop().time()
        if self._started_at is None:
            self._started_at = now
        frame.pts, frame.time_base = round((now - self._started_at) * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        return frame


class _BlackPictures:
    """What a camera that failed sends instead."""

    def __init__(self, picture: NDArray[np.uint8], fps: float) -> None:
        self._picture = picture
        self._interval_s = 1 / fps

    async def start(self) -> None:
        pass

    async def read(self) -> NDArray[np.uint8]:
        await asyncio.sleep(self._interval_s)
        return self._picture

    async def close(self) -> None:
        pass
