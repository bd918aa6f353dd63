"""Our ICE candidates: gathered while the offer is already on its way, and sent after it (trickle ICE, RFC 8838).

aiortc hands out the candidates of a transport all at once, when the last of its servers has answered. So a few
milliseconds are given to those that need no server; otherwise they follow together, in one message and not in many.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import RTCIceGatherer, RTCPeerConnection, RTCRtpTransceiver
from aiortc.sdp import candidate_to_sdp

_late: set[asyncio.Task[None]] = set()  # asyncio itself keeps no task alive

CLOSE_WAIT_S = 0.25  # without servers it is over by then
AT_ONCE_S = 0.05  # host candidates alone take a few milliseconds: then the offer is complete


class Gathering:
    """Gathers the candidates of a connection whose transceivers and data channel are there.

    Begin with :meth:`start` before the local description is set: aiortc then waits for none, and tells what is there.

    Args:
        pc: The connection.
    """

    def __init__(self, pc: RTCPeerConnection) -> None:
        self._pc = pc
        self._task: asyncio.Task[Any] | None = None

    async def start(self) -> bool:
        """Begin; whether everything is gathered already, so that nothing has to follow the offer.

        Raises:
            OSError, ValueError: A server's address is not usable.
        """
        self._task = asyncio.ensure_future(_gather(gatherers_of(self._pc)))
        done, _ = await asyncio.wait({self._task}, timeout=AT_ONCE_S)
        if done:
            self._task.result()
        return bool(done)

    async def finish(self) -> None:
        """Wait for the last candidate.

        Raises:
            OSError, ValueError: A server's address is not usable.
        """
        if self._task:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Let go of what is still searched for: it is closed when it is found, at the latest after five seconds.

        The search is not cancelled: aioice would leave its sockets open, and its questions to servers under way.
        """
        if self._task:
            await asyncio.wait({self._task}, timeout=CLOSE_WAIT_S)
            if not self._task.done():
                late = asyncio.create_task(_close_when_found(self._task, gatherers_of(self._pc)))
                _late.add(late)
                late.add_done_callback(_late.discard)
            elif not self._task.cancelled():
                self._task.exception()  # nobody waits for it any more

    def candidates(self) -> list[dict[str, Any]]:
        """All candidates as SmallWebRTC takes them, by section of the offer."""
        return [
            {"candidate": f"candidate:{line}", "sdp_mid": transceiver.mid, "sdp_mline_index": index}
            for index, transceiver in enumerate(self._pc.getTransceivers())
            for line in _lines_of(transceiver)
        ]

    def fragment(self) -> str:
        """All candidates as a part of a session description (RFC 8840), which WHIP and WHEP take."""
        transceivers = self._pc.getTransceivers()
        ice = _gatherer_of(transceivers[0]).getLocalParameters()
        parts = [f"a=ice-ufrag:{ice.usernameFragment}", f"a=ice-pwd:{ice.password}"]
        for transceiver in transceivers:
            parts += [f"m={transceiver.kind} 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{transceiver.mid}"]
            parts += [*(f"a=candidate:{line}" for line in _lines_of(transceiver)), "a=end-of-candidates"]
        return "\r\n".join([*parts, ""])


def gatherers_of(pc: RTCPeerConnection) -> set[RTCIceGatherer]:
    """Of all its transports."""
    gatherers = {_gatherer_of(transceiver) for transceiver in pc.getTransceivers()}
    if pc.sctp:
        gatherers.add(pc.sctp.transport.transport.iceGatherer)
    return gatherers


async def _close_when_found(search: asyncio.Task[Any], gatherers: set[RTCIceGatherer]) -> None:
    await asyncio.gather(search, return_exceptions=True)
    for gatherer in gatherers:
        await gatherer._connection.close()


def _gatherer_of(transceiver: RTCRtpTransceiver) -> RTCIceGatherer:
    return transceiver.sender.transport.transport.iceGatherer


def _lines_of(transceiver: RTCRtpTransceiver) -> list[str]:
    return [candidate_to_sdp(candidate) for candidate in _gatherer_of(transceiver).getLocalCandidates()]


async def _gather(gatherers: set[RTCIceGatherer]) -> None:
    await asyncio.gather(*(gatherer.gather() for gatherer in gatherers))
