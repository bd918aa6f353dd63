"""What both networks share as they are trained; `cpp/dsp/neural` runs the same, one frame at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from training.shared.recurrence import recurrent

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

    def __init__(self, inputs: int, bands: int, low_bins: int, taps: int, hidden: int) -> None:
        super().__init__()
        self._shape = 2, taps, low_bins
        self.inputs = nn.Linear(inputs, hidden)
        self.first = nn.GRU(hidden, hidden, batch_first=True)
        self.second = nn.GRU(hidden, hidden, batch_first=True)
        self.gains = nn.Linear(hidden, bands)
        self.filters = nn.Linear(hidden, 2 * taps * low_bins)
        self.voice = nn.Linear(hidden, 1)
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
