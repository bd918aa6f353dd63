"""What every stage keeps to: framing, delay, dtypes, bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import chirp

from spike_engine import dsp

RATE_HZ = 16000
FRAME = RATE_HZ // 100


class WithoutFar:
    """A stage of one input, called as the others are."""

    def __init__(self, stage: dsp.NoiseSuppressor) -> None:
        self.stage = stage

    def process(self, mic: Any, far: Any, *, out: Any = None) -> Any:
        return self.stage.process(mic, out=out)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stage, name)


STAGES: dict[str, Callable[[], Any]] = {
    "echo canceller": lambda: dsp.EchoCanceller(RATE_HZ),
    "noise suppressor": lambda: WithoutFar(dsp.NoiseSuppressor(RATE_HZ)),
    "capture pipeline": lambda: dsp.CapturePipeline(RATE_HZ),
    "bare pipeline": lambda: dsp.CapturePipeline(RATE_HZ, echo_cancellation=False, noise_suppression=False),
}


@pytest.fixture(params=STAGES.values(), ids=STAGES.keys())
def create(request: pytest.FixtureRequest) -> Callable[[], Any]:
    create: Callable[[], Any] = request.param
    return create


def signals(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return tuple(0.1 * random.standard_normal((2, count), np.float32))  # type: ignore[return-value]


@pytest.mark.parametrize("name", STAGES)
@given(cuts=st.lists(st.integers(0, 700), max_size=12))
@settings(max_examples=15, deadline=None)
def test_the_output_does_not_depend_on_how_the_stream_is_cut(name: str, cuts: list[int]) -> None:
    mic, far = signals(3000)
    whole = STAGES[name]().process(mic, far)
    stage, parts, at = STAGES[name](), [], 0
    for cut in [*cuts, 3000]:
        parts.append(stage.process(mic[at : at + cut], far[at : at + cut]))
        at += cut

    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_ten_milliseconds_in_are_ten_milliseconds_out(create: Callable[[], Any]) -> None:
    stage = create()
    mic, far = signals(10 * FRAME)
    for at in range(0, 10 * FRAME, FRAME):
        assert stage.process(mic[at : at + FRAME], far[at : at + FRAME]).shape == (FRAME,)


def test_reset_begins_anew(create: Callable[[], Any]) -> None:
    stage = create()
    mic, far = signals(1000)
    first = stage.process(mic, far)
    stage.reset()

    np.testing.assert_array_equal(stage.process(mic, far), first)


def test_the_delay_is_what_latency_samples_says(create: Callable[[], Any]) -> None:
    """A sweep, long and loud enough to pass every stage, comes out where the property says."""
    stage = create()
    mic = np.zeros(RATE_HZ, np.float32)
    burst = slice(RATE_HZ // 2, RATE_HZ // 2 + RATE_HZ // 10)
    time_s = np.arange(RATE_HZ // 10) / RATE_HZ
    mic[burst] = 0.5 * chirp(time_s, 500, 0.1, 4000) * np.hanning(len(time_s))
    out = stage.process(mic, np.zeros_like(mic))
    correlation = np.correlate(out, mic[burst], "valid")

    assert abs(int(np.argmax(correlation)) - burst.start - stage.latency_samples) <= 2


def test_int16_comes_back_as_int16(create: Callable[[], Any]) -> None:
    mic, far = (np.round(32768 * signal).astype(np.int16) for signal in signals(1600))
    as_int = create().process(mic, far)
    as_float = create().process((mic / 32768).astype(np.float32), (far / 32768).astype(np.float32))

    assert as_int.dtype == np.int16
    np.testing.assert_allclose(as_int / 32768, as_float, atol=1.01 / 65536)


def test_strided_input_is_read_as_it_is(create: Callable[[], Any]) -> None:
    mic, far = signals(1600)
    stereo = np.stack([mic, far], axis=1)

    np.testing.assert_array_equal(create().process(stereo[:, 0], stereo[:, 1]), create().process(mic, far))


def test_out_takes_the_result(create: Callable[[], Any]) -> None:
    mic, far = signals(FRAME)
    out = np.full(FRAME, 9.0, np.float32)
    returned = create().process(mic, far, out=out)

    assert np.shares_memory(returned, out)
    np.testing.assert_array_equal(out, create().process(mic, far))


def test_numbers_that_are_none_become_silence(create: Callable[[], Any]) -> None:
    mic, far = signals(4800)
    mic[100], mic[1700], far[200] = np.nan, np.inf, -np.inf
    out = create().process(mic, far)

    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    ("mic", "message"),
    [
        ([0.0] * FRAME, "NumPy array of float32 or int16, not list"),
        (np.zeros(FRAME), "not an array of float64"),
        (np.zeros(FRAME, np.int32), "not an array of int32"),
        (np.zeros(FRAME, ">f4"), "not an array of >f4"),
        (None, "not NoneType"),
    ],
)
def test_other_types_are_refused(create: Callable[[], Any], mic: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        create().process(mic, mic)


@pytest.mark.parametrize("shape", [(2, FRAME), (FRAME, 1), ()])
def test_other_shapes_are_refused(create: Callable[[], Any], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        create().process(np.zeros(shape, np.float32), np.zeros(shape, np.float32))


def test_an_out_that_does_not_fit_is_refused(create: Callable[[], Any]) -> None:
    mic, far = signals(FRAME)
    with pytest.raises(ValueError, match=f"shape \\({FRAME},\\)"):
        create().process(mic, far, out=np.zeros(FRAME - 1, np.float32))
    with pytest.raises(TypeError, match="out"):
        create().process(mic, far, out=[0.0] * FRAME)
    with pytest.raises(ValueError, match="contiguous"):
        create().process(mic, far, out=np.zeros(2 * FRAME, np.float32)[::2])


@pytest.mark.parametrize("create", [STAGES["echo canceller"], STAGES["capture pipeline"]], ids=["alone", "pipeline"])
def test_a_far_end_that_does_not_fit_is_refused(create: Callable[[], Any]) -> None:
    mic, far = signals(FRAME)
    with pytest.raises(ValueError, match="as long as the microphone"):
        create().process(mic, far[:-1])
    with pytest.raises(ValueError, match="far must have shape"):
        create().process(mic, np.stack([far, far], axis=1))
    with pytest.raises(TypeError, match="same dtype"):
        create().process(mic, far.astype(np.int16))
