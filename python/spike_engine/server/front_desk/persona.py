"""The receptionist of a telephone office: the persona that answers where no other is put in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spike_engine.server.front_desk.matching import likeness
from spike_engine.server.local.persona import LocalPersona
from spike_engine.server.persona import Perceived


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that callers say, and what to answer the first and every further time.

    Attributes:
        phrases: Any of these, heard well or badly, means this topic; the one that is found best decides.
        answers: One per time; the last serves for all further times.
    """

    name: str
    phrases: tuple[str, ...]
    answers: tuple[str, ...]


TOPICS = (
    Topic(
        "weasels",
        ("weasels", "weasels have eaten", "our phone system", "phone system"),
        (
            "Weasels? In the phone system? That is the third time this month. "
            "First they ate the cable to the kitchen, then they moved into the switchboard, "
            "and by now they seem to have learned how to dial. "
            "I will send somebody round with a very large sandwich, because no weasel can resist a sandwich. "
            "Meanwhile, please keep the lid on your telephone, speak softly, "
            "and whatever happens, do not let them hear the hold music.",
            "The weasels again! The sandwich is on its way.",
        ),
    ),
    Topic(
        "trouble",
        ("terribly wrong", "something is wrong", "does not work", "broken", "problem", "help me", "emergency"),
        ("Oh dear. Take a deep breath, and tell me what has happened.", "What, still? Tell me all about it."),
    ),
    Topic(
        "nobody",
        ("nobody is available", "take your call", "not available", "unavailable", "on the phone"),
        ("Nobody there? Then I shall stay on the line with you myself.", "Still nobody? I am not going anywhere."),
    ),
    Topic(
        "hold",
        ("please hold", "hold while", "connect you", "please wait", "try that extension", "stay on the line"),
        ("Of course, I will hold. I am rather good at it.", "Holding. I could hum something, if you like."),
    ),
    Topic(
        "extension",
        ("valid extension", "extension", "wrong number", "operator"),
        ("Which extension were you trying to reach?", "Let me look that extension up in the big book."),
    ),
    Topic(
        "messages",
        ("message", "messages", "mailbox", "password"),
        ("Your messages are safe with me. I only read the interesting ones.", "Nothing new since you last asked."),
    ),
    Topic(
        "apology",
        ("i'm sorry", "i am sorry", "did not understand", "try again"),
        ("No harm done. What can I do for you?", "Please, stop apologising. How can I help?"),
    ),
    Topic(
        "thanks",
        ("thank you", "thanks", "patience"),
        ("You are very welcome. Is there anything else?", "It is a pleasure, as always."),
    ),
    Topic(
        "goodbye",
        ("goodbye", "good bye", "bye", "good night"),
        ("Goodbye! Thank you for calling the front desk.",),
    ),
    Topic(
        "hello",
        ("hello", "good morning", "hi", "anybody there"),
        ("Hello there! What can I do for you?", "Hello again! I am still here."),
    ),
)

MOVING_CHANGE = 2.0  # mean change of a pixel in half a second, out of 255; the noise of a camera stays below it
NOT_UNDERSTOOD = (
    "Sorry, the line crackled. Could you say that once more?",
    "It must be the weasels chewing. Could you say it in other words?",
)


class FrontDesk(LocalPersona):
    """Answers by rules, with a memory of what was said: no account, no model to fetch.

    Raises:
        MissingExtra: The ``demo`` extra is not installed.
    """

    greeting = "Front desk, how can I help you?"
    hints = ("hello", "thank you", "good-bye", "good bye", "good night", "please hold")

    def __init__(self, *, perception: bool = False) -> None:
        super().__init__()
        self.sees = perception
        self._thinker = Thinker()
        self._last_picture: NDArray[np.int16] | None = None

    async def think(self, heard: str) -> AsyncIterator[str]:
        """See :meth:`Persona.think`."""
        for sentence in re.split(r"(?<=[.?!]) ", self._thinker.answer(heard)):
            yield sentence

    async def see(self, picture: NDArray[np.uint8]) -> Perceived:
        """Notice whether the user moves; feelings are beyond the front desk."""
        before, self._last_picture = self._last_picture, picture.astype(np.int16)
        if before is None:
            return Perceived()
        change = float(np.abs(self._last_picture - before).mean())
        return Perceived(gesture="moving" if change > MOVING_CHANGE else "still")

    def said(self, text: str, *, interrupted: bool) -> None:
        """See :meth:`Persona.said`."""
        self._thinker.interrupted = interrupted and bool(text)


class Thinker:
    """Finds the topic of what was heard, and an answer that fits the conversation so far.

    Attributes:
        interrupted: Whether the user cut the last answer short.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._times: dict[str, int] = {}
        self._last = ""

    def answer(self, heard: str) -> str:
        """What to say to `heard`, one or more sentences."""
        topic = find_topic(heard)
        name = topic.name if topic else "nothing" if not heard else "other"
        previous, self._last = self._last, name
        times = self._times[name] = self._times.get(name, 0) + 1
        if topic:
            text = topic.answers[min(times, len(topic.answers)) - 1]
        elif not heard:
            text = NOT_UNDERSTOOD[min(times, len(NOT_UNDERSTOOD)) - 1]
        else:
            text = self._wonder(heard, previous)
        return self._opening(name) + text + self._closing(name)

    def _opening(self, name: str) -> str:
        interrupted, self.interrupted = self.interrupted, False
        return "Quite right, I was rambling. " if interrupted and name != "nothing" else ""

    def _closing(self, name: str) -> str:
        worried = name == "goodbye" and "weasels" in self._times
        return " And mind the weasels!" if worried else ""

    def _wonder(self, heard: str, previous: str) -> str:
        """Nothing known was said: repeat it, so that the user can set it right."""
        if previous == "trouble":
            return f"Let me write that down: {heard}. How long has it been like that?"
        if previous == "other":
            return f"First one thing, and now {heard}? Which of the two matters more?"
        return f"I heard you say: {heard}. Did I get that right?"


def find_topic(heard: str) -> Topic | None:
    """The topic that is found best in `heard`; of equals, the one with the longer phrase, then the earlier one."""
    found = [
        (likeness(phrase, heard), len(phrase.split()), -rank, topic)
        for rank, topic in enumerate(TOPICS)
        for phrase in topic.phrases
    ]
    score, _, _, topic = max(found, key=lambda entry: entry[:3])
    return topic if score > 0 else None
