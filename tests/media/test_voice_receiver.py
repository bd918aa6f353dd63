"""Recorded speech through networks that lose, delay, reorder and repeat packets."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from echo_scenarios import talk
from lossy_voice import (
    PACKET_SAMPLES,
    Reception,
    burst_loss,
    decoded,
    encoded,
    jitter,
    offset_of,
    perfect,
    random_loss,
    spectral_distance_db,
    uncompressed,
)

from spike_engine._core import VoiceReceiver

SECONDS = 20.0


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    return encoded(talk("italian", 48000, SECONDS, seed=4), expected_loss=0.1)


@pytest.fixture(scope="module")
def reference(packets: list[bytes]) -> np.ndarray:
    return decoded(packets)


def test_without_loss_the_voice_is_what_a_decoder_makes_of_it(packets: list[bytes], reference: np.ndarray) -> None:
    call = Reception()
    out = call.run(packets, perfect(len(packets)))

    assert call.receiver.stats.packets_received == len(packets)
    assert call.receiver.stats.inserted_samples == 0
    settled = reference[10 * 48000 :]
    late = offset_of(settled, out[10 * 48000 :])
    assert late <= 48 * (20 + 10)  # the packet itself, and the block that is pulled
    same = out[10 * 48000 + late :][: 5 * 48000]
    assert np.allclose(same, settled[: len(same)], atol=1e-3)


@pytest.mark.parametrize(("loss", "most_db"), [(0.02, 1.5), (0.1, 2.0), (0.2, 3.5), (0.3, 5.0)])
def test_random_loss_leaves_speech(packets: list[bytes], reference: np.ndarray, loss: float, most_db: float) -> None:
    call = Reception()
    delays: list[float] = []
    call.after_pull = lambda _: delays.append(call.receiver.stats.delay_ms)
    out = call.run(packets, random_loss(len(packets), loss, seed=3))

    stats = call.receiver.stats
    assert stats.fec_recovered > 0.4 * stats.packets_lost
    assert np.median(delays) <= 25.0
    assert spectral_distance_db(reference, out) < most_db


def test_bursts_of_loss_fade_and_come_back(packets: list[bytes], reference: np.ndarray) -> None:
    out = Reception().run(packets, burst_loss(len(packets), 0.1, seed=3))
    assert spectral_distance_db(reference, out) < 5.0


def test_a_codec_without_concealment_of_its_own_comes_back_without_a_click() -> None:
    seconds = np.arange(10 * 16000) / 16000
    glide = 0.3 * np.sin(2 * np.pi * (200 * seconds + 12 * np.sin(5 * seconds))).astype(np.float32)
    packets = uncompressed(glide, 16000)
    arrivals = perfect(len(packets))
    arrivals[100::7] = np.nan
    call = Reception(codec="l16", clock_rate_hz=16000)
    out = call.run(packets, arrivals)

    assert call.receiver.stats.concealment_events > 40
    curved = np.abs(np.diff(out[48000 : 9 * 48000], n=2))
    assert curved.max() < 0.05  # a jump within a period of the glide reaches 0.6


def test_a_codec_without_concealment_of_its_own_fades_soon() -> None:
    seconds = np.arange(2 * 16000) / 16000
    packets = uncompressed(0.3 * np.sin(2 * np.pi * 200 * seconds).astype(np.float32), 16000)
    out = Reception(codec="l16", clock_rate_hz=16000).run(packets, perfect(len(packets)))

    end = int(np.flatnonzero(np.abs(out) > 0.25)[-1])
    assert np.abs(out[end + 48 * 75 :]).max() < 0.01


@pytest.mark.parametrize("in_order", [True, False])
def test_jitter_is_waited_for(packets: list[bytes], reference: np.ndarray, in_order: bool) -> None:
    call = Reception()
    concealed: list[int] = []
    call.after_pull = lambda _: concealed.append(call.receiver.stats.concealed_samples)
    out = call.run(packets, jitter(len(packets), 120.0, seed=3, in_order=in_order))

    assert call.receiver.stats.target_delay_ms < 130.0
    assert concealed[int(100 * SECONDS)] - concealed[500] < 0.02 * 15 * 48000
    assert spectral_distance_db(reference, out) < 10.0  # which knows nothing of time that is stretched


def test_after_a_stall_the_delay_is_back_within_three_seconds(packets: list[bytes]) -> None:
    call = Reception()
    delays: dict[float, float] = {}
    call.after_pull = lambda now: delays.update({now: call.receiver.stats.delay_ms})
    arrivals = perfect(len(packets))
    arrivals[400:420] = np.maximum(arrivals[400:420], 8020.0 + 400.0)
    call.run(packets, arrivals)

    assert max(delay for now, delay in delays.items() if 8000 < now < 9000) > 300.0
    assert max(delay for now, delay in delays.items() if 11500 < now < 20000) <= 20.0
    assert call.receiver.stats.packets_late == 0


def test_a_drifting_clock_is_followed(packets: list[bytes]) -> None:
    for speed in (1.0003, 0.9997):
        call = Reception()
        call.run(packets, perfect(len(packets)) / speed)
        assert call.receiver.stats.delay_ms < 500.0 + 25.0  # at the end, half a second after the last packet
        assert call.receiver.stats.concealment_events <= 3


def test_packets_out_of_order_and_twice(packets: list[bytes]) -> None:
    receiver, out = VoiceReceiver(), np.zeros(PACKET_SAMPLES, np.float32)
    for first in range(0, 200, 2):
        for n in (first + 1, first, first + 1):
            receiver.push(packets[n], n, PACKET_SAMPLES * n, 0.0)
        receiver.pull(out)
        receiver.pull(out)
    assert receiver.stats.packets_duplicate == 100
    assert receiver.stats.packets_lost == 0
    assert receiver.stats.concealed_samples == 0


def test_what_is_played_says_when_it_was_sent(packets: list[bytes]) -> None:
    receiver, out = VoiceReceiver(), np.zeros(480, np.float32)
    assert receiver.playout_timestamp is None
    assert receiver.state == "silence"
    for n in range(100):
        receiver.push(packets[n], n, 5000 + PACKET_SAMPLES * n, 20.0 * n)
        receiver.pull(out)
        receiver.pull(out)
    assert receiver.playout_timestamp is not None
    assert 0 <= 5000 + PACKET_SAMPLES * 100 - receiver.playout_timestamp <= 3 * PACKET_SAMPLES
    assert receiver.state == "normal"
    assert receiver.active
    assert -90.0 < receiver.level_dbfs < 0.0
    assert 0.0 < receiver.level < 1.0
    receiver.reset()
    receiver.pull(out)
    assert receiver.playout_timestamp is None
    assert receiver.stats.packets_received == 0


def test_silence_that_is_not_sent_is_no_loss() -> None:
    voice = talk("italian", 48000, 4.0, seed=4)
    packets = encoded(np.concatenate([voice, np.zeros(6 * 48000, np.float32), voice]), bit_rate=24000, dtx=True)
    receiver, out = VoiceReceiver(), np.zeros(PACKET_SAMPLES, np.float32)
    states, number, quiet = set(), 0, False
    for n, packet in enumerate(packets):
        if len(packet) > 2 or not quiet:  # as libwebrtc does: of an empty stretch, the first packet is sent
            receiver.push(packet, number, PACKET_SAMPLES * n, 20.0 * n)
            number += 1
        quiet = len(packet) <= 2
        receiver.pull(out)
        states.add(receiver.state)
    assert number < len(packets) - 200
    assert "comfort-noise" in states
    assert receiver.stats.concealment_events == 0
    assert receiver.stats.packets_lost == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((b"x", 0, 0, 0.0, "speex"), ValueError),
        ((b"x", -1, 0, 0.0, "opus"), TypeError),
        ((b"x", 0, 2**32, 0.0, "opus"), TypeError),
        (("text", 0, 0, 0.0, "opus"), TypeError),
        ((np.zeros((4, 4), np.uint8)[:, 1], 0, 0, 0.0, "opus"), ValueError),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    *positional, codec = arguments
    with pytest.raises(error):
        VoiceReceiver().push(*positional, codec=codec)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x00" * 1500, b"\x00" * 5000, bytes(range(256))])
def test_a_payload_may_hold_anything(payload: bytes) -> None:
    receiver, out = VoiceReceiver(), np.zeros(480, np.float32)
    for codec in ("opus", "pcmu", "pcma", "l16", "cn"):
        for n in range(50):
            receiver.push(payload, n, 960 * n, 0.0, codec=codec)
            receiver.push_red(memoryview(payload), n, 960 * n, 0.0, codec=codec)
            receiver.pull(out)
            assert np.isfinite(out).all()


def test_a_thread_pushes_while_another_pulls(packets: list[bytes]) -> None:
    receiver, out = VoiceReceiver(), np.zeros(480, np.float32)

    def push() -> None:
        for n, packet in enumerate(packets):
            receiver.push(packet, n, PACKET_SAMPLES * n, 0.0)

    thread = threading.Thread(target=push)
    thread.start()
    while thread.is_alive():
        receiver.pull(out)
    receiver.pull(out)
    stats = receiver.stats
    assert stats.packets_received + stats.packets_discarded + stats.packets_lost >= len(packets)
