"""What makes of one sound many, in the judge's own features: other mouths, paces, rooms, microphones and noises.

Levels are in twentieths of a decibel against the loudest moment, as `duplex/voice_shape.py` has them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BANDS = 24
_DB = 1 / 20


@torch.no_grad()
def disturbed(random: np.random.Generator, heard: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A batch of shape ``(sounds, frames, 26)`` and its labels, each sound in a way of its own.

    In four of five batches a little; in the others so much that more is lost than a room and a line take.
    """
    return (_a_little if random.random() < 0.8 else _much)(random, heard, labels)


def _a_little(random: np.random.Generator, heard: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Said by others, elsewhere, at another pace: bands moved up or down and tilted, frames left out or repeated."""
    count, frames, _ = heard.shape
    bands = _moved(random, heard[:, :, :BANDS], 0.1, 0.7)
    axis = torch.linspace(-1, 1, BANDS)
    tilt, bend = (torch.from_numpy(random.normal(0, 0.15, (count, 1)).astype(np.float32)) for _ in range(2))
    heard = torch.cat([bands + (tilt * axis + bend * (axis**2 - 0.33))[:, None], heard[:, :, BANDS:]], 2)
    paced = np.arange(0, frames - 1, np.exp(random.uniform(-0.2, 0.2))).astype(int)
    return heard[:, paced] + 0.05 * torch.randn(count, len(paced), BANDS + 2), labels[:, paced]


def _much(random: np.random.Generator, heard: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    heard, labels = _paced(random, heard, labels)
    bands, rest = heard[:, :, :BANDS], heard[:, :, BANDS:]
    bands = _smeared(random, _coloured(random, _moved(random, bands, 0.08, 0.6)))
    bands = _hidden(random, _in_noise(random, bands))
    rest = torch.cat([rest[:, :, :1], rest[:, :, 1:] * _drawn(random, len(heard), 0.75, 1.0)], 2)
    heard = torch.cat([bands, rest], 2)
    return heard + 0.05 * torch.randn(heard.shape), labels


def _drawn(random: np.random.Generator, count: int, least: float, most: float) -> Tensor:
    return torch.from_numpy(random.uniform(least, most, (count, 1, 1)).astype(np.float32))


def _paced(random: np.random.Generator, heard: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Said faster or slower by up to a fifth, and unevenly: frames left out or repeated."""
    count, frames, _ = heard.shape
    knots = random.normal(0, 0.1, (count, frames // 8 + 2)).repeat(8, axis=1)[:, :frames]
    pace = np.exp(random.uniform(-0.18, 0.18, (count, 1)) + knots)
    at = torch.from_numpy(np.minimum(np.cumsum(pace, axis=1) - pace, frames - 1).astype(np.int64))
    return heard.gather(1, at[:, :, None].expand(-1, -1, heard.shape[2])), labels.gather(1, at)


def _moved(random: np.random.Generator, bands: Tensor, most: float, most_bands: float) -> Tensor:
    """The bands moved up or down: longer and shorter vocal tracts."""
    count, frames, _ = bands.shape
    stretch, shift = (
        np.exp(random.uniform(-most, most, (count, 1))),
        random.uniform(-most_bands, most_bands, (count, 1)),
    )
    at = np.clip(np.arange(BANDS) * stretch + shift, 0, BANDS - 1.001)
    places = torch.from_numpy(at.astype(np.float32))[:, None].expand(-1, frames, -1)
    below, share = places.long(), places - places.floor()
    return (1 - share) * bands.gather(2, below) + share * bands.gather(2, below + 1)


def _coloured(random: np.random.Generator, bands: Tensor) -> Tensor:
    """Smooth frequency responses, and more or less between loud and quiet."""
    shapes = np.cos(np.pi * np.outer(np.arange(1, 5), (np.arange(BANDS) + 0.5) / BANDS))
    curves = random.normal(0, [3 * _DB, 2 * _DB, 1.5 * _DB, 1 * _DB], (len(bands), 4)) @ shapes
    colour = torch.from_numpy(curves.astype(np.float32))[:, None]
    return 1 + (bands - 1) * _drawn(random, len(bands), 0.9, 1.1) + colour


def _smeared(random: np.random.Generator, bands: Tensor) -> Tensor:
    """In three of ten cases a room: what has sounded dies away by 1.5 to 8 dB a frame, from 4 to 20 dB below it on."""
    fall = _drawn(random, len(bands), 1.5 * _DB, 8 * _DB)[:, 0]
    below = _drawn(random, len(bands), 4 * _DB, 20 * _DB)[:, 0]
    dry = random.random((len(bands), 1)) >= 0.3
    below = below + torch.from_numpy(np.where(dry, 99, 0).astype(np.float32))
    tail, frames = torch.full_like(bands[:, 0], -99.0), []
    for frame in bands.unbind(1):
        frames.append(torch.maximum(frame, tail - below))
        tail = torch.maximum(frame, tail - fall)
    return torch.stack(frames, 1)


def _in_noise(random: np.random.Generator, bands: Tensor) -> Tensor:
    """In half of all cases noise fills what is quieter than it, 24 to 60 dB below the loudest moment."""
    count = len(bands)
    slope = random.normal(0, 6 * _DB, (count, 1)) * np.linspace(-1, 1, BANDS)
    level = 1 - 3 * np.where(random.random((count, 1)) < 0.5, random.uniform(0.4, 1, (count, 1)), 9)
    noise = torch.from_numpy((level + slope).astype(np.float32))[:, None] + 2 * _DB * torch.randn(bands.shape)
    scale = 2.302585  # 20 dB are a hundredfold power: log10 of it, halved
    return torch.logaddexp(2 * scale * bands, 2 * scale * noise) / (2 * scale)


def _hidden(random: np.random.Generator, bands: Tensor) -> Tensor:
    """In two of ten cases a few neighbouring bands say nothing (SpecAugment: D. S. Park et al. 2019)."""
    first, wide = random.integers(0, BANDS, (len(bands), 1)), random.integers(1, 4, (len(bands), 1))
    wide = np.where(random.random((len(bands), 1)) < 0.2, wide, 0)
    at = np.arange(BANDS)
    hidden = torch.from_numpy((at >= first) & (at < first + wide))[:, None].expand(-1, bands.shape[1], -1)
    return torch.where(hidden, bands.amin(2, keepdim=True).expand(-1, -1, BANDS), bands)
