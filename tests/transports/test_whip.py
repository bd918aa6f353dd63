"""WHIP and WHEP against a local server that keeps to RFC 9725 and the WHEP draft."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from answering import WhipServer
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import AIIdle, AISpeaking, InvalidState, SpikeClient
from spike_engine.duplex.turns import AI_STOPS_AFTER_S, AITurns

pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.fixture
async def server() -> AsyncIterator[WhipServer]:
    async with WhipServer() as server:
        yield server


def client_of(server: WhipServer, **options: Any) -> SpikeClient:
    defaults = {"audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker(), "join_timeout_s": 20.0}
    return SpikeClient(conversation_url=server.url, token="bearer", **(defaults | options))


async def test_media_both_ways_and_turns_from_the_sound(server: WhipServer) -> None:
    loudspeaker = RecordingLoudspeaker()
    client = client_of(server, video=True, video_source=ColourCamera(), video_quality="low", audio_output=loudspeaker)
    async with client:
        speaking = asyncio.ensure_future(client.wait_for("ai-speaking", timeout=20))
        await asyncio.sleep(0)
        server.voice.level = 0.4
        await speaking
        server.voice.level = 0.0
        await client.wait_for("ai-idle", timeout=20)
        kinds = sorted(track.kind for track in server.tracks)
        received = {track.kind: await asyncio.wait_for(track.recv(), 10) for track in server.tracks}
        with pytest.raises(InvalidState, match="no messages"):
            client.send_message("hello")
        client.interrupt()

    assert kinds == ["audio", "video"]
    assert (received["video"].width, received["video"].height) == (320, 180)
    assert np.abs(loudspeaker.samples).max() > 0.2
    assert server.authorizations == ["Bearer bearer"] * 2
    assert sorted(server.deleted) == ["in", "out"]


async def test_a_server_that_closes_is_told_once(server: WhipServer, heard: Callable[[SpikeClient], list]) -> None:
    client = client_of(server, video=False)
    events = heard(client)
    await client.join()
    over = asyncio.ensure_future(client.wait_for("disconnected", timeout=20))
    await asyncio.sleep(0)
    for peer in server.peers.values():
        await peer.close()
    assert (await over).reason == "ended"
    await client.leave()

    assert [name for name, _ in events].count("disconnected") == 1


def test_turns_of_the_ai_are_told_from_its_level() -> None:
    turns = AITurns()
    events = [turns.on_level(level) for level in [0.0] * 5 + [0.3] * 20 + [0.0] * 10 + [0.3] * 5 + [0.0] * 60]
    told = [(at, event) for at, found in enumerate(events) for event in found]

    assert [event for _, event in told] == [AISpeaking(), AIIdle()]
    assert told[0][0] == 5
    assert told[1][0] - 40 == round(AI_STOPS_AFTER_S / 0.02) - 1
