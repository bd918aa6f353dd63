"""What is fuzzed of Python's: each target takes bytes, and raises where something is wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import tempfile
import wave
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import av
import numpy as np

from spike_engine import SpikeError, frames
from spike_engine.addresses.ice import IceServer
from spike_engine.addresses.web import checked, extended, is_in_the_clear, origin, proxy_for
from spike_engine.clean import UnusableAudio
from spike_engine.clean.audio_file import AudioReader
from spike_engine.conversation.token import token_expiry
from spike_engine.errors import InvalidOption
from spike_engine.events import DisconnectReason
from spike_engine.options import ClientOptions
from spike_engine.protocols.openai import OpenAIProtocol
from spike_engine.protocols.rtvi import RTVIProtocol, encode
from spike_engine.protocols.strict_json import parse
from spike_engine.server.tokens import TokenIssuer, TokenRejected
from spike_engine.transports.base import LocalTracks
from spike_engine.transports.http import Answer, error_of_status
from spike_engine.transports.openai_realtime import OpenAIRealtimeTransport
from spike_engine.transports.smallwebrtc import SmallWebRTCTransport
from spike_engine.transports.whip import WhipTransport

LOOP = asyncio.new_event_loop()
SECRET = b"k" * 32
PLEASE_STOP_S = 2.0
ANSWER = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=recvonly
a=mid:0
a=rtcp-mux
a=rtpmap:96 opus/48000/2
a=candidate:1 1 udp 2130706431 192.0.2.1 9 typ host
a=end-of-candidates
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 {fingerprint}
a=setup:active
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 {fingerprint}
a=setup:active
""".replace("\n", "\r\n").format(fingerprint=":".join(["AB"] * 32))


class Listener:
    """Takes what a transport reports and does nothing about it."""

    def on_message(self, text: str) -> None: ...

    def on_track(self, track: Any) -> None: ...

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None: ...


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def rtvi(data: bytes) -> None:
    protocol = RTVIProtocol()
    for line in text_of(data).split("\n"):
        for event in protocol.receive(line):
            str(event).encode()


def openai(data: bytes) -> None:
    protocol = OpenAIProtocol()
    for line in text_of(data).split("\n"):
        for event in protocol.receive(line):
            str(event).encode()


def addresses(data: bytes) -> None:
    with contextlib.suppress(InvalidOption):
        url = extended(checked(text_of(data)), "/api/offer")
        origin(url), proxy_for(url), is_in_the_clear(url)


def ice_servers(data: bytes) -> None:
    with contextlib.suppress(InvalidOption, ValueError):
        for url in IceServer.of(parse(data)).all_urls:
            url.encode()


def tokens(data: bytes) -> None:
    text = text_of(data)
    token_expiry(text)
    with contextlib.suppress(TokenRejected):
        TokenIssuer(SECRET).verify(text, "conv")


def refusals(data: bytes) -> None:
    assert error_of_status(400 + data[0] % 200 if data else 400, data).message.isprintable()


def sound_files(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".flac" if data[:4] == b"fLaC" else ".wav") as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(UnusableAudio), AudioReader(Path(file.name)) as reader:
            for count, _ in enumerate(reader.blocks()):
                if count > 100:
                    break


def answers_to(transport: type[Any], status: int) -> Callable[[bytes], None]:
    """Connects a transport to a server whose every answer is the bytes."""

    async def connect(data: bytes) -> None:
        connection = transport(ClientOptions(conversation_url="http://127.0.0.1:9/start", token="t"))

        async def request(method: str, url: str, **_: Any) -> Answer:
            return Answer(status, data, {"location": text_of(data[:50])}, url)

        connection._http.request = request
        try:
            async with asyncio.timeout(PLEASE_STOP_S):
                await connection.connect(LocalTracks(wants_video=False), Listener())
        except (SpikeError, TimeoutError):
            pass
        finally:
            await connection.close()

    return lambda data: run(connect(data))


