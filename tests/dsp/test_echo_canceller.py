"""The echo canceller on real speech in simulated rooms. Thresholds leave some 3 dB to what is measured."""

from __future__ import annotations

import numpy as np
import pytest
from rooms import FAR, NEAR, Samples, echo_of, gain_db, impulse_response, level_db, si_sdr_db, speech

from spike_engine import dsp
from spike_engine.dsp import EchoCanceller

SECONDS = 10.0


def cancelled(canceller: EchoCanceller, microphone: Samples, far: Samples) -> Samples:
    """The output, in time with the microphone."""
    out = canceller.process(microphone, far)
    return np.concatenate([out[canceller.latency_samples :], np.zeros(canceller.latency_samples, np.float32)])


def noise(count: int, level_dbfs: float) -> Samples:
    return (10 ** (level_dbfs / 20) * np.random.default_rng(5).standard_normal(count)).astype(np.float32)


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("delay_ms", [0, 40, 120, 300])
def test_echo_alone_is_removed_whatever_its_delay(rate_hz: int, delay_ms: int) -> None:
    far = 0.7 * speech(FAR, rate_hz, SECONDS)
    microphone = echo_of(far, impulse_response(rate_hz, 0.3, delay_ms, -6.0, seed=1)) + noise(len(far), -70)
    canceller = EchoCanceller(rate_hz)
    out = cancelled(canceller, microphone, far)
    converged = slice(5 * rate_hz, 9 * rate_hz)

    assert level_db(microphone[converged]) - level_db(out[converged]) >= 25.0
    assert canceller.stats.delay_ms == pytest.approx(delay_ms, abs=5.0)
    assert canceller.stats.erle_db > 15.0


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_echo_is_quiet_within_two_seconds(rate_hz: int) -> None:
    far = 0.7 * speech(FAR, rate_hz, 4.0)
    microphone = echo_of(far, impulse_response(rate_hz, 0.3, 40, -6.0, seed=2))
    out = cancelled(EchoCanceller(rate_hz), microphone, far)
    first = slice(rate_hz // 5, 2 * rate_hz)

    assert level_db(microphone[first]) - level_db(out[first]) >= 20.0


@pytest.mark.quality
@pytest.mark.parametrize("gain_db", [20.0, 26.0])
def test_a_soft_far_end_from_a_loud_loudspeaker_is_removed(gain_db: float) -> None:
    far = speech(FAR, 16000, 4.0)
    far = (far * 10 ** ((-20.0 - gain_db - level_db(far)) / 20)).astype(np.float32)
    microphone = echo_of(far, impulse_response(16000, 0.3, 40, gain_db, seed=1))
    left = EchoCanceller(16000, residual="spectral").linear_stage(microphone, far).error
    out = cancelled(EchoCanceller(16000), microphone, far)
    later = slice(2 * 16000, 4 * 16000)

    assert level_db(microphone[later]) - level_db(left[later]) >= 17.0
    assert level_db(microphone[later]) - level_db(out[later]) >= 50.0


@pytest.mark.quality
@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("jump_ms", [-35, -4, 7, 100, 400])
def test_a_jump_of_the_delay_is_made_good_within_three_tenths_of_a_second(rate_hz: int, jump_ms: int) -> None:
    far = 0.7 * speech(FAR, rate_hz, 7.0)
    echo = echo_of(far, impulse_response(rate_hz, 0.3, 50, -6.0, seed=1))
    jump = 5 * rate_hz
    microphone = echo + noise(len(far), -70)
    later = np.arange(jump, len(far)) - jump_ms * rate_hz // 1000
    microphone[jump:] += echo[np.minimum(later, len(far) - 1)] - echo[jump:]
    canceller = EchoCanceller(rate_hz)
    out = cancelled(canceller, microphone, far)
    after = slice(jump + 3 * rate_hz // 10, jump + rate_hz)

    assert level_db(microphone[after]) - level_db(out[after]) >= 30.0
    assert canceller.stats.delay_ms == pytest.approx(50 + jump_ms, abs=5.0)


@pytest.mark.quality
@pytest.mark.parametrize(("ser_db", "least_gain_db"), [(0, -4.0), (10, -2.0)])
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_who_talks_over_the_echo_is_kept(rate_hz: int, ser_db: float, least_gain_db: float) -> None:
    far = 0.7 * speech(FAR, rate_hz, SECONDS)
    echo = echo_of(far, impulse_response(rate_hz, 0.3, 40, -6.0, seed=1))
    near = np.zeros_like(far)
    begin = 4 * rate_hz
    near[begin:] = speech(NEAR, rate_hz, SECONDS)[: len(near) - begin]
    near *= 10 ** ((level_db(echo) + ser_db - level_db(near[begin:])) / 20)
    out = cancelled(EchoCanceller(rate_hz), echo + near + noise(len(far), -70), far)
    talking = slice(5 * rate_hz, 9 * rate_hz)

    assert gain_db(out[talking], near[talking]) >= least_gain_db
    assert si_sdr_db(out[talking], near[talking]) >= si_sdr_db((echo + near)[talking], near[talking]) + 3.0


@pytest.mark.quality
def test_the_near_end_alone_passes_unchanged() -> None:
    near = 0.5 * speech(NEAR, 16000, 6.0)
    out = cancelled(EchoCanceller(16000), near, np.zeros_like(near))

    assert gain_db(out[16000:-1600], near[16000:-1600]) == pytest.approx(0.0, abs=0.5)
    assert si_sdr_db(out[16000:-1600], near[16000:-1600]) >= 20.0


@pytest.mark.quality
def test_a_change_of_the_room_is_learned() -> None:
    rate_hz = 16000
    far = 0.7 * speech(FAR, rate_hz, 14.0)
    before, after = (echo_of(far, impulse_response(rate_hz, 0.3, 40, -6.0, seed=seed)) for seed in (1, 9))
    microphone = np.concatenate([before[: 6 * rate_hz], after[6 * rate_hz :]])
    out = cancelled(EchoCanceller(rate_hz), microphone, far)
    relearned = slice(10 * rate_hz, 13 * rate_hz)

    assert level_db(microphone[relearned]) - level_db(out[relearned]) >= 15.0


@pytest.mark.parametrize("delay_ms", [40, 250, 500, 900])
def test_an_unknown_delay_is_found_within_a_second_of_echo(delay_ms: int) -> None:
    far = speech(FAR, 16000, 2.5)
    microphone = echo_of(far, impulse_response(16000, 0.4, delay_ms, -6.0, seed=12)) + noise(len(far), -70)
    canceller = EchoCanceller(16000)
    heard = int(np.flatnonzero(np.abs(far) > 0.1 * np.abs(far).max())[0]) + 16 * (delay_ms + 1000)

    cancelled(canceller, microphone[:heard], far[:heard])

    assert canceller.stats.delay_ms == pytest.approx(delay_ms, abs=10)


@pytest.mark.quality
@pytest.mark.parametrize("late_ms", [12, 20, 30])
def test_a_first_sound_before_the_loudest_is_modelled(late_ms: int) -> None:
    far = speech(FAR, 16000, 9.0)
    response = 0.05 * impulse_response(16000, 0.25, 60.0, 0.0, seed=4)
    direct = 960
    response[direct], response[direct + 16 * late_ms] = 0.3, 0.5
    microphone = echo_of(far, response)

    left = EchoCanceller(16000).linear_stage(microphone, far).error

    settled = slice(5 * 16000, 9 * 16000)
    assert level_db(left[settled]) < level_db(microphone[settled]) - 18


@pytest.mark.quality
def test_a_stereo_far_end_is_removed() -> None:
    rate_hz = 16000
    left, right = 0.5 * speech(FAR, rate_hz, SECONDS), 0.3 * speech(NEAR, rate_hz, SECONDS)
    microphone = echo_of(left, impulse_response(rate_hz, 0.25, 30, -6.0, seed=3))
    microphone += echo_of(right, impulse_response(rate_hz, 0.25, 30, -6.0, seed=4))
    out = cancelled(EchoCanceller(rate_hz, far_channels=2), microphone, np.stack([left, right], axis=1))
    converged = slice(5 * rate_hz, 9 * rate_hz)

    assert level_db(microphone[converged]) - level_db(out[converged]) >= 15.0


@pytest.mark.quality
def test_double_talk_is_told_from_echo() -> None:
    rate_hz = 16000
    far = 0.7 * speech(FAR, rate_hz, 8.0)
    echo = echo_of(far, impulse_response(rate_hz, 0.3, 40, -6.0, seed=1))
    canceller = EchoCanceller(rate_hz)
    begin = 5 * rate_hz
    canceller.process(echo[:begin], far[:begin])
    assert canceller.stats.converged
    assert canceller.stats.double_talk < 0.2

    near = 0.5 * speech(NEAR, rate_hz, 4.0)
    probabilities = []
    for at in range(begin, 8 * rate_hz, 160):
        block = slice(at, at + 160)
        canceller.process(echo[block] + near[at - begin :][:160], far[block])
        probabilities.append(canceller.stats.double_talk)
    assert max(probabilities) > 0.8


def test_full_scale_clipping_and_direct_current_stay_finite() -> None:
    far = np.clip(5.0 * speech(FAR, 16000, 3.0), -1.0, 1.0).astype(np.float32)
    microphone = np.clip(echo_of(far, impulse_response(16000, 0.2, 20, 12.0, seed=1)) + 0.5, -1.0, 1.0)
    out = EchoCanceller(16000).process(microphone.astype(np.float32), far)

    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 2.0


def test_a_far_end_that_never_comes_changes_nothing_but_the_delay() -> None:
    near = 0.5 * speech(NEAR, 16000, 2.0)
    with_silence = EchoCanceller(16000).process(near, np.zeros_like(near))
    without = EchoCanceller(16000).process(near, None)

    np.testing.assert_array_equal(with_silence, without)


@pytest.mark.parametrize("rate_hz", [7999, 96000, 0, -1])
def test_other_rates_are_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match="from 8000 to 48000"):
        EchoCanceller(rate_hz)


@pytest.mark.parametrize("far_channels", [0, 3])
def test_other_channel_counts_are_refused(far_channels: int) -> None:
    with pytest.raises(ValueError, match="far_channels must be 1 or 2"):
        EchoCanceller(16000, far_channels=far_channels)


@pytest.mark.parametrize("residual", ["neural", "spectral"])
def test_what_is_no_number_leaves_no_trace(residual: dsp.EchoResidual) -> None:
    far = 0.7 * speech(FAR, 16000, 6.0)
    microphone = echo_of(far, impulse_response(16000, 0.3, 40, -6.0, seed=1))
    microphone[16000:16100], far[24000:24100], microphone[32000:32010] = np.nan, np.inf, 1e30
    out = cancelled(EchoCanceller(16000, residual=residual), microphone, far)

    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 4.0
    assert level_db(microphone[64000:96000]) - level_db(out[64000:96000]) >= 20.0


def test_a_hint_of_the_delay_is_taken_until_the_echo_is_found() -> None:
    far = 0.7 * speech(FAR, 16000, 3.0)
    microphone = echo_of(far, impulse_response(16000, 0.3, 700, -6.0, seed=1))
    canceller = EchoCanceller(16000)
    canceller.hint_delay(700)
    canceller.process(microphone, far)

    assert canceller.stats.delay_ms == pytest.approx(700, abs=5)


def test_other_residual_stages_are_refused() -> None:
    with pytest.raises(ValueError, match="residual must be"):
        EchoCanceller(16000, residual="magic")  # type: ignore[arg-type]
