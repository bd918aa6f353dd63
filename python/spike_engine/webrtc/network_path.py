"""What a sender knows of the way to its peer: whether anything comes from there, and when the way is cut."""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol

CUT_AFTER_S = 0.3  # nothing from a peer that otherwise sends all the time
REGULAR_GAP_S = 0.15
REGULAR_FOR_S = 0.5
LONGEST_STEP_S = 0.04  # while this program was held up, nothing could be heard
# Packets that were only late come all at once. A report or a message may come before the first of the voice.
JUDGED_AFTER_PACKETS, JUDGED_AFTER_S = 3, 0.25
LEAST_LOST, LEAST_SHARE_LOST = 3, 0.5
FIRST_ROUND_TRIP_S = 0.1  # before a report has told it
_RATE_SMOOTHING = 0.02


class Counters(Protocol):
    """What is counted on the way from a peer."""

    @property
    def packets(self) -> int:
        """How many packets have come, of any kind."""

    @property
    def voice(self) -> tuple[int, int]:
        """How many packets of the peer's voice have come, and how many have been lost."""

    @property
    def round_trip_s(self) -> float:
        """To the peer and back."""


class NetworkPath:
    """The way between an aiortc sender and its peer, in figures that cost next to nothing to look at.

    Args:
        sender: Of our voice; it has begun.
        receiver: Of the peer's.
    """

    def __init__(self, sender: Any, receiver: Any) -> None:
        self._sender = sender
        self._receiver = receiver

    @property
    def packets(self) -> int:
        """See :class:`Counters`."""
        return int(self._sender.transport._RTCDtlsTransport__rx_packets)

    @property
    def voice(self) -> tuple[int, int]:
        """See :class:`Counters`."""
        streams = list(self._receiver._RTCRtpReceiver__remote_streams.values())
        return sum(each.packets_received for each in streams), sum(each.packets_lost for each in streams)

    @property
    def round_trip_s(self) -> float:
        """See :class:`Counters`."""
        round_trip_s = self._sender._RTCRtpSender__rtt
        return FIRST_ROUND_TRIP_S if round_trip_s is None else float(round_trip_s)


class Sight(Enum):
    """What a look at the way shows.

    Attributes:
        HEARD: The peer is there: what was sent a round trip ago has got through.
        QUIET: Nothing has come just now, which may mean anything.
        CUT: Nothing has come for so long that what is sent now would be lost.
        LOST: The peer is back, and what was sent meanwhile is lost.
        LATE: The peer is back, and the network has only held everything up.
    """

    HEARD = 1
    QUIET = 2
    CUT = 3
    LOST = 4
    LATE = 5


class CutWatch:
    """Tells from what comes from a peer when the way to it is cut, and whether packets were lost by that.

    Both directions of a way are cut together, all but always. So where the peer's packets are missing afterwards, by
    their numbers, ours are taken for lost, too. A peer that sends nothing while its voice is silent cannot be told from
    one that cannot be heard; it is not taken for cut off.

    Attributes:
        quiet_s: How long nothing has come.
    """

    def __init__(self) -> None:
        self.quiet_s = 0.0
        self._regular_s = 0.0  # for so long no gap was long
        self._looked_at_s: float | None = None
        self._packets = 0
        self._voice = 0, 0
        self._voice_rate_hz = 0.0
        self._back_s: float | None = None  # for so long something has come again
        self._cut = False

    def look(self, path: Counters, now_s: float) -> Sight:
        """What is seen now; to be called 50 times a second."""
        step_s = 0.0 if self._looked_at_s is None else min(now_s - self._looked_at_s, LONGEST_STEP_S)
        came, self._looked_at_s, self._packets = path.packets != self._packets, now_s, path.packets
        if self._back_s is not None:
            self._back_s += step_s
            return self._judged(path)
        if not came:
            self.quiet_s += step_s
            self._cut = self.quiet_s >= CUT_AFTER_S and self._regular_s >= REGULAR_FOR_S
            return self._waiting
        if self.quiet_s >= CUT_AFTER_S:
            self._back_s = 0.0
            return self._judged(path)
        self._regular_s = self._regular_s + step_s if self.quiet_s < REGULAR_GAP_S else 0.0
        self._count(path, step_s + self.quiet_s)
        self.quiet_s = 0.0
        return Sight.HEARD

    @property
    def _waiting(self) -> Sight:
        return Sight.CUT if self._cut else Sight.QUIET

    def _count(self, path: Counters, took_s: float) -> None:
        before, self._voice = self._voice[0], path.voice
        if took_s > 0:
            self._voice_rate_hz += _RATE_SMOOTHING * ((self._voice[0] - before) / took_s - self._voice_rate_hz)

    def _judged(self, path: Counters) -> Sight:
        came, lost = (now - before for now, before in zip(path.voice, self._voice, strict=True))
        is_lost = lost >= max(LEAST_LOST, LEAST_SHARE_LOST * self._voice_rate_hz * self.quiet_s)
        if not is_lost and came < JUDGED_AFTER_PACKETS:
            if (self._back_s or 0.0) < JUDGED_AFTER_S:
                return self._waiting
            is_lost = self._cut
        self._voice = path.voice
        self.quiet_s, self._regular_s, self._cut, self._back_s = 0.0, 0.0, False, None
        return Sight.LOST if is_lost else Sight.LATE
