"""The network that tells what echo the adaptive filter has left from the person who talks over it.

It hears, 100 times a second and in 64 bands of 50 Hz and more below 8 kHz, the levels of the microphone, of what the
adaptive filter left of it, of the echo that it predicted and of the far end, how alike the second and the third are,
and how the phases of the second move. It answers with a gain for each band, with filters for the low bins, over what
is left and over the predicted echo, and with the chance that the near end talks.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from training.shared.frames import Frames
from training.shared.mask_network import MaskNetwork, phase_advance, running_mean, shifted

FRAMES = Frames(hop=160, window=320)  # 10 and 20 ms at 16 kHz: bins of 50 Hz, as at every other rate
BINS = FRAMES.bins
EDGES = np.concatenate([np.arange(0, 32), np.arange(32, 64, 2), np.linspace(64, BINS, 17).round().astype(int)])
BANDS = len(EDGES) - 1
PHASE_BINS, LOW_BINS = 64, 80  # whose phases are heard; that are refined
INPUTS = 6 * BANDS + 2 * PHASE_BINS
HIDDEN = 240
TAPS = 3  # of a refined bin: what is left now, a frame ago; the echo
FLOOR = 1e-10  # of a band's power
QUIET_DB, FAR_QUIET_DB = -80.0, -60.0  # levels are taken against what they have been of late, or this


def band_means() -> Tensor:
    """(BINS, BANDS): a product with it is the mean of each band."""
    means = torch.zeros(BINS, BANDS)
    for band, (begin, end) in enumerate(pairwise(EDGES)):
        means[begin:end, band] = 1.0 / (end - begin)
    return means


def power(spectrum: Tensor) -> Tensor:
    return spectrum.real**2 + spectrum.imag**2


class EchoMask(MaskNetwork):
    """Hears a block of four signals and answers for one of them."""

    def __init__(self) -> None:
        super().__init__(INPUTS, BANDS, LOW_BINS, TAPS, HIDDEN)
        self.register_buffer("means", band_means(), persistent=False)
        self.register_buffer("spread", (band_means() > 0).float().T.contiguous(), persistent=False)
        self.register_buffer("turns", FRAMES.turns(PHASE_BINS), persistent=False)

    def features(self, microphone: Tensor, error: Tensor, echo: Tensor, far: Tensor) -> Tensor:
        """Of spectra (batch, frames, bins): levels of four signals, likeness of error and echo, phases of the error."""
        bands = [power(x) @ self.means for x in (microphone, error, echo, far)]
        levels = [10 * torch.log10(x + FLOOR) for x in bands]
        near_db = running_mean(levels[0].mean(-1, keepdim=True).clamp(min=QUIET_DB))
        far_db = running_mean(levels[3].mean(-1, keepdim=True).clamp(min=FAR_QUIET_DB))
        levels = [(x - near_db) / 20 for x in levels[:3]] + [(levels[3] - far_db) / 20]
        cross = error * echo.conj()
        scale = torch.rsqrt(bands[1] * bands[2] + FLOOR * FLOOR)
        likeness = [(part.contiguous() @ self.means) * scale for part in (cross.real, cross.imag)]
        advance = phase_advance(error[..., :PHASE_BINS], self.turns)
        return torch.cat([torch.cat(levels, -1).clamp(-4, 4), *likeness, advance.real, advance.imag], -1)

    def forward(self, microphone: Tensor, error: Tensor, echo: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """What is kept of `error` (batch, frames, bins), and logits of voice (batch, frames)."""
        gains, taps, voice = self.answers(self.features(microphone, error, echo, far))
        low = error[..., :LOW_BINS]
        refined = low + low * taps[..., 0, :] + shifted(low) * taps[..., 1, :] + echo[..., :LOW_BINS] * taps[..., 2, :]
        whole = torch.cat([refined, error[..., LOW_BINS:]], -1)
        return whole * (gains @ self.spread), voice
