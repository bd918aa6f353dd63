"""The program's own objects, which may raise anything, give anything, or hang: the call goes on all the same."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices import AudioSink, AudioSource, Silence, VideoSource
from spike_engine.devices.stand_ins import BlackPictures
from spike_engine.errors import DeviceNotFound, InvalidOption
from spike_engine.sources.audio import mono_float32
from spike_engine.sources.guard import CLOSE_LIMIT_S, Guarded, Report, begun
from spike_engine.sources.stream import Pace
from spike_engine.sources.video import check_picture

logger = logging.getLogger(__name__)

T = TypeVar("T")

LATE_S = 0.5  # after so long without a block or a picture something else is sent
STALL_S = 3.0  # and after so long the program is told
AHEAD_S = 1.0  # a microphone that is so far ahead of the clock does not wait for its samples
_IDLE_FPS = 10.0
_MOST_FPS = 200.0


class _GuardedSource(Guarded, Generic[T]):
    """Reads a source in a task of its own, so that neither a reader that is cancelled nor a source that hangs matters.

    What the source fails to give, a stand-in does.
    """

    def __init__(self, inner: Any, called: str, on_error: Report) -> None:
        super().__init__(inner, called, on_error)
        self._reading: asyncio.Future[Any] | None = None
        self._heard_at: float | None = None
        self._told = False

    async def _close(self) -> None:
        if reading := self._reading:
            reading.cancel()
            await asyncio.wait({reading}, timeout=CLOSE_LIMIT_S)
            if reading.done() and not reading.cancelled():
                reading.exception()  # nobody waits for it any more
        await super()._close()

    async def _next(self, patience_s: float, check: Callable[[Any], T], *arguments: Any) -> T | None:
        """What the source gives next, checked; None where it has failed or is late."""
        if self.failed:
            return None
        if self._lifetime.over:
            raise DeviceNotFound(f"{self._called} is closed")
        loop = asyncio.get_running_loop()
        if self._heard_at is None:
            self._heard_at = loop.time()
        if self._reading is None:
            self._reading = loop.create_task(self._read(*arguments))
        late_s = loop.time() - self._heard_at
        await asyncio.wait({self._reading}, timeout=patience_s if late_s > LATE_S else LATE_S)
        if not self._reading.done():
            self._tell_if_stalled(loop.time() - self._heard_at)
            return None
        reading, self._reading, self._heard_at = self._reading, None, loop.time()
        try:
            return check(reading.result())
        except (Exception, asyncio.CancelledError) as error:
            if self._lifetime.over:  # while it was read, to be replaced by another
                raise DeviceNotFound(f"{self._called} is closed") from error
            self._fail(self._failure("read", error))
            return None

    async def _read(self, *arguments: Any) -> Any:
        return await begun(self._inner, "read", *arguments)

    def _tell_if_stalled(self, late_s: float) -> None:
        if late_s > STALL_S and not self._told:
            self._told = True
            self._tell(DeviceNotFound(f"{self._called} has given nothing for {STALL_S:g} s; it is still waited for"))


class GuardedSound(_GuardedSource[NDArray[np.float32]]):
    """A microphone of the program's own. Reading it gives silence where it fails or hangs, and raises only when closed.

    Args:
        inner: The program's object.
        called: What to call it in messages.
        on_error: Takes its error: it raised, gave what is no sound, or has given nothing for `STALL_S`.
    """

    def __init__(self, inner: AudioSource, called: str, on_error: Report) -> None:
        super().__init__(inner, called, on_error)
        self.sample_rate_hz = Silence.sample_rate_hz
        self._silence = Silence()
        self._given_s = 0.0
        self._begun_at: float | None = None
        self._pace: Pace | None = None

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""
        await super().start()
        self.sample_rate_hz = _rate_of(self._inner, self._called)

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSource.read`."""

        def check(block: Any) -> NDArray[np.float32]:
            return _block(block, samples)

        block_s = samples / self.sample_rate_hz
        if (block := await self._next(block_s, check, samples)) is not None:
            await self._hold_back(block_s)
            return block
        return await self._silence.read(samples) if self.failed else np.zeros(samples, np.float32)

    async def _hold_back(self, block_s: float) -> None:
        """Keep a source in step with the clock that at its beginning gives sound faster than it can be captured."""
        now = asyncio.get_running_loop().time()
        if self._begun_at is None:
            self._begun_at = now
        self._given_s += block_s
        if self._pace is None and self._given_s < 2 * AHEAD_S and self._given_s > now - self._begun_at + AHEAD_S:
            logger.warning("read() of %s does not wait until the samples were captured", self._called)
            self._pace = Pace()
        if self._pace:
            await self._pace.wait(block_s)


