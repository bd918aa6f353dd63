"""The suppressor's network as it is trained."""

from __future__ import annotations

import torch
from torch import Tensor
from training.noise.bands import BANDS, LOW_BANDS, LOW_BINS, filterbank
from training.shared.frames import Frames
from training.shared.mask_network import FLOOR, MaskNetwork, phase_advance, running_mean, shifted

FRAMES = Frames(hop=480, window=1440)  # samples at 48 kHz: 10 ms, 30 ms
INPUTS = 2 * BANDS + 3 * LOW_BINS
HIDDEN = 320
TAPS = 2  # frames that a low bin is made from: its own, the one before


class Suppressor(MaskNetwork):
    """Hears a frame and answers for it."""

    def __init__(self) -> None:
        super().__init__(INPUTS, BANDS, LOW_BINS, TAPS, HIDDEN)
        self.register_buffer("shares", torch.from_numpy(filterbank()), persistent=False)
        self.register_buffer("turns", FRAMES.turns(LOW_BINS), persistent=False)

    def features(self, spectrum: Tensor) -> Tensor:
        """Levels of bands against their second, bands and low bins against the whole, phase advance of low bins."""
        power = spectrum.real**2 + spectrum.imag**2
        band_db = 10 * torch.log10(power @ (self.shares / self.shares.sum(0)) + FLOOR)
        mean_db = running_mean(band_db)
        whole_db = mean_db[..., :LOW_BANDS].mean(-1, keepdim=True)
        low, low_power = spectrum[..., :LOW_BINS], power[..., :LOW_BINS]
        bins_db = 10 * torch.log10(low_power + FLOOR)
        advance = phase_advance(low, self.turns)
        levels = [(band_db - mean_db) / 15, (band_db - whole_db) / 20, (bins_db - whole_db) / 20]
        return torch.cat([torch.cat(levels, -1).clamp(-4, 4), advance.real, advance.imag], -1)

    def forward(self, spectrum: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The cleaned spectrum, all bins or those `kept`, and logits of voice (batch, frames)."""
        gains, taps, voice = self.answers(self.features(spectrum))
        kept = torch.arange(spectrum.shape[-1]) if kept is None else kept
        low = spectrum[..., :LOW_BINS]
        refined = low + low * taps[..., 0, :] + shifted(low) * taps[..., 1, :]
        whole = torch.cat([refined, spectrum[..., kept[LOW_BINS:]]], -1)
        return whole * (gains @ self.shares[kept].T), voice
