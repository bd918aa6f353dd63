"""What is counted of conversations, for Prometheus."""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

JOIN_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ANSWER_BOUNDS_S = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class Histogram:
    """How many values were no larger than each of `bounds`, with one more count for those above all."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count `value`."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class Tally:
    """Since the process began; it can be pickled.

    Attributes:
        joins: Connections that were answered.
        join_s: From an offer to ``bot-ready``.
        first_word_s: From an offer to the first sound of the AI.
        answer_s: From the end of what the user said to the first sound of the answer.
        persona_errors: What the AI could not do.
        packets_received: Of the clients' sound and pictures.
        packets_lost: Of these, what did not arrive.
    """

    joins: int = 0
    join_s: Histogram = field(default_factory=lambda: Histogram(JOIN_BOUNDS_S))
    first_word_s: Histogram = field(default_factory=lambda: Histogram(ANSWER_BOUNDS_S))
    answer_s: Histogram = field(default_factory=lambda: Histogram(ANSWER_BOUNDS_S))
    persona_errors: int = 0
    packets_received: int = 0
    packets_lost: int = 0


class CallTimes:
    """Takes the times of one conversation from the messages that are sent to its client."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._offered_at: float | None = None
        self._silent_since: float | None = None  # nothing of the AI was heard since the offer
        self._asked_at: float | None = None

    def offered(self) -> None:
        """A client has come with an offer."""
        self._tally.joins += 1
        self._offered_at = self._silent_since = time.monotonic()
        self._asked_at = None

    def sent(self, kind: str) -> None:
        """A message of `kind` leaves."""
        now = time.monotonic()
        match kind:
            case "bot-ready" if self._offered_at is not None:
                self._tally.join_s.observe(now - self._offered_at)
                self._offered_at = None
            case "user-started-speaking":  # what the AI says from here on answers nothing before it
                self._asked_at = self._silent_since = None
            case "user-stopped-speaking":
                self._asked_at = now
            case "bot-started-speaking":
                if self._asked_at is not None:
                    self._tally.answer_s.observe(now - self._asked_at)
                elif self._silent_since is not None:
                    self._tally.first_word_s.observe(now - self._silent_since)
                self._asked_at = self._silent_since = None
            case "error":
                self._tally.persona_errors += 1