class GuardedPictures(_GuardedSource[NDArray[np.uint8]]):
    """A camera of the program's own. Reading it gives black where it fails, the last picture again where it hangs.

    Args:
        inner: The program's object.
        called: What to call it in messages.
        on_error: Takes its error: it raised, gave what is no picture, or has given nothing for `STALL_S`.
    """

    def __init__(self, inner: VideoSource, called: str, on_error: Report) -> None:
        super().__init__(inner, called, on_error)
        self._last = np.zeros((90, 160, 3), np.uint8)
        self._black = BlackPictures(self._last, _IDLE_FPS)
        self._pace = Pace()  # one that never waits for a picture must not take all of the processor

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`VideoSource.read`."""
        if (picture := await self._next(1 / _IDLE_FPS, check_picture)) is not None:
            self._last = picture
            await self._pace.wait(1 / _MOST_FPS)
            return picture
        return await self._black.read() if self.failed else self._last


class GuardedSink(Guarded):
    """A loudspeaker of the program's own. Nothing it does raises; where it fails, what is written is dropped.

    Args:
        inner: The program's object.
        called: What to call it in messages.
        on_error: Takes its error: it raised, or said that something was played that is no sound.
    """

    def __init__(self, inner: AudioSink, called: str, on_error: Report) -> None:
        super().__init__(inner, called, on_error)
        self.sample_rate_hz = Silence.sample_rate_hz

    async def start(self) -> None:
        """See :meth:`AudioSink.start`."""
        await super().start()
        self.sample_rate_hz = _rate_of(self._inner, self._called)

    def write(self, samples: NDArray[np.float32]) -> None:
        """See :meth:`AudioSink.write`."""
        self._call("write", samples)

    def played(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSink.played`."""
        block = self._call("played", samples, check=lambda played: _block(played, samples))
        return np.zeros(samples, np.float32) if block is None else block

    def flush(self) -> None:
        """See :meth:`AudioSink.flush`."""
        self._call("flush")

    def _call(self, method: str, *arguments: Any, check: Callable[[Any], Any] = lambda result: result) -> Any:
        if self.failed or self._lifetime.over:
            return None
        try:
            result = getattr(self._inner, method)(*arguments)
            if inspect.iscoroutine(result):
                result.close()
                raise InvalidOption("it must not be async")
            return check(result)
        except (Exception, asyncio.CancelledError) as error:
            self._fail(self._failure(method, error))
            return None


def _rate_of(device: Any, called: str) -> int:
    rate_hz = getattr(device, "sample_rate_hz", None)
    if not isinstance(rate_hz, int | np.integer) or not 8000 <= rate_hz <= 192000 or rate_hz % 50:
        raise DeviceNotFound(
            f"sample_rate_hz of {called} must be a multiple of 50 from 8000 to 192000 (Hz), not {rate_hz!r}"
        )
    return int(rate_hz)


def _block(block: Any, samples: int) -> NDArray[np.float32]:
    sound = mono_float32(block)
    if len(sound) != samples:
        raise InvalidOption(f"{samples} samples were asked for, {len(sound)} came")
    return sound
