"""Every binding of the native module with arrays of chance: any type, shape, stride, order and value, from threads too.

A call gives what the same samples give as a plain array, or raises TypeError or ValueError. How an array lies in memory
must not matter; what is no number must not stay.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spike_engine import _core

PLAIN = ("float32", "int16", "int32", "uint8")
STRANGE = ("float64", "int64", "bool", "float16", ">f4", ">i2", ">i4", "complex64", "object", "S3")
RATES_HZ = (8000, 16000, 22050, 44100, 48000)
REFUSALS = (TypeError, ValueError, OverflowError)
FORMATS = ("yuv420p", "nv12", "yuyv422", "rgb24", "bgr24", "rgba", "bgra", "argb", "gray8", "nothing")


@st.composite
def arrays(draw: Any, most: int = 1500, dimensions: tuple[int, int] = (0, 3)) -> NDArray[Any]:
    """Filled from a seed, which draws faster than each sample, with extremes here and there."""
    dtype = np.dtype(draw(st.sampled_from(PLAIN if draw(st.integers(0, 3)) else STRANGE)))
    count = draw(st.integers(*dimensions))
    shape = [draw(st.integers(0, most if axis == 0 else 8)) for axis in range(count)]
    shape = draw(st.permutations(shape)) if draw(st.booleans()) else shape
    made = np.random.default_rng(draw(st.integers(0, 1000))).uniform(-1, 1, shape)
    made = made * draw(st.sampled_from([1.0, 0.0, 1e-30, 40000.0, 1e30])) * (1000 if dtype.kind in "iu" else 1)
    made = np.clip(made, -2e9, 2e9) if dtype.kind in "iu" else made
    with np.errstate(all="ignore"):
        made = np.asarray(made).astype(dtype)
    if made.size and dtype.kind == "f" and draw(st.booleans()):
        made.flat[draw(st.integers(0, made.size - 1))] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 3e38]))
    return laid_out(draw, made)


def laid_out(draw: Any, array: NDArray[Any]) -> NDArray[Any]:
    """The same values, in memory as chance has it."""
    match draw(st.integers(0, 7)):
        case 0 if array.ndim:
            return array[::-1]
        case 1 if array.ndim:
            return np.repeat(array, 2, axis=0)[::2]
        case 2:
            return np.asfortranarray(array)
        case 3 if array.dtype.kind != "O":
            packed = np.zeros(array.shape, [("before", "u1"), ("value", array.dtype)])
            packed["value"] = array
            return packed["value"]
        case 4 if array.ndim:
            return np.broadcast_to(array[:1], array.shape) if len(array) else array
        case 5:
            array.flags.writeable = False
        case 6 if array.dtype.kind not in "OS" and array.ndim == 1:
            memory = np.zeros(array.nbytes + 1, "u1")
            shifted = memory[1:].view(array.dtype)
            shifted[:] = array
            return shifted
    return array


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """In C order, in this machine's byte order."""
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except REFUSALS as refusal:
        return refusal


def same(call: Callable[[Any], Any], array: NDArray[Any]) -> Any:
    """What `call` gives for `array`: the same as for a plain one, or a refusal of how it lies."""
    found, expected = outcome(lambda: call(array)), outcome(lambda: call(plain(array)))
    if not isinstance(found, Exception):
        assert not isinstance(expected, Exception), (array.dtype, array.strides, expected)
        np.testing.assert_array_equal(found, expected, err_msg=f"{array.dtype} {array.shape} {array.strides}")
    return found


@given(
    arrays(),
    st.sampled_from(["float32", "int16", "int32", "int8", ""]),
    st.one_of(st.none(), st.integers(-1, 9)),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 2**32)),
)
def samples(array: NDArray[Any], dtype: str, channels: int | None, planar: bool, to_planar: bool, dither: Any) -> None:
    def convert(given_array: Any, out: Any = None) -> Any:
        return _core.convert_samples(given_array, dtype, channels, planar, to_planar, dither, out)

    found = same(convert, array)
    if isinstance(found, Exception):
        return
    np.testing.assert_array_equal(convert(array, np.empty_like(found)), found)
    outcome(lambda: convert(array, array))  # onto itself: refused, or done as if it were elsewhere
    if found.dtype == np.float32:
        assert np.isfinite(found).all() or array.dtype == np.float32, array.dtype


