"""What is added to session descriptions, and what is left alone."""

from __future__ import annotations

from aiortc.sdp import SessionDescription

from spike_engine.webrtc.descriptions import ask_for_resilience, asks_for_dtx, red_payload_type

OFFER = """v=0\r
o=- 1 1 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
m=audio 9 UDP/TLS/RTP/SAVPF 96 0 8\r
c=IN IP4 0.0.0.0\r
a=sendrecv\r
a=mid:0\r
a=rtcp-mux\r
a=rtpmap:96 opus/48000/2\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
m=video 9 UDP/TLS/RTP/SAVPF 97\r
c=IN IP4 0.0.0.0\r
a=mid:1\r
a=rtpmap:97 VP8/90000\r
"""


def test_error_correction_and_redundancy_are_asked_for_and_survive_aiortc() -> None:
    asked = ask_for_resilience(OFFER, red=63)
    audio, video = SessionDescription.parse(asked).media

    assert audio.fmt == [63, 96, 0, 8]
    opus, red, *_ = audio.rtp.codecs
    assert (red.name, red.clockRate, red.channels, red.parameters) == ("red", 48000, 2, {"96/96": None})
    assert opus.parameters == {"minptime": 10, "useinbandfec": 1}
    assert [codec.name for codec in video.rtp.codecs] == ["VP8"]
    assert red_payload_type(asked) == 63
    assert ask_for_resilience(asked, red=63) == asked
    assert red_payload_type(str(SessionDescription.parse(asked))) == 63
    on_loss = ask_for_resilience(OFFER, red=63, always=False)
    assert SessionDescription.parse(on_loss).media[0].fmt == [96, 0, 8, 63]
    assert red_payload_type(on_loss) == 63


def test_without_redundancy_on_the_other_side_only_error_correction_is_asked_for() -> None:
    asked = ask_for_resilience(OFFER, red=None)

    assert red_payload_type(asked) is None
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 96 0 8\r\n" in asked
    assert "a=fmtp:96 minptime=10;useinbandfec=1\r\n" in asked


def test_a_voice_without_opus_and_one_with_wishes_of_its_own_stay_as_they_are() -> None:
    telephone = OFFER.replace("a=rtpmap:96 opus/48000/2\r\n", "a=rtpmap:96 speex/8000\r\n")
    assert ask_for_resilience(telephone, red=63) == telephone
    wishes = OFFER.replace("a=rtpmap:0", "a=fmtp:96 useinbandfec=0\r\na=rtpmap:0")
    assert ask_for_resilience(wishes, red=None) == wishes
    taken = OFFER.replace("opus/48000/2\r\n", "opus/48000/2\r\na=rtpmap:63 telephone-event/8000\r\n")
    assert red_payload_type(ask_for_resilience(taken, red=63)) is None


def test_who_prefers_discontinuous_transmission_says_so_for_opus() -> None:
    def with_format(parameters: str) -> str:
        return OFFER.replace("a=rtpmap:0 ", f"a=fmtp:{parameters}\r\na=rtpmap:0 ")

    assert asks_for_dtx(with_format("96 usedtx=1"))
    assert asks_for_dtx(with_format("96 minptime=10; usedtx=1;useinbandfec=1"))
    assert not asks_for_dtx(with_format("96 usedtx=0"))
    assert not asks_for_dtx(with_format("96 xusedtx=1"))
    assert not asks_for_dtx(with_format("0 usedtx=1"))
    assert not asks_for_dtx(OFFER)
    assert not asks_for_dtx("v=0\r\n")
