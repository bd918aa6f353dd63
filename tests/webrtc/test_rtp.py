"""Packets of a voice between the socket and the codec, and what aiortc tells of them."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
    RTCRtpReceiveParameters,
)
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtpPacket
from aiortc.stats import RTCInboundRtpStreamStats, RTCOutboundRtpStreamStats, RTCRemoteInboundRtpStreamStats
from negotiation import connect

from spike_engine.server.tracks import VoiceTrack
from spike_engine.webrtc import improve, shared_reading
from spike_engine.webrtc.clock import running_clock
from spike_engine.webrtc.remote_voice import RemoteVoice
from spike_engine.webrtc.rtp_receiving import VoicePacket, parsed
from spike_engine.webrtc.seam import voice_of

pytestmark = pytest.mark.usefixtures("nothing_left_open")

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


def tone(hz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(48000 * 20) / 48000)).astype(np.float32)


def spoken(hz: float) -> VoiceTrack:
    voice = VoiceTrack()
    voice.play(tone(hz))
    return voice


async def connected(*tracks: VoiceTrack) -> tuple[RTCPeerConnection, RTCPeerConnection]:
    """Who sends `tracks`, and who receives them."""
    here, there = (improve(RTCPeerConnection(RTCConfiguration(iceServers=[]))) for _ in range(2))
    for track in tracks:
        here.addTrack(track)
    await connect(here, there)
    return here, there


async def hears(pc: RTCPeerConnection, hz: float, number: int = 0) -> None:
    """Return when the remote voice of this number is a tone of `hz`."""
    voice = voice_of(pc.getReceivers()[number].track)
    assert voice
    async with asyncio.timeout(20):
        async for block in voice.blocks():
            spectrum = np.abs(np.fft.rfft(block))
            if block.max() > 0.1 and abs(np.argmax(spectrum) * 50 - hz) <= 50:
                return


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.05)


def test_a_packet_is_read_as_aiortc_reads_it() -> None:
    extensions = HeaderExtensionsMap()
    extensions.configure(RTCRtpReceiveParameters(headerExtensions=[RTCRtpHeaderExtensionParameters(id=1, uri=MID)]))
    for sources, mid, padding in itertools.product((0, 2), (None, "audio"), (0, 1, 9)):
        packet = RtpPacket(96, 1, 65535, 0xFFFFFFFF, 0xDEADBEEF, b"a payload")
        packet.csrc, packet.padding_size = list(range(sources)), padding
        packet.extensions = HeaderExtensions(mid=mid)
        assert parsed(packet.serialize(extensions)) == (65535, 0xFFFFFFFF, 0xDEADBEEF, 96, 1, b"a payload")


@pytest.mark.parametrize(("mime", "takes"), [("audio/PCMA", True), ("audio/opus", False)])
async def test_the_noise_of_telephones_is_taken_though_nobody_agreed_on_it(mime: str, takes: bool) -> None:
    voice = RemoteVoice(otherwise=None)
    voice.codecs = [RTCRtpCodecParameters(mimeType=mime, clockRate=8000 if takes else 48000, payloadType=8)]
    assert voice.takes(13) == takes
    if takes:
        for number, (payload_type, payload) in enumerate([(8, bytes(160)), (13, b"\x32"), (13, b"\x32")]):
            packet = VoicePacket(number, 160 * number, 1, payload_type, 0, payload)
            assert voice.add(packet) == (False, None)
        block = np.empty(480, np.float32)
        for _ in range(6):
            voice.receiver.pull(block)
        assert voice.receiver.state == "comfort-noise"
        assert voice.receiver.stats.packets_received == 3
        assert voice.receiver.stats.concealed_samples == 0


def test_a_packet_that_is_none_is_none() -> None:
    chance = random.Random(0)
    for _ in range(20_000):
        data = bytes([128 + chance.randrange(64), 96]) + chance.randbytes(chance.randint(10, 60))
        try:
            expected = RtpPacket.parse(data).payload
        except ValueError:
            expected = None
        packet = parsed(data)
        if expected is not None:
            assert packet
            assert packet.payload == expected
        assert packet is None or len(packet.payload) <= len(data) - 12


async def test_what_aiortc_tells_of_a_voice_stays_true() -> None:
    here, there = await connected(spoken(400))
    await hears(there, 400)

    async def reported() -> bool:
        stats = (await here.getStats()).values()
        sent = next(each for each in stats if isinstance(each, RTCOutboundRtpStreamStats))
        heard = [each for each in stats if isinstance(each, RTCRemoteInboundRtpStreamStats)]
        return bool(heard) and heard[0].roundTripTime is not None and sent.packetsSent > 50

    await until(reported)
    received = (await there.getStats()).values()
    (voice,) = [each for each in received if isinstance(each, RTCInboundRtpStreamStats)]
    (transport,) = [each for each in received if each.type == "transport"]
    assert voice.packetsLost == 0
    assert 50 < voice.packetsReceived < transport.packetsReceived
    assert transport.bytesReceived > 100 * voice.packetsReceived
    (source,) = there.getReceivers()[0].getSynchronizationSources()
    assert source.source == voice.ssrc
    await asyncio.gather(here.close(), there.close())


async def test_another_track_takes_the_place_of_one_and_the_end_of_a_track_ends_sending() -> None:
    first, second = spoken(400), spoken(900)
    here, there = await connected(first)
    (sender,) = here.getSenders()
    await hears(there, 400)
    sender.replaceTrack(second)
    first.stop()
    await hears(there, 900)
    second.stop()

    async def over() -> bool:
        return sender.track is None

    await until(over)
    await asyncio.gather(here.close(), there.close())


async def test_sockets_that_are_read_together_miss_nothing_and_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reading, "READ_AT_ONCE", 1)
    reading, clock = shared_reading.running_reading(), running_clock()
    pairs = [await connected(spoken(400 + 200 * number)) for number in range(3)]
    for number, (_, there) in enumerate(pairs):
        await hears(there, 400 + 200 * number)
    assert clock.read_first
    for here, there in pairs:
        assert (await here.getStats())["transport_" + str(id(here.getSenders()[0].transport))].packetsReceived > 0
        await asyncio.gather(here.close(), there.close())
    await asyncio.sleep(0)
    assert reading.sockets == 0
    assert clock.read_first is None


async def test_datagrams_of_strangers_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    here, there = await connected(spoken(400))
    await hears(there, 400)
    receiver = there.getReceivers()[0]
    (source,) = receiver.getSynchronizationSources()
    (pair,) = receiver.transport.transport._connection._nominated.values()
    header = bytes([0x80, 96, 0, 1]) + bytes(4) + source.source.to_bytes(4, "big")
    chance = random.Random(0)
    family = socket.AF_INET6 if ":" in pair.local_addr[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        for size in (0, 1, 30, 1400, 1490, 1500, 4000):
            stranger.sendto(header + chance.randbytes(size), pair.local_addr)
            stranger.sendto(bytes([0x80]) + chance.randbytes(size), pair.local_addr)
    await hears(there, 400)
    await hears(there, 400)
    assert there.connectionState == "connected"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    await asyncio.gather(here.close(), there.close())


async def test_two_voices_on_one_connection_are_kept_apart() -> None:
    here, there = await connected(spoken(400), spoken(900))
    await asyncio.gather(hears(there, 400, 0), hears(there, 900, 1))
    await asyncio.gather(here.close(), there.close())
