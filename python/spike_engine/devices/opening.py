"""Devices take their time to open, and nobody may be left who waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def in_thread(open_device: Callable[..., Any], *arguments: Any) -> Any:
    """What `open_device` opens in a thread. If nobody waits for it any more when it is open, it is closed again."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_device, *arguments))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
