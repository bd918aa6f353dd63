"""How a peer connection does its steps whole, and is closed whole, also in the middle of connecting."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from weakref import WeakKeyDictionary

from aiortc import RTCPeerConnection

_CONNECT = getattr(getattr(RTCPeerConnection, "_RTCPeerConnection__connect", None), "__code__", None)
_CLOSED = "_RTCPeerConnection__isClosed"

_steps: WeakKeyDictionary[RTCPeerConnection, list[asyncio.Task[None]]] = WeakKeyDictionary()
_closings: WeakKeyDictionary[RTCPeerConnection, asyncio.Task[None]] = WeakKeyDictionary()


async def step(pc: RTCPeerConnection, work: Coroutine[Any, Any, None]) -> None:
    """Do one step of aiortc's, such as setting a description, to its end, also where the caller is cancelled.

    Half done it would leave sockets open. :func:`close` waits for it.
    """
    task = asyncio.create_task(work)
    _steps.setdefault(pc, []).append(task)
    await asyncio.shield(task)


async def close(pc: RTCPeerConnection) -> None:
    """Close `pc` with all that is under way; may be called twice.

    It comes to its end, also where whoever waits for it is cancelled or loses patience: what is half closed cannot be
    closed again, and keeps its sockets.
    """
    closing = _closings.get(pc)
    if closing is None or closing.cancelled():  # as by a loop that ends
        closing = _closings[pc] = asyncio.create_task(_close(pc))
    await asyncio.shield(closing)


async def _close(pc: RTCPeerConnection) -> None:
    # aiortc connects in a task that nobody waits for. Closed meanwhile, that task raises, or begins to send and receive
    # on a connection that is gone.
    await asyncio.gather(*_steps.pop(pc, []), return_exceptions=True)
    connecting = [task for task in asyncio.all_tasks() if _connects(task.get_coro(), pc)]
    for task in connecting:
        task.cancel()
    await asyncio.gather(*connecting, return_exceptions=True)
    closed = getattr(pc, _CLOSED, None)
    if closed and not closed.done() and not any(_closes(task.get_coro(), pc) for task in asyncio.all_tasks()):
        setattr(pc, _CLOSED, None)  # a loop that ends broke it off, and aiortc would wait for ever for what does so
    await pc.close()


def _closes(coroutine: Any, pc: RTCPeerConnection) -> bool:
    """Whether it is in `pc`'s own ``close()``, however deep."""
    while frame := getattr(coroutine, "cr_frame", None):
        if frame.f_code is RTCPeerConnection.close.__code__ and frame.f_locals["self"] is pc:
            return True
        coroutine = coroutine.cr_await
    return False


def _connects(coroutine: Any, pc: RTCPeerConnection) -> bool:
    frame = getattr(coroutine, "cr_frame", None)
    return frame is not None and frame.f_code is _CONNECT and frame.f_locals["self"] is pc
