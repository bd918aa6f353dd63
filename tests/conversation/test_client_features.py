"""What a program does with a conversation beside talking: over RTVI here, and over OpenAI and Daily in `transports`."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
import time
from typing import Any, Literal

import av
import numpy as np
import pytest
from aiortc.mediastreams import AudioStreamTrack
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from test_conversation_life import FrailTransport, until_true

from spike_engine import (
    ConnectionFailed,
    InvalidOption,
    InvalidState,
    SpikeClient,
    UserStartedSpeaking,
    UserStoppedSpeaking,
)

pytestmark = pytest.mark.usefixtures("nothing_left_open")

TONE = (0.2 * np.sin(2 * np.pi * 300 * np.arange(48000 * 20) / 48000)).astype(np.float32)


def client_over(transport: FrailTransport, **options: Any) -> SpikeClient:
    defaults = {"audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker(), "video": False}
    return SpikeClient(
        conversation_url="http://127.0.0.1:9/c", token="t", transport=lambda _: transport, **(defaults | options)
    )


def sent(transport: FrailTransport, kind: str) -> list[Any]:
    messages = [json.loads(text) for text in transport.sent]
    return [message["data"] for message in messages if message["type"] == kind]


def call(transport: FrailTransport, name: str, call_id: str = "1", **arguments: Any) -> None:
    data = {"function_name": name, "tool_call_id": call_id, "arguments": arguments}
    for status in ("started", "in-progress"):
        transport.say(f"llm-function-call-{status}", data)


async def results(transport: FrailTransport, count: int) -> dict[str, Any]:
    await until_true(lambda: len(sent(transport, "llm-function-call-result")) >= count)
    return {data["tool_call_id"]: data["result"] for data in sent(transport, "llm-function-call-result")}


async def test_functions_are_carried_out_by_their_names() -> None:
    transport = FrailTransport()
    client = client_over(transport)
    threads = []

    @client.function
    async def weather(city: str, unit: Literal["C", "F"] = "C") -> dict[str, Any]:
        threads.append(threading.current_thread())
        return {"city": city, "unit": unit}

    @client.function(name="add-up", timeout_s=5)
    def add(a: int, b: int) -> int:
        threads.append(threading.current_thread())
        return a + b

    async with client:
        call(transport, "weather", "1", city="Rome")
        call(transport, "add-up", "2", a=1, b=2)
        call(transport, "unknown", "3")
        assert await results(transport, 2) == {"1": {"city": "Rome", "unit": "C"}, "2": 3}
        client.unregister_function("add-up")
        client.unregister_function("add-up")
        call(transport, "add-up", "4", a=1, b=2)
        call(transport, "weather", "5", city="Oslo")
        assert "4" not in await results(transport, 3)

    main = threading.main_thread()
    assert {thread is main for thread in threads} == {True, False}  # a plain function does not hold up the loop


async def test_errors_are_told_to_the_ai_and_the_call_goes_on() -> None:
    transport = FrailTransport()
    client = client_over(transport)

    def divide(a: float, b: float) -> float:
        return a / b

    async def cancel() -> None:
        raise asyncio.CancelledError

    for function in (divide, cancel):
        client.register_function(function)
    client.register_function(lambda: {1, 2}, name="a_set")
    client.register_function(lambda: float("nan"), name="nan")
    client.register_function(lambda: next(iter(())), name="stop")
    async with client:
        call(transport, "divide", "1", a=1, b=0)
        call(transport, "divide", "2", a="x", b=1)
        call(transport, "cancel", "3")
        call(transport, "a_set", "4")
        call(transport, "nan", "5")
        call(transport, "stop", "6")
        told = await results(transport, 6)
        assert client.state.is_connected

    assert told["1"] == {"error": "ZeroDivisionError: float division by zero"}
    assert told["2"] == {"error": "a must be of type number, not 'x'"}
    assert told["3"]["error"].startswith("CancelledError")
    assert told["4"] == {"error": "a_set returned what cannot be sent"}
    assert told["5"] == {"error": "nan returned what cannot be sent"}
    assert "StopIteration" in told["6"]["error"]


async def test_a_function_has_its_time_and_no_more() -> None:
    transport, may_end, ended = FrailTransport(), threading.Event(), threading.Event()
    client = client_over(transport)

    @client.function(timeout_s=0.05)
    def blocks() -> Any:
        may_end.wait(10)
        ended.set()
        return asyncio.sleep(0)  # which nobody awaits any more

    @client.function(timeout_s=0.05)
    async def waits() -> None:
        await asyncio.Event().wait()

    async with client:
        call(transport, "blocks", "1")
        call(transport, "waits", "2")
        told = await results(transport, 2)
        may_end.set()
        assert await asyncio.to_thread(ended.wait, 5)

    assert told == {"1": {"error": "no answer within 0.05 s"}, "2": {"error": "no answer within 0.05 s"}}


async def test_the_end_of_a_conversation_cancels_what_is_under_way() -> None:
    transport, began, over = FrailTransport(), asyncio.Event(), []
    client = client_over(transport)

    @client.function
    async def waits() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            over.append(True)

    async with client:
        for number in range(70):
            call(transport, "waits", str(number))
        await began.wait()
        refused = await results(transport, 6)
    assert len(over) == 64
    assert "under way" in refused["69"]["error"]


async def test_context_and_keys() -> None:
    transport = FrailTransport()
    client = client_over(transport)
    with pytest.raises(InvalidState):
        client.append_to_context("too early")
    async with client:
        client.append_to_context("I look at page 3")
        client.append_to_context("It is late.", role="system")
        client.send_dtmf("12#")
        with pytest.raises(InvalidOption, match="role must be"):
            client.append_to_context("no", role="assistant")  # type: ignore[arg-type]
        for keys in ("", "12A", 12):
            with pytest.raises(InvalidOption, match="keys are some of"):
                client.send_dtmf(keys)  # type: ignore[arg-type]

    assert sent(transport, "send-text") == [
        {"content": "I look at page 3", "options": {"run_immediately": False, "audio_response": False}}
    ]
    system = {"t": "append-to-context", "d": {"role": "system", "content": "It is late."}}
    assert sent(transport, "client-message") == [system]
    assert sent(transport, "dtmf") == [{"buttons": ["1", "2", "#"]}]


async def test_a_picture_is_shown() -> None:
    transport = FrailTransport()
    client = client_over(transport)
    page = np.zeros((900, 1600, 3), np.uint8)
    page[:, 800:] = 255
    noise = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8)
    with pytest.raises(InvalidState):
        client.send_picture(page)
    async with client:
        client.send_picture(page, "Read it.", speak=False)
        client.send_picture(noise, respond=False)
        for wrong in (page[..., 0], page.astype(np.float32), page[:0], np.zeros((2, 20_000, 3), np.uint8), "page.png"):
            with pytest.raises(InvalidOption, match="picture must be uint8"):
                client.send_picture(wrong)  # type: ignore[arg-type]

    shown, small = sent(transport, "send-file")
    assert shown["content"] == "Read it."
    assert shown["options"] == {"run_immediately": True, "audio_response": False}
    assert small["options"]["run_immediately"] is False
    sizes = []
    for one in (shown, small):
        source = one["file"]["source"]
        with av.open(io.BytesIO(base64.b64decode(source["bytes"]))) as file:
            seen = next(file.decode(video=0)).to_ndarray(format="rgb24")
        assert seen.shape == (source["height"], source["width"], 3)
        assert len(source["bytes"]) < 64_000
        sizes.append(source["width"])
    assert sizes[0] == 1280
    assert sizes[1] < 1280


async def test_the_volume_is_the_loudspeakers() -> None:
    transport, loudspeaker = FrailTransport(), RecordingLoudspeaker()
    client = client_over(transport, audio_output=loudspeaker)
    client.volume = 0.25
    for volume in (-0.1, 1.1, "loud", True, float("nan")):
        with pytest.raises(InvalidOption, match="volume must be"):
            client.volume = volume  # type: ignore[assignment]
    async with client:
        playback = client._conversation.media.playback
        assert (client.volume, playback.volume) == (0.25, 0.25)
        client.volume = 0
        assert playback.volume == 0
        client._conversation.connection.on_track(AudioStreamTrack())
        await until_true(lambda: len(loudspeaker.blocks) > 3)


async def test_the_users_level_is_told_to_who_wants_it() -> None:
    transport = FrailTransport()
    client = client_over(transport, audio_source=ArrayMicrophone(TONE), noise_suppression=False)
    levels: list[float] = []
    client.on("user-audio-level", lambda event: levels.append(event.level))
    async with client:
        began_at = time.monotonic()
        await until_true(lambda: sum(level > 0.01 for level in levels) >= 5)
        assert len(levels) <= 12 * (time.monotonic() - began_at) + 2
        client.set_audio_enabled(False)
        count = len(levels)
        await until_true(lambda: len(levels) >= count + 3)
        assert levels[-1] == 0


async def test_push_to_talk() -> None:
    transport, loudspeaker = FrailTransport(), RecordingLoudspeaker()
    client = client_over(
        transport, audio_source=ArrayMicrophone(TONE), turn_detection="push-to-talk", audio_output=loudspeaker
    )
    levels: list[float] = []
    told: list[Any] = []
    client.on("user-audio-level", lambda event: levels.append(event.level))
    client.on("user-started-speaking", told.append)
    client.on("user-stopped-speaking", told.append)
    async with client:
        transport.say("bot-started-speaking")
        transport.say("user-started-speaking")  # the server's word does not count
        await until_true(lambda: len(levels) >= 3)
        assert not any(levels)
        client.start_talking()
        client.start_talking()
        assert client.state.is_user_speaking
        assert loudspeaker.flushed == 1
        await until_true(lambda: levels[-1] > 0.01)
        client.stop_talking()
        await until_true(lambda: levels[-1] == 0)

    assert told == [UserStartedSpeaking(), UserStoppedSpeaking()]
    assert [(message["t"], message["d"]) for message in sent(transport, "client-message")] == [
        ("interrupt", None),
        ("push-to-talk", {"pressed": True}),
        ("push-to-talk", {"pressed": False}),
    ]


async def test_the_button_works_while_the_client_reconnects() -> None:
    transport = FrailTransport()
    client = client_over(transport, audio_source=ArrayMicrophone(TONE), turn_detection="push-to-talk")
    with pytest.raises(InvalidState, match="talking needs a conversation"):
        client.start_talking()

    def pressed() -> list[bool]:
        return [message["d"]["pressed"] for message in sent(transport, "client-message")]

    async def broken_off() -> None:
        transport.failures = [ConnectionFailed("no way")]
        transport.break_off()
        await until_true(lambda: client.state.status == "reconnecting")

    async with client:
        client.start_talking()
        await broken_off()
        assert not client.state.is_user_speaking  # nobody hears it
        await until_true(lambda: client.state.is_user_speaking)  # it is still down
        assert pressed() == [True, True]
        await broken_off()
        client.stop_talking()
        await until_true(lambda: len(pressed()) == 4)
        assert pressed()[2:] == [True, False]
        assert not client.state.is_user_speaking
        await broken_off()
        await until_true(lambda: client.state.is_connected)
        assert len(pressed()) == 4


async def test_the_button_needs_its_option() -> None:
    client = client_over(FrailTransport())
    async with client:
        with pytest.raises(InvalidState, match="push-to-talk"):
            client.start_talking()


async def test_the_history_has_words_with_times_and_what_was_heard() -> None:
    transport = FrailTransport()
    client = client_over(transport)
    async with client:
        transport.say("user-started-speaking")
        transport.say("user-transcription", {"text": "Tell me", "final": True})
        transport.say("bot-started-speaking")
        transport.say("tts-raw-text", {"text": "Once"})
        transport.say("tts-raw-text", {"text": "upon"})
        transport.say("bot-interrupted")
        user, ai = client.history

    assert (user.speaker, user.text) == ("user", "Tell me")
    assert (ai.heard, ai.interrupted, ai.estimated) == ("Once upon", True, False)
    assert [word.text for word in ai.words] == ["Once", "upon"]
    assert user.began_s <= ai.words[0].at_s <= ai.words[1].at_s <= (ai.ended_s or 0)
