"""How long a voice is kept, told to who sends it."""

from __future__ import annotations

import struct

import pytest
from aiortc.rtp import RtcpPacket, RtcpReceiverInfo, RtcpRrPacket

from spike_engine.webrtc.extended_reports import WithDelay, delays_in

REPORT = RtcpRrPacket(
    ssrc=7,
    reports=[
        RtcpReceiverInfo(ssrc=9, fraction_lost=0, packets_lost=0, highest_sequence=1, jitter=2, lsr=3, dlsr=4),
    ],
)


def test_a_report_says_the_delay_and_stays_what_it_was_to_who_does_not_know_it() -> None:
    told = bytes(WithDelay(REPORT, 9, 61.6))

    assert list(delays_in(told)) == [(9, 62.0)]
    (packet,) = RtcpPacket.parse(told)
    assert packet == REPORT
    assert WithDelay(REPORT, 9, 61.6).reports is REPORT.reports
    assert len(told) == len(bytes(REPORT)) + 44
    # RFC 3611 section 4.7: the block's type, its length in words without the first, whose voice, and the delays
    assert struct.unpack("!BBHL", told[-36:-28]) == (7, 0, 8, 9)
    assert struct.unpack("!HHH", told[-6:]) == (62, 62, 62)


def test_a_delay_that_does_not_fit_is_the_longest_that_does() -> None:
    assert list(delays_in(bytes(WithDelay(REPORT, 9, 1e6)))) == [(9, 65535.0)]


@pytest.mark.parametrize("end", range(0, 76, 3))
def test_what_is_cut_off_says_nothing(end: int) -> None:
    assert not list(delays_in(bytes(WithDelay(REPORT, 9, 50.0))[:end]))


def test_other_blocks_are_passed_over() -> None:
    own = bytes(WithDelay(REPORT, 9, 50.0))[-36:]
    other = struct.pack("!BBHLL", 4, 0, 2, 1, 2)  # the receiver's time
    header = struct.pack("!BBHL", 0x80, 207, 1 + (len(other) + len(own)) // 4, 7)

    assert list(delays_in(header + other + own)) == [(9, 50.0)]
    assert not list(delays_in(bytes(RtcpRrPacket(ssrc=1)) + b"\x80"))
