"""From what callers heard to figures, and from figures to a report."""

from __future__ import annotations

import asyncio
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from spike_engine.errors import InvalidOption
from spike_engine.rig import ear as ears
from spike_engine.rig.caller import understood
from spike_engine.rig.ear import Ear
from spike_engine.rig.figures import Expectation, Figures, bends_at, statistic
from spike_engine.rig.record import CallRecord, Fault, TurnRecord
from spike_engine.rig.report import Run, html_of, write_report

LOUD, SILENT = np.full(960, 0.1, np.float32), np.zeros(960, np.float32)


class Clock:
    """The event loop's clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now_s)

    def play(self, ear: Ear, blocks: int, block: np.ndarray) -> None:
        for _ in range(blocks):
            ear.hear(block)
            self.now_s += 0.02


async def test_an_ear_tells_one_sound_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ear = Clock(monkeypatch), Ear()
    clock.play(ear, 10, SILENT)
    clock.play(ear, 25, LOUD)  # 100.2 to 100.7
    clock.play(ear, 5, SILENT)  # too short to end it
    clock.play(ear, 5, LOUD)  # to 100.9
    clock.play(ear, 20, SILENT)
    clock.play(ear, 5, LOUD)  # 101.3 to 101.4

    assert await ear.beginning_after(0.0, 1.0) == pytest.approx(100.2)
    assert await ear.beginning_after(100.3, 1.0) == pytest.approx(101.3)
    assert await ear.end_after(100.5, 1.0) == pytest.approx(100.9)
    assert ear.hears
    clock.play(ear, 15, SILENT)
    assert not ear.hears
    assert await ear.end_after(101.0, 1.0) == pytest.approx(101.4)
    assert ears.SILENCE_S == 0.2


async def test_an_ear_does_not_wait_for_ever() -> None:
    assert await Ear().beginning_after(0.0, 0.01) is None


@pytest.mark.parametrize(
    ("said", "heard", "share"),
    [
        ("Hello there.", "hello there", 1.0),
        ("Nobody is available.", "nobody was available", 2 / 3),
        ("Hello.", "", 0.0),
        ("I'm here", "i'm here", 1.0),
        ("one two", "two one", 0.5),
    ],
)
def test_words_are_understood_in_their_order(said: str, heard: str, share: float) -> None:
    assert understood(said, heard) == pytest.approx(share)


def records(count: int = 40) -> list[CallRecord]:
    """A call a second, each of 60 s; with more than 20 of them, answers take long."""
    made = []
    for number in range(count):
        turns = [
            TurnRecord(at, "Hello.", "hello", 1.0, 3000.0 if at > 20 else 400.0 + number)
            for at in np.arange(number + 2.0, number + 60.0, 4.0)
        ]
        made.append(CallRecord(number, number, number + 60.0, number + 0.5, 500.0, 900.0, 0.01, 0.0, 5.0, 2.0, turns))
    made[3].faults.append(Fault(9.0, "NO_ANSWER", "no <answer>"))
    return made


def test_figures_of_calls() -> None:
    figures = Figures.of([*records(), CallRecord(-1, 0.0, faults=[Fault(0.0, "RIG", "died")])])

    assert figures.totals["sessions"] == figures.totals["joined"] == 40
    assert (figures.totals["failed"], figures.totals["most_active"]) == (2, 40)
    assert figures.codes == {"NO_ANSWER": 1, "RIG": 1}
    assert statistic("p95", figures.values("join_ms")) == 500.0
    assert figures.active_between(10.2, 10.8) == 11
    assert figures.active_between(98.0, 98.5) == 1
    assert math.isnan(statistic("mean", []))
    assert Figures.of([]).bins == [(0.0, pytest.approx(1e-6))]


def test_expectations_are_met_or_not() -> None:
    figures = Figures.of(records())
    for text, met in [
        ("p95_first_sound_ms<1200", True),
        ("p50_answer_ms <= 400", False),
        ("failed<=0", False),
        ("sessions>=40", True),
        ("mean_understood>0.9", True),
        ("count_join_ms>=40", True),
        ("p99.9_loss<0.02", True),
        ("max_barge_in_ms<500", False),  # nobody was interrupted: what was not measured was not met
    ]:
        expected = Expectation.parse(text)
        assert expected.is_met(expected.value(figures)) is met, text


@pytest.mark.parametrize("text", ["", "fast", "p95_speed_ms<3", "p95_join_ms=3", "join_ms<3", "p95_join_ms<1.2.3"])
def test_what_is_no_expectation_is_said(text: str) -> None:
    with pytest.raises(InvalidOption, match="expectation"):
        Expectation.parse(text)


def test_where_a_server_bends() -> None:
    figures = Figures.of(records())

    bend = bends_at(figures, [Expectation.parse("p95_join_ms<1000"), Expectation.parse("p95_answer_ms<2000")])

    assert bend is not None
    assert 20 <= bend <= 23
    assert bends_at(figures, [Expectation.parse("p95_join_ms<1000"), Expectation.parse("failed<1")]) is None


def test_the_report_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    run = Run({"address": "http://a/<b>"}, records(), [Expectation.parse("p95_answer_ms<2000")], lag_ms=45.0)

    page, data = write_report(run, tmp_path / "new")

    html = page.read_text()
    assert not re.search(r'(src|href|@import|url\()\s*=?\s*["\']?\s*(http|//)', html)
    assert "http://a/&lt;b&gt;" in html
    assert "no &lt;answer&gt;" in html
    assert "missed" in html
    assert "It bends at" in html
    assert "45 ms late" in html
    assert html.count("<svg") == html.count("</svg>") == 8
    read = json.loads(data.read_text())
    assert read["metrics"]["join_ms"]["p95"] == 500.0
    assert read["metrics"]["barge_in_ms"]["p95"] is None
    assert read["expectations"][0]["met"] is False
    assert read["over_time"][0]["active"] >= 1
    assert len(read["calls"]) == 40
    assert html_of(Run({}, [])).startswith("<!doctype html>")
