"""The client against a server that we did not write: pipecat's, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import ErrorCode, FunctionCall, Perception, SpikeClient
from spike_engine.rig.caller import call
from spike_engine.rig.plan import Plan
from spike_engine.rig.record import CallRecord
from spike_engine.rig.script import Line, Script, Turn
from spike_engine.rig.voices import voices_of
from spike_engine.webrtc import gathering

pytest.importorskip("pipecat")
pytestmark = pytest.mark.usefixtures("nothing_left_open")

Record = Callable[[SpikeClient], list[tuple[str, Any]]]


@pytest.fixture(scope="module")
def bot() -> Iterator[str]:
    """The address of the runner."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(__file__).parents[1] / "tools" / "pipecat_bot.py"
    process = subprocess.Popen(
        [sys.executable, str(program), "-t", "webrtc", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait(10)


@pytest.fixture
async def url(bot: str) -> str:
    """The same, once it answers."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{bot}/status") as response:
                    if response.status == 200:
                        return bot
            await asyncio.sleep(0.1)


@pytest.fixture
async def client(url: str) -> AsyncIterator[SpikeClient]:
    client = client_of(url)
    async with client:
        yield client


def client_of(url: str, **options: Any) -> SpikeClient:
    defaults: dict[str, Any] = {
        "conversation_url": url,
        "token": "none",
        "audio_source": ArrayMicrophone(),
        "audio_output": RecordingLoudspeaker(),
        "video": False,
        "join_timeout_s": 20.0,
    }
    return SpikeClient(**(defaults | options))


def song(seconds: float = 1.5) -> np.ndarray:
    time_s = np.arange(int(48000 * seconds)) / 48000
    return (0.4 * np.sin(2 * np.pi * 330 * time_s)).astype(np.float32)


async def hear_out(client: SpikeClient, text: str) -> tuple[list[str], list[float]]:
    """Transcripts and levels of what the AI says when it is told to say `text`."""
    stream = client.events("ai-speaking", "ai-idle")
    client.send_message("say", text)
    transcripts, levels = [], []
    async with asyncio.timeout(20):
        async for event in stream:
            if not hasattr(event, "transcript"):
                break
            transcripts.append(event.transcript)
            levels.append(event.audio_level)
    await stream.aclose()
    return transcripts, levels


async def test_an_answer_grows_word_by_word_and_is_heard(client: SpikeClient) -> None:
    transcripts, levels = await hear_out(client, "one two three four")

    grown = list(dict.fromkeys(transcripts))
    assert grown == ["", "one", "one two", "one two three", "one two three four"]
    assert max(levels) > 0.05
    assert client.state.ai_transcript == "one two three four"


async def test_candidates_may_come_after_the_offer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "AT_ONCE_S", 0.0)
    async with client_of(url) as client:
        await hear_out(client, "one two")
        assert client.state.ai_transcript == "one two"


async def test_a_second_answer_begins_anew(client: SpikeClient) -> None:
    await hear_out(client, "one two")
    transcripts, _ = await hear_out(client, "three four")

    assert transcripts[-1] == "three four"
    assert "one" not in " ".join(transcripts)


async def test_the_user_is_heard_and_answered(url: str, heard: Record) -> None:
    client = client_of(url, audio_source=ArrayMicrophone(song()), noise_suppression=False)
    events = heard(client)
    async with client:
        await client.wait_for("ai-idle", timeout=30)

    kinds = list(dict.fromkeys(name for name, _ in events if name not in ("stats", "network-quality")))
    assert kinds[0] == "connected"
    expected = ["user-started-speaking", "user-transcript", "user-stopped-speaking", "ai-thinking", "ai-speaking"]
    assert [kind for kind in kinds if kind in expected] == expected
    said = [(event.transcript, event.final) for name, event in events if name == "user-transcript"]
    assert said == [("la la", False), ("la la la", True)]  # though the server tells each under two types
    assert client.state.ai_transcript == "That was a lovely song"


class WaitingMicrophone(ArrayMicrophone):
    """Silent until it is told to sing."""

    def sing(self) -> None:
        self._samples = song(0.6)


async def test_the_user_interrupts(url: str, heard: Record) -> None:
    microphone, loudspeaker = WaitingMicrophone(), RecordingLoudspeaker()
    client = client_of(url, audio_source=microphone, audio_output=loudspeaker, noise_suppression=False)
    events = heard(client)
    words = " ".join(str(number) for number in range(40))
    async with client:
        client.send_message("say", words)
        await client.wait_for("ai-speaking", timeout=20)
        microphone.sing()
        idle = await client.wait_for("ai-idle", timeout=20)
        said = [event.transcript for name, event in events if name == "ai-speaking"][-1]

    assert idle.interrupted
    assert words.startswith(said)
    assert len(said) < len(words)
    assert loudspeaker.flushed


async def test_the_program_interrupts(client: SpikeClient) -> None:
    client.send_message("say", " ".join(["word"] * 40))
    await client.wait_for("ai-speaking", timeout=20)
    client.interrupt()
    idle = await client.wait_for("ai-idle", timeout=20)

    assert idle.interrupted


async def test_text_is_answered_like_speech(client: SpikeClient) -> None:
    typed = asyncio.ensure_future(client.wait_for("user-transcript", timeout=20))
    await asyncio.sleep(0)
    client.send_text("good morning")
    await client.wait_for("ai-idle", timeout=20)
    while client.state.ai_transcript != "You wrote good morning":  # an interruption of nothing may come first
        await client.wait_for("ai-idle", timeout=20)

    assert (await typed).transcript == "good morning"


async def test_messages_both_ways(client: SpikeClient) -> None:
    replies = client.events("message")
    message_id = client.send_message("echo", {"a": [1, 2]})
    reply = await asyncio.wait_for(anext(replies), 20)
    assert (reply.data, reply.type, reply.reply_to) == ({"a": [1, 2]}, "echo", message_id)

    client.send_message("tell", {"type": "weather", "sunny": True})
    told = await asyncio.wait_for(anext(replies), 20)
    assert (told.data, told.type, told.reply_to) == ({"type": "weather", "sunny": True}, "weather", None)

    client.send_message("tell", "just a text")
    assert (await asyncio.wait_for(anext(replies), 20)).data == "just a text"
    await replies.aclose()


async def test_perception(client: SpikeClient) -> None:
    perceived = asyncio.ensure_future(client.wait_for("perception", timeout=20))
    await asyncio.sleep(0)
    client.send_message("perceive")

    event: Perception = await perceived
    assert (event.emotion, event.gesture) == ("happy", "wave")


async def test_the_ai_uses_a_function_of_the_clients(client: SpikeClient) -> None:
    calls, messages = client.events("function-call"), client.events("message")
    client.send_message("use")
    started: FunctionCall = await asyncio.wait_for(anext(calls), 20)
    running: FunctionCall = await asyncio.wait_for(anext(calls), 20)
    client.send_function_result(running, "a nail")
    stopped: FunctionCall = await asyncio.wait_for(anext(calls), 20)
    used = await asyncio.wait_for(anext(messages), 20)
    await calls.aclose()
    await messages.aclose()

    assert (started.status, started.name) == ("started", "look_up")
    assert (running.status, running.name, running.call_id) == ("in-progress", "look_up", "call-1")
    assert running.arguments == {"word": "spike"}
    assert (stopped.status, stopped.call_id, stopped.result) == ("stopped", "call-1", "a nail")
    assert used.data["result"] == "a nail"


async def test_a_registered_function_answers_by_itself(client: SpikeClient) -> None:
    client.register_function(lambda word: f"{word}, a nail", name="look_up")
    client.send_message("use")
    message = await client.wait_for("message", timeout=20)

    assert message.data["result"] == "spike, a nail"


async def test_context_keys_and_the_button_reach_the_bot(client: SpikeClient) -> None:
    messages = client.events("message")
    client.append_to_context("I look at page 3")
    client.append_to_context("It is late.", role="system")
    client.send_dtmf("1#")
    told = [(await asyncio.wait_for(anext(messages), 20)).data for _ in range(4)]
    await messages.aclose()

    system = {"type": "append-to-context", "data": {"role": "system", "content": "It is late."}}
    assert {"type": "context", "content": "I look at page 3", "run": False} in told
    assert system in told
    assert [one["button"] for one in told if one["type"] == "key"] == ["1", "#"]


async def test_a_picture_reaches_the_bot(client: SpikeClient) -> None:
    messages = client.events("message")
    client.send_picture(np.full((90, 160, 3), 200, np.uint8), "What is it?")
    told = (await asyncio.wait_for(anext(messages), 20)).data
    await messages.aclose()

    assert told == {"type": "picture", "text": "What is it?", "size": [160, 90], "format": "image/jpeg", "run": True}


@pytest.mark.parametrize("kind", ["fail", "refuse", "no such thing"])
async def test_an_error_that_is_not_fatal(client: SpikeClient, kind: str) -> None:
    failed = asyncio.ensure_future(client.wait_for("error", timeout=20))
    await asyncio.sleep(0)
    if kind == "no such thing":
        client._transport.send('{"label": "rtvi-ai", "type": "dance", "id": "1"}')  # type: ignore[union-attr]
    else:
        client.send_message(kind)
    error = await failed

    assert error.code == ErrorCode.SERVER_ERROR
    assert error.message
    assert client.state.is_connected
    transcripts, _ = await hear_out(client, "all well")
    assert transcripts[-1] == "all well"


@pytest.mark.parametrize("kind", ["die", "end"])
async def test_the_server_ends_it(url: str, heard: Record, kind: str) -> None:
    client = client_of(url)
    events = heard(client)
    await client.join()
    over = asyncio.ensure_future(client.wait_for("disconnected", timeout=20))
    await asyncio.sleep(0)
    client.send_message(kind)

    assert (await over).reason == "ended"
    assert [event.code for name, event in events if name == "error"][-1] == ErrorCode.CONVERSATION_ENDED
    await client.leave()
    assert client.state.status == "disconnected"


async def test_both_see_each_other(url: str) -> None:
    colour = (200, 30, 60)
    async with client_of(url, video=True, video_source=ColourCamera(colour), video_quality="low") as client:
        track = client.get_ai_video_track()
        async with asyncio.timeout(30):
            while True:
                frame = await track.recv()
                seen = frame.to_ndarray(format="rgb24").mean(axis=(0, 1))
                if np.abs(seen - (255 - np.array(colour))).max() < 25:  # the bot shows what it sees in negative
                    break
    assert (frame.width, frame.height) == (320, 180)


async def test_the_start_flow_of_the_runner(url: str) -> None:
    client = client_of(f"{url}/start")
    async with client:
        transcripts, _ = await hear_out(client, "session begun")
        assert transcripts[-1] == "session begun"


async def test_reconnect_restarts_the_peer_connection(url: str, heard: Record) -> None:
    client = client_of(url)
    events = heard(client)
    async with client:
        track = client.get_ai_audio_track()
        await client.reconnect()
        assert client.get_ai_audio_track() is track
        transcripts, _ = await hear_out(client, "here again")
        assert transcripts[-1] == "here again"

    assert [name for name, _ in events if name in ("connected", "disconnected")] == ["connected"] * 2 + ["disconnected"]


async def test_the_rig_calls_it(url: str) -> None:
    line = Line("Is there anybody at home, or is everybody out?")
    script = Script((Turn((line,)), Turn((line,), barge_in_after_s=(0.3, 0.3))), greeting=False, join_timeout_s=20.0)
    plan = Plan(url, "none", script, await voices_of(script.lines))

    records: list[CallRecord] = []
    await call(plan, 0, asyncio.get_running_loop().time(), records.append)
    (record,) = records

    assert record.faults == []
    answered, interrupting = record.turns
    assert answered.answer_ms
    assert 300 < answered.answer_ms < 5000  # the bot waits for half a second of silence
    assert answered.heard_as
    assert interrupting.barge_in_ms
