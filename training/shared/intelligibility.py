"""How much of the movement of a voice is lost, differentiable.

After C. H. Taal, R. C. Hendriks, R. Heusdens and J. Jensen, "An algorithm for intelligibility prediction of
time-frequency weighted noisy speech", IEEE Transactions on Audio, Speech, and Language Processing 19 (2011), on frames
of 10 ms.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

FRAMES, STEP = 38, 8  # a segment is 380 ms long
LOWEST_HZ, BANDS = 150.0, 15  # third octaves
CLIPPED_AT = 10 ** (15 / 20)  # of an envelope that is too loud
AUDIBLE = 1e-4  # of the loudest frame's power: what is softer is silence


@cache
def _bands(bins: int, bin_hz: float) -> Tensor:
    centres_hz = LOWEST_HZ * 2 ** (np.arange(BANDS) / 3)
    hz = np.arange(bins) * bin_hz
    chosen = (hz >= centres_hz[:, None] * 2 ** (-1 / 6)) & (hz < centres_hz[:, None] * 2 ** (1 / 6))
    chosen[np.arange(BANDS), np.round(centres_hz / bin_hz).astype(int)] = True
    return torch.from_numpy(chosen.astype(np.float32))


def lost(clean: Tensor, estimate: Tensor, bin_hz: float) -> Tensor:
    """One minus the correlation of both envelopes; spectra of shape ``(batch, frames, bins)``."""
    bands = _bands(clean.shape[-1], bin_hz)
    x, y = (((s.real**2 + s.imag**2) @ bands.T + 1e-12).sqrt().unfold(1, FRAMES, STEP) for s in (clean, estimate))
    power = (clean.real**2 + clean.imag**2).sum(-1)
    heard = power > AUDIBLE * power.amax(1, keepdim=True).clamp(min=1e-8)
    there = heard.float().unfold(1, FRAMES, STEP)
    weight = (there.mean(-1) > 0.3).float()
    y = y * (x.norm(dim=-1, keepdim=True) / y.norm(dim=-1, keepdim=True).clamp(min=1e-6))
    y = torch.minimum(y, (1 + CLIPPED_AT) * x)
    x, y = ((s - s.mean(-1, keepdim=True)) for s in (x, y))
    alike = (x * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1)).clamp(min=1e-9)
    return ((1 - alike.mean(-1)) * weight).sum() / weight.sum().clamp(min=1)
