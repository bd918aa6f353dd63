"""Two connections of one process that agree with each other."""

from __future__ import annotations

from aiortc import RTCPeerConnection, RTCSessionDescription


async def connect(here: RTCPeerConnection, there: RTCPeerConnection) -> None:
    """Have `here` offer and `there` answer."""
    await here.setLocalDescription(await here.createOffer())
    await there.setRemoteDescription(RTCSessionDescription(here.localDescription.sdp, "offer"))
    await there.setLocalDescription(await there.createAnswer())
    await here.setRemoteDescription(RTCSessionDescription(there.localDescription.sdp, "answer"))