@given(arrays(most=40, dimensions=(1, 3)), st.data())
def pictures(array: NDArray[Any], data: st.DataObject) -> None:
    draw = data.draw
    start, to = draw(st.sampled_from(FORMATS)), draw(st.sampled_from(FORMATS))
    if draw(st.booleans()):  # else hardly any has the shape of its format
        width, height = 2 * draw(st.integers(1, 20)), 2 * draw(st.integers(1, 20))
        bytes_a_pixel = {"rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4, "argb": 4, "yuyv422": 2}.get(start)
        shape = (height * 3 // 2 if start in ("yuv420p", "nv12") else height, width)
        shape += (bytes_a_pixel,) if bytes_a_pixel else ()
        array = laid_out(draw, np.random.default_rng(1).integers(0, 256, shape, np.uint8))
    size = st.one_of(st.none(), st.integers(-1, 50))
    crop = draw(st.one_of(st.none(), st.tuples(*[st.integers(-1, 20)] * 4)))
    options = (draw(size), draw(size), "bt601", "full", None, crop, draw(st.sampled_from([0, 90, 180, 270, 45])))
    mirror, scaling = draw(st.booleans()), draw(st.sampled_from(["area", "bilinear", "bicubic", "none"]))
    same(lambda given_array: _core.convert_picture(given_array, start, to, False, *options, mirror, scaling), array)
    outcome(lambda: _core.convert_picture([array] * 3, start, to, False, *options, mirror, scaling))
    outcome(lambda: _core.convert_picture(array, start, to, False, *options[:4], array, *options[5:], mirror, scaling))


def stages(rate_hz: int) -> list[Callable[[], Callable[[Any], Any]]]:
    """What makes a fresh stage; it is called with an array."""

    def of(stage: Any, *between: Any) -> Callable[[], Callable[[Any], Any]]:
        return lambda: (
            lambda array: stage(rate_hz).process(array, *(array if more is Ellipsis else more for more in between))
        )

    return [
        of(_core.NoiseSuppressor),
        of(partial(_core.GainControl, target_dbfs=-23.0, max_gain_db=30.0)),
        of(_core.VoiceDetector),
        of(_core.RenderPipeline),
        of(_core.EchoCanceller, Ellipsis),
        of(_core.EchoCanceller, None),
        of(_core.CapturePipeline, Ellipsis),
        of(_core.CapturePipeline, None),
        lambda: lambda array: _core.NoiseSuppressorBank(2, rate_hz).process(array),
        lambda: (
            lambda array: _core.Resampler(rate_hz, 32000, 1, array.dtype == "int16", "voice", False).process(
                array, True, None
            )
        ),
        lambda: lambda array: _core.OpusEncoder(48000, channels=1 + (array.ndim == 2)).encode(array) and 0,
    ]


@given(arrays(), st.sampled_from(RATES_HZ), st.integers(0, 10))
def processing(array: NDArray[Any], rate_hz: int, which: int) -> None:
    found = same(stages(rate_hz)[which](), array)
    if isinstance(found, np.ndarray) and np.abs(np.nan_to_num(plain(array), nan=9e9, posinf=9e9)).max(initial=0) < 1e6:
        assert np.isfinite(found).all()


@given(st.lists(st.tuples(st.sampled_from(["push", "pop", "clear"]), arrays(most=300, dimensions=(1, 2))), max_size=20))
def rings(steps: list[tuple[str, NDArray[Any]]]) -> None:
    ring, tee = _core.Ring(500), _core.Ring(50)
    held: list[float] = []
    for action, array in steps:
        if action == "clear":
            ring.clear()
            held.clear()
        elif action == "push" and not isinstance(pushed := outcome(partial(ring.push, array)), Exception):
            held += array.ravel()[:pushed].tolist()
        elif action == "pop" and not isinstance(popped := outcome(partial(ring.pop, array, tee)), Exception):
            np.testing.assert_array_equal(array.ravel()[:popped], np.float32(held[:popped]))
            assert not array.ravel()[popped:].any()
            del held[:popped]
        assert ring.available == len(held)


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=300), st.integers(-1, 70_000), st.integers(-1, 2**33), st.floats(), st.integers(0, 9)
        ),
        max_size=30,
    ),
    st.sampled_from(["opus", "pcmu", "pcma", "l16", "mp3"]),
    st.sampled_from([*RATES_HZ, 0, -1, 2**31]),
    st.integers(-1, 3),
)
def packets(steps: list[tuple[bytes, int, int, float, int]], codec: str, clock_hz: int, channels: int) -> None:
    receiver = _core.VoiceReceiver(48000)
    gate = _core.VoiceGate(receiver)
    clock_hz = 48000 if codec == "opus" else clock_hz
    for payload, number, timestamp, arrival_ms, action in steps:
        push = receiver.push_red if action % 2 else receiver.push
        outcome(
            lambda push=push, payload=payload, number=number, timestamp=timestamp, arrival_ms=arrival_ms: push(
                payload, number, timestamp, arrival_ms, codec=codec, clock_rate_hz=clock_hz, channels=channels
            )
        )
        if action > 5:
            out = np.empty(number % 2000, np.float32)
            gate.pull(out) if action == 6 else receiver.pull(out)
            assert np.isfinite(out).all()
        if action == 9:
            receiver.reset()


@given(st.binary(max_size=3000))
def weights(data: bytes) -> None:
    outcome(lambda: _core.Weights(data, "chance"))
    outcome(lambda: _core.Weights(b"SPKWGT\0\0" + data, "chance"))


@given(arrays(most=4000, dimensions=(1, 1)), st.sampled_from(RATES_HZ), st.integers(2, 4))
def threads(array: NDArray[Any], rate_hz: int, count: int) -> None:
    """One object, several threads, one of which resets it: no crash, no error but refusals, only numbers."""
    shared: list[Any] = [
        _core.NoiseSuppressor(rate_hz),
        _core.CapturePipeline(rate_hz),
        _core.Resampler(rate_hz, 32000, 1, array.dtype == "int16", "voice", False),
    ]
    calm = np.nan_to_num(np.clip(array, -1, 1)) if array.dtype == np.float32 else array
    failed: list[BaseException] = []

    def work(index: int) -> None:
        try:
            for _ in range(5):
                for stage, more in zip(shared, ((), (calm,), (False, None)), strict=True):
                    found = outcome(lambda stage=stage, more=more: stage.process(calm, *more))
                    assert isinstance(found, Exception) or np.isfinite(found).all()
                    if index == 0:
                        stage.reset()
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failed, failed[0]


ANY_TIME = settings(
    max_examples=100,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
CHECKS: dict[str, Callable[[], None]] = {
    check.__name__: ANY_TIME(check) for check in (samples, pictures, processing, rings, packets, weights, threads)
}


def run(seconds: float, only: str | None = None) -> int:
    """All checks, in turn, for so long; returns how many inputs that were. Raises at the first that is found."""
    checks = [CHECKS[only]] if only else list(CHECKS.values())
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for check in checks:
            check()
            count += ANY_TIME.max_examples
    return count
