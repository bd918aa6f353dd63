"""Who said what, when, and how much of it was heard; the clock is the test's."""

from __future__ import annotations

import pytest

from spike_engine.events import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Disconnected,
    DisconnectReason,
    Event,
    Turn,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
    Word,
)
from spike_engine.events.history import History


def history_of(*events: tuple[float, Event], ahead: bool = False) -> tuple[Turn, ...]:
    history = History()
    for at_s, event in events:
        history.add(event, at_s, ahead=ahead)
    return history.turns


def test_each_word_has_the_time_at_which_it_came() -> None:
    turns = history_of(
        (0.0, UserStartedSpeaking()),
        (0.5, UserTranscript("good", final=False)),
        (0.9, UserTranscript("good day", final=False)),
        (1.0, UserStoppedSpeaking()),
        (1.1, UserTranscript("Good day")),
        (1.2, AIThinking()),
        (1.5, AISpeaking("And")),
        (1.6, AISpeaking("And", 0.3)),  # how loud it is
        (1.9, AISpeaking("And to you")),
        (2.4, AIIdle()),
    )

    assert turns == (
        Turn("user", "Good day", (Word("Good", 1.1), Word("day", 0.9)), 0.0, 1.0, heard="Good day"),
        Turn("ai", "And to you", (Word("And", 1.5), Word("to", 1.9), Word("you", 1.9)), 1.5, 2.4, heard="And to you"),
    )


def test_a_turn_that_goes_on_is_there_already() -> None:
    (turn,) = history_of((3.0, AISpeaking("Once")))

    assert (turn.text, turn.ended_s, turn.interrupted) == ("Once", None, False)


def test_of_words_that_come_with_the_voice_all_were_heard() -> None:
    (turn,) = history_of((0.0, AISpeaking("Once")), (0.4, AISpeaking("Once upon")), (0.5, AIIdle(interrupted=True)))

    assert (turn.heard, turn.interrupted, turn.estimated) == ("Once upon", True, False)


def test_of_words_that_come_before_the_voice_those_were_heard_that_there_was_time_for() -> None:
    text = "Once upon a time there was a king"  # 33 characters, 2.2 s
    (turn,) = history_of((10.0, AISpeaking(text)), (11.0, AIIdle(interrupted=True)), ahead=True)

    assert turn.heard == "Once upon a"
    assert (turn.text, turn.estimated, turn.ended_s) == (text, True, 11.0)
    assert [word.at_s for word in turn.words[:3]] == pytest.approx([10.0, 10 + 5 / 15, 10 + 10 / 15])


def test_the_pace_of_an_ai_is_learned_from_what_was_heard_whole() -> None:
    slow = "one two three four"  # 18 characters
    turns = history_of(
        (0.0, AISpeaking(slow)),
        (3.6, AIIdle()),  # 5 a second
        (5.0, AISpeaking(slow)),
        (6.5, AIIdle(interrupted=True)),
        (8.0, AISpeaking("hm")),
        (8.1, AIIdle()),  # too short to learn from
        ahead=True,
    )

    assert turns[1].heard == "one two"
    assert turns[2].heard == "hm"


def test_who_says_nothing_has_no_turn_and_a_connection_that_ends_ends_turns() -> None:
    history = History()
    for at_s, event in enumerate(
        [UserStoppedSpeaking(), UserStartedSpeaking(), UserStoppedSpeaking(), AIIdle(), UserStartedSpeaking()]
    ):
        history.add(event, at_s)
    history.add(UserTranscript("well", final=False), 6.0)
    history.add(AISpeaking("I"), 7.0)
    history.add(Disconnected(DisconnectReason.NETWORK), 8.0)

    assert [(turn.speaker, turn.text, turn.interrupted, turn.ended_s) for turn in history.turns] == [
        ("user", "well", False, 8.0),
        ("ai", "I", True, 8.0),
    ]


def test_a_transcript_without_a_turn_is_one() -> None:
    (turn,) = history_of((2.0, UserTranscript("typed")))

    assert (turn.text, turn.began_s, turn.ended_s) == ("typed", 2.0, 2.0)
