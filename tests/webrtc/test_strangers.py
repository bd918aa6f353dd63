"""Session descriptions that aiortc would stumble over late."""

from __future__ import annotations

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from spike_engine.webrtc.strangers import checked

pytestmark = pytest.mark.usefixtures("nothing_left_open")


async def offer() -> str:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.addTransceiver("audio")
    pc.createDataChannel("chat")
    await pc.setLocalDescription(await pc.createOffer())
    sdp = str(pc.localDescription.sdp)
    await pc.close()
    return sdp


async def test_a_bundle_of_sections_that_are_there_is_accepted() -> None:
    assert "a=group:BUNDLE 0 1" in checked(await offer())


async def test_a_bundle_that_names_another_section_is_refused() -> None:
    sdp = (await offer()).replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 7 1")

    with pytest.raises(ValueError, match="bundle names a section that it does not have"):
        checked(sdp)
