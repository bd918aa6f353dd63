"""Measures that hold when the wall clock jumps, and reports that hold whatever a sender says."""

from __future__ import annotations

import asyncio
import time

import aiortc.clock
import pytest
from aiortc import RTCPeerConnection
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import SpikeClient
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.webrtc import improve

pytestmark = pytest.mark.usefixtures("nothing_left_open")
YEAR_S = 365 * 86400


@pytest.mark.parametrize("step_s", [YEAR_S, -YEAR_S])
async def test_a_clock_that_jumps_in_a_call_is_not_noticed(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    async with ConversationServer(persona=HummingPersona) as server:
        invitation = server.create_conversation()
        client = SpikeClient(
            conversation_url=invitation.conversation_url,
            token=invitation.token,
            audio_source=ArrayMicrophone(),
            audio_output=RecordingLoudspeaker(),
            join_timeout_s=20.0,
        )
        async with client:
            await client.wait_for("stats", timeout=40)
            now_s = time.time
            monkeypatch.setattr(time, "time", lambda: now_s() + step_s)
            round_trips_ms = [
                (await client.wait_for("stats", timeout=40)).network.round_trip_time_ms or 0.0 for _ in range(3)
            ]
            async with asyncio.timeout(40):
                await client.leave()

    assert min(round_trips_ms) >= 0
    assert max(round_trips_ms) < 5000


async def test_a_jitter_that_its_field_cannot_hold_ends_no_reports() -> None:
    pc = improve(RTCPeerConnection())
    receiver = pc.addTransceiver("audio").receiver
    await pc.setLocalDescription(await pc.createOffer())
    info = RtcpReceiverInfo(ssrc=1, fraction_lost=0, packets_lost=0, highest_sequence=1, jitter=1 << 40, lsr=0, dlsr=0)

    await receiver._send_rtcp(RtcpRrPacket(ssrc=2, reports=[info]))

    assert info.jitter == (1 << 32) - 1
    await pc.close()


async def test_arrivals_are_measured_by_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    pc = improve(RTCPeerConnection())
    await pc.close()
    before_ms = aiortc.clock.current_ms()
    monkeypatch.setattr(aiortc.clock, "current_datetime", lambda: aiortc.clock.NTP_EPOCH)

    assert 0 <= aiortc.clock.current_ms() - before_ms < 5000
