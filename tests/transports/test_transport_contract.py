"""What every transport must do, whatever its wire: each is added to `TRANSPORTS` and passes all of this."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable

import pytest
from endpoints import Listener

from spike_engine.errors import ConnectionFailed, ConversationEnded, TokenExpired
from spike_engine.events import DisconnectReason
from spike_engine.media.capture import MicrophoneTrack
from spike_engine.options import ClientOptions
from spike_engine.protocols.rtvi import RTVIProtocol
from spike_engine.server import ConversationServer
from spike_engine.transports.base import LocalTracks, Transport, TransportStats
from spike_engine.transports.smallwebrtc import SmallWebRTCTransport

TRANSPORTS: list[Callable[[ClientOptions], Transport]] = [SmallWebRTCTransport]

pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    async with ConversationServer() as server:
        yield server


@pytest.fixture(params=TRANSPORTS)
async def transport(request: pytest.FixtureRequest, server: ConversationServer) -> AsyncIterator[Transport]:
    invitation = server.create_conversation()
    options = ClientOptions(conversation_url=invitation.conversation_url, token=invitation.token)
    transport = request.param(options)
    yield transport
    await transport.close()


async def test_messages_flow_both_ways(transport: Transport) -> None:
    listener = Listener()
    await transport.connect(LocalTracks(wants_video=False), listener)
    transport.send(RTVIProtocol().client_ready())

    assert "bot-ready" in await asyncio.wait_for(listener.messages.get(), 5)


async def test_the_remote_tracks_are_reported(transport: Transport) -> None:
    listener = Listener()
    await transport.connect(LocalTracks(audio=MicrophoneTrack(), wants_video=True), listener)

    assert sorted(track.kind for track in listener.tracks) == ["audio", "video"]


async def test_voice_only_has_no_video(transport: Transport) -> None:
    listener = Listener()
    await transport.connect(LocalTracks(wants_video=False), listener)

    assert [track.kind for track in listener.tracks] == ["audio"]


async def test_stats_count_while_connected_and_are_zero_without(transport: Transport) -> None:
    assert await transport.get_stats() == TransportStats()

    await transport.connect(LocalTracks(wants_video=False), Listener())
    async with asyncio.timeout(5):
        while (await transport.get_stats()).packets_received == 0:
            await asyncio.sleep(0.02)
    await transport.close()

    assert await transport.get_stats() == TransportStats()


async def test_close_may_be_called_twice_and_before_connect(transport: Transport) -> None:
    await transport.close()
    await transport.connect(LocalTracks(wants_video=False), Listener())
    await transport.close()
    await transport.close()


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.06, 0.1])
async def test_cancelled_while_it_connects_it_leaves_nothing_open(
    transport: Transport, after_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    media = LocalTracks(audio=MicrophoneTrack(), wants_video=True)
    connecting = asyncio.create_task(transport.connect(media, Listener()))
    await asyncio.sleep(after_s)  # wherever it is by then
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    await transport.close()
    gc.collect()  # of tasks whose errors nobody has heard

    assert "never retrieved" not in caplog.text


async def test_sending_without_a_connection_is_dropped(transport: Transport) -> None:
    transport.send("nobody hears this")
    transport.set_track_enabled("audio", enabled=False)


async def test_it_connects_again_after_close(transport: Transport) -> None:
    await transport.connect(LocalTracks(wants_video=False), Listener())
    await transport.close()
    listener = Listener()
    await transport.connect(LocalTracks(wants_video=False), listener)
    transport.send(RTVIProtocol().client_ready())

    assert "bot-ready" in await asyncio.wait_for(listener.messages.get(), 5)


async def test_an_end_by_the_server_is_reported(transport: Transport, server: ConversationServer) -> None:
    listener = Listener()
    await transport.connect(LocalTracks(wants_video=False), listener)
    await server.stop()
    reason, error = await asyncio.wait_for(listener.closed, 5)

    assert reason == DisconnectReason.ENDED
    assert isinstance(error, ConversationEnded)


async def test_close_reports_nothing(transport: Transport) -> None:
    listener = Listener()
    await transport.connect(LocalTracks(wants_video=False), listener)
    await transport.close()

    assert not listener.closed.done()


@pytest.mark.parametrize("create", TRANSPORTS)
async def test_a_server_that_is_down(create: Callable[[ClientOptions], Transport], unused_tcp_port: int) -> None:
    transport = create(ClientOptions(conversation_url=f"http://127.0.0.1:{unused_tcp_port}/c", token="t"))

    with pytest.raises(ConnectionFailed, match="could not be reached"):
        await transport.connect(LocalTracks(), Listener())


@pytest.mark.parametrize("create", TRANSPORTS)
async def test_a_wrong_token(create: Callable[[ClientOptions], Transport], server: ConversationServer) -> None:
    url = server.create_conversation().conversation_url
    transport = create(ClientOptions(conversation_url=url, token="wrong"))

    with pytest.raises(TokenExpired, match="401"):
        await transport.connect(LocalTracks(), Listener())


@pytest.mark.parametrize("create", TRANSPORTS)
async def test_an_unknown_conversation(
    create: Callable[[ClientOptions], Transport], server: ConversationServer
) -> None:
    token = server.create_conversation().token
    transport = create(ClientOptions(conversation_url=f"{server.url}/conversations/none", token=token))

    with pytest.raises(ConversationEnded, match="404"):
        await transport.connect(LocalTracks(), Listener())
