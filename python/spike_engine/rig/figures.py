"""From the records of calls to figures: percentiles, over all and over time, and what was expected of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spike_engine.errors import InvalidOption
from spike_engine.rig.record import CallRecord

STATISTICS = ("p50", "p90", "p95", "p99", "mean", "min", "max", "count")
METRICS = {
    "join_ms": "from join() to connected",
    "first_sound_ms": "from join() to the AI's first sound",
    "answer_ms": "from the caller's end to the answer's first sound",
    "barge_in_ms": "from the caller's first sound to the AI's last",
    "understood": "share of words that the AI understood",
    "loss": "share of the server's packets that were lost",
    "outbound_loss": "share of the callers' packets that were lost",
    "rtt_ms": "round trip",
    "jitter_ms": "jitter of the AI's voice",
}
TOTALS = ("sessions", "joined", "failed", "faults", "failed_share", "most_active")
_MOST_BINS = 40
_LEAST_BIN_S = 1.0

Sample = tuple[float, float]  # seconds since the run began, and a value


@dataclass(frozen=True, slots=True)
class Figures:
    """All calls in figures.

    Attributes:
        samples: Of each metric, when and what.
        totals: See :data:`TOTALS`.
        codes: How often each fault happened.
        seconds: From the first call to the end of the last.
        active: When the number of calls that go on changed, and to what.
    """

    samples: dict[str, list[Sample]]
    totals: dict[str, float]
    codes: Counter[str]
    seconds: float
    active: list[tuple[float, int]]

    @classmethod
    def of(cls, records: Sequence[CallRecord]) -> Figures:
        """The figures of `records`."""
        calls = [record for record in records if record.number >= 0]
        samples: dict[str, list[Sample]] = {name: [] for name in METRICS}
        for record in calls:
            at = record.joined_at_s if record.joined_at_s is not None else record.began_at_s
            for name in ("join_ms", "first_sound_ms", "loss", "outbound_loss", "rtt_ms", "jitter_ms"):
                value = getattr(record, name)
                if value is not None:
                    samples[name].append((at if name in ("join_ms", "first_sound_ms") else record.ended_at_s, value))
            for turn in record.turns:
                for name in ("answer_ms", "barge_in_ms", "understood"):
                    if (value := getattr(turn, name)) is not None:
                        samples[name].append((turn.at_s, value))
        changes = sorted([(r.began_at_s, 1) for r in calls] + [(r.ended_at_s, -1) for r in calls])
        active = [(at, int(count)) for (at, _), count in zip(changes, np.cumsum([x for _, x in changes]), strict=True)]
        failed = sum(bool(record.faults) for record in records)
        totals = {
            "sessions": len(calls),
            "joined": sum(record.joined_at_s is not None for record in calls),
            "failed": failed,
            "faults": sum(len(record.faults) for record in records),
            "failed_share": failed / max(1, len(calls)),
            "most_active": max((count for _, count in active), default=0),
        }
        codes = Counter(fault.code for record in records for fault in record.faults)
        return cls(samples, totals, codes, max((r.ended_at_s for r in calls), default=0.0), active)

    def values(self, metric: str, since_s: float = 0.0, until_s: float = np.inf) -> list[float]:
        """The values of `metric` in a stretch of time."""
        return [value for at, value in self.samples[metric] if since_s <= at < until_s]

    @property
    def bins(self) -> list[tuple[float, float]]:
        """The stretches of time that "over time" means, at most forty of at least a second."""
        count = int(min(_MOST_BINS, max(1.0, self.seconds / _LEAST_BIN_S)))
        edges = np.linspace(0.0, self.seconds + 1e-6, count + 1)
        return [(float(begin), float(end)) for begin, end in pairwise(edges)]

    def active_between(self, since_s: float, until_s: float) -> int:
        """The most calls that went on at once in a stretch of time."""
        before = [count for at, count in self.active if at <= since_s][-1:]
        return max([count for at, count in self.active if since_s < at < until_s] + before, default=0)


def statistic(name: str, values: Sequence[float]) -> float:
    """One of :data:`STATISTICS` of `values`; NaN where there are none."""
    if name == "count":
        return float(len(values))
    if not values:
        return float("nan")
    if name.startswith("p"):
        return float(np.percentile(values, float(name[1:])))
    return {"mean": lambda: sum(values) / len(values), "min": lambda: min(values), "max": lambda: max(values)}[name]()


@dataclass(frozen=True, slots=True)
class Expectation:
    """Such as ``p95_first_sound_ms<1200``.

    Raises:
        InvalidOption: `text` is none; the message says what is.
    """

    text: str
    statistic: str
    name: str
    sign: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """The expectation that `text` is."""
        found = re.fullmatch(r"\s*([a-z_0-9.]+?)\s*(<=|>=|<|>)\s*([0-9.]+(?:e-?\d+)?)\s*", text)
        if not found:
            raise InvalidOption(f"an expectation is like p95_first_sound_ms<1200 or failed<=0, not {text!r}")
        left, sign, bound = found.groups()
        try:
            limit = float(bound)
        except ValueError:
            raise InvalidOption(f"{bound!r} in the expectation {text!r} is no number") from None
        if left in TOTALS:
            return cls(text.strip(), "", left, sign, limit)
        head, _, metric = left.partition("_")
        if metric not in METRICS or not (head in STATISTICS or re.fullmatch(r"p\d\d?(\.\d+)?", head)):
            names = f"{', '.join(TOTALS)}, or {', '.join(STATISTICS)} with _ and {', '.join(METRICS)}"
            raise InvalidOption(f"the expectation {text!r} names {left!r}; it may name {names}")
        return cls(text.strip(), head, metric, sign, limit)

    def value(self, figures: Figures, since_s: float = 0.0, until_s: float = np.inf) -> float:
        """What became of it; NaN where nothing was measured."""
        if not self.statistic:
            return figures.totals[self.name]
        return statistic(self.statistic, figures.values(self.name, since_s, until_s))

    def is_met(self, value: float) -> bool:
        """Whether `value` is what was expected; what was not measured is not."""
        compared = {
            "<": value < self.bound,
            "<=": value <= self.bound,
            ">": value > self.bound,
            ">=": value >= self.bound,
        }
        return compared[self.sign]


def bends_at(figures: Figures, expectations: Sequence[Expectation]) -> int | None:
    """With how many calls at once the server first failed a percentile that was expected of it; None where never.

    It has failed where two stretches of time with values fail one after the other.
    """
    for expected in expectations:
        if not expected.statistic or expected.statistic == "count":
            continue
        first: int | None = None
        for since_s, until_s in figures.bins:
            value = expected.value(figures, since_s, until_s)
            if np.isnan(value):
                continue
            if expected.is_met(value):
                first = None
            elif first is None:
                first = figures.active_between(since_s, until_s)
            else:
                return first
    return None
