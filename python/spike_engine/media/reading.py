"""What microphone and camera share: a source that is read in a task of its own and may be exchanged for another."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Generic, TypeVar

from spike_engine.devices import AudioSource, VideoSource
from spike_engine.errors import DeviceNotFound, MediaError
from spike_engine.lifetime import Slot, cancelled
from spike_engine.media.listener import CLOSE_LIMIT_S, MediaListener
from spike_engine.webrtc.fed_track import FedTrack

logger = logging.getLogger(__name__)

Source = TypeVar("Source", AudioSource, VideoSource)
Track = TypeVar("Track", bound=FedTrack)


class Reading(Generic[Source, Track]):
    """Reads the source that is in use for as long as it is open, and feeds its tracks. It outlives connections.

    A source that fails is told, and its stand-in is read instead.
    """

    def __init__(self, listener: MediaListener) -> None:
        self._listener = listener
        self._tracks: list[Track] = []
        self._dropped = 0  # by tracks that are no more
        self._slot: Slot[_Reader[Source]] = Slot(CLOSE_LIMIT_S)

    def create_track(self) -> Track:
        """A new track of what is read from now on, until it is stopped; each connection has its own."""
        self._dropped += sum(track.dropped for track in self._tracks if track.readyState != "live")
        self._tracks = [*(track for track in self._tracks if track.readyState == "live"), self._new_track()]
        return self._tracks[-1]

    @property
    def dropped(self) -> int:
        """How many frames its tracks have dropped since nobody took them in time."""
        return self._dropped + sum(track.dropped for track in self._tracks)

    @property
    def device(self) -> Source | None:
        """What is read; None before the first."""
        return self._slot.current.source if self._slot.current else None

    async def replace(self, source: Source) -> None:
        """Read `source`, which has been started, from now on and close the one before.

        When this is closed, `source` has come too late and is closed itself.
        """
        if not self._slot.current or self._slot.current.source is not source:
            self._use(source)
            await self._slot.settled()

    async def close(self) -> None:
        """Stop reading, close the source and end the tracks; may be called twice."""
        await self._slot.close()
        for track in self._tracks:
            track.stop()

    async def _take(self, source: Source) -> None:
        """Read once and pass on what was read."""
        raise NotImplementedError

    def stand_in(self) -> Source:
        """What is read in the place of a source that is not there."""
        raise NotImplementedError

    def _new_track(self) -> Track:
        raise NotImplementedError

    def _push(self, item: Any) -> None:
        for track in self._tracks:
            track.push(item)

    def _use(self, source: Source, *, stands_in: bool = False) -> None:
        self._slot.exchange(_Reader(source, self, stands_in))

    async def _read(self, source: Source) -> None:
        try:
            while True:
                await self._take(source)
                await asyncio.sleep(0)  # a source that never waits must not keep everything else waiting
        except MediaError as error:
            self._fail(source, error)
        except Exception as error:
            logger.exception("%r raised", source)
            self._fail(source, DeviceNotFound(f"{source!r} raised {error!r}"))

    def _fail(self, source: Source, error: MediaError) -> None:
        current = self._slot.current
        if current and current.source is source:  # else it has been exchanged, and closed while it was read
            if not current.stands_in:
                self._use(self.stand_in(), stands_in=True)
            self._listener.on_error(error)


class _Reader(Generic[Source]):
    """One source and the task that reads it."""

    def __init__(self, source: Source, reading: Reading[Source, Any], stands_in: bool) -> None:
        self.source: Source = source
        self.stands_in = stands_in
        self._task = asyncio.create_task(reading._read(source))

    async def close(self) -> None:
        await cancelled(self._task)
        await self.source.close()
