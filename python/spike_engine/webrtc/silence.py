"""When the other side of a peer connection is gone without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc import RTCPeerConnection
from aiortc.stats import RTCTransportStats

# A living peer sends RTCP reports at least every 1.5 s, so this long a silence is a dead one. aiortc alone takes 30 s.
SILENCE_LIMIT_S = 3.0
WATCH_INTERVAL_S = 0.25


async def until_silent(pc: RTCPeerConnection, limit_s: Callable[[], float]) -> None:
    """Return when no packet has come for longer than `limit_s` says.

    Any packet is a sign of life: on a lossy way a message may wait for seconds to be sent again (RFC 9260).
    """
    loop = asyncio.get_running_loop()
    received, heard_at_s = 0, loop.time()
    while loop.time() - heard_at_s < limit_s():
        began_s = loop.time()
        await asyncio.sleep(WATCH_INTERVAL_S)
        # While this program was held up, nothing could be heard.
        heard_at_s += max(0.0, loop.time() - began_s - 2 * WATCH_INTERVAL_S)
        now_received = await _received(pc)
        if now_received != received:
            received, heard_at_s = now_received, loop.time()


async def _received(pc: RTCPeerConnection) -> int:
    """How many packets have come; `pc.getStats` takes several times as long, since it tells everything else as well."""
    by_transport = {receiver.transport: receiver for receiver in pc.getReceivers()}
    stats = [each for receiver in by_transport.values() for each in (await receiver.getStats()).values()]
    return sum(each.packetsReceived for each in stats if isinstance(each, RTCTransportStats))
