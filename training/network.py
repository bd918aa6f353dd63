"""The suppressor's network as it is trained; `cpp/dsp/neural` runs the same, one frame at a time."""

from __future__ import annotations

import torch
from bands import BANDS, LOW_BANDS, LOW_BINS, filterbank
from frames import Frames
from recurrence import recurrent
from torch import Tensor, nn

FRAMES = Frames(hop=480, window=1440)  # samples at 48 kHz: 10 ms, 30 ms
INPUTS = 2 * BANDS + 3 * LOW_BINS
HIDDEN = 240
TAPS = 2  # frames that a low bin is made from: its own, the one before
KEEP = 0.99  # of a running level from frame to frame: one second
FLOOR = 1e-10


def shifted(x: Tensor, frames: int = 1) -> Tensor:
    """Later by some frames; zeros come in."""
    return torch.cat([torch.zeros_like(x[:, :frames]), x[:, :-frames]], 1)


def phase_advance(low: Tensor, turns: Tensor) -> Tensor:
    """How far each bin's phase moved in a hop, less `turns`: what a steady sine in the middle of its bin turns."""
    before = shifted(low)
    power, past_power = (x.real**2 + x.imag**2 for x in (low, before))
    return low * before.conj() / torch.sqrt(power * past_power + FLOOR**2) * turns


def running_mean(x: Tensor) -> Tensor:
    """Exponential over frames, starting at the first: a product with a triangle of powers, block by block."""
    state, steps = x[:, 0], torch.arange(100)
    triangle = torch.tril((1 - KEEP) * KEEP ** (steps[:, None] - steps[None, :]).clamp(min=0).float())
    decay = KEEP ** (steps + 1).float()
    parts = []
    for piece in x.split(100, 1):
        n = piece.shape[1]
        parts.append(triangle[:n, :n] @ piece + decay[:n, None] * state[:, None])
        state = parts[-1][:, -1]
    return torch.cat(parts, 1)


class MaskNetwork(nn.Module):
    """What the networks of this package share; the core looks for `inputs`, `first`, `second` and the three heads.

    It answers with gains of bands, with complex filters of `taps` for low bins, and with the chance of a voice.
    """

    def __init__(self, inputs: int, bands: int, low_bins: int, taps: int) -> None:
        super().__init__()
        self._shape = 2, taps, low_bins
        self.inputs = nn.Linear(inputs, HIDDEN)
        self.first = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.second = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.gains = nn.Linear(HIDDEN, bands)
        self.filters = nn.Linear(HIDDEN, 2 * taps * low_bins)
        self.voice = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.filters.weight)
        nn.init.zeros_(self.filters.bias)
        nn.init.constant_(self.gains.bias, 1.0)

    def answers(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gains 0 to 1, filters (batch, frames, taps, low bins), logits of voice (batch, frames)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):  # a fifth less time
            x = torch.relu(self.inputs(features))
            first = recurrent(self.first, x)
            second = recurrent(self.second, first)
            x = first + second
            gains, filters, voice = self.gains(x), self.filters(x), self.voice(x)
        real, imag = torch.tanh(filters.float()).unflatten(-1, self._shape).unbind(-3)
        return torch.sigmoid(gains.float()), torch.complex(real, imag), voice.float()[..., 0]


class Suppressor(MaskNetwork):
    """Hears a frame and answers for it."""

    def __init__(self) -> None:
        super().__init__(INPUTS, BANDS, LOW_BINS, TAPS)
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
