"""The end of a turn from its prosody: smart-turn v3 (``pip install "spike-engine[smart-turn]"``).

::

    async with DuplexAudio(end_of_turn=SmartTurn()) as audio:
        ...

The network is Daily's (BSD-2-Clause), on the encoder of Whisper tiny; its weights are part of the package
``pipecat-ai``, of which nothing else is loaded.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.errors import InvalidOption
from spike_engine.extras import MissingExtra

__all__ = ["SmartTurn"]

RATE_HZ = 16000
SECONDS = 8
_FRAME, _HOP, _BANDS = 400, 160, 80
_HOW = 'pip install "spike-engine[smart-turn]"'


class SmartTurn:
    """Says how likely a user has finished, 0 to 1: call it with up to 8 s of their voice at 16 kHz.

    Args:
        weights: An ONNX file of smart-turn v3; by default the one in ``pipecat-ai``.
        threads: Of the CPU; one judgement takes some tens of milliseconds of one.

    Raises:
        MissingExtra: onnxruntime or the weights are not installed.
        InvalidOption: `weights` is no file that onnxruntime can read.
    """

    def __init__(self, weights: str | Path | None = None, *, threads: int = 1) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 (large, and named by the extra)
        except ImportError as error:
            raise MissingExtra(f"SmartTurn needs onnxruntime: {_HOW}", name="onnxruntime") from error
        path = _weights_of_pipecat() if weights is None else Path(weights)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds
            raise InvalidOption(f"{path} is no network that onnxruntime can read: {error}") from error

    def __call__(self, voice: NDArray[np.float32]) -> float:
        """Judge `voice`, float32 of shape ``(n,)``; of more than 8 s the last count."""
        (output,) = self._session.run(None, {"input_features": log_mel(voice)[None]})
        return float(np.ravel(output)[0])


def log_mel(voice: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whisper's features of the last 8 s (Radford et al. 2022), silence going before: shape ``(80, 800)``."""
    samples = np.asarray(voice, np.float32)[-SECONDS * RATE_HZ :].astype(np.float64)
    samples = np.pad(samples, (SECONDS * RATE_HZ - len(samples), 0))
    samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    samples = samples.astype(np.float32).astype(np.float64)
    padded = np.pad(samples, _FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP][:-1]
    window = np.hanning(_FRAME + 1)[:-1]
    power = np.square(np.abs(np.fft.rfft(frames * window)))
    level = np.log10(np.maximum(_mel_bank() @ power.T, 1e-10))
    level = (np.maximum(level, level.max() - 8.0) + 4.0) / 4.0
    features: NDArray[np.float32] = level.astype(np.float32)
    return features


@cache
def _mel_bank() -> NDArray[np.float64]:
    """Triangles of equal area on Slaney's mel scale, linear below 1 kHz and logarithmic above; ``(bands, bins)``."""
    linear_hz, linear_mel, step = 1000.0, 15.0, np.log(6.4) / 27.0
    highest_mel = linear_mel + np.log(RATE_HZ / 2 / linear_hz) / step
    mel = np.linspace(0.0, highest_mel, _BANDS + 2)
    edge_hz = np.where(mel < linear_mel, mel * 200 / 3, linear_hz * np.exp(step * (mel - linear_mel)))
    at_hz = np.linspace(0, RATE_HZ / 2, _FRAME // 2 + 1)
    rising = (at_hz - edge_hz[:-2, None]) / (edge_hz[1:-1] - edge_hz[:-2])[:, None]
    falling = (edge_hz[2:, None] - at_hz) / (edge_hz[2:] - edge_hz[1:-1])[:, None]
    bank: NDArray[np.float64] = np.clip(np.minimum(rising, falling), 0, None)
    return bank * (2.0 / (edge_hz[2:] - edge_hz[:-2]))[:, None]


def _weights_of_pipecat() -> Path:
    """The newest weights in the package, which is found but not imported."""
    package = find_spec("pipecat")
    for folder in package.submodule_search_locations or () if package else ():
        if found := sorted((Path(folder) / "audio/turn/smart_turn/data").glob("smart-turn-v3*.onnx")):
            return found[-1]
    raise MissingExtra(f"SmartTurn needs the weights that are part of pipecat-ai: {_HOW}", name="pipecat")
