"""Our ICE candidates: gathered while the offer is already on its way, and sent after it (trickle ICE, RFC 8838).

aiortc hands out the candidates of a transport all at once, when the last of its servers has answered. So a few
milliseconds are given to those that need no server; otherwise they follow together, in one message and not in many.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiortc import RTCIceGatherer, RTCPeerConnection, RTCRtpTransceiver
from aiortc.sdp import candidate_to_sdp

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
        gatherers = {_gatherer_of(transceiver) for transceiver in self._pc.getTransceivers()}
        if self._pc.sctp:
            gatherers.add(self._pc.sctp.transport.transport.iceGatherer)
        self._task = asyncio.ensure_future(_gather(gatherers))
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

    async def cancel(self) -> None:
        """Stop, whatever is under way."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

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


def _gatherer_of(transceiver: RTCRtpTransceiver) -> RTCIceGatherer:
    return transceiver.sender.transport.transport.iceGatherer


def _lines_of(transceiver: RTCRtpTransceiver) -> list[str]:
    return [candidate_to_sdp(candidate) for candidate in _gatherer_of(transceiver).getLocalCandidates()]


async def _gather(gatherers: set[RTCIceGatherer]) -> None:
    await asyncio.gather(*(gatherer.gather() for gatherer in gatherers))
