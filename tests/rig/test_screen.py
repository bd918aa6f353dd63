"""What is seen of a run: a table on a terminal, lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from spike_engine.rig import screen as screens
from spike_engine.rig.record import CallRecord, Fault, TurnRecord
from spike_engine.rig.screen import Screen
from spike_engine.rig.share import State

RECORD = CallRecord(
    0, 0.0, 9.0, 0.5, 480.0, 900.0, turns=[TurnRecord(3.0, answer_ms=612.0)], faults=[Fault(8.0, "NO_ANSWER", "none")]
)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_run_is_seen_while_it_goes_on(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "LINE_EVERY_S", 0.0)
    seen = io.StringIO()
    console = Console(file=seen, force_terminal=is_terminal, width=120, color_system=None)

    with Screen(3, console) as screen:
        screen.take(RECORD)
        screen.take(State(share=0, active=1, lag_ms=4.0, held=0))
        screen.take(State(share=1, active=1, lag_ms=80.0, held=2))

    assert "1 of 3 calls over, 1 failed, 2 go on, 2 held back: the rig is late" in seen.getvalue()
    assert ("answer_ms" in seen.getvalue()) is is_terminal
    assert (screen.records, screen.lag_ms) == ([RECORD], 80.0)
