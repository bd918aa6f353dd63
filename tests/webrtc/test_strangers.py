"""Session descriptions that aiortc would stumble over late."""

from __future__ import annotations

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from spike_engine.webrtc.strangers import checked, why_unusable

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


UNREADABLE = (
    "fmtp:",
    "fmtp:111",
    "fmtp:99 apt=98",
    "extmap:x urn:y",
    "extmap",
    "ssrc:1 flag",
    "ssrc:x cname:y",
    "ssrc-group:FID x",
    "rtcp:x",
    "rtcp:9 IN IP9 x",
    "rtcp-fb:111",
    "rtpmap:97 opus",
    "max-message-size:-1",
)


@pytest.mark.parametrize("attribute", UNREADABLE)
async def test_an_attribute_that_cannot_be_read_is_left_out(attribute: str) -> None:
    sdp = await offer()

    assert checked(sdp.replace("a=rtcp-mux", f"a={attribute}\r\na=rtcp-mux")) == checked(sdp)


async def test_blanks_at_the_end_of_lines_are_no_part_of_them() -> None:
    sdp = await offer()

    assert checked(sdp.replace("\r\n", " \r\n")) == checked(sdp)


async def test_a_port_of_a_data_channel_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sctp-port, or one that is none"):
        checked((await offer()).replace("a=sctp-port:5000", "a=sctp-port:65536"))


@pytest.mark.parametrize(
    ("error", "words"),
    [(ValueError("RTCP mux is not enabled"), "RTCP mux is not enabled"), (KeyError("holdconn"), "the rules of SDP")],
)
def test_why_a_description_is_not_usable_is_said_in_words(error: Exception, words: str) -> None:
    assert words in why_unusable(error)
