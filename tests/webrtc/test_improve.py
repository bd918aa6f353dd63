"""Connections of aiortc's with our half of the road in them, over real sockets of which some packets get lost."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import aioice
import aiortc
import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from negotiation import connect

from spike_engine import frames
from spike_engine.webrtc import improve
from spike_engine.webrtc.improving import improvement_of
from spike_engine.webrtc.seam import voice_of

pytestmark = pytest.mark.usefixtures("nothing_left_open")

TONE_HZ = 440
HELD_UP_S = 0.1  # a busy machine: what both ends in this process do then is not what is looked at


class Tone(MediaStreamTrack):
    """A tone in frames of 20 ms, or of other lengths, at its pace."""

    kind = "audio"

    def __init__(self, frame_samples: int = 960) -> None:
        super().__init__()
        self._at, self._began_s = 0, time.monotonic()
        self._frame_samples = frame_samples

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self._began_s + self._at / 48000 - time.monotonic()))
        time_s = (self._at + np.arange(self._frame_samples)) / 48000
        tone = (0.4 * np.sin(2 * np.pi * TONE_HZ * time_s)).astype(np.float32)
        frame = frames.audio_from_ndarray(tone, format="s16", sample_rate_hz=48000)
        frame.pts, frame.time_base = self._at, Fraction(1, 48000)
        self._at += self._frame_samples
        return frame


Lose = Callable[..., None]


@pytest.fixture
def lose(monkeypatch: pytest.MonkeyPatch) -> Lose:
    """Has this process's ICE sockets lose a share of what comes."""
    receive = aioice.ice.StunProtocol.datagram_received

    def start(share: float, seed: int = 1) -> None:
        chance = random.Random(seed)

        def received(self: Any, data: bytes, address: Any) -> None:
            if chance.random() >= share:
                receive(self, data, address)

        monkeypatch.setattr(aioice.ice.StunProtocol, "datagram_received", received)

    return start


def connection(*, improved: bool = True) -> RTCPeerConnection:
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    return improve(pc) if improved else pc


class Ear:
    """Keeps what a connection's remote voice gives."""

    def __init__(self, pc: RTCPeerConnection) -> None:
        self.frames: list[av.AudioFrame] = []
        self._times_s: list[float] = []
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        pc.on("track", self._on_track)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._task = asyncio.ensure_future(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.frames.append(frame)
            self._times_s.append(time.monotonic())
            self._grown.set()

    async def blocks(self, count: int) -> np.ndarray:
        """The next `count` blocks after the voice has begun, shape (count, 960): a smooth stretch, if any is."""
        async with asyncio.timeout(60):
            while not any(np.abs(frame.to_ndarray()).max() > 3000 for frame in self.frames[-5:]):
                await self._next()
            for _ in range(5):
                first = len(self.frames) + 5
                while len(self.frames) < first + count:
                    await self._next()
                if max(np.diff(self._times_s[first : first + count]), default=0.0) < HELD_UP_S:
                    break
        return np.stack([frames.audio_to_ndarray(frame, channels=1) for frame in self.frames[first : first + count]])

    async def _next(self) -> None:
        self._grown.clear()
        await self._grown.wait()

    async def close(self) -> None:
        if self._task:
            await asyncio.wait_for(self._task, 5)


async def closed(*parts: Any) -> None:
    for part in parts:
        await part.close()


def loudness(blocks: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(blocks**2, axis=1))


async def test_a_voice_comes_in_frames_without_gaps_both_ways() -> None:
    here, there = connection(), connection()
    ears = Ear(here), Ear(there)
    for pc in (here, there):
        pc.addTrack(Tone())
    await connect(here, there)
    for ear in ears:
        heard = loudness(await ear.blocks(40))
        assert np.median(heard) == pytest.approx(0.283, rel=0.1)
        first, *_, last = ear.frames
        assert (last.sample_rate, last.samples, last.layout.name, last.format.name) == (48000, 960, "mono", "s16")
        assert last.pts - first.pts == 960 * (len(ear.frames) - 1)
    await closed(here, there, *ears)


async def test_a_tenth_lost_leaves_no_hole(lose: Lose) -> None:
    here, there = connection(), connection()
    ear = Ear(there)
    here.addTrack(Tone())
    await connect(here, there)
    await ear.blocks(5)
    lose(0.1)
    improvement = improvement_of(here)
    assert improvement
    (sender,) = improvement.senders.values()
    async with asyncio.timeout(20):
        while not sender.copies:  # the other side's report has come
            await ear.blocks(5)
    heard = loudness(await ear.blocks(150))
    voice = voice_of(there.getReceivers()[0].track)
    assert voice
    stats = voice.receiver.stats
    assert stats.packets_lost > 5
    assert stats.red_recovered + stats.fec_recovered > 0.4 * stats.packets_lost
    assert np.mean(heard > 0.1) > 0.9
    await closed(here, there, ear)


async def test_who_was_not_improved_is_heard_and_hears() -> None:
    here, there = connection(), connection(improved=False)
    ears = Ear(here), Ear(there)
    for pc in (here, there):
        pc.addTrack(Tone())
    await connect(here, there)
    improvement = improvement_of(here)
    assert improvement
    for sender in improvement.senders.values():
        sender.report(0.3)
        assert sender.copies == 0
    for ear in ears:  # FFmpeg makes one channel into two of 3 dB less
        assert 0.19 < np.median(loudness(await ear.blocks(30))) < 0.31
    await closed(here, there, *ears)


@pytest.mark.parametrize("frame_ms", [40, 60])
async def test_long_frames_of_who_was_not_improved_are_heard_whole(frame_ms: int) -> None:
    """aiortc makes packets of 20 ms of them, all with one timestamp."""
    here, there = connection(), connection(improved=False)
    ear = Ear(here)
    there.addTrack(Tone(48 * frame_ms))
    await connect(there, here)
    heard = loudness(await ear.blocks(100))

    assert np.median(heard) > 0.19
    assert np.mean(heard > 0.15) > 0.9
    await closed(here, there, ear)


@pytest.mark.parametrize("mime", ["audio/PCMU", "audio/PCMA", "audio/G722"])
async def test_telephones_are_heard(mime: str) -> None:
    here, there = connection(improved=False), connection()
    ear = Ear(there)
    here.addTrack(Tone())
    codecs = [codec for codec in RTCRtpSender.getCapabilities("audio").codecs if codec.mimeType == mime]
    here.getTransceivers()[0].setCodecPreferences(codecs)
    await connect(here, there)
    blocks = await ear.blocks(30)
    spectrum = np.abs(np.fft.rfft(blocks.reshape(-1)))
    assert np.argmax(spectrum) * 48000 / blocks.size == pytest.approx(TONE_HZ, abs=3)
    assert np.median(loudness(blocks)) == pytest.approx(0.283, rel=0.15)
    await closed(here, there, ear)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_connection_is_made_at_a_third_lost(lose: Lose, seed: int) -> None:
    lose(0.3, seed)
    here, there = connection(), connection()
    opened = asyncio.Event()
    there.on("datachannel", lambda channel: channel.on("message", lambda _: opened.set()))
    here.addTrack(Tone())
    channel = here.createDataChannel("chat")
    channel.on("open", lambda: channel.send("hello"))
    await connect(here, there)
    await asyncio.wait_for(opened.wait(), 12)
    await closed(here, there)


async def test_an_aiortc_that_is_not_known_goes_on_as_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aiortc, "__version__", "9.0.0")
    with caplog.at_level(logging.WARNING):
        pc = connection()
    assert improvement_of(pc) is None
    assert "aiortc goes on as before: aiortc 9.0.0 is none of" in caplog.text
    assert not {"createOffer", "setLocalDescription"} & vars(pc).keys()
    await pc.close()


