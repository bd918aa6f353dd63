"""Whatever array a stage is given: what comes out is right, or a TypeError or ValueError says what is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_engine import dsp

RATE_HZ = 16000
FRAME = RATE_HZ // 100

STAGES: dict[str, Callable[[], Any]] = {
    "echo canceller": lambda: dsp.EchoCanceller(RATE_HZ),
    "stereo echo canceller": lambda: dsp.EchoCanceller(RATE_HZ, far_channels=2),
    "capture pipeline": lambda: dsp.CapturePipeline(RATE_HZ),
    "noise suppressor": lambda: dsp.NoiseSuppressor(RATE_HZ),
    "gain control": lambda: dsp.GainControl(RATE_HZ),
    "bank": lambda: dsp.NoiseSuppressorBank(2, RATE_HZ),
    "voice detector": lambda: dsp.VoiceDetector(RATE_HZ),
    "render pipeline": lambda: dsp.RenderPipeline(RATE_HZ),
    "resampler": lambda: dsp.Resampler(RATE_HZ, 2 * RATE_HZ),
    "stereo resampler": lambda: dsp.Resampler(RATE_HZ, 8000, channels=2),
}
INPUTS = {"echo canceller": 2, "stereo echo canceller": 2, "capture pipeline": 2}

shapes = st.one_of(
    st.tuples(),
    st.tuples(st.integers(0, 500)),
    st.tuples(st.integers(0, 400), st.integers(0, 3)),
    st.tuples(st.integers(0, 3), st.integers(0, 400)),
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)),
)
dtypes = st.sampled_from(["<f4", "<f4", "<f4", "<i2", "<i2", ">f4", "<f8", "<i4", "u1", "?", "<c8", "O", "U3"])
fillings = st.sampled_from([0.0, 0.3, 1.0, -1.0, 1e30, 1e-42, np.nan, np.inf, -np.inf])
views = st.sampled_from(["whole", "reversed", "every other", "transposed", "unaligned", "read only", "broadcast"])


@st.composite
def samples(draw: st.DrawFn) -> Any:
    """An array of any kind, or something that is none."""
    if draw(st.integers(0, 15)) == 0:
        return draw(st.sampled_from([None, 0, "x", [0.1, 0.2], b"abcd", (1, 2), memoryview(bytes(8)), object()]))
    dtype = np.dtype(draw(dtypes))
    shape = draw(shapes)
    with np.errstate(all="ignore"):
        x = np.zeros(shape, dtype)
        if dtype.kind in "fic":
            filling = draw(fillings)
            x[...] = np.nan_to_num(filling).clip(-1e4, 1e4) if dtype.kind == "i" else filling
            if x.size and draw(st.booleans()):
                x.flat[draw(st.integers(0, x.size - 1))] = 0.5 if dtype.kind != "i" else 5
    return seen(x, draw(views))


def seen(x: np.ndarray, view: str) -> np.ndarray:
    if view == "reversed" and x.ndim:
        return x[::-1]
    if view == "every other" and x.ndim:
        return np.repeat(x, 2, axis=0)[::2]
    if view == "transposed":
        return x.T
    if view == "unaligned" and x.dtype.kind not in "OU":
        return np.frombuffer(b"\0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape)
    if view == "broadcast" and x.ndim == 1 and x.size:
        return np.broadcast_to(x[:1], x.shape)
    if view == "read only":
        x.flags.writeable = False
    return x


def calm(x: Any) -> Any:
    """The same samples in the plainest form, with silence for what is no number."""
    if not isinstance(x, np.ndarray):
        return x
    plain = np.array(x, order="C", copy=True)
    if plain.dtype.kind == "f":
        plain[~np.isfinite(plain)] = 0.0
    return plain


@pytest.mark.parametrize("name", STAGES)
@given(first=samples(), second=samples(), out=st.one_of(st.none(), samples()), kept=st.integers(0, 2 * FRAME))
@settings(max_examples=150, deadline=None)
def test_any_array_is_right_or_refused(name: str, first: Any, second: Any, out: Any, kept: int) -> None:
    stage, other = STAGES[name](), STAGES[name]()
    for either in (stage, other):  # an unfinished frame
        fill(name, either, kept)
    inputs = (first, second)[: INPUTS.get(name, 1)]
    arguments = {} if out is None or name == "voice detector" else {"out": out}
    try:
        made = stage.process(*inputs, **arguments)
    except (TypeError, ValueError) as error:
        refusal = str(error)
    else:
        refusal = ""
    assert "incompatible function arguments" not in refusal
    if refusal:
        return
    expected = other.process(*(calm(x) for x in inputs))
    np.testing.assert_array_equal(made, expected)
    if arguments:
        assert made is out
    if isinstance(made, np.ndarray):
        assert made.dtype == inputs[0].dtype


def fill(name: str, stage: Any, count: int) -> None:
    x = np.full(count, 0.1, np.float32)
    if name == "bank":
        stage.process(np.stack([x, x]))
    elif name == "stereo resampler":
        stage.process(np.stack([x, x], axis=1))
    elif name == "stereo echo canceller":
        stage.process(x, np.stack([x, x], axis=1))
    else:
        stage.process(*[x] * INPUTS.get(name, 1))


OVERLAPPING = [
    "gain control",
    "echo canceller",
    "stereo echo canceller",
    "capture pipeline",
    "noise suppressor",
    "render pipeline",
]


@pytest.mark.parametrize("name", OVERLAPPING)
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize("over", ["mic", "far"])
@given(kept=st.integers(0, FRAME), frames=st.integers(0, 4), rest=st.integers(0, FRAME), shift=st.integers(-200, 200))
@settings(max_examples=25, deadline=None)
def test_out_may_lie_on_what_is_read(
    name: str, dtype: Any, over: str, kept: int, frames: int, rest: int, shift: int
) -> None:
    """Over the microphone or the far end, in place or some samples beside, with an unfinished frame inside."""
    if name == "render pipeline":
        dtype = np.float32
    stage, other = STAGES[name](), STAGES[name]()
    for either in (stage, other):
        fill(name, either, kept)
    count = frames * FRAME + rest
    random = np.random.default_rng(count)
    channels = 2 if name.startswith("stereo") else 1
    memory = (3000 * random.standard_normal((2, 4 * (count + FRAME) + 400))).astype(dtype)
    if dtype == np.float32:
        memory /= 32768
    mic = memory[0, 200 : 200 + count]
    far = memory[1, 200 : 200 + count * channels].reshape(-1, channels)
    inputs = (mic, far[:, 0] if channels == 1 else far)[: INPUTS.get(name, 1)]
    expected = other.process(*(x.copy() for x in inputs))
    row = memory[0 if over == "mic" or len(inputs) == 1 else 1]
    out = row[200 + shift : 200 + shift + len(expected)]

    assert stage.process(*inputs, out=out) is out
    np.testing.assert_array_equal(out, expected)


def test_a_bank_may_be_written_over() -> None:
    x = (0.1 * np.random.default_rng(1).standard_normal((3, 5 * FRAME))).astype(np.float32)
    expected = dsp.NoiseSuppressorBank(3, RATE_HZ).process(x.copy())

    assert dsp.NoiseSuppressorBank(3, RATE_HZ).process(x, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_nothing_in_is_nothing_out() -> None:
    nothing = np.zeros(0, np.float32)
    for name, create in STAGES.items():
        if name in ("bank", "stereo resampler", "stereo echo canceller", "voice detector"):
            continue
        stage = create()
        assert stage.process(*[nothing] * INPUTS.get(name, 1)).shape == (0,)
