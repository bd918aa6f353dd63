"""What time it was at the sender."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from spike_engine.webrtc import sender_reports
from spike_engine.webrtc.sender_reports import CaptureClock, SenderClock

NTP_S = 3_900_000_000


def test_a_report_tells_the_time_of_what_comes_before_and_after_it_across_the_wrap() -> None:
    clock = SenderClock()
    clock.report(7, NTP_S << 32, (1 << 32) - 48_000)

    assert clock.time_s(7, 0, 48_000) == NTP_S + 1
    assert clock.time_s(7, 96_000.0, 48_000) == NTP_S + 3
    assert clock.time_s(7, (1 << 32) - 96_000, 48_000) == NTP_S - 1
    assert clock.time_s(8, 0, 48_000) is None


def test_a_report_without_a_time_says_nothing() -> None:
    clock = SenderClock()
    clock.report(7, 0, 0)

    assert clock.time_s(7, 0, 48_000) is None


def report(rtp_timestamp: int) -> SimpleNamespace:
    return SimpleNamespace(sender_info=SimpleNamespace(ntp_timestamp=1, rtp_timestamp=rtp_timestamp))


def test_what_is_encoded_late_was_taken_when_the_quickest_were(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(sender_reports.time, "monotonic", lambda: now_s)
    clock, late_s = CaptureClock(), [0.03, 0.004, 0.05, 0.02, 0.004, 0.06]
    assert not clock.correct(report(0))  # nothing was sent yet
    for n, late in enumerate(late_s):
        now_s = 100.0 + n / 25 + late
        clock.sent(3600 * n, 90_000)
    told = report(12_345 + 3600 * 5)

    assert clock.correct(told)
    taken_s = 100.0 + (told.sender_info.rtp_timestamp - 12_345) / 90_000
    assert now_s - taken_s == pytest.approx(0.004, abs=0.001)


def test_a_sender_that_pauses_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(sender_reports.time, "monotonic", lambda: now_s)
    clock = CaptureClock()
    for now_s, timestamp in ((0.0, 0), (0.02, 960), (5.0, 1920)):  # noqa: B007 (the clock reads it)
        clock.sent(timestamp, 48_000)
    now_s, told = 5.01, report(1920)

    assert clock.correct(told)
    assert told.sender_info.rtp_timestamp == 1920 + 480