async def ask(url: str, data: bytes) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(PLEASE_STOP_S):
            answer = await reader.read(100_000)
    except (TimeoutError, ConnectionError):
        return
    finally:
        writer.close()
    assert b" 500 " not in answer[:20], answer


def server() -> Callable[[bytes], None]:
    from host import Host

    from spike_engine.server import ConversationServer

    started: list[ConversationServer] = []

    async def one(data: bytes) -> None:
        if not started:
            started.append(ConversationServer(persona=Host, secret=SECRET, idle_timeout_s=1.0))
            await started[0].start()
        conversation = next(iter(started[0]._pool.ids), "none").encode()
        token = started[0].tokens.issue(conversation.decode()).text.encode()
        await ask(started[0].url, data.replace(b"CONVERSATION", conversation).replace(b"TOKEN", token))

    return lambda data: run(one(data))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Complains of exceptions that nobody waits for, too."""
    faults: list[dict[str, Any]] = []
    LOOP.set_exception_handler(lambda _, context: faults.append(context))
    LOOP.run_until_complete(work)
    assert not faults, faults


def sounds() -> list[bytes]:
    """A WAV and a FLAC file."""
    wav, flac = io.BytesIO(), io.BytesIO()
    with wave.open(wav, "wb") as writer:
        writer.setparams((1, 2, 16000, 0, "NONE", ""))
        writer.writeframes(bytes(range(256)))
    with av.open(flac, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16000, layout="mono")
        frame = frames.audio_from_ndarray(
            np.sin(np.arange(4000) / 9, dtype=np.float32), format="s16", sample_rate_hz=16000
        )
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return [wav.getvalue(), flac.getvalue()]


def requests() -> list[bytes]:
    head = b"POST /conversations/CONVERSATION/api/offer HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
    body = json.dumps(
        {"sdp": ANSWER, "type": "offer", "pc_id": "x", "candidates": [{"candidate": "candidate:1"}]}
    ).encode()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    made = head + length + body
    return [made, made.replace(b"POST", b"PATCH", 1), b"POST /conversations HTTP/1.1\r\nHost: localhost\r\n\r\n"]


def jwts() -> list[bytes]:
    payload = base64.urlsafe_b64encode(b'{"sub":"conv","exp":99999999999}').rstrip(b"=")
    return [TokenIssuer(SECRET).issue("conv").text.encode(), b"e30." + payload + b".AAAA"]


WORDS = {"text": "hello", "final": True, "segment_id": 1, "spoken_progress": {"accumulated_text": "a"}, "error": "no"}
SESSION = {
    "sessionId": "s",
    "iceConfig": {"iceServers": [{"urls": "stun:127.0.0.1:9"}]},
    "sdp": ANSWER,
    "type": "answer",
}
TARGETS: dict[str, tuple[Callable[[], Callable[[bytes], None]], list[bytes]]] = {
    "rtvi": (lambda: rtvi, [encode(kind, WORDS).encode() for kind in ("bot-output", "user-transcription", "error")]),
    "openai": (lambda: openai, [b'{"type":"response.done","response":{"status":"failed","status_details":{}}}']),
    "addresses": (lambda: addresses, [b"https://bot.example:7860/c?room=1#top", b"http://[::1]/"]),
    "ice": (lambda: ice_servers, [b'{"urls":["turn:t.example:3478?transport=tcp"],"username":"u","credential":"c"}']),
    "jwt": (lambda: tokens, jwts()),
    "refusals": (lambda: refusals, [b"\x01no such thing"]),
    "sound-files": (lambda: sound_files, sounds()),
    "smallwebrtc": (lambda: answers_to(SmallWebRTCTransport, 200), [json.dumps(SESSION).encode()]),
    "openai-realtime": (lambda: answers_to(OpenAIRealtimeTransport, 201), [ANSWER.encode()]),
    "whip": (lambda: answers_to(WhipTransport, 201), [ANSWER.encode()]),
    "server": (server, requests()),
}
