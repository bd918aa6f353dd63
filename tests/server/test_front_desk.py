from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_engine.server import FrontDesk
from spike_engine.server.front_desk.matching import likeness, sound_key
from spike_engine.server.front_desk.persona import TOPICS, Thinker, find_topic


@pytest.mark.parametrize(
    ("heard", "topic"),
    [
        ("hello", "hello"),
        ("something is terribly wrong", "trouble"),
        ("we still had beaten our phone system", "weasels"),  # what is heard of "weasels have eaten our phone system"
        ("we cells had beaten our phone system", "weasels"),
        ("we still sketchy a phone system", "weasels"),
        ("nobody is available to take your call it the moment", "nobody"),
        ("nobody is available to take you're gonna moment", "nobody"),
        ("please hold while i try that extension", "hold"),
        ("i am sorry but that's not a valid extension please try again", "apology"),
        ("your messages to show eight", "messages"),
        ("thank you", "thanks"),
        ("good bye", "goodbye"),
        ("good night", "goodbye"),
    ],
)
def test_what_callers_say_is_understood(heard: str, topic: str) -> None:
    found = find_topic(heard)
    assert found is not None
    assert found.name == topic


@pytest.mark.parametrize("heard", ["", "in steel", "my telephone is on fire", "what time is it"])
def test_what_is_about_something_else_is_not_taken_for_a_topic(heard: str) -> None:
    assert find_topic(heard) is None


def test_what_sounds_alike_is_found() -> None:
    assert sound_key("weasels") == "wsls"
    assert likeness("weasels", "there are weasels in here") == 1
    assert likeness("our phone system", "beaten are phone sister") > 0.75
    assert likeness("weasels", "elephants") == 0


@given(st.text(), st.text())
def test_likeness_is_between_nothing_and_everything(phrase: str, heard: str) -> None:
    assert 0 <= likeness(phrase, heard) <= 1


def test_an_answer_is_not_given_twice() -> None:
    thinker = Thinker()

    answers = [thinker.answer("hello") for _ in range(3)]

    assert answers[0] != answers[1] == answers[2]


def test_one_story_is_long_enough_to_be_interrupted() -> None:
    assert len(Thinker().answer("weasels").split()) > 60
    assert all(len(topic.answers[0].split()) < 20 for topic in TOPICS if topic.name != "weasels")


def test_an_interruption_is_taken_note_of_once() -> None:
    thinker = Thinker()
    thinker.answer("weasels")
    thinker.interrupted = True

    assert thinker.answer("thank you").startswith("Quite right")
    assert not thinker.answer("hello").startswith("Quite right")


def test_what_is_not_understood_is_asked_for_again() -> None:
    thinker = Thinker()

    assert "once more" in thinker.answer("")
    assert thinker.answer("") == thinker.answer("")


def test_unknown_words_are_repeated_in_the_light_of_the_turn_before() -> None:
    thinker = Thinker()

    assert "my telephone is on fire" in thinker.answer("my telephone is on fire")
    assert "First one thing" in thinker.answer("what time is it")
    thinker.answer("something is terribly wrong")
    assert "Let me write that down: what time is it" in thinker.answer("what time is it")


def test_the_weasels_are_not_forgotten() -> None:
    thinker = Thinker()
    thinker.answer("weasels")

    assert thinker.answer("goodbye").endswith("mind the weasels!")
    assert "weasels" not in Thinker().answer("goodbye")


@pytest.fixture
def front_desk() -> FrontDesk:
    pytest.importorskip("pocketsphinx")
    pytest.importorskip("espeakng_loader")
    return FrontDesk(perception=True)


async def test_it_thinks_sentence_by_sentence(front_desk: FrontDesk) -> None:
    sentences = [sentence async for sentence in front_desk.think("weasels")]

    assert len(sentences) > 4
    front_desk.said(sentences[0], interrupted=True)
    assert await anext(front_desk.think("thank you")) == "Quite right, I was rambling."


async def test_it_sees_whether_the_user_moves(front_desk: FrontDesk) -> None:
    dark, bright = (np.full((90, 160, 3), value, np.uint8) for value in (10, 200))

    gestures = [(await front_desk.see(picture)).gesture for picture in (dark, dark, bright, bright)]

    assert gestures == [None, "still", "moving", "still"]
    assert front_desk.sees
    assert not FrontDesk().sees
