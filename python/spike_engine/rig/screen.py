"""What is seen of a run while it goes on: a table that changes on a terminal, else a line every few seconds."""

from __future__ import annotations

import math
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from spike_engine.rig.figures import METRICS, Figures, statistic
from spike_engine.rig.record import CallRecord
from spike_engine.rig.share import State

LINE_EVERY_S = 5.0
_SHOWN = ("join_ms", "first_sound_ms", "answer_ms", "barge_in_ms", "understood", "loss", "rtt_ms")


class Screen:
    """Collects a run and shows it.

    Attributes:
        records: Of the calls that are over.
        lag_ms: The latest that an event loop of the rig was.

    Args:
        sessions: How many calls there will be.
        console: Where to show them.
    """

    def __init__(self, sessions: int, console: Console) -> None:
        self.records: list[CallRecord] = []
        self.lag_ms = 0.0
        self._sessions = sessions
        self._console = console
        self._states: dict[int, State] = {}
        self._said_at = time.monotonic()
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def take(self, message: Any) -> None:
        """A :class:`CallRecord` or a :class:`State`."""
        if isinstance(message, CallRecord):
            self.records.append(message)
            return
        self._states[message.share] = message
        self.lag_ms = max(self.lag_ms, message.lag_ms)
        if self._live:
            self._live.update(self._table(), refresh=True)
        elif time.monotonic() - self._said_at > LINE_EVERY_S:
            self._said_at = time.monotonic()
            self._console.print(self._headline, highlight=False, soft_wrap=True)

    @property
    def _headline(self) -> str:
        active = sum(state.active for state in self._states.values())
        held = sum(state.held for state in self._states.values())
        failed = sum(bool(record.faults) for record in self.records)
        waiting = f", {held} held back: the rig is late" if held else ""
        return f"{len(self.records)} of {self._sessions} calls over, {failed} failed, {active} go on{waiting}"

    def _table(self) -> Table:
        return table_of(Figures.of(self.records), self._headline)


def table_of(figures: Figures, title: str) -> Table:
    """The figures for a terminal."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for name in ("count", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    for metric in _SHOWN:
        if values := figures.values(metric):
            cells = (statistic(name, values) for name in ("count", "p50", "p95", "p99"))
            table.add_row(f"{metric}  [dim]{METRICS[metric]}[/dim]", *(_short(value) for value in cells))
    for code, count in figures.codes.most_common():
        table.add_row(f"[red]{code}[/red]", str(count))
    return table


def _short(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.3f}"
