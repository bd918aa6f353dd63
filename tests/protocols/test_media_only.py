"""A conversation that carries sound and pictures, and no messages."""

from __future__ import annotations

import pytest

from spike_engine import FunctionCall, InvalidState
from spike_engine.protocols.media_only import MediaOnlyProtocol


def test_nothing_is_said_or_heard_and_only_what_is_heard_here_can_be_silenced() -> None:
    protocol = MediaOnlyProtocol()

    assert protocol.greeting() == []
    assert protocol.receive('{"label": "rtvi-ai", "type": "bot-ready"}') == []
    assert protocol.interrupt() == []
    assert protocol.session([], push_to_talk=True) == protocol.talk(pressed=True) == []


def test_a_message_is_refused_in_words() -> None:
    protocol = MediaOnlyProtocol()
    call = FunctionCall("started", "weather", "1", {}, None)

    for say in (
        lambda: protocol.message("hello", None),
        lambda: protocol.text("hello", respond=True, speak=True),
        lambda: protocol.picture("/9j/", (64, 48), "my room", respond=True, speak=True),
        lambda: protocol.function_result(call, 21),
        lambda: protocol.context("hello", "user"),
        lambda: protocol.keys("1"),
    ):
        with pytest.raises(InvalidState, match="no messages"):
            say()
