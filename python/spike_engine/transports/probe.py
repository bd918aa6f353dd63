"""What ICE would find from this machine, tried out before a conversation needs it."""

from __future__ import annotations

import asyncio

import aioice
from aiortc import RTCIceGatherer, RTCIceServer, RTCIceTransportPolicy

from spike_engine.options import IceServer

TIMEOUT_S = 6.0


def own_addresses() -> list[str]:
    """The addresses besides loopback that ICE can offer."""
    return list(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))


async def relayed_addresses(server: IceServer) -> list[str]:
    """The addresses that a TURN server gives us; none where it cannot be reached or does not know us."""
    ice_server = RTCIceServer(list(server.all_urls), username=server.username, credential=server.credential)
    gatherer = RTCIceGatherer([ice_server], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await gatherer.gather()
    except (TimeoutError, OSError):
        return []
    finally:
        await gatherer._connection.close()
    return [f"{candidate.ip}:{candidate.port}" for candidate in gatherer.getLocalCandidates()]
