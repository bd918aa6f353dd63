"""The client against the embedded server, over real ICE, DTLS and SRTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import (
    AISpeaking,
    ConnectionFailed,
    ConversationEnded,
    DeviceNotFound,
    ErrorCode,
    InvalidState,
    SpikeClient,
    SpikeError,
    TokenExpired,
)
from spike_engine.server import ConversationServer, HummingPersona

pytestmark = pytest.mark.usefixtures("nothing_left_open")

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process and let it go on")

Record = Callable[[SpikeClient], list[tuple[str, Any]]]


class Greeter(HummingPersona):
    """Says hello, and agrees with everything."""

    greeting = "Hello and welcome."

    async def think(self, heard: str) -> AsyncIterator[str]:
        yield "Yes, certainly."


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    async with ConversationServer(persona=Greeter) as server:
        yield server


def client_of(server: ConversationServer, **options: Any) -> SpikeClient:
    invitation = server.create_conversation()
    defaults: dict[str, Any] = {
        "conversation_url": invitation.conversation_url,
        "token": invitation.token,
        "audio_source": ArrayMicrophone(),
        "audio_output": RecordingLoudspeaker(),
        "video": False,
        "join_timeout_s": 20.0,
    }
    return SpikeClient(**(defaults | options))


def names(events: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in events]


# --- a conversation ---------------------------------------------------------------------------------------------------


async def test_the_ai_is_heard_from_join_to_leave(server: ConversationServer, heard: Record) -> None:
    loudspeaker = RecordingLoudspeaker()
    client = client_of(server, audio_output=loudspeaker)
    events = heard(client)
    idle = asyncio.ensure_future(client.wait_for("ai-idle", timeout=40))
    await asyncio.sleep(0)

    await client.join()
    assert client.state.is_connected
    await idle
    await client.leave()

    assert names(events)[0] == "connected"
    assert names(events)[-1] == "disconnected"
    assert events[-1][1].reason == "left"
    spoken = [event for name, event in events if name == "ai-speaking"]
    assert spoken[-1].transcript == "Hello and welcome."
    assert max(event.audio_level for event in spoken) > 0.05
    assert np.abs(loudspeaker.samples).max() > 0.05
    assert client.state.status == "disconnected"


async def test_async_with_joins_and_leaves(server: ConversationServer, heard: Record) -> None:
    client = client_of(server)
    events = heard(client)
    async with client as joined:
        assert joined is client
        assert client.state.is_connected

    assert names(events)[0] == "connected"
    assert names(events)[-1] == "disconnected"


async def test_callbacks_of_the_options_are_handlers(server: ConversationServer) -> None:
    calls: list[str] = []
    client = client_of(
        server,
        on_connected=lambda: calls.append("connected"),
        on_disconnected=lambda event: calls.append(str(event)),
        on_error=lambda error: calls.append(error.code),
    )
    async with client:
        pass

    assert calls == ["connected", "left"]


async def test_the_ai_is_seen(server: ConversationServer) -> None:
    camera = ColourCamera()
    async with client_of(server, video=True, video_source=camera, video_quality="low") as client:
        assert client.get_ai_audio_track().kind == "audio"
        track = client.get_ai_video_track()
        frame = await asyncio.wait_for(track.recv(), 10)

    picture = frame.to_ndarray(format="rgb24")
    assert picture.std() > 5  # not one flat colour
    assert camera.closed == 1
    assert client.get_ai_video_track() is None


async def test_voice_only_still_has_the_ais_voice(server: ConversationServer) -> None:
    async with client_of(server, audio=True, video=False) as client:
        frame = await asyncio.wait_for(client.get_ai_audio_track().recv(), 10)
        assert client.get_ai_video_track() is None

    assert frame.sample_rate == 48000


async def test_observe_tells_the_newest_state(server: ConversationServer) -> None:
    client = client_of(server)
    statuses: list[str] = []

    async def watch() -> None:
        async for state in client.observe():
            if not statuses or statuses[-1] != state.status:
                statuses.append(state.status)
            if len(statuses) > 1 and state.status == "disconnected":
                return

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)  # one turn of the loop, for the watcher to begin
    async with client:
        pass
    await asyncio.wait_for(watching, 5)

    assert statuses[0] == statuses[-1] == "disconnected"
    assert "connected" in statuses


async def test_stats_count_packets(server: ConversationServer) -> None:
    async with client_of(server) as client:
        async with asyncio.timeout(40):
            while (await client.get_stats()).network.packets_received < 10:
                await asyncio.sleep(0.05)
        stats = await client.get_stats()

    assert stats.network.packets_lost == 0
    assert (await client.get_stats()).network.packets_received == 0


async def test_taps_see_every_stage(server: ConversationServer) -> None:
    client = client_of(server, audio_source=ArrayMicrophone(np.full(48000, 0.25, np.float32)))
    seen: dict[str, int] = {}
    complete = asyncio.Event()

    def tap(kind: str, samples: np.ndarray) -> None:
        assert samples.dtype == np.float32
        seen[kind] = seen.get(kind, 0) + len(samples)
        if len(seen) == 3:
            complete.set()

    client.add_audio_tap(tap)
    async with client:
        await asyncio.wait_for(complete.wait(), 10)

    assert seen["microphone"] == seen["processed"]


async def test_devices_of_other_rates_are_resampled(server: ConversationServer) -> None:
    loudspeaker = RecordingLoudspeaker(sample_rate_hz=44100)
    client = client_of(server, audio_source=ArrayMicrophone(sample_rate_hz=16000), audio_output=loudspeaker)
    blocks: list[int] = []
    client.add_audio_tap(lambda kind, samples: blocks.append(len(samples)) if kind == "microphone" else None)
    async with client:
        await client.wait_for("ai-idle", timeout=40)

    assert set(blocks) == {960}
    assert np.abs(loudspeaker.samples).max() > 0.05


# --- mute and devices -------------------------------------------------------------------------------------------------


async def test_mute_is_kept_from_before_join(server: ConversationServer) -> None:
    client = client_of(server)
    client.set_audio_enabled(False)
    client.set_video_enabled(False)
    async with client:
        assert not client.state.audio_enabled
        client.set_audio_enabled(True)
        assert client.state.audio_enabled
    assert not client.state.video_enabled


async def test_the_microphone_is_switched_while_joined(server: ConversationServer) -> None:
    first, second = ArrayMicrophone(), ArrayMicrophone(np.full(96000, 0.5, np.float32))
    client = client_of(server, audio_source=first)
    loud = asyncio.Event()
    client.add_audio_tap(lambda kind, block: loud.set() if kind == "microphone" and block.max() > 0.4 else None)
    async with client:
        await client.set_audio_device(second)
        await asyncio.wait_for(loud.wait(), 5)

    assert (first.closed, second.closed) == (1, 1)
    assert client.options.audio_source is second


async def test_the_camera_is_switched_while_joined(server: ConversationServer) -> None:
    first, second = ColourCamera(), ColourCamera()
    async with client_of(server, video=True, video_source=first, video_quality="low") as client:
        await client.set_video_device(second)

    assert (first.closed, second.closed) == (1, 1)


class MissingDevice(ArrayMicrophone):
    async def start(self) -> None:
        raise DeviceNotFound("there is no such microphone")

    def write(self, samples: Any) -> None: ...

    def flush(self) -> None: ...


async def test_a_device_that_is_missing_is_told_and_the_call_goes_on(server: ConversationServer, heard: Record) -> None:
    client = client_of(
        server, audio_source=MissingDevice(), audio_output=MissingDevice(), video=True, video_source=MissingDevice()
    )
    events = heard(client)
    async with client:
        assert client.state.is_connected
        await client.wait_for("ai-idle", timeout=40)

    assert [event.code for name, event in events if name == "error"] == [ErrorCode.DEVICE_NOT_FOUND] * 3


async def test_switching_to_a_missing_device_keeps_the_one_in_use(server: ConversationServer) -> None:
    microphone = ArrayMicrophone()
    async with client_of(server, audio_source=microphone) as client:
        with pytest.raises(DeviceNotFound):
            await client.set_audio_device(MissingDevice())
        assert microphone.closed == 0
        assert client.options.audio_source is microphone


class UnpluggedMicrophone(ArrayMicrophone):
    async def read(self, samples: int) -> Any:
        raise DeviceNotFound("the microphone was unplugged")


async def test_a_microphone_that_is_unplugged_is_told_and_the_call_goes_on(
    server: ConversationServer, heard: Record
) -> None:
    client = client_of(server, audio_source=UnpluggedMicrophone())
    events = heard(client)
    async with client:
        await client.wait_for("ai-idle", timeout=40)

    assert [event.code for name, event in events if name == "error"] == [ErrorCode.DEVICE_NOT_FOUND]


async def test_get_devices_answers_without_a_conversation() -> None:
    client = SpikeClient(conversation_url="http://127.0.0.1:9/c", token="t")
    devices = await client.get_devices()

    assert isinstance(devices.audio, tuple)
    assert isinstance(devices.video, tuple)


# --- joining twice, leaving early -------------------------------------------------------------------------------------


async def test_a_second_join_is_refused(server: ConversationServer) -> None:
    async with client_of(server) as client:
        with pytest.raises(InvalidState, match="connected"):
            await client.join()


async def test_leave_without_join_does_nothing() -> None:
    client = SpikeClient(conversation_url="http://127.0.0.1:9/c", token="t")
    await client.leave()

    assert client.state.status == "disconnected"


async def test_reconnect_without_join_is_refused() -> None:
    with pytest.raises(InvalidState, match="joined before"):
        await SpikeClient(conversation_url="http://127.0.0.1:9/c", token="t").reconnect()


async def test_leave_during_join_ends_the_join(unused_tcp_port_factory: Callable[[], int]) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response()

    async with server_of(hang) as url:
        client = SpikeClient(conversation_url=url, token="t", audio=False, video=False, audio_output=None)
        joining = asyncio.create_task(client.join())
        await arrived.wait()
        await client.leave()
        with pytest.raises(InvalidState, match=r"leave\(\)"):
            await joining
        release.set()

    assert client.state.status == "disconnected"


async def test_a_cancelled_join_leaves_nothing_open() -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response()

    async with server_of(hang) as url:
        client = SpikeClient(conversation_url=url, token="t", audio=False, video=False, audio_output=None)
        joining = asyncio.create_task(client.join())
        await arrived.wait()
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
        release.set()

    assert client.state.status == "disconnected"


async def test_reconnect_replaces_a_connection_that_lives(server: ConversationServer, heard: Record) -> None:
    client = client_of(server)
    events = heard(client)
    async with client:
        await client.reconnect()
        assert client.state.is_connected

    assert names(events).count("connected") == 2
    assert names(events).count("disconnected") == 1


# --- when it goes wrong -----------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def server_of(handler: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/c/api/offer", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/c"))


async def assert_join_fails(client: SpikeClient, error: type[SpikeError], record: Record) -> SpikeError:
    """Join fails with `error`, raised and told; the client can be used again."""
    events = record(client)
    async with asyncio.timeout(40):
        with pytest.raises(error) as failure:
            await client.join()
    assert events == [("error", failure.value), ("disconnected", events[-1][1])]
    assert events[-1][1].reason == "error"
    assert client.state.status == "disconnected"
    assert client.state.error is failure.value
    return failure.value


def plain_client(url: str, token: str = "t", **options: Any) -> SpikeClient:
    defaults = {"audio": False, "video": False, "audio_output": None, "join_timeout_s": 20.0}
    return SpikeClient(conversation_url=url, token=token, **(defaults | options))


@pytest.mark.parametrize(("expired_s", "asked"), [(400, []), (60, ["/c/api/offer"])], ids=["long ago", "by this clock"])
async def test_a_token_that_has_expired_long_ago_is_not_even_sent(
    expired_s: int, asked: list[str], heard: Record
) -> None:
    """A clock may be wrong by minutes: what has just expired, the server judges."""
    requests: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request.path)
        return web.Response(status=401)

    async with server_of(answer) as url:
        token = jwt.encode({"exp": time.time() - expired_s}, "k" * 32)
        await assert_join_fails(plain_client(url, token), TokenExpired, heard)

    assert requests == asked


@pytest.mark.parametrize("token", ["malformed", "a.b.c"])
async def test_a_malformed_token(server: ConversationServer, heard: Record, token: str) -> None:
    url = server.create_conversation().conversation_url

    await assert_join_fails(plain_client(url, token), TokenExpired, heard)


async def test_the_token_of_another_conversation(server: ConversationServer, heard: Record) -> None:
    url, token = server.create_conversation().conversation_url, server.create_conversation().token

    await assert_join_fails(plain_client(url, token), TokenExpired, heard)


async def test_a_server_that_is_down(unused_tcp_port: int, heard: Record) -> None:
    await assert_join_fails(plain_client(f"http://127.0.0.1:{unused_tcp_port}/c"), ConnectionFailed, heard)


async def test_a_name_that_does_not_resolve(heard: Record) -> None:
    await assert_join_fails(plain_client("https://no-such-host.invalid/c"), ConnectionFailed, heard)


async def test_a_server_that_answers_garbage(heard: Record) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"sdp": "garbage", "type": "answer"})

    async with server_of(answer) as url:
        await assert_join_fails(plain_client(url), ConnectionFailed, heard)


async def test_a_server_that_never_answers(heard: Record) -> None:
    release = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with server_of(answer) as url:
        failure = await assert_join_fails(plain_client(url, join_timeout_s=0.3), ConnectionFailed, heard)
        release.set()

    waited = re.search(r"within ([\d.]+) s", failure.message)
    assert waited
    assert 0.3 <= float(waited[1]) < 10  # a busy machine may notice it later


async def test_an_answer_with_nobody_behind_it(heard: Record) -> None:
    from aiortc import RTCPeerConnection, RTCSessionDescription

    async def answer(request: web.Request) -> web.Response:
        offer = await request.json()
        peer = RTCPeerConnection()
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        sdp = (await peer.createAnswer()).sdp
        await peer.close()
        return web.json_response({"sdp": sdp, "type": "answer", "pc_id": "x"})

    async with server_of(answer) as url:
        await assert_join_fails(plain_client(url, join_timeout_s=1.0), ConnectionFailed, heard)


async def test_a_conversation_that_has_ended(server: ConversationServer, heard: Record) -> None:
    client = plain_client(f"{server.url}/conversations/gone", server.create_conversation().token)

    await assert_join_fails(client, ConversationEnded, heard)


async def test_the_server_ends_the_conversation(server: ConversationServer, heard: Record) -> None:
    client = client_of(server)
    events = heard(client)
    await client.join()
    over = asyncio.ensure_future(client.wait_for("disconnected", timeout=15))
    await asyncio.sleep(0)
    await server.stop()

    assert (await over).reason == "ended"
    assert [event.code for name, event in events if name == "error"] == [ErrorCode.CONVERSATION_ENDED]


@contextlib.asynccontextmanager
async def server_process(port: int = 0) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """An embedded server in a process that a test may kill, and the invitation to its one conversation."""
    program = (
        "import asyncio, json, sys\n"
        "from dataclasses import asdict\n"
        "from spike_engine.server import ConversationServer, HummingPersona\n"
        "async def main():\n"
        "    async with ConversationServer(port=int(sys.argv[1]), persona=HummingPersona) as server:\n"
        "        print(json.dumps(asdict(server.create_conversation())), flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        yield process, json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@needs_signals
async def test_a_server_that_dies_is_noticed_and_another_can_be_joined(
    server: ConversationServer, heard: Record
) -> None:
    async with server_process() as (process, invitation):
        client = plain_client(invitation["conversation_url"], invitation["token"], auto_reconnect=False)
        events = heard(client)
        await client.join()
        os.kill(process.pid, signal.SIGKILL)
        over = await client.wait_for("disconnected", timeout=15)

    assert over.reason == "network"
    assert [event.code for name, event in events if name == "error"] == [ErrorCode.CONNECTION_FAILED]
    with pytest.raises(ConnectionFailed):
        await client.reconnect()
    async with client_of(server) as another:
        assert another.state.is_connected


@needs_signals
async def test_reconnect_in_a_disconnected_handler_as_the_spec_shows(heard: Record) -> None:
    """A network that is cut: the server is stopped for longer than the watchdog waits, and goes on again."""
    async with server_process() as (process, invitation):
        client = plain_client(invitation["conversation_url"], invitation["token"])
        events = heard(client)
        again = asyncio.Event()

        @client.on("disconnected")
        async def reconnect(event: Any) -> None:
            if event.reason == "network":
                os.kill(process.pid, signal.SIGCONT)
                await client.reconnect()
                again.set()

        await client.join()
        os.kill(process.pid, signal.SIGSTOP)
        await asyncio.wait_for(again.wait(), 15)
        assert client.state.is_connected
        await client.leave()

    assert names(events).count("connected") == 2
    assert [event.reason for name, event in events if name == "disconnected"] == ["network", "left"]


async def test_after_a_failure_the_client_joins_again(server: ConversationServer, heard: Record) -> None:
    accept = False
    target = server.create_conversation()

    async def gate(request: web.Request) -> web.Response:
        if not accept:
            return web.Response(status=503)
        import aiohttp

        headers = {"Authorization": request.headers["Authorization"]}
        offer = await request.json()
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{target.conversation_url}/api/offer", json=offer, headers=headers) as response,
        ):
            return web.json_response(await response.json(), status=response.status)

    async with server_of(gate) as url:
        client = plain_client(url, target.token)
        with pytest.raises(ConnectionFailed, match="503"):
            await client.join()
        accept = True
        async with client:
            assert client.state.is_connected
            assert client.state.error is None


def test_ai_speaking_is_what_the_spec_prints() -> None:
    event = AISpeaking(transcript="hi", audio_level=0.5)

    assert (event.transcript, event.audio_level) == ("hi", 0.5)
