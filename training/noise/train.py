"""Trains the suppressor: `python -m training.noise.train --pack DIR --out DIR --minutes 90`.

Goes on from the checkpoint in `--out` where there is one; a checkpoint is written each few minutes. The learning rate
falls over `--minutes` of training, all runs together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from training.noise.bands import BIN_HZ, BINS, SPLIT_BIN
from training.noise.mixtures import Mixtures
from training.noise.network import FRAMES, Suppressor
from training.shared import intelligibility
from training.shared.dnsmos import HOP, Dnsmos
from training.shared.hearing import Hearing, compressed
from training.shared.trainer import Trainer, options_of
from training.shared.whisper_ear import WhisperEar

BATCH, SECONDS = 24, 3.0
RATIO_WEIGHT, HEARING_WEIGHT, MOVEMENT_WEIGHT = 0.01, 0.015, 0.02
TAUGHT_SHARE, TEACHER_WEIGHT = 0.35, 0.6  # of the batches; of the teacher's answer in their loss, beside the target's
# The bins that are judged, and what each counts: above 8 kHz every twelfth, since bands are wide there.
JUDGED = torch.cat([torch.arange(SPLIT_BIN + 1), torch.arange(SPLIT_BIN + 12, BINS, 12)])
WEIGHTS = torch.cat([torch.full((120,), 1.3), torch.full((121,), 0.9), torch.full((40,), 0.7)])

OPINION_PIECES = 6  # of a batch, of which DNSMOS is asked: more take too long
OPINION_SHARES = torch.tensor([0.25, 0.25, 0.5])  # of voice, background, whole
OPINION_DB = (-34.0, -20.0)  # how loud it hears them

EAR_PIECES = 10  # of a batch, which Whisper hears
EAR_SHARES = (0.15, 0.15, 0.2, 0.5)  # of its layers
EAR_WEIGHT = 0.13
EAR_DB = (5.0, 15.0)  # what the noise is turned down by at most when it listens

hearing = Hearing(SPLIT_BIN + 1, BIN_HZ)


def loss_of(clean: Tensor, estimate: Tensor, voice: Tensor, noisy: Tensor) -> Tensor:
    """Of compressed spectra, magnitudes and phases (Braun and Tashev 2021), more where speech is lost; and of voice.

    All at one level, so that a quiet call counts as a loud one.
    """
    power = (clean.real**2 + clean.imag**2).sum(-1)
    loudest = power.amax(1, keepdim=True)
    floor = (noisy.real**2 + noisy.imag**2).sum(-1).mean(1, keepdim=True) * 1e-3
    talking = ((power > loudest * 10**-3.5) & (power > floor)).float()
    scale = torch.rsqrt(torch.maximum(loudest, floor * 300) + 1e-9)[..., None]
    magnitude, target = compressed(clean * scale)
    made, found = compressed(estimate * scale)
    error = (made - magnitude) ** 2
    lost = torch.relu(magnitude - made) ** 2
    both = ((found - target) ** 2).sum(-1)
    spectral = ((0.7 * error + 0.4 * lost + 0.3 * both) * WEIGHTS).mean()
    heard = nn.functional.binary_cross_entropy_with_logits(voice, talking)
    spectral = spectral + HEARING_WEIGHT * heard_apart(clean, estimate, talking)
    return spectral + 0.004 * heard + RATIO_WEIGHT * noise_to_voice(clean, estimate)


def heard_apart(clean: Tensor, estimate: Tensor, talking: Tensor) -> Tensor:
    """By how many points of MOS, below 8 kHz, of what holds a voice."""
    there = talking.sum(1) > 20
    low = (x[there, :, : SPLIT_BIN + 1] for x in (clean, estimate))
    found = hearing.disturbance(*(x.real**2 + x.imag**2 for x in low), talking[there])
    return found.mean(1).sum() / len(talking)


def noise_to_voice(clean: Tensor, estimate: Tensor) -> Tensor:
    """How wrong the samples are, of powers below 8 kHz, in powers of ten: compressed spectra hardly ask it."""
    low = slice(0, SPLIT_BIN + 1)
    voice = FRAMES.synthesise(clean[..., low])
    wrong = (FRAMES.synthesise(estimate[..., low]) - voice).square().sum(1)
    power = voice.square().sum(1)
    there = power > 1e-4
    return torch.log10((wrong[there] + 1e-3 * power[there]) / power[there]).sum() / len(power)


def some_voices(clean: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Which pieces to ask a judge of, and how loud their voices are below 8 kHz, root mean square."""
    level = (clean[..., : SPLIT_BIN + 1].abs().square().sum(-1).mean(1) / 2).sqrt()
    there = torch.nonzero(level > 1e-4)[:, 0]
    there = there[torch.randperm(len(there))[:most]]
    return there, level[there]


