"""The UDP ports that media use, for firewalls that let a range of them through."""

from __future__ import annotations

import asyncio
import errno
import random
from typing import Any


def keep_within(loop: asyncio.AbstractEventLoop, first: int, last: int) -> None:
    """Have every UDP socket of `loop` that may be bound to any port take a free one from `first` to `last`.

    aioice binds the sockets of its candidates to port 0, and has no option for it. Where all of the range are taken,
    the candidate is left out, as one of an address that cannot be used.
    """
    patched: Any = loop
    create = patched.create_datagram_endpoint

    async def create_within(factory: Any, local_addr: Any = None, **options: Any) -> Any:
        if local_addr is None or local_addr[1] != 0:
            return await create(factory, local_addr, **options)
        ports = range(first, last + 1)
        for port in random.sample(ports, len(ports)):
            try:
                return await create(factory, (local_addr[0], port), **options)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"all UDP ports from {first} to {last} are in use")

    patched.create_datagram_endpoint = create_within