async def test_improving_twice_is_improving_once() -> None:
    pc = connection()
    first = improvement_of(pc)
    assert improve(pc) is pc
    assert improvement_of(pc) is first
    await pc.close()


async def test_many_connections_leave_nothing_behind() -> None:
    for _ in range(20):
        here, there = connection(), connection()
        ear = Ear(there)
        here.addTrack(Tone())
        await connect(here, there)
        await ear.blocks(1)
        await closed(here, there, ear)


async def test_a_pipecat_bot_hears_its_user_through_loss(lose: Lose) -> None:
    connections = pytest.importorskip("pipecat.transports.smallwebrtc.connection")
    user, bot = connection(), connections.SmallWebRTCConnection([])
    improve(bot.pc)
    user.addTrack(Tone())
    user.addTransceiver("video", direction="recvonly")
    user.createDataChannel("chat")
    await user.setLocalDescription(await user.createOffer())
    await bot.initialize(user.localDescription.sdp, "offer")
    await user.setRemoteDescription(RTCSessionDescription(bot.get_answer()["sdp"], "answer"))
    await bot.connect()
    lose(0.1)
    track, heard = bot.audio_input_track(), []
    async with asyncio.timeout(30):
        while len(heard) < 200:
            frame = await track.recv()
            if frame is not None and (heard or np.abs(frame.to_ndarray()).max() > 3000):
                heard.append(frames.audio_to_ndarray(frame, channels=1))
    assert np.mean(loudness(np.stack(heard[10:])) > 0.1) > 0.85
    await user.close()
    await bot.disconnect()


async def test_what_is_repeated_when_the_connection_has_ended_is_lost_in_silence() -> None:
    pc = improve(RTCPeerConnection())
    pc.createDataChannel("chat")
    await pc.setLocalDescription(await pc.createOffer())

    await pc.sctp.transport._send_data(bytes(100))

    await pc.close()


async def test_what_is_repeated_between_openssls_good_bye_and_aiortcs_is_lost_in_silence() -> None:
    ours, theirs = connection(), connection()
    ours.createDataChannel("chat")
    await connect(ours, theirs)
    dtls = ours.sctp.transport
    while dtls.state != "connected":
        await asyncio.sleep(0.01)
    dtls._ssl.shutdown()

    await dtls._send_data(bytes(100))

    await closed(ours, theirs)
