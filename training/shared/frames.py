"""Samples to spectra and back, in overlapping windows: as `cpp/dsp` does, one frame at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Frames:
    """Windows of `window` samples, `hop` apart; both sides take the square root of a Hann window."""

    def __init__(self, hop: int, window: int) -> None:
        self.hop, self.window = hop, window
        self.bins = window // 2 + 1
        self._shape = torch.sqrt(torch.hann_window(window))

    def turns(self, bins: int) -> Tensor:
        """What undoes the turn of a steady sine in the middle of each of the first bins from frame to frame."""
        return torch.exp(-2j * torch.pi * self.hop / self.window * torch.arange(bins))

    def analyse(self, samples: Tensor) -> Tensor:
        """(batch, samples) to (batch, frames, bins), a sine of amplitude 1 near 1; frame k ends at hop * (k + 1)."""
        padded = nn.functional.pad(samples, (self.window - self.hop, 0))
        spectrum = torch.stft(padded, self.window, self.hop, window=self._shape, center=False, return_complex=True)
        return spectrum.transpose(1, 2) * (2 / self.window)

    def synthesise(self, spectrum: Tensor) -> Tensor:
        """Back to samples, window - hop later than `analyse` took them in; of the lower bins alone, at a lower rate."""
        if spectrum.shape[-1] < self.bins:
            window = 2 * (spectrum.shape[-1] - 1)
            return Frames(window * self.hop // self.window, window).synthesise(spectrum)
        frames = torch.fft.irfft(spectrum * self.hop, self.window) * self._shape
        batch, count, _ = frames.shape
        out = torch.zeros(batch, count * self.hop + self.window - self.hop)
        for begin in range(0, self.window, self.hop):
            out[:, begin : begin + count * self.hop] += frames[..., begin : begin + self.hop].reshape(batch, -1)
        return out[:, : count * self.hop]
