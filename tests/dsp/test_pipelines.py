"""The chains, the ring and the detectors as the client uses them."""

from __future__ import annotations

import numpy as np
import pytest
from rooms import FAR, NEAR, echo_of, impulse_response, level_db, speech

from spike_engine import dsp

RATE_HZ = 48000
FRAME = RATE_HZ // 100


@pytest.mark.quality
def test_the_own_loudspeaker_alone_is_no_voice_and_an_interrupting_user_is_one_at_once() -> None:
    far = 0.7 * speech(FAR, RATE_HZ, 9.0)
    mic = echo_of(far, impulse_response(RATE_HZ, 0.2, 60, -8.0, seed=1))
    begin = 6 * RATE_HZ
    mic[begin:] += 0.5 * speech(NEAR, RATE_HZ, 3.0)
    pipeline = dsp.CapturePipeline(RATE_HZ)
    active = []
    for at in range(0, len(mic) - FRAME, FRAME):
        pipeline.process(mic[at : at + FRAME], far[at : at + FRAME])
        active.append(pipeline.stats.voice_active)

    assert sum(active[100:600]) == 0
    assert any(active[600:640])  # noticed within 400 ms of speech that begins softly


@pytest.mark.quality
def test_the_voice_detector_tells_speech_from_noise() -> None:
    random = np.random.default_rng(1)
    noise = (0.003 * random.standard_normal(3 * RATE_HZ)).astype(np.float32)
    detector = dsp.VoiceDetector(RATE_HZ)
    in_noise = [detector.process(block) for block in noise.reshape(-1, FRAME)]
    voiced = []
    for block in (0.3 * speech(NEAR, RATE_HZ, 3.0)).reshape(-1, FRAME):
        detector.process(block)
        voiced.append(detector.active)

    assert max(in_noise[100:]) < 0.6
    assert np.mean(voiced) > 0.6
    for block in np.zeros((40, FRAME), np.float32):
        detector.process(block)
    assert not detector.active
    detector.reset()
    assert detector.probability == 0.0


@pytest.mark.parametrize(("rate_hz", "hangover_ms"), [(100, 200), (48050, 200), (48000, -10)])
def test_a_voice_detector_refuses_bad_settings(rate_hz: int, hangover_ms: int) -> None:
    with pytest.raises(ValueError, match="must"):
        dsp.VoiceDetector(rate_hz, hangover_ms=hangover_ms)


def test_the_capture_pipeline_reports_levels() -> None:
    pipeline = dsp.CapturePipeline(RATE_HZ, noise_suppression=False, echo_cancellation=False)
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    pipeline.process(tone, None)

    assert pipeline.stats.input_level_dbfs == pytest.approx(-9.03, abs=0.2)
    assert pipeline.stats.output_level_dbfs == pytest.approx(-9.03, abs=0.3)
    assert pipeline.latency_samples == 0


def test_the_high_pass_takes_out_direct_current() -> None:
    pipeline = dsp.CapturePipeline(RATE_HZ, noise_suppression=False, echo_cancellation=False)
    out = pipeline.process(np.full(RATE_HZ, 0.5, np.float32), None)

    assert level_db(out[RATE_HZ // 2 :]) < -80.0


def test_latency_is_the_sum_of_the_stages() -> None:
    assert dsp.CapturePipeline(RATE_HZ).latency_samples == 3 * FRAME
    assert dsp.CapturePipeline(RATE_HZ, noise_suppression=False).latency_samples == FRAME


def test_the_render_gain_moves_without_a_click() -> None:
    pipeline = dsp.RenderPipeline(RATE_HZ)
    ones = np.full(FRAME, 0.5, np.float32)
    np.testing.assert_array_equal(pipeline.process(ones), ones)
    pipeline.gain = 0.0
    faded = pipeline.process(ones)

    assert pipeline.gain == 0.0
    assert np.abs(np.diff(faded)).max() < 0.002
    assert pipeline.process(ones).max() == 0.0


def test_the_render_pipeline_limits_and_measures() -> None:
    pipeline = dsp.RenderPipeline(RATE_HZ)
    out = pipeline.process(np.full(FRAME, 3.0, np.float32))

    assert out.max() == 1.0
    assert pipeline.level == pytest.approx(1.0)
    assert pipeline.level_dbfs == pytest.approx(0.0, abs=0.01)
    pipeline.reset()
    assert pipeline.level == 0.0


@pytest.mark.parametrize("gain", [-0.1, 4.1, float("nan")])
def test_a_gain_out_of_range_is_refused(gain: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 4"):
        dsp.RenderPipeline(RATE_HZ).gain = gain


def test_what_the_ring_pops_is_teed() -> None:
    queued, played = dsp.Ring(1000), dsp.Ring(1000)
    queued.push(np.arange(3, dtype=np.float32))
    out = np.full(5, 9.0, np.float32)

    assert queued.pop(out, played) == 3
    np.testing.assert_array_equal(out, [0, 1, 2, 0, 0])
    assert played.available == 5  # silence is played too
    assert (queued.underruns, queued.overruns, queued.capacity) == (2, 0, 1000)


def test_the_active_instruction_set_has_a_name() -> None:
    assert dsp.active_isa() in ("baseline", "avx2", "avx512", "neon")
