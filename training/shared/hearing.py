"""How far a listener hears one spectrum from another: the disturbance of ITU-T P.862, differentiable, of each frame.

After Martin-Donas et al., "A deep learning loss function based on the perceptual evaluation of the speech quality",
2018: P.862's model without its search for delays and without its filters in time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

STEP_BARK = 0.4
POWER = 0.23  # of loudness
SPEECH_DB = 79.0  # sound pressure level at which P.862 hears a voice
FIRST_HZ, LAST_HZ = 325.0, 3250.0  # where it measures that level


def bark_of(hz: np.ndarray) -> np.ndarray:
    """Schroeder's scale."""
    return 6 * np.arcsinh(hz / 600)


def audible(bands: Tensor, threshold: Tensor) -> Tensor:
    return torch.where(bands > threshold, bands, 0.0)


class Hearing:
    """A listener to spectra of `bins` bins from 0 on, `bin_hz` apart."""

    def __init__(self, bins: int, bin_hz: float) -> None:
        hz = np.arange(bins) * bin_hz
        low, high = bark_of(np.maximum(hz - bin_hz / 2, 0)), bark_of(hz + bin_hz / 2)
        edges = np.arange(0.5, high[-1], STEP_BARK)
        shared = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
        khz = 0.6 * np.sinh((edges[1:] + edges[:-1]) / 12)
        # The threshold in quiet (Terhardt 1979).
        threshold_db = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
        self._shares = torch.from_numpy((np.maximum(shared, 0) / (high - low)[:, None]).astype(np.float32))
        self._threshold = torch.from_numpy((10 ** (threshold_db / 10)).astype(np.float32))
        self._voice = torch.from_numpy(((hz > FIRST_HZ) & (hz < LAST_HZ)).astype(np.float32))
        self._width = STEP_BARK * len(khz)

    def disturbance(self, clean: Tensor, estimate: Tensor, active: Tensor) -> Tensor:
        """Of powers (batch, frames, bins): (batch, frames), by so much P.862's MOS falls.

        `active` (batch, frames) is 1 in frames with voice.
        """
        reference, heard = self._bands(clean, active), self._bands(estimate, active)
        # A listener gets used to a colour, which the reference takes, and to slow changes of level.
        colour = (self._usual(heard, active) + 1e3) / (self._usual(reference, active) + 1e3)
        reference = reference * colour.clamp(0.01, 100)[:, None]
        total = audible(reference, self._threshold).sum(-1)
        level = (total + 5e3) / (audible(heard, self._threshold).sum(-1) + 5e3)
        level = torch.cat([level[:, :1], 0.8 * level[:, 1:] + 0.2 * level[:, :-1]], 1).clamp(3e-4, 5.0)
        heard = heard * level[..., None]
        one, other = self._loudness(reference), self._loudness(heard)
        difference = torch.relu((other - one).abs() - 0.25 * torch.minimum(one, other))
        added = ((heard.detach() + 50) / (reference.detach() + 50)) ** 1.2
        added = torch.where(added < 3, 0.0, added).clamp(max=12)  # what is new is worse than what is missing
        either = torch.sqrt(difference.square().mean(-1) + 1e-6) * self._width
        new = (difference * added).mean(-1) * self._width
        loud = ((total + 1e5) / 1e7) ** 0.04
        return 0.1 * (either / loud).clamp(max=45) + 0.0309 * (new / loud).clamp(max=45)

    def _bands(self, power: Tensor, active: Tensor) -> Tensor:
        """Powers of bands, as loud in P.862's band as it plays every recording."""
        mean = ((power @ self._voice) * active).sum(1) / active.sum(1).clamp(min=1)
        return (power @ self._shares) * (10 ** (SPEECH_DB / 10) / (mean + 1e-12))[:, None, None]

    def _usual(self, bands: Tensor, active: Tensor) -> Tensor:
        return (audible(bands, 100 * self._threshold) * active[..., None]).mean(1)

    def _loudness(self, bands: Tensor) -> Tensor:
        """Sones for each Bark (Zwicker)."""
        shape = 0.187 * (self._threshold / 0.5) ** POWER
        return shape * ((0.5 + 0.5 * bands / self._threshold) ** POWER - 1)


def compressed(x: Tensor) -> tuple[Tensor, Tensor]:
    magnitude = torch.sqrt(x.real**2 + x.imag**2 + 1e-10)
    power = magnitude**0.3
    return power, torch.view_as_real(x) * (power / magnitude)[..., None]