def missed(opinion: Dnsmos, clean: Tensor, estimate: Tensor) -> Tensor:
    """By how many points of MOS the estimate is below the best, as DNSMOS P.835 has it, of some pieces with a voice.

    Each is heard at a level and from a sample of its own on, so that no answer helps that depends on them.
    """
    there, level = some_voices(clean, OPINION_PIECES)
    loud = 10 ** (torch.empty(len(there)).uniform_(*OPINION_DB) / 20)
    samples = FRAMES.synthesise(estimate[there, :, : SPLIT_BIN + 1]) * (loud / level)[:, None]
    begin = int(torch.randint(2 * HOP, 3 * HOP, ()))  # past what synthesis is late
    return ((5 - opinion(samples[:, begin:].clamp(-1, 1))) @ OPINION_SHARES).mean()


def misheard(ear: WhisperEar, clean: Tensor, estimate: Tensor, noisy: Tensor) -> Tensor:
    """How far what Whisper hears is from what it hears in the clean voice, with some of the noise left in."""
    there, _ = some_voices(clean, EAR_PIECES)
    kept = 10 ** (-torch.empty(len(there), 1, 1).uniform_(*EAR_DB) / 20)
    voice, cleaned, before = (x[there, :, : SPLIT_BIN + 1] for x in (clean, estimate, noisy))
    with torch.no_grad():
        wanted = ear(FRAMES.synthesise(voice))
    found = ear(FRAMES.synthesise(cleaned + kept * (before - cleaned)))
    errors = [((f - w) ** 2).mean() / ((w - w.mean((0, 1))) ** 2).mean() for f, w in zip(found, wanted, strict=True)]
    return torch.stack(errors) @ torch.tensor(EAR_SHARES)


class Distilled:
    """Batches of what `noise/distill.py` wrote: noisy, clean, and a teacher's answer."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._shards = [np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))]
        self._random = np.random.default_rng(seed)

    def batch(self, size: int) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            signals = torch.from_numpy(np.stack([self._clip() for _ in range(size)]))
            noisy, clean, taught = (FRAMES.analyse(signals[:, signal]) for signal in range(3))
        return noisy, clean, taught

    def _clip(self) -> NDArray[np.float32]:
        shard = self._shards[self._random.integers(len(self._shards))]
        gain = np.float32(10 ** (self._random.uniform(-12, 6) / 20))
        return shard[self._random.integers(len(shard))].astype(np.float32) * gain / np.float32(32768)


class Drawn(IterableDataset[tuple[Tensor, ...]]):
    """Batches without end, for a process of their own: to draw one takes half as long as to learn from it."""

    def __init__(self, pack: Path, distilled: Path | None, seed: int) -> None:
        self._pack, self._distilled, self._seed = pack, distilled, seed

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        torch.set_num_threads(1)
        source, random = Mixtures(self._pack, seconds=SECONDS, seed=self._seed), np.random.default_rng(self._seed)
        taught = Distilled(self._distilled, self._seed) if self._distilled else None
        while True:
            yield taught.batch(BATCH) if taught and random.random() < TAUGHT_SHARE else source.batch(BATCH)


class Loss:
    """Of a network and a batch; in training with what DNSMOS says, or Whisper hears, where their files are given."""

    def __init__(self, dnsmos: Path | None, opinion_weight: float, ear: Path | None) -> None:
        self._opinion, self._opinion_weight = Dnsmos(dnsmos) if dnsmos else None, opinion_weight
        self._ear = WhisperEar(ear) if ear else None

    def __call__(self, network: nn.Module, noisy: Tensor, clean: Tensor, taught: Tensor | None = None) -> Tensor:
        estimate, voice = network(noisy, JUDGED)
        found = loss_of(clean[..., JUDGED], estimate, voice, noisy)
        if taught is not None:
            found = found + TEACHER_WEIGHT * (loss_of(taught[..., JUDGED], estimate, voice, noisy) - found)
        if network.training:
            low = slice(0, SPLIT_BIN + 1)
            found = found + MOVEMENT_WEIGHT * intelligibility.lost(clean[..., low], estimate[..., low], BIN_HZ)
        if self._opinion and network.training:
            found = found + self._opinion_weight * missed(self._opinion, clean, estimate)
        if self._ear and network.training:
            found = found + EAR_WEIGHT * misheard(self._ear, clean, estimate, noisy)
        return found


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = options_of(__doc__)
    parser.add_argument("--pack", required=True, type=Path)
    parser.add_argument("--distilled", type=Path, help="what distill.py wrote")
    parser.add_argument("--dnsmos", type=Path, help="sig_bak_ovr.onnx of the PyPI package speechmos, for the loss")
    parser.add_argument("--opinion-weight", type=float, default=0.002)
    parser.add_argument("--ear", type=Path, help="model.bin of a Whisper model, for the loss")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    trainer = Trainer(Suppressor(), Loss(options.dnsmos, options.opinion_weight, options.ear), options)
    drawn = Drawn(options.pack, options.distilled, options.seed + trainer.step)
    held_out = Mixtures(options.pack, seconds=SECONDS, seed=7)
    trainer.run(
        iter(DataLoader(drawn, batch_size=None, num_workers=1, prefetch_factor=4)),
        [held_out.batch(BATCH) for _ in range(6)],
    )


if __name__ == "__main__":
    main()
