"""aiortc tracks for what comes by itself: from a microphone, from the AI, from another library."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.webrtc.network_path import NetworkPath

_TIME_BASE = Fraction(1, ENGINE_RATE_HZ)


class FedTrack(MediaStreamTrack):
    """Hands out, to whoever calls ``recv``, what was pushed; the oldest goes when nobody reads.

    Args:
        kind: ``"audio"`` or ``"video"``.
        queued: How much a reader that falls behind may catch up with.
    """

    def __init__(self, kind: str, queued: int) -> None:
        super().__init__()
        self.kind = kind
        self.dropped = 0
        self._queue: deque[Any] = deque(maxlen=queued)
        self._arrived = asyncio.Event()

    def push(self, item: Any) -> None:
        """Queue what :meth:`prepare` makes a frame of."""
        self.dropped += len(self._queue) == self._queue.maxlen
        self._queue.append(item)
        self._arrived.set()

    async def recv(self) -> Any:
        """The next frame: an ``av.AudioFrame`` or an ``av.VideoFrame``."""
        while not self._queue:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        return self.prepare(self._queue.popleft())

    def prepare(self, item: Any) -> Any:
        """The frame for what was pushed."""
        return item

    def stop(self) -> None:
        """End the track; a waiting ``recv`` raises."""
        super().stop()
        self._arrived.set()


class FedVoice(FedTrack):
    """Sound in blocks of 20 ms, mono float32 at 48 kHz, which a native encoder takes without a frame around them.

    Args:
        queued: As for :class:`FedTrack`.

    Attributes:
        path: The way to who is sent what is pushed; None while nobody is, or nothing is known of it.
    """

    def __init__(self, queued: int) -> None:
        super().__init__("audio", queued)
        self.path: NetworkPath | None = None
        self._taker: Callable[[NDArray[np.float32]], None] | None = None
        self._timestamp = 0

    def feed(self, taker: Callable[[NDArray[np.float32]], None] | None) -> None:
        """Call `taker` with each block as it is pushed, and queue none; None queues them again.

        Raises:
            MediaStreamError: The track has ended.
        """
        if taker and self.readyState != "live":
            raise MediaStreamError
        self._taker = taker

    def push(self, item: NDArray[np.float32]) -> None:
        """Give a block to whom the track feeds, or queue it."""
        if self._taker:
            self._taker(item)
        else:
            super().push(item)

    def prepare(self, item: NDArray[np.float32]) -> av.AudioFrame:
        """The block as a numbered frame."""
        frame = frames.audio_from_ndarray(item, format="s16", sample_rate_hz=ENGINE_RATE_HZ)
        frame.pts, frame.time_base = self._timestamp, _TIME_BASE
        self._timestamp += len(item)
        return frame
