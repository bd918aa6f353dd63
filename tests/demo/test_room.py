"""The simulated room against the physics that it claims."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from scipy.signal import fftconvolve

from spike_engine.demo.acoustics import SPEED_OF_SOUND_M_S, Shoebox, StreamingConvolution
from spike_engine.demo.camera import GeneratedCamera
from spike_engine.demo.room import BLOCK_SAMPLES, SimulatedRoom

RATE_HZ = 48000
SOURCE, MICROPHONE = (2.5, 2.2, 1.2), (2.1, 1.5, 0.9)


def distance_m() -> float:
    return float(np.linalg.norm(np.subtract(SOURCE, MICROPHONE)))


def test_the_direct_sound_comes_when_and_as_loud_as_its_distance_says() -> None:
    response = Shoebox().impulse_response(SOURCE, MICROPHONE, RATE_HZ)
    arrival = distance_m() / SPEED_OF_SOUND_M_S * RATE_HZ

    assert abs(int(np.argmax(np.abs(response))) - arrival) <= 1.0
    assert np.abs(response[: int(arrival) - 20]).max() < 0.02 / distance_m()
    # The sum over the main lobe is the gain at low frequencies.
    assert response[int(arrival) - 16 : int(arrival) + 17].sum() == pytest.approx(1 / distance_m(), rel=0.05)


@pytest.mark.parametrize("rt60_s", [0.2, 0.4])
def test_sound_decays_as_fast_as_was_asked(rt60_s: float) -> None:
    response = Shoebox(rt60_s=rt60_s).impulse_response(SOURCE, MICROPHONE, 16000)
    decay_db = 10 * np.log10(np.cumsum(response[::-1].astype(float) ** 2)[::-1])  # Schroeder's integration
    decay_db -= decay_db[0]
    begin, end = (int(np.argmax(decay_db < level)) for level in (-5, -20))
    measured_s = 60 / 15 * (end - begin) / 16000

    assert measured_s == pytest.approx(rt60_s, rel=0.5)  # Sabine is no more exact in so small a room


def test_a_longer_way_is_later_and_quieter() -> None:
    room = Shoebox()
    near = room.impulse_response((2.3, 1.6, 0.9), MICROPHONE, RATE_HZ)
    far = room.impulse_response((3.9, 3.1, 2.2), MICROPHONE, RATE_HZ)

    assert np.argmax(near) < np.argmax(far)
    assert near.max() > 2 * far.max()


@pytest.mark.parametrize("block", [1, 100, 480])
def test_streaming_is_convolution_whatever_the_block(block: int) -> None:
    random = np.random.default_rng(1)
    first, second = random.standard_normal((2, 2400)).astype(np.float32)
    paths = [random.standard_normal(777).astype(np.float32), random.standard_normal(50).astype(np.float32)]
    stream = StreamingConvolution(paths, block)
    heard = np.concatenate(
        [stream.process(first[at : at + block], second[at : at + block]) for at in range(0, 2400, block)]
    )
    expected = fftconvolve(first, paths[0])[:2400] + fftconvolve(second, paths[1])[:2400]

    np.testing.assert_allclose(heard, expected, atol=1e-3)


def test_the_microphone_hears_the_loudspeaker_after_the_devices_delay() -> None:
    room = SimulatedRoom(device_delay_ms=50.0, noise_dbfs=-200.0)
    click = np.zeros(BLOCK_SAMPLES, np.float32)
    click[0] = 1.0
    room.loudspeaker.write(click)
    heard = np.concatenate([room.next_block() for _ in range(20)])
    arrival = int(np.argmax(np.abs(heard)))

    assert 0.050 * RATE_HZ < arrival < 0.054 * RATE_HZ
    np.testing.assert_array_equal(room.loudspeaker.played(BLOCK_SAMPLES), click)


def test_flush_drops_what_is_queued() -> None:
    room = SimulatedRoom(noise_dbfs=-200.0)
    room.loudspeaker.write(np.ones(4800, np.float32))
    room.loudspeaker.flush()

    assert not room.loudspeaker.next_block().any()


def test_an_empty_room_is_as_noisy_as_was_asked_and_the_same_each_time() -> None:
    first, second = (SimulatedRoom(noise_dbfs=-50.0, seed=3) for _ in range(2))
    noise = np.concatenate([first.next_block() for _ in range(100)])

    assert 10 * np.log10(np.mean(noise**2)) == pytest.approx(-50.0, abs=1.0)
    np.testing.assert_array_equal(noise, np.concatenate([second.next_block() for _ in range(100)]))


async def test_time_passes_as_the_microphone_is_read_and_the_user_is_heard() -> None:
    room = SimulatedRoom()
    loop = asyncio.get_running_loop()
    await room.microphone.start()
    await room.loudspeaker.start()
    saying = asyncio.create_task(room.user.say(np.full(4800, 0.5, np.float32)))
    await asyncio.sleep(0)
    began_at = loop.time()
    heard = np.concatenate([await room.microphone.read(960) for _ in range(8)])
    began, ended = await asyncio.wait_for(saying, 1)
    await room.microphone.close()
    await room.loudspeaker.close()

    assert loop.time() - began_at >= 0.13
    assert ended > began
    assert np.abs(heard[1000:]).max() > 0.1
    assert room.user.talking == [(began, ended)]


async def test_the_generated_camera_moves() -> None:
    camera = GeneratedCamera(64, 48, fps=50)
    await camera.start()
    first, second = await camera.read(), await camera.read()
    await camera.close()

    assert first.shape == (48, 64, 3)
    assert (first != second).any()
