"""What we take for granted of aiortc beyond its documented interface. When one of these fails, aiortc has changed."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import aioice
import pytest
from aiortc import RTCConfiguration, RTCIceGatherer, RTCPeerConnection
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from negotiation import connect

from spike_engine.webrtc import encoders
from spike_engine.webrtc.closing import close
from spike_engine.webrtc.encoders import PictureEncoder, install

CHANGED = "aiortc has changed: mend spike_engine/webrtc/encoders.py"


async def connected(*tracks: object) -> tuple[RTCPeerConnection, RTCPeerConnection]:
    here, there = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    for track in tracks:
        here.addTrack(track)
    await connect(here, there)
    return here, there


@pytest.mark.usefixtures("nothing_left_open")
async def test_senders_encode_with_what_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, encode = asyncio.Event(), PictureEncoder.encode
    monkeypatch.setattr(PictureEncoder, "encode", lambda self, *a: (begun.set(), encode(self, *a))[1])
    here, there = await connected(AudioStreamTrack(), VideoStreamTrack())
    installed = [install(one, video_bps=300_000) for one in here.getTransceivers()]
    try:
        assert [type(one) for one in installed] == [type(None), PictureEncoder], CHANGED
        async with asyncio.timeout(10):
            await begun.wait()
    except TimeoutError:
        pytest.fail(CHANGED)
    finally:
        await here.close()
        await there.close()


def test_the_bit_rates_are_where_they_are_overridden() -> None:
    assert hasattr(Vp8Encoder(), "_Vp8Encoder__target_bitrate"), CHANGED


def test_an_aiortc_that_keeps_its_encoders_elsewhere_uses_its_own(caplog: pytest.LogCaptureFixture) -> None:
    codec = SimpleNamespace(mimeType="video/VP8")
    with caplog.at_level(logging.WARNING, encoders.__name__):
        assert install(SimpleNamespace(_codecs=[codec], sender=SimpleNamespace()), video_bps=1) is None

    assert "bit rates do not adapt" in caplog.text


async def test_what_connects_without_being_waited_for_is_where_it_is_closed() -> None:
    pc = RTCPeerConnection()
    assert hasattr(pc, "_RTCPeerConnection__connect"), CHANGED
    await close(pc)
    await close(pc)


async def test_gathering_candidates_is_done_once() -> None:
    """`Peer` gathers before aiortc would, and sends the offer meanwhile."""
    gatherer = RTCIceGatherer([])
    first = asyncio.create_task(gatherer.gather())
    await asyncio.sleep(0)
    assert gatherer.state == "gathering"
    await asyncio.wait_for(gatherer.gather(), 0.01)  # comes back at once
    await first
    assert gatherer.state == "completed"
    assert bool(gatherer.getLocalCandidates()) == bool(aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True))
    await gatherer._connection.close()
