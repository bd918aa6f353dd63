"""AECMOS (Purin et al. 2022), what people are likely to say of an echo canceller, as a network with a gradient.

The weights are Microsoft's (MIT licence): `aecmos_models/Run_1663915512_Stage_0.onnx` of `speechmos` on PyPI.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

RATE_HZ, HOP, WINDOW, BANDS = 16000, 256, 513, 160
SLOPE = 0.1  # of leaky rectifiers
MARKED = 20  # frames of ones, and as many of zeros, behind the signals; the other end's are zeros where one is alone
RANGE_DB = 80.0  # below its loudest band nothing of a signal is heard


def mel_of(hz: np.ndarray) -> np.ndarray:
    """Slaney's scale."""
    return np.where(hz < 1000, hz * 0.015, 15 + 27 * np.log(np.maximum(hz, 1) / 1000) / np.log(6.4))


def hz_of(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel / 0.015, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def triangles() -> Tensor:
    """(bins, BANDS): bands as wide as their neighbours are apart, of equal area."""
    hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)[:, None]
    edges = hz_of(np.linspace(0, mel_of(np.array(RATE_HZ / 2)), BANDS + 2))
    rising = (hz - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hz) / np.diff(edges)[1:]
    bands = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return torch.from_numpy(bands.astype(np.float32))


class Aecmos:
    """Hears what was played, what the microphone heard and what came out, each (batch, samples) at 16 kHz."""

    def __init__(self, file: Path) -> None:
        graph = onnx.load(file).graph
        arrays = {x.name: torch.from_numpy(onnx.numpy_helper.to_array(x).copy()) for x in graph.initializer}

        def of(kind: str) -> list[list[Tensor]]:
            return [[arrays[x] for x in node.input if x in arrays] for node in graph.node if node.op_type == kind]

        self._convolutions, self._recurrent = of("Conv"), of("GRU")
        biases = [x for x in of("Add") if x]
        self._dense = [(matrix, bias) for (matrix,), (bias,) in zip(of("MatMul"), biases, strict=True)]
        self._bands, self._window = triangles(), torch.hann_window(WINDOW)

    def __call__(self, far: Tensor, microphone: Tensor, out: Tensor, near_talks: Tensor, far_talks: Tensor) -> Tensor:
        """(batch, 2): MOS of echo and of degradation, 1 to 5. Who talks is told as 0 or 1, (batch,)."""
        signals = (far, far_talks), (microphone, near_talks), (out, torch.ones_like(far_talks))
        return self._heard(torch.stack([self._marked(*signal) for signal in signals], 1))

    def _marked(self, samples: Tensor, talks: Tensor) -> Tensor:
        """(batch, frames, bands): levels, and whether somebody talks at this end alone or at both."""
        spectrum = torch.stft(
            samples, WINDOW, HOP, window=self._window, center=True, pad_mode="constant", return_complex=True
        )
        power = (spectrum.real**2 + spectrum.imag**2).transpose(1, 2) @ self._bands
        levels = 10 * torch.log10(power.clamp(min=1e-10))
        levels = (levels - levels.amax((1, 2), keepdim=True)).clamp(min=-RANGE_DB) / 40 + 1
        mark = talks[:, None, None].expand(-1, MARKED, BANDS)
        return torch.cat([levels, mark, torch.zeros_like(mark)], 1)

    def _heard(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):  # a third of the time
            for weight, bias in self._convolutions:
                x = nn.functional.leaky_relu(nn.functional.conv2d(x, weight, bias, padding=1), SLOPE)
                x = nn.functional.max_pool2d(x, 2)
        x = x.amax((2, 3)).float()
        for weight, _, biases in self._recurrent:
            x = torch.cat([first_state(x, *parts) for parts in zip(weight, biases, strict=True)], -1)
        for matrix, bias in self._dense[:-1]:
            x = nn.functional.leaky_relu(x @ matrix + bias, SLOPE)
        matrix, bias = self._dense[-1]
        return 1 + 4 * torch.sigmoid(x @ matrix + bias)


def first_state(x: Tensor, weight: Tensor, biases: Tensor) -> Tensor:
    """Of a gated recurrent unit: it hears one frame only."""
    update, reset, fresh = (x @ weight.t() + biases[: len(weight)]).chunk(3, -1)
    update_bias, reset_bias, fresh_bias = biases[len(weight) :].chunk(3)
    reset = torch.sigmoid(reset + reset_bias)
    return (1 - torch.sigmoid(update + update_bias)) * torch.tanh(fresh + reset * fresh_bias)
