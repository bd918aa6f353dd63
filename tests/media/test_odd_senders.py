"""Senders that do what RFC 3550 allows and nobody expects, and some that do what it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from echo_scenarios import talk
from lossy_voice import RATE_HZ, encoded, offset_of, uncompressed
from rooms import Samples

from spike_engine._core import OpusEncoder, ReceiverStats, VoiceReceiver

SECONDS = 6.0
TICKS = 960
HALF = int(SECONDS * 25)


@pytest.fixture(scope="module")
def voice() -> Samples:
    return talk("italian", RATE_HZ, SECONDS, seed=4).astype(np.float32)


@pytest.fixture(scope="module")
def packets(voice: Samples) -> list[bytes]:
    return encoded(voice, bit_rate=48000)


class Call:
    """Packets as they come, each `packet_ms` after the one before, to a loudspeaker that takes `block` samples."""

    def __init__(self, *, packet_ms: float = 20.0, block: int = 480) -> None:
        self.receiver = VoiceReceiver(RATE_HZ)
        self.heard: list[Samples] = []
        self._packet_ms, self._block = packet_ms, block
        self._now_ms = 3.0

    def packet(self, number: int, payload: bytes, sequence: int, timestamp: int, **arguments: Any) -> None:
        """Take a packet when its time has come."""
        self.until(self._packet_ms * (number + 1))
        self.receiver.push(payload, sequence % 2**16, timestamp % 2**32, self._packet_ms * (number + 1), **arguments)

    def until(self, time_ms: float) -> None:
        while self._now_ms < time_ms:
            self.heard.append(np.zeros(self._block, np.float32))
            self.receiver.pull(self.heard[-1])
            self._now_ms += 1000 * self._block / RATE_HZ

    @property
    def stats(self) -> ReceiverStats:
        """With the last packet that came."""
        self.until(self._now_ms + 1)
        return self.receiver.stats

    @property
    def sound(self) -> Samples:
        return np.concatenate(self.heard)


def likeness(sent: Samples, heard: Samples, begin_s: float, seconds: float = 1.0) -> float:
    """Of a stretch of what was sent with the best place in what was heard around it, 1 for the same."""
    part = sent[int(begin_s * RATE_HZ) :][: int(seconds * RATE_HZ)]
    area = heard[int(begin_s * RATE_HZ) :][: len(part) + RATE_HZ // 2]
    late = offset_of(part, area, most=len(area) - len(part))
    found = area[late : late + len(part)]
    return float(np.dot(part, found) / np.sqrt(np.dot(part, part) * np.dot(found, found) + 1e-12))


Numbers = Callable[[int], tuple[int, int, int]]  # of a packet: sequence number, timestamp, source
ANEW: dict[str, Numbers] = {
    "another source": lambda n: (n, TICKS * n, 1) if n < HALF else (n + 33333, TICKS * n + 123456789, 2),
    "timestamps an hour on": lambda n: (n, TICKS * n + (n >= HALF) * 3600 * RATE_HZ, 1),
    "timestamps three seconds back": lambda n: (n, TICKS * n - (n >= HALF) * 3 * RATE_HZ, 1),
    "timestamps 300 ms back": lambda n: (n, TICKS * n - (n >= HALF) * 14400, 1),
    "numbers back": lambda n: (n - (n >= HALF) * 100, TICKS * n, 1),
    "numbers far on": lambda n: (n + (n >= HALF) * 20000, TICKS * n, 1),
    "both wrap": lambda n: (n - HALF, TICKS * (n - HALF), 1),
    "no timestamps": lambda n: (n, 0, 1),
}


@pytest.mark.parametrize("numbers", ANEW.values(), ids=ANEW)
def test_a_sender_that_counts_anew_is_followed(numbers: Numbers, voice: Samples, packets: list[bytes]) -> None:
    call = Call()
    for n, packet in enumerate(packets):
        sequence, timestamp, source = numbers(n)
        call.packet(n, packet, sequence, timestamp, ssrc=source)

    stats = call.stats
    assert stats.packets_received == len(packets)
    assert stats.packets_late + stats.packets_duplicate + stats.packets_discarded == 0
    assert stats.concealed_samples <= 960
    assert likeness(voice, call.sound, 1.5) > 0.85
    assert likeness(voice, call.sound, HALF / 50 + 0.5) > 0.85


@pytest.mark.parametrize("on", [60 * RATE_HZ, 0, 987654321], ids=["the clock's", "none", "others"])
def test_after_a_minute_of_nothing_the_voice_comes_back(on: int, voice: Samples, packets: list[bytes]) -> None:
    call = Call()
    for n, packet in enumerate(packets[:HALF]):
        call.packet(n, packet, n, TICKS * n)
    call.until(20 * HALF + 60_000)
    for n, packet in enumerate(packets[HALF:], HALF):
        call.packet(n + 3000, packet, n, TICKS * n + on)

    assert call.stats.packets_lost == 0
    assert likeness(voice[HALF * TICKS :], call.sound[HALF * TICKS + 60 * RATE_HZ :], 0.5) > 0.85


def test_packets_that_hold_nothing_are_no_loss(voice: Samples, packets: list[bytes]) -> None:
    call, sequence = Call(), 0
    for n, packet in enumerate(packets):
        if not 100 <= n < 150:  # a silence in which the way is kept open
            call.packet(n, packet, sequence, TICKS * n)
            sequence += 1
        elif n % 10 == 0:
            call.packet(n, b"", sequence, TICKS * n)
            sequence += 1

    stats = call.stats
    assert stats.packets_received == sequence
    assert stats.packets_lost == stats.decode_errors == 0
    assert likeness(voice, call.sound, 4.0) > 0.85


@pytest.mark.parametrize("packet_ms", [5.0, 2.5])
def test_short_packets_are_replaced_alone(packet_ms: float, voice: Samples) -> None:
    encoder, samples = OpusEncoder(RATE_HZ, bitrate_bps=64000), int(48 * packet_ms)
    call, lost = Call(packet_ms=packet_ms), 0
    chance = np.random.default_rng(1)
    for n in range(len(voice) // samples):
        packet = encoder.encode(voice[n * samples : (n + 1) * samples])
        if n > 400 and chance.random() < 0.05:
            lost += 1
        else:
            call.packet(n, packet, n, samples * n)

    assert lost > 20
    assert call.stats.concealed_samples <= 1.2 * lost * samples + 960


@pytest.mark.parametrize("block", [480, 128])
def test_a_fast_clock_of_short_packets_is_followed(block: int, voice: Samples) -> None:
    encoder = OpusEncoder(RATE_HZ, bitrate_bps=32000)
    call = Call(packet_ms=5.0 / 1.005, block=block)
    for n in range(2 * len(voice) // 240):
        call.packet(n, encoder.encode(np.resize(voice[n % 1200 * 240 :], 240)), n, 240 * n)

    assert call.stats.delay_ms < 35.0  # 60 ms have come too many


@pytest.mark.parametrize(("rate_hz", "channels"), [(8000, 1), (11025, 1), (16000, 2), (22050, 1), (32000, 1)])
def test_plain_samples_of_any_rate(rate_hz: int, channels: int) -> None:
    sent = np.sin(2 * np.pi * 440 * np.arange(2 * rate_hz) / rate_hz).astype(np.float32) * 0.5
    step = rate_hz // 50
    call = Call(packet_ms=1000 * step / rate_hz)
    for n, payload in enumerate(uncompressed(np.repeat(sent, channels), channels * step * 50)):
        call.packet(n, payload, n, step * n, codec="l16", clock_rate_hz=rate_hz, channels=channels)

    heard = call.sound[RATE_HZ:][: RATE_HZ // 2]
    assert np.argmax(np.abs(np.fft.rfft(heard))) * 2 == pytest.approx(440, abs=4)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize("packet_ms", [5, 30, 120, 180])
def test_telephones_with_packets_of_any_length(packet_ms: int) -> None:
    """RFC 3551 section 4.2: up to 200 ms."""
    step = 8 * packet_ms
    call = Call(packet_ms=packet_ms)
    payload = np.tile(np.array([0x0F, 0x8F], np.uint8), step // 2).tobytes()  # mu-law, as loud one way as the other
    for n in range(4000 // packet_ms):
        call.packet(n, payload, n, step * n, codec="pcmu", clock_rate_hz=8000)

    assert call.receiver.active
    stats = call.stats
    assert stats.decode_errors == 0
    assert stats.concealed_samples <= 480  # behind the last one


def comfort_noise(level_db: int, *reflections: int) -> bytes:
    return bytes([level_db, *reflections])


@pytest.mark.parametrize("level_db", [45, 60])
def test_who_falls_silent_tells_of_the_background(level_db: int) -> None:
    """RFC 3389: silence with a packet of noise every fifth of a second, and a voice again."""
    call, sequence = Call(), 0
    tone = (8000 * np.sin(2 * np.pi * 0.05 * np.arange(160))).astype(">i2").tobytes()
    for n in range(200):
        if not 50 <= n < 150:
            call.packet(n, tone, sequence, 160 * n, codec="l16", clock_rate_hz=8000)
        elif n % 10 == 0:
            call.packet(n, comfort_noise(level_db), sequence, 160 * n, codec="cn", clock_rate_hz=8000)
        else:
            continue
        sequence += 1
    stats = call.stats
    silence = call.sound[int(1.4 * RATE_HZ) : int(2.9 * RATE_HZ)]

    assert stats.packets_received == sequence
    assert stats.packets_lost == stats.concealed_samples == stats.concealment_events == stats.decode_errors == 0
    assert 10 * np.log10(np.mean(silence**2)) == pytest.approx(-level_db, abs=3)
    assert np.sqrt(np.mean(call.sound[int(3.5 * RATE_HZ) : int(3.9 * RATE_HZ)] ** 2)) > 0.15


def test_noise_has_the_spectrum_that_is_told() -> None:
    dark, bright = (
        _spectrum_of(comfort_noise(40, 127 + reflection)) for reflection in (-100, 100)
    )  # one pole near 0 Hz, or near the highest frequency
    assert dark[:50].sum() > 5 * dark[50:].sum()
    assert bright[50:].sum() > 5 * bright[:50].sum()


def _spectrum_of(payload: bytes) -> np.ndarray:
    """Power in bands of 40 Hz up to 4 kHz, of a second."""
    call = Call()
    for n in range(100):
        call.packet(n, payload, n, 160 * n, codec="cn", clock_rate_hz=8000)
    power = np.abs(np.fft.rfft(call.sound[RATE_HZ // 2 :][:RATE_HZ])) ** 2
    return np.asarray(power[:4000].reshape(100, 40).sum(axis=1))
