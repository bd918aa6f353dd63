"""What is kept of a call. Times are seconds since the run began; all of it can be pickled and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TurnRecord:
    """One thing that the caller said.

    Attributes:
        at_s: When it ended.
        text: Its words.
        heard_as: What the AI understood.
        understood: Share of the words that it understood, 0 to 1; None where the words are not known.
        answer_ms: From its end to the first sound of the answer; None where there was none.
        barge_in_ms: From its beginning to the end of what the AI was saying; None where the AI was not interrupted.
    """

    at_s: float
    text: str = ""
    heard_as: str = ""
    understood: float | None = None
    answer_ms: float | None = None
    barge_in_ms: float | None = None


@dataclass(slots=True)
class Fault:
    """What went wrong: a code of :class:`spike_engine.ErrorCode`, ``HTTP_503`` and the like, or the rig's own."""

    at_s: float
    code: str
    message: str


@dataclass(slots=True)
class CallRecord:
    """One call.

    Attributes:
        number: 0 for the first.
        joined_at_s: When it was connected; None where that failed.
        join_ms: How long ``join()`` took.
        first_sound_ms: From the beginning of ``join()`` to the first sound of the AI, where the AI greets.
        loss: Share of the server's packets that did not arrive.
        outbound_loss: Share of the caller's packets that the server missed, when it was last told.
        rtt_ms: Round trip, when it was last told.
        jitter_ms: Of the AI's voice, when it was last told.
        stopped: The run was stopped while the call went on; what had been measured by then is here.
    """

    number: int
    began_at_s: float
    ended_at_s: float = 0.0
    joined_at_s: float | None = None
    join_ms: float | None = None
    first_sound_ms: float | None = None
    loss: float | None = None
    outbound_loss: float | None = None
    rtt_ms: float | None = None
    jitter_ms: float | None = None
    turns: list[TurnRecord] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    stopped: bool = False
