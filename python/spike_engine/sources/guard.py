"""What guards an object of the program: it may fail to start, raise, or hang when it is closed."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from spike_engine.devices.base import latency_s_of
from spike_engine.errors import DeviceNotFound, InvalidOption, MediaError
from spike_engine.lifetime import Lifetime, is_cancelled

logger = logging.getLogger(__name__)

Report = Callable[[MediaError], None]

START_LIMIT_S = 4.0
CLOSE_LIMIT_S = 3.0
_MOST_LATENCY_S = 10.0


class Guarded:
    """What sources and sinks of a program have in common: they are started, fail at most once, and are closed.

    Args:
        inner: The program's object.
        called: What to call it in messages.
        on_error: Takes the error of an object that fails while it is used.

    Attributes:
        failed: It is used no more.
    """

    def __init__(self, inner: Any, called: str, on_error: Report) -> None:
        self._inner = inner
        self._called = called
        self._on_error = on_error
        self.failed = False
        self._lifetime = Lifetime()
        self._lifetime.add(self._close)

    async def start(self) -> None:
        """Open it.

        Raises:
            MediaError: That failed, whatever the object raised, or took longer than `START_LIMIT_S`.
        """
        await self._awaited("start", START_LIMIT_S)

    async def ready(self) -> None:
        """Return when it runs, where it can tell. Raises as `start` does."""
        if hasattr(self._inner, "ready"):
            await self._awaited("ready", START_LIMIT_S)

    @property
    def latency_s(self) -> float:
        """What the object says of its own delay; 0 where it says nothing that can be true."""
        try:
            latency_s = latency_s_of(self._inner)
        except Exception:  # its own property
            return 0.0
        return latency_s if 0.0 <= latency_s <= _MOST_LATENCY_S else 0.0

    async def close(self) -> None:
        """Free it; what that raises is logged."""
        await self._lifetime.close()

    async def _close(self) -> None:
        try:
            await self._awaited("close", CLOSE_LIMIT_S)
        except MediaError as error:
            logger.warning("%s", error, exc_info=error.__cause__)

    def _fail(self, error: MediaError) -> None:
        """Tell of `error`, and use the object no more."""
        self.failed = True
        self._lifetime.drop(self._close)
        self._tell(error)

    def _tell(self, error: MediaError) -> None:
        logger.warning("%s", error, exc_info=error.__cause__)
        self._on_error(error)

    def _failure(self, method: str, cause: BaseException) -> MediaError:
        """What an object raised, as an error of a device."""
        if isinstance(cause, MediaError):
            return cause
        what = "gave what is not accepted" if isinstance(cause, InvalidOption) else f"raised {type(cause).__name__}"
        error = DeviceNotFound(f"{method}() of {self._called} {what}: {cause}")
        error.__cause__ = cause
        return error

    async def _awaited(self, method: str, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s) as limit:
                await begun(self._inner, method)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            raise self._failure(method, error) from error
        except Exception as error:
            if limit.expired():
                raise DeviceNotFound(f"{method}() of {self._called} took longer than {limit_s:g} s") from error
            failure = self._failure(method, error)
            raise failure from failure.__cause__


def begun(inner: Any, method: str, *arguments: Any) -> Awaitable[Any]:
    """What `method` of `inner` returns, to be awaited. Raises an InvalidOption where it cannot be."""
    result = getattr(inner, method)(*arguments)
    if not inspect.isawaitable(result):
        raise InvalidOption(f"it must be async, and gave {type(result).__name__}")
    return result
