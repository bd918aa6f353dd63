"""The voice to the network: one encoder, whatever a track gives, and protection as loss asks for it."""

from __future__ import annotations

import gc
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from spike_engine import frames
from spike_engine.webrtc.voice_sender import (
    COMPLEXITY,
    COMPLEXITY_OF_A_CROWD,
    COMPLEXITY_OF_MANY,
    FEW_VOICES,
    MANY_VOICES,
    VoiceSender,
)

OPUS, RED = 96, 63


def speech(begin: int, samples: int, rate_hz: int = 48000) -> np.ndarray:
    time_s = (begin + np.arange(samples)) / rate_hz
    voice = 0.2 * sum(np.sin(2 * np.pi * f * time_s) / n for n, f in enumerate((150, 310, 480, 900, 1700), start=1))
    return voice.astype(np.float32)


class Speech:
    """A track that gives frames of some length, rate and layout."""

    def __init__(self, samples: int = 960, rate_hz: int = 48000, channels: int = 1) -> None:
        self._samples, self._rate_hz, self._channels = samples, rate_hz, channels
        self._at = 0

    async def recv(self) -> av.AudioFrame:
        block = speech(self._at, self._samples, self._rate_hz)
        block = block if self._channels == 1 else np.stack([block, block], axis=1)
        frame = frames.audio_from_ndarray(block, format="s16", sample_rate_hz=self._rate_hz)
        frame.pts, frame.time_base = self._at, Fraction(1, self._rate_hz)
        self._at += self._samples
        return frame


def sender(red: int | None = RED) -> VoiceSender:
    made = VoiceSender()
    made.negotiated(OPUS, red=red)
    return made


async def payloads_of(voice: VoiceSender, track: object, count: int) -> list[tuple[int, bytes, int]]:
    made: list[tuple[int, bytes, int]] = []
    while len(made) < count:
        if payload := await voice.next_payload(track):
            made.append(payload)
    return made


def heard(packets: list[bytes]) -> np.ndarray:
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = 48000, "mono"
    return np.concatenate([frame.to_ndarray()[0] for data in packets for frame in decoder.decode(av.Packet(data))])


@pytest.mark.parametrize(
    ("samples", "rate_hz", "channels"), [(960, 48000, 1), (960, 48000, 2), (441, 44100, 2), (640, 16000, 1)]
)
async def test_whatever_a_track_gives_is_sent_in_packets_of_20_ms(samples: int, rate_hz: int, channels: int) -> None:
    made = await payloads_of(sender(red=None), Speech(samples, rate_hz, channels), 50)

    assert {payload_type for payload_type, _, _ in made} == {OPUS}
    assert [timestamp for _, _, timestamp in made] == [960 * n for n in range(50)]
    sound = heard([data for _, data, _ in made])[20 * 960 : 40 * 960]
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(speech(0, 9600) ** 2)), rel=0.2)


async def test_the_voice_changes_its_rate_without_a_break() -> None:
    voice, track = sender(red=None), Speech()
    voice.bitrate_bps = 48_000
    large = await payloads_of(voice, track, 50)
    voice.bitrate_bps = 12_000
    small = await payloads_of(voice, track, 50)

    sizes = [len(data) for _, data, _ in (*large, *small)]
    assert np.mean(sizes[60:]) < 0.6 * np.mean(sizes[10:45])
    assert all(later[2] - earlier[2] == 960 for earlier, later in itertools.pairwise((*large, *small)))
    blocks = heard([data for _, data, _ in (*large, *small)]).reshape(-1, 960)
    assert np.abs(blocks[3:]).max(axis=1).min() > 0.05


async def test_copies_go_along_while_packets_get_lost_and_the_other_side_takes_them() -> None:
    voice, track = sender(), Speech()
    voice.report(0.0)
    assert (await payloads_of(voice, track, 2))[-1][0] == OPUS
    voice.report(0.05)
    assert voice.copies == 1
    assert {payload_type for payload_type, _, _ in await payloads_of(voice, track, 3)} == {RED}
    for _ in range(4):
        voice.report(0.3)
    assert voice.copies == 2
    for _ in range(40):
        voice.report(0.0)
    assert voice.copies == 0
    plain = sender(red=None)
    plain.report(0.3)
    assert plain.copies == 0


async def test_copies_go_along_until_a_report_says_that_none_is_needed() -> None:
    voice, track = sender(), Speech()
    assert [payload_type for payload_type, _, _ in await payloads_of(voice, track, 3)] == [RED] * 3
    voice.report(0.0)
    assert [payload_type for payload_type, _, _ in await payloads_of(voice, track, 3)] == [OPUS] * 3


async def test_next_to_nothing_is_sent_of_silence_where_the_receiver_prefers_that() -> None:
    for dtx, least, most in ((False, 100, 100), (True, 5, 25)):
        voice = VoiceSender()
        voice.negotiated(OPUS, red=None, dtx=dtx)
        sent = [voice.payload_of(np.zeros(960, np.float32)) for _ in range(100)]
        packets = [payload for payload in sent if payload]
        assert least <= len(packets) <= most
        assert max(later[2] - earlier[2] for earlier, later in itertools.pairwise(packets)) <= 48000 // 2
        speech_again = await payloads_of(voice, Speech(), 3)
        assert speech_again[0][2] == 960 * 100  # its time has gone on


async def test_a_narrow_network_is_not_filled_with_copies() -> None:
    voice = sender()
    voice.report(0.2)
    assert voice.copies
    voice.bitrate_bps = 16_000
    assert voice.copies == 0


async def test_what_a_program_has_encoded_itself_is_sent_as_it_is() -> None:
    class Encoded:
        async def recv(self) -> av.Packet:
            packet = av.Packet(b"opus")
            packet.pts, packet.time_base = 100, Fraction(1, 1000)
            return packet

    assert await sender().next_payload(Encoded()) == (OPUS, b"opus", 4800)


async def test_the_end_of_a_track_is_its_end() -> None:
    class Ended:
        async def recv(self) -> av.AudioFrame:
            raise MediaStreamError

    with pytest.raises(MediaStreamError):
        await sender().next_payload(Ended())


def test_a_crowd_corrects_errors_once_packets_get_lost() -> None:
    gc.collect()
    crowd = [sender() for _ in range(MANY_VOICES + 1)]
    assert {(voice.complexity, voice.corrects) for voice in crowd} == {(COMPLEXITY_OF_A_CROWD, False)}
    crowd[0].report(1 / 256)
    assert not crowd[0].corrects
    crowd[0].report(0.02)
    assert crowd[0].corrects
    for _ in range(20):
        crowd[0].report(0.0)
    assert not crowd[0].corrects
    crowd[0].report(0.02)
    crowd = crowd[:20]
    gc.collect()
    assert sender().corrects
    assert {(voice.complexity, voice.corrects) for voice in crowd} == {(COMPLEXITY_OF_MANY, True)}


def test_many_voices_share_the_machine() -> None:
    gc.collect()
    alone = sender()
    assert alone.complexity == COMPLEXITY
    many = [sender() for _ in range(FEW_VOICES)]
    assert {voice.complexity for voice in (alone, *many)} == {COMPLEXITY_OF_MANY}
    del many
    gc.collect()
    assert sender().complexity == alone.complexity == COMPLEXITY
