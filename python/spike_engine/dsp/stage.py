"""What the stages share."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core

S = TypeVar("S", NDArray[np.float32], NDArray[np.int16])


class Stage:
    """What the stages share that work in frames and learn."""

    _core: (
        _core.EchoCanceller
        | _core.NoiseSuppressor
        | _core.NoiseSuppressorBank
        | _core.GainControl
        | _core.CapturePipeline
    )

    @property
    def latency_samples(self) -> int:
        """The delay of the output: that of the echo canceller, and two frames of 10 ms for the noise suppressor."""
        return self._core.latency_samples

    def reset(self) -> None:
        """Forget everything that was learned and kept."""
        self._core.reset()


@cache
def package_weights(name: str) -> _core.Weights:
    """A file of the package's weights; streams share it."""
    return _core.Weights((resources.files("spike_engine") / "weights" / name).read_bytes(), name)


def process_with_far(core: Any, mic: S, far: S | None, out: S | None) -> S:
    """Have `core` process `mic` and what the loudspeaker played meanwhile."""
    mic = contiguous("mic", mic)
    if far is not None:
        far = contiguous("far", far)
        if far.dtype != mic.dtype:
            raise TypeError(f"mic and far must have the same dtype, not {mic.dtype} and {far.dtype}")
    result: S = core.process(mic, far, contiguous_output(out, mic.dtype))
    return result


def contiguous(name: str, x: S, dtypes: tuple[type, ...] = (np.float32, np.int16)) -> S:
    """`x` itself, or a copy in one piece where it is strided or not aligned."""
    if not isinstance(x, np.ndarray) or x.dtype.type not in dtypes or not x.dtype.isnative:
        kind = f"an array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        accepted = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise TypeError(f"{name} must be a NumPy array of {accepted}, not {kind}")
    return x if x.flags.c_contiguous and x.flags.aligned else np.array(x, order="C")


def contiguous_output(out: S | None, dtype: np.dtype[Any]) -> S | None:
    """`out` itself, once it is sure that it can be written to."""
    if out is None:
        return None
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        kind = f"an array of {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise TypeError(f"out must be a NumPy array of {dtype}, as the samples are, not {kind}")
    if not out.flags.c_contiguous or not out.flags.aligned or not out.flags.writeable:
        raise ValueError("out must be contiguous, aligned and writeable")
    return out
