"""Where samples and pictures meet WebRTC: microphone and camera as tracks, the AI's tracks as sound and pictures."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.devices import AudioSink, AudioSource, Silence, VideoSource
from spike_engine.errors import MediaError

__all__ = [
    "AudioTap",
    "CameraTrack",
    "Capture",
    "MediaStreamError",  # what recv() of an ended track raises
    "MicrophoneTrack",
    "RemoteAudio",
    "RemoteVideo",
]

SAMPLE_RATE_HZ = 48000
FRAME_SAMPLES = SAMPLE_RATE_HZ // 50
_FRAMES_PER_SECOND = 50
# What a sender that falls behind may still catch up with; older frames would only be delay.
_QUEUED_FRAMES = 3

AudioTap: TypeAlias = Callable[[Literal["microphone", "processed", "ai"], NDArray[np.float32]], None]


class Capture:
    """Reads a microphone for as long as it is open, runs the capture pipeline, and hands the frames to its tracks.

    It outlives connections, so that the echo canceller keeps what it has learned when one is replaced.
    """

    def __init__(
        self,
        source: AudioSource,
        sink: AudioSink,
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
        self._to_engine = _resampler(source.sample_rate_hz, SAMPLE_RATE_HZ)
        self._sink = sink
        self._far_to_engine = _resampler(sink.sample_rate_hz, SAMPLE_RATE_HZ)
        self._on_error = on_error
        self._tap = tap
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
        self._to_engine = _resampler(source.sample_rate_hz, SAMPLE_RATE_HZ)
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
        far_end = self._far_to_engine(self._sink.played(self._sink.sample_rate_hz // _FRAMES_PER_SECOND))
        processed = self.pipeline.process(microphone, far_end)
        self._tap("microphone", microphone)
        self._tap("processed", processed)
        if not self.enabled:  # the pipeline has run all the same: muted, it goes on learning the room
            processed = np.zeros_like(processed)
        for track in self._tracks:
            track.push(processed)


class MicrophoneTrack(MediaStreamTrack):
    """The processed microphone as an aiortc track: mono, 48 kHz, 20 ms frames."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.dropped_frames = 0
        self._frames: deque[NDArray[np.float32]] = deque(maxlen=_QUEUED_FRAMES)
        self._arrived = asyncio.Event()
        self._timestamp = 0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Queue one frame; the oldest goes when the sender does not keep up."""
        self.dropped_frames += len(self._frames) == _QUEUED_FRAMES
        self._frames.append(samples)
        self._arrived.set()

    async def recv(self) -> Any:
        """The next frame, an ``av.AudioFrame``."""
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        samples = self._frames.popleft()
        frame = frames.audio_from_ndarray(samples, format="s16", sample_rate_hz=SAMPLE_RATE_HZ)
        frame.pts, frame.time_base = self._timestamp, Fraction(1, SAMPLE_RATE_HZ)
        self._timestamp += len(samples)
        return frame

    def stop(self) -> None:
        """End the track; a waiting ``recv`` raises."""
        super().stop()
        self._arrived.set()


class CameraTrack(MediaStreamTrack):
    """A camera as an aiortc track, scaled to the size that the client sends. Disabled, it is black."""

    kind = "video"

    def __init__(
        self, source: VideoSource, *, width: int, height: int, fps: int, on_error: Callable[[MediaError], None]
    ) -> None:
        super().__init__()
        self.enabled = True
        self._source = source
        self._width, self._height, self._fps = width, height, fps
        self._on_error = on_error
        self._black = np.zeros((height, width, 3), np.uint8)
        self._started_at: float | None = None

    async def recv(self) -> Any:
        """The next picture, an ``av.VideoFrame`` in yuv420p."""
        if self.readyState != "live":
            raise MediaStreamError
        source = self._source
        try:
            picture = await source.read()
        except MediaError as error:
            if source is self._source:
                self._on_error(error)
                self._source = _BlackPictures(self._black, self._fps)
            picture = self._black
        if not self.enabled:
            picture = self._black
        frame = frames.from_ndarray(picture, "rgb24", to="yuv420p", width=self._width, height=self._height)
        now = asyncio.get_running_loop().time()
        if self._started_at is None:
            self._started_at = now
        frame.pts, frame.time_base = round((now - self._started_at) * VIDEO_CLOCK_RATE), VIDEO_TIME_BASE
        return frame

    async def replace_source(self, source: VideoSource) -> None:
        """Show `source`, which has been started, from the next picture on and close the one before."""
        before, self._source = self._source, source
        await before.close()

    async def close(self) -> None:
        """End the track and close the camera."""
        self.stop()
        await self._source.close()


class RemoteAudio:
    """Plays the AI's voice and knows how loud it is. `track` is the same voice for the program."""

    def __init__(
        self, remote: MediaStreamTrack, sink: AudioSink, *, on_level: Callable[[float], None], tap: AudioTap
    ) -> None:
        relay = MediaRelay()
        self.track = relay.subscribe(remote)
        self._incoming = relay.subscribe(remote)
        self._pipeline = dsp.RenderPipeline(SAMPLE_RATE_HZ)
        self._sink = sink
        self._to_sink = _resampler(SAMPLE_RATE_HZ, sink.sample_rate_hz)
        self._to_engine = _Converter(SAMPLE_RATE_HZ)
        self._on_level = on_level
        self._tap = tap
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop playing."""
        await _stop(self._task, self._incoming, self.track)

    async def _run(self) -> None:
        while True:
            try:
                frame: Any = await self._incoming.recv()
            except MediaStreamError:
                return
            samples = frames.audio_to_ndarray(frame, dtype="float32", channels=1)
            voice = self._pipeline.process(self._to_engine(samples, frame.sample_rate))
            self._sink.write(self._to_sink(voice))
            self._tap("ai", voice)
            self._on_level(self._pipeline.level)


class RemoteVideo:
    """Keeps the AI's pictures flowing, so that none pile up unread. `track` is the same picture for the program."""

    def __init__(self, remote: MediaStreamTrack) -> None:
        relay = MediaRelay()
        self.track = relay.subscribe(remote, buffered=False)
        self._incoming = relay.subscribe(remote, buffered=False)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop receiving."""
        await _stop(self._task, self._incoming, self.track)

    async def _run(self) -> None:
        while True:
            try:
                await self._incoming.recv()
            except MediaStreamError:
                return


class _Converter:
    """Brings frames of whatever rate the codec decodes to one rate."""

    def __init__(self, to_hz: int) -> None:
        self._to_hz = to_hz
        self._from_hz = to_hz
        self._resample = _resampler(to_hz, to_hz)

    def __call__(self, samples: NDArray[np.float32], from_hz: int) -> NDArray[np.float32]:
        if from_hz != self._from_hz:
            self._from_hz, self._resample = from_hz, _resampler(from_hz, self._to_hz)
        return self._resample(samples)


class _BlackPictures:
    """What a camera that failed sends instead."""

    def __init__(self, picture: NDArray[np.uint8], fps: int) -> None:
        self._picture = picture
        self._interval_s = 1 / fps

    async def start(self) -> None:
        pass

    async def read(self) -> NDArray[np.uint8]:
        await asyncio.sleep(self._interval_s)
        return self._picture

    async def close(self) -> None:
        pass


def _resampler(from_hz: int, to_hz: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    if from_hz == to_hz:
        return lambda samples: samples
    return dsp.Resampler(from_hz, to_hz).process


async def _stop(task: asyncio.Task[None], *tracks: MediaStreamTrack) -> None:
    for track in tracks:
        track.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
