"""What the client sends, fitted to what the network gives: decided here, without any clock or socket of its own.

Loss and delay are read as Google's congestion control does (Carlucci et al. 2016, "Analysis and design of the Google
congestion control for web real-time communication"): much loss or a growing delay means less, little loss for a while
means a try at more. The voice comes before the picture: it gives way only when there is no smaller picture left.
"""

from __future__ import annotations

from dataclasses import dataclass

from spike_engine.options import VideoQuality

MUCH_LOSS = 0.10
MUCH_LOSS_FOR_A_VOICE = 0.35  # alone it hardly fills a network: what gets lost is rarely its doing
LITTLE_LOSS = 0.03
QUEUE_MS = 150.0  # more round trip than the shortest seen: a queue fills somewhere
FIRST_PATIENCE_S = 5.0
LONGEST_PATIENCE_S = 60.0
HEADROOM = 0.85


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of what may be sent."""

    width: int
    height: int
    fps: float
    video_bps: int
    audio_bps: int

    @property
    def total_bps(self) -> int:
        """Of both together."""
        return self.video_bps + self.audio_bps


# From the best down. A rung with a larger picture than `video_quality` is left out.
LADDER = (
    Rung(1280, 720, 30, 1_500_000, 48_000),
    Rung(960, 540, 30, 1_000_000, 48_000),
    Rung(640, 360, 24, 600_000, 48_000),
    Rung(480, 270, 20, 350_000, 40_000),
    Rung(320, 180, 15, 200_000, 40_000),
    Rung(320, 180, 10, 120_000, 32_000),
    Rung(256, 144, 7, 60_000, 24_000),
    Rung(160, 90, 5, 30_000, 16_000),
)
VOICE_LADDER = tuple(Rung(0, 0, 0, 0, bps) for bps in (48_000, 32_000, 24_000, 16_000))


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen of the network since the last report.

    Attributes:
        time_s: When, of any clock.
        loss: Share of our packets that got lost, 0 to 1.
        round_trip_time_ms: To the server and back; None where it is not known.
        sent_bps: What was really sent.
        estimate_bps: What the receiver thinks that the picture may use (REMB); None where it does not say.
    """

    time_s: float
    loss: float = 0.0
    round_trip_time_ms: float | None = None
    sent_bps: float = 0.0
    estimate_bps: float | None = None


class Adaptation:
    """Climbs down the ladder at once, and up again with patience.

    Attributes:
        loss: Smoothed, 0 to 1: how much forward error correction is worth.
    """

    def __init__(self, quality: VideoQuality, *, video: bool) -> None:
        rungs = [rung for rung in LADDER if rung.width <= quality.width] if video else list(VOICE_LADDER)
        if video:  # the best rung is what the option says, whatever the ladder has
            best = rungs[0]
            rungs[0] = Rung(quality.width, quality.height, quality.fps, best.video_bps, best.audio_bps)
        self.loss = 0.0
        self._rungs = tuple(rungs)
        self._much_loss = MUCH_LOSS if video else MUCH_LOSS_FOR_A_VOICE
        self._at = 0
        self._shortest_ms: float | None = None
        self._queued = 0
        self._starved = 0
        self._calm_since_s: float | None = None
        self._climbed_at_s: float | None = None
        self._patience_s = FIRST_PATIENCE_S

    @property
    def rung(self) -> Rung:
        """What to send now."""
        return self._rungs[self._at]

    def update(self, report: Report) -> Rung:
        """Take in one report, about one a second; returns what to send from now on."""
        self.loss += 0.4 * (report.loss - self.loss)
        queue = self._queue_fills(report)
        starved = self._is_starved(report)
        if report.loss > self._much_loss or queue or starved:
            self._climb_down(report, report.estimate_bps if starved else None)
        elif self.loss < LITTLE_LOSS:
            self._climb_up_after_a_while(report.time_s)
        else:
            self._calm_since_s = None
        return self.rung

    def _queue_fills(self, report: Report) -> bool:
        """Whether the round trip has been much longer than it can be, twice in a row."""
        rtt_ms = report.round_trip_time_ms
        if rtt_ms is None:
            return False
        self._shortest_ms = rtt_ms if self._shortest_ms is None else min(self._shortest_ms * 1.002, rtt_ms)
        self._queued = self._queued + 1 if rtt_ms > self._shortest_ms + QUEUE_MS else 0
        return self._queued >= 2

    def _is_starved(self, report: Report) -> bool:
        """Whether the receiver has allowed much less than the picture needs, three times in a row.

        An estimate counts while we use it up: of a picture that stands still it says nothing.
        """
        estimate = report.estimate_bps
        low = estimate is not None and estimate < 0.5 * self.rung.video_bps and report.sent_bps > 0.8 * estimate
        self._starved = self._starved + 1 if low else 0
        return self._starved >= 3

    def _climb_down(self, report: Report, estimate_bps: float | None) -> None:
        if self._climbed_at_s is not None and report.time_s - self._climbed_at_s < 2 * FIRST_PATIENCE_S:
            self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)  # that was too early
        self._climbed_at_s, self._calm_since_s, self._queued, self._starved = None, None, 0, 0
        gets_through_bps = HEADROOM * (1 - report.loss) * report.sent_bps
        last = len(self._rungs) - 1
        self._at = min(self._at + 1, last)
        while self._at < last and (
            0 < gets_through_bps < self.rung.total_bps
            or (estimate_bps is not None and estimate_bps < self.rung.video_bps)
        ):
            self._at += 1

    def _climb_up_after_a_while(self, now_s: float) -> None:
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        if now_s - self._calm_since_s >= self._patience_s and self._at > 0:
            self._at -= 1
            self._climbed_at_s = self._calm_since_s = now_s
        elif self._climbed_at_s is not None and now_s - self._climbed_at_s > LONGEST_PATIENCE_S:
            self._patience_s, self._climbed_at_s = FIRST_PATIENCE_S, None
