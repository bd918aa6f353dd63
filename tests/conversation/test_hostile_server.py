"""Calls with a server that says what no server should: they go on, or end with an error of ours."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from typing import Any

import pytest
from bot import Bot

from spike_engine import ConnectionFailed, InvalidOption, Message, SpikeClient, SpikeError
from spike_engine.protocols.rtvi import encode, encode_signalling

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def client_of(bot: Bot, **options: Any) -> SpikeClient:
    quiet: dict[str, Any] = {"video": False, "audio": False, "audio_output": None, "join_timeout_s": 20.0}
    return SpikeClient(conversation_url=bot.url, token="t", **(quiet | options))


NONSENSE = [
    "[" * 50_000,
    '{"a":' * 50_000,
    b"\x00\xff binary",
    "",
    "\0",
    "null",
    '{"label":"rtvi-ai","type":"server-message","data":NaN}',
    '{"label":"rtvi-ai","type":null,"data":null}',
    '{"type":"signalling","message":{"type":"renegotiate"' + '{"x":' * 5000,
    '{"type":"signalling","message":"renegotiate"}',
    encode("no-such-kind", {"text": None}),
    encode("user-transcription", {"text": None, "final": None}),
    encode("error", {"error": None}),
    encode("llm-function-call-started", {"function_name": 7}),
]


async def test_nonsense_ends_no_call(caplog: pytest.LogCaptureFixture) -> None:
    async with Bot() as bot, client_of(bot) as client:
        answered = asyncio.ensure_future(client.wait_for("message", timeout=40))
        await asyncio.sleep(0)
        for message in NONSENSE:
            bot.say(message)
        bot.say(encode("server-message", {"type": "still", "data": "here"}))

        assert await answered == Message({"type": "still", "data": "here"}, "still")
        assert client.state.is_connected
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_text_that_is_no_utf8_ends_no_call() -> None:
    async with Bot() as bot, client_of(bot) as client:
        answered = asyncio.ensure_future(client.wait_for("message", timeout=40))
        await asyncio.sleep(0)
        await bot.say_bytes_as_text(b"\xff\xfe{}")
        bot.say(encode("server-message", "still here"))

        assert (await answered).data == "still here"
        assert client.state.is_connected


async def test_a_server_that_wants_to_renegotiate_all_the_time_is_answered_one_at_a_time() -> None:
    async with Bot() as bot, client_of(bot) as client:
        answered = asyncio.ensure_future(client.wait_for("message", timeout=40))
        await asyncio.sleep(0)
        for _ in range(200):
            bot.say(encode_signalling("renegotiate"))
        bot.say(encode("server-message", "done"))
        await answered

        assert client.state.is_connected
        assert bot.offers < 100


@pytest.mark.parametrize("value", [float("nan"), {"level": float("inf")}, "\ud800", {1, 2}])
async def test_what_json_cannot_hold_is_refused_and_the_call_goes_on(value: Any) -> None:
    async with Bot() as bot, client_of(bot) as client:
        with pytest.raises(InvalidOption, match="JSON"):
            client.send_message("level", value)
        with pytest.raises(ValueError, match="JSON"):
            client.send_text(str(value)) if value == "\ud800" else client.send_message("level", [value])
        client.send_message("level", 1)
        while not any('"level"' in str(message) for message in bot.heard):
            await asyncio.sleep(0.01)

        for message in bot.heard:
            if str(message).startswith("{"):
                json.loads(message, parse_constant=pytest.fail)


def with_candidate(address: str) -> Any:
    line = f"a=candidate:9 1 udp 2122252543 {address} 9 typ host\r\n"
    return lambda sdp: sdp.replace("a=end-of-candidates", f"{line}a=end-of-candidates", 1)


@pytest.mark.parametrize(
    "address",
    ["5f6b8a2e-0000-4000-8000-000000000000.local", "no-such-host.invalid", "not..a..host", "::1", "0.0.0.0", "x" * 300],
)
async def test_a_candidate_that_leads_nowhere_keeps_nobody_from_joining(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Bot(with_candidate(address)) as bot, client_of(bot) as client:
        assert client.state.is_connected
    gc.collect()
    assert "never retrieved" not in caplog.text


CANDIDATES = "".join(f"a=candidate:{n} 1 udp 1 192.0.2.1 {n} typ host\r\n" for n in range(1, 2000))
BROKEN_ANSWERS = {
    "fingerprint": lambda sdp: sdp.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:"),
    "no fingerprint": lambda sdp: "\r\n".join(line for line in sdp.split("\r\n") if "fingerprint" not in line),
    "ice": lambda sdp: "\r\n".join(line for line in sdp.split("\r\n") if "ice-" not in line),
    "media": lambda sdp: sdp.replace("m=audio", "m=video", 1),
    "setup": lambda sdp: sdp.replace("a=setup:active", "a=setup:nonsense"),
    "ports": lambda sdp: sdp.replace("a=sctp-port:5000", "a=sctp-port:x"),
    "no port": lambda sdp: sdp.replace("a=sctp-port:5000\r\n", ""),
    "large port": lambda sdp: sdp.replace("a=sctp-port:5000", "a=sctp-port:99999"),
    "negative messages": lambda sdp: re.sub(r"a=max-message-size:\d+", "a=max-message-size:-1", sdp),
    "short messages": lambda sdp: re.sub(r"a=max-message-size:\d+", "a=max-message-size:5", sdp),
    "codec": lambda sdp: sdp.replace("opus/48000/2", "opus/x/y"),
    "half": lambda sdp: sdp[: len(sdp) // 2],
    "many": lambda sdp: sdp.replace(
        "a=end-of-candidates",
        "".join(f"a=candidate:{n} 1 udp 1 192.0.2.1 {n % 65535} typ host\r\n" for n in range(9999)),
    ),
}


@pytest.mark.parametrize(
    "candidate",
    ["1 1", "1 1 udp x 127.0.0.1 y typ host", "1 1 udp 1 127.0.0.1 99999 typ host", ""],
)
async def test_a_candidate_that_is_none_is_left_out(candidate: str) -> None:
    line = f"a=candidate:{candidate}\r\n"
    async with Bot(lambda sdp: sdp.replace("a=candidate:", f"{line}a=candidate:", 1)) as bot, client_of(bot) as client:
        assert client.state.is_connected


async def test_a_message_longer_than_the_server_takes_is_refused_and_the_call_goes_on() -> None:
    def short(sdp: str) -> str:
        return re.sub(r"a=max-message-size:\d+", "a=max-message-size:2000", sdp)

    async with Bot(short) as bot, client_of(bot) as client:
        with pytest.raises(InvalidOption, match="longer than the server takes"):
            client.send_message("long", "x" * 3000)
        client.send_message("short", "x" * 30)
        while not any('"short"' in str(message) for message in bot.heard):
            await asyncio.sleep(0.01)
        assert client.state.is_connected


async def test_another_certificate_than_the_answer_names_is_told_as_such() -> None:
    async with Bot(BROKEN_ANSWERS["fingerprint"]) as bot:
        with pytest.raises(ConnectionFailed, match="DTLS"):
            await client_of(bot).join()


@pytest.mark.parametrize("change", BROKEN_ANSWERS.values(), ids=BROKEN_ANSWERS.keys())
async def test_an_answer_that_makes_no_connection_is_one_error_of_ours(
    change: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with Bot(change) as bot:
        client = client_of(bot, join_timeout_s=3.0)
        try:
            await client.join()
        except SpikeError:
            assert client.state.status == "disconnected"
        await client.leave()
    gc.collect()
    assert "never retrieved" not in caplog.text
