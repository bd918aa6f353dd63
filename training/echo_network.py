"""The network that tells what echo the adaptive filter has left from the person who talks over it.

It hears, 100 times a second and in 64 bands of 50 Hz and more below 8 kHz, the levels of the microphone, of what the
adaptive filter left of it, of the echo that it predicted and of the far end, and how alike the second and the third
are. It answers with a gain for each band and the chance that the near end talks.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

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
LOST = 2.4  # weight of what is lost of a voice, against 1 for what is left of an echo


class Example(NamedTuple):
    """What the network hears and is to answer, each (batch, frames, ...): all that does not change while it learns."""

    features: Tensor
    error: Tensor  # compressed magnitudes
    target: Tensor
    likeness: Tensor  # cosines between the two
    talking: Tensor


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


def compressed(spectrum: Tensor) -> Tensor:
    """Magnitudes as loudness goes: their power of 0.3."""
    return (power(spectrum) + 1e-8) ** 0.15


def likeness_of(one: Tensor, other: Tensor) -> Tensor:
    """The cosine of the angle between two spectra."""
    product = power(one) * power(other)
    return (one.real * other.real + one.imag * other.imag) * torch.rsqrt(product + 1e-12)


def talking_of(near: Tensor) -> Tensor:
    """1 in frames that are within 35 dB of the near end's loudest."""
    level = power(near).sum(-1)
    return ((level > level.amax(1, keepdim=True) * 10**-3.5) & (level > 1e-4)).float()


def loss_of(network: EchoMask, made: Example, answer: tuple[Tensor, Tensor]) -> Tensor:
    """Compressed spectra, magnitudes and phases (Braun and Tashev 2021); more for what is lost of the voice."""
    gains, voice = answer
    got = made.error * (((gains + 1e-4) ** 0.3) @ network.spread)
    difference = got - made.target
    lost, left = torch.relu(-difference) ** 2, torch.relu(difference) ** 2
    quiet = (1 - made.talking)[..., None]
    turned = difference**2 + 2 * got * made.target * (1 - made.likeness)
    spectral = lost * (LOST - (LOST - 0.8) * quiet) + left * (1 + quiet) + 0.3 * turned
    heard = nn.functional.binary_cross_entropy_with_logits(voice, made.talking)
    return spectral.mean() + 0.03 * heard
