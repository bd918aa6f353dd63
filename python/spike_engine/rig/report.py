"""The report of a run: one page of HTML that needs nothing from elsewhere, and the same as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from spike_engine import __version__
from spike_engine.rig.figures import METRICS, Expectation, Figures, bends_at, statistic
from spike_engine.rig.plots import plot
from spike_engine.rig.record import CallRecord

TABLE = ("count", "mean", "p50", "p90", "p95", "p99", "max")
LATE_MS = 20.0  # a rig that is later than a packet is long measures itself

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --paper: #fff; --soft: #6b7885; --line: #d8dee4; --good: #1f8a5f;
  --bad: #d03b2f; --one: #1f8fa3; --two: #c2468a; --three: #e0a72e; --area: #e9eef2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --paper: #161b21; --soft: #93a0ad; --line: #313a44;
  --area: #232b33; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p, caption { color: var(--soft); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: right; padding: .25rem .6rem;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; font-weight: 400; }
td:first-child, th:first-child { text-align: left; } th { color: var(--soft); }
.met { color: var(--good); } .missed { color: var(--bad); font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(27rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figcaption { color: var(--soft); } svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; }
"""


@dataclass(slots=True)
class Run:
    """A run that is over.

    Attributes:
        settings: What was asked for, as it is shown.
        records: What became of each call.
        expectations: What the run was to show.
        lag_ms: The latest that an event loop of the rig was.
        stopped_by: The signal that ended it early; empty where it came to its end.
    """

    settings: dict[str, Any]
    records: list[CallRecord]
    expectations: Sequence[Expectation] = ()
    lag_ms: float = 0.0
    stopped_by: str = ""
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures.of(self.records)

    @property
    def outcomes(self) -> list[tuple[Expectation, float, bool]]:
        """Each expectation, what became of it, and whether it was met."""
        values = [(expected, expected.value(self.figures)) for expected in self.expectations]
        return [(expected, value, expected.is_met(value)) for expected, value in values]

    @property
    def ending(self) -> str:
        """How it was stopped, in words; empty where it came to its end."""
        if not self.stopped_by:
            return ""
        begun, broken_off = len(self.records), sum(record.stopped for record in self.records)
        return (
            f"stopped by {self.stopped_by} when {begun} of {self.settings['sessions']} calls had begun, "
            f"{broken_off} of which it ended"
        )

    @property
    def warning(self) -> str:
        """Why the figures are not to be trusted; empty where they are."""
        if self.lag_ms <= LATE_MS:
            return ""
        late = f"the rig's own loops were up to {self.lag_ms:.0f} ms late"
        return f"{late}: some of these delays are its own. Give it more processes, or another machine."

    def as_dict(self) -> dict[str, Any]:
        """Everything, for machines; what was not measured is None."""
        figures = self.figures
        metrics = {
            name: {each: _plain(statistic(each, figures.values(name))) for each in ("min", *TABLE)} for name in METRICS
        }
        over_time = [
            {
                "since_s": round(since_s, 3),
                "active": figures.active_between(since_s, until_s),
                **{
                    name: {each: _plain(statistic(each, values)) for each in ("count", "p50", "p95", "p99")}
                    for name in METRICS
                    if (values := figures.values(name, since_s, until_s))
                },
            }
            for since_s, until_s in figures.bins
        ]
        return {
            "version": __version__,
            "settings": self.settings,
            "totals": figures.totals,
            "metrics": metrics,
            "faults": dict(figures.codes.most_common()),
            "expectations": [
                {"text": expected.text, "value": _plain(value), "met": met} for expected, value, met in self.outcomes
            ],
            "bends_at": bends_at(figures, self.expectations),
            "stopped_by": self.stopped_by or None,
            "rig_lag_ms": round(self.lag_ms, 1),
            "over_time": over_time,
            "calls": [asdict(record) for record in self.records],
        }


def write_report(run: Run, folder: Path) -> list[Path]:
    """Write ``report.html`` and ``report.json`` into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / "report.html", folder / "report.json"
    _put(page, html_of(run))
    _put(data, json.dumps(run.as_dict(), indent=1, ensure_ascii=False))
    return [page, data]


def _put(path: Path, text: str) -> None:
    """Write `path` whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def html_of(run: Run) -> str:
    """The page."""
    totals, figures = run.figures.totals, run.figures
    bend = bends_at(figures, run.expectations)
    asked = ", ".join(f"{name} {value}" for name, value in run.settings.items())
    parts = [
        f"<h1>{totals['sessions']:.0f} calls, {totals['joined']:.0f} joined, {totals['failed']:.0f} failed</h1>",
        f"<p>{escape(asked)}; at most {totals['most_active']:.0f} at once, {figures.seconds:.0f} s, "
        f"spike_engine {__version__}</p>",
        *(f'<p class="missed">{escape(text)}</p>' for text in (run.ending, run.warning) if text),
        _expectations(run),
        f'<p class="missed">It bends at {bend} calls at once.</p>' if bend is not None else "",
        "<h2>Figures</h2>",
        _table(("", *TABLE), [_metric_row(figures, name) for name in METRICS if figures.samples[name]]),
        "<h2>What went wrong</h2>",
        _table(("code", "times", "for example"), _fault_rows(run)) if figures.codes else "<p>Nothing.</p>",
        "<h2>Over time</h2>",
        f'<div class="plots">{"".join(plot(figures, name) for name in METRICS if figures.samples[name])}</div>',
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}<title>Calls</title></head><body>{''.join(parts)}</body></html>\n"


def _expectations(run: Run) -> str:
    rows = [
        (escape(expected.text), _number(value), f'<span class="{"met" if met else "missed"}">{_verdict(met)}</span>')
        for expected, value, met in run.outcomes
    ]
    return f"<h2>Expected</h2>{_table(('', 'was', ''), rows)}" if rows else ""


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


def _metric_row(figures: Figures, name: str) -> Sequence[str]:
    values = figures.values(name)
    label = f'<span title="{escape(METRICS[name])}">{name}</span>'
    return (label, *(_number(statistic(each, values)) for each in TABLE))


def _fault_rows(run: Run) -> list[Sequence[str]]:
    faults = [fault for record in run.records for fault in record.faults]
    return [
        (escape(code), str(count), escape(next(fault.message for fault in faults if fault.code == code)))
        for code, count in run.figures.codes.most_common()
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(each, 'td') for each in rows)}</table>"


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
