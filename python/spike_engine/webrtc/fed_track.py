"""An aiortc track for what comes by itself: from a microphone, from the AI, from another library."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack


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
        return self.prepare(await self.take())

    async def take(self) -> Any:
        """What was pushed, as it was pushed."""
        while not self._queue:
            if self.readyState != "live":
                raise MediaStreamError
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    def prepare(self, item: Any) -> Any:
        """The frame for what was pushed."""
        return item

    def stop(self) -> None:
        """End the track; a waiting ``recv`` raises."""
        super().stop()
        self._arrived.set()
