"""The network that tells what echo the adaptive filter has left from the person who talks over it.

It hears, 100 times a second and in 64 bands of 50 Hz and more below 8 kHz, the levels of the microphone, of what the
adaptive filter left of it, of the echo that it predicted and of the far end, and how alike the second and the third
are. It answers with a gain for each band and the chance that the near end talks.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

HOP, WINDOW = 160, 320  # 10 and 20 ms at 16 kHz: bins of 50 Hz, as at every other rate
BINS = 161
HIDDEN = 128
FLOOR = 1e-6  # of a band's power
EDGES = np.concatenate([np.arange(0, 32), np.arange(32, 64, 2), np.linspace(64, BINS, 17).round().astype(int)])
BANDS = len(EDGES) - 1
WINDOW_SHAPE = torch.sqrt(torch.hann_window(WINDOW))


def band_means() -> Tensor:
    """(BINS, BANDS): a product with it is the mean of each band."""
    means = torch.zeros(BINS, BANDS)
    for band, (begin, end) in enumerate(pairwise(EDGES)):
        means[begin:end, band] = 1.0 / (end - begin)
    return means


def analyse(samples: Tensor) -> Tensor:
    """(batch, samples) to (batch, frames, bins); frame k ends with sample HOP * (k + 1)."""
    padded = nn.functional.pad(samples, (WINDOW - HOP, 0))
    spectrum = torch.stft(padded, WINDOW, HOP, window=WINDOW_SHAPE, center=False, return_complex=True)
    return spectrum.transpose(1, 2)


def power(spectrum: Tensor) -> Tensor:
    return spectrum.real**2 + spectrum.imag**2


class EchoMask(nn.Module):
    """`inputs`, `first`, `second`, `gains`, `voice`: the names that the core looks for."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("means", band_means(), persistent=False)
        self.register_buffer("spread", (band_means() > 0).float().T.contiguous(), persistent=False)
        self.inputs = nn.Linear(6 * BANDS, 192)
        self.first = nn.GRU(192, HIDDEN, batch_first=True)
        self.second = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.gains = nn.Linear(HIDDEN, BANDS)
        self.voice = nn.Linear(HIDDEN, 1)
        nn.init.constant_(self.gains.bias, 1.0)

    def features(self, microphone: Tensor, error: Tensor, echo: Tensor, far: Tensor) -> Tensor:
        """Of spectra (batch, frames, bins): levels of four signals, and the likeness of error and echo."""
        bands = [power(x) @ self.means for x in (microphone, error, echo, far)]
        levels = [(10 * torch.log10(x + FLOOR) + 20) / 25 for x in bands]
        cross = error * echo.conj()
        scale = torch.rsqrt(bands[1] * bands[2] + FLOOR * FLOOR)
        likeness = [(part.contiguous() @ self.means) * scale for part in (cross.real, cross.imag)]
        return torch.cat(levels + likeness, -1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Gains (batch, frames, bands), and logits of voice (batch, frames)."""
        x = torch.relu(self.inputs(features))
        first, _ = self.first(x)
        second, _ = self.second(first)
        x = first + second
        return torch.sigmoid(self.gains(x)), self.voice(x)[..., 0]


def loss_of(network: EchoMask, error: Tensor, target: Tensor, near: Tensor, answer: tuple[Tensor, Tensor]) -> Tensor:
    """Compressed spectra, magnitudes and phases (Braun and Tashev 2021); more for what is lost of the voice."""
    gains, voice = answer
    made = error * (gains @ network.spread)
    talking = talking_of(near)

    def compressed(x: Tensor) -> tuple[Tensor, Tensor]:
        magnitude = torch.sqrt(power(x) + 1e-8)
        squeezed = magnitude**0.3
        return squeezed, x * (squeezed / magnitude)

    (wanted, wanted_complex), (got, got_complex) = compressed(target), compressed(made)
    lost = torch.relu(wanted - got) ** 2
    left = torch.relu(got - wanted) ** 2
    quiet = (1 - talking)[..., None]
    spectral = lost * (2.4 - 1.6 * quiet) + left * (1 + quiet) + 0.3 * power(got_complex - wanted_complex)
    heard = nn.functional.binary_cross_entropy_with_logits(voice, talking)
    return spectral.mean() + 0.03 * heard


def talking_of(near: Tensor) -> Tensor:
    """1 in frames that are within 35 dB of the near end's loudest."""
    level = power(near).sum(-1)
    return ((level > level.amax(1, keepdim=True) * 10**-3.5) & (level > 1e-4)).float()
