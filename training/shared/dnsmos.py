"""What listeners would say of a sound, as DNSMOS P.835 predicts it, differentiable.

After C. Reddy, V. Gopal and R. Cutler, "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric to
evaluate noise suppressors", ICASSP 2022. The weights are Microsoft's, of the PyPI package `speechmos` (MIT).
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

RATE_HZ = 16000
HOP = 160  # samples; windows are twice as long
POOLED = (3, 4, 5)  # layers after which a maximum of 2 by 2 is taken
# From the network's scale to that of opinions, by score: of the square, of the value, constant.
SCALES = torch.tensor(
    [
        [-0.08397278, 1.22083953, 0.0052439],
        [-0.13166888, 1.60915514, -0.39604546],
        [-0.06766283, 1.11546468, 0.04602535],
    ]
)


class Dnsmos(nn.Module):
    """Samples at 16 kHz (batch, samples) to opinions of 1 to 5 (batch, 3): of the voice, the background and the whole.

    The published network hears 9 s, a shorter sound again and again until it is as long. It keeps the maximum over
    time, so that nearly the same comes out of hearing it once. `file` is `dnsmos_models/sig_bak_ovr.onnx`.
    """

    def __init__(self, file: Path, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        self._dtype = dtype
        stored = {t.name: numpy_helper.to_array(t).copy() for t in onnx.load(str(file)).graph.initializer}
        for name, value in stored.items():
            if name.startswith(("conv2d", "time2freq", "mos_estimator_logpow/dense")):
                self.register_buffer(_plain(name), torch.from_numpy(value), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        x = self._levels(samples).to(self._dtype, memory_format=torch.channels_last)
        for layer in range(7):
            suffix = f"_{layer}" if layer else ""
            kernel, bias = (getattr(self, f"conv2d{suffix}_{part}").to(x.dtype) for part in ("kernel", "bias"))
            x = torch.relu(nn.functional.conv2d(x, kernel, bias, padding=1))
            x = nn.functional.max_pool2d(x, 2) if layer in POOLED else x
        x = x.amax((2, 3)).float()
        for layer in ("dense", "dense_1", "dense_3"):
            x = x @ getattr(self, f"{layer}_MatMul") + getattr(self, f"{layer}_BiasAdd")
            x = x if layer == "dense_3" else torch.relu(x)
        return SCALES[:, 0] * x * x + SCALES[:, 1] * x + SCALES[:, 2]

    def _levels(self, samples: Tensor) -> Tensor:
        """(batch, 1, frames, 161) powers of ten."""
        frames = samples.unfold(1, 2 * HOP, HOP)
        real, imag = (frames @ getattr(self, f"stft_{part}")[..., 0].T for part in ("real", "imag"))
        return torch.log10((real * real + imag * imag).clamp(min=1e-12))[:, None]


def _plain(name: str) -> str:
    """conv2d_1/kernel:0, time2freq/stft-real/kernel:0 and mos_estimator_logpow/dense/MatMul/... as attributes."""
    parts = name.replace("mos_estimator_logpow/", "").replace("time2freq/stft-", "stft_").split("/")
    return parts[0] if parts[0].startswith("stft") else f"{parts[0]}_{parts[1].split(':')[0]}"
