"""Trains the suppressor: `python training/train.py --pack DIR --out DIR --minutes 90`.

Goes on from the checkpoint in `--out` where there is one; a checkpoint is written each few minutes. The learning rate
falls over `--minutes` of training, all runs together.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from bands import BIN_HZ, BINS, SPLIT_BIN
from hearing import Hearing
from mixtures import Mixtures
from network import Suppressor, synthesise
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

BATCH, SECONDS = 24, 3.0
PEAK_RATE, LEAST_RATE, WARM_STEPS = 1e-3, 1e-5, 150
MATRIX_RATE = 1.7  # of that rate, for matrices under Muon
CHECKPOINT_STEPS = 100
RATIO_WEIGHT, HEARING_WEIGHT = 0.01, 0.01
# The bins that are judged, and what each counts: above 8 kHz every twelfth, since bands are wide there.
JUDGED = torch.cat([torch.arange(SPLIT_BIN + 1), torch.arange(SPLIT_BIN + 12, BINS, 12)])
WEIGHTS = torch.cat([torch.full((120,), 1.3), torch.full((121,), 0.9), torch.full((40,), 0.7)])

hearing = Hearing(SPLIT_BIN + 1, BIN_HZ)

log = logging.getLogger("train")


def compressed(x: Tensor) -> tuple[Tensor, Tensor]:
    magnitude = torch.sqrt(x.real**2 + x.imag**2 + 1e-10)
    power = magnitude**0.3
    return power, torch.view_as_real(x) * (power / magnitude)[..., None]


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
    voice = synthesise(clean[..., low])
    wrong = (synthesise(estimate[..., low]) - voice).square().sum(1)
    power = voice.square().sum(1)
    there = power > 1e-4
    return torch.log10((wrong[there] + 1e-3 * power[there]) / power[there]).sum() / len(power)


class Drawn(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches without end, for a process of their own: to draw one takes half as long as to learn from it."""

    def __init__(self, pack: Path, seed: int) -> None:
        self._pack, self._seed = pack, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        torch.set_num_threads(1)
        source = Mixtures(self._pack, seconds=SECONDS, seed=self._seed)
        while True:
            yield source.batch(BATCH)


@dataclass
class Schedule:
    """How far training has come, in time spent rather than in steps: machines differ."""

    seconds: float
    peak: float
    spent: float = 0.0

    def rate(self, step: int) -> float:
        done = min(1.0, self.spent / self.seconds)
        return min(1.0, (step + 1) / WARM_STEPS) * (
            LEAST_RATE + (self.peak - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * done))
        )


def optimisers_of(network: nn.Module) -> list[tuple[torch.optim.Optimizer, float]]:
    """Each with what its learning rate is of the others'.

    Muon (Jordan et al. 2024) for matrices: its orthogonal steps came further here in the same time than Adam's.
    """
    matrices = [p for p in network.parameters() if p.ndim == 2 and len(p) > 1]
    others = [p for p in network.parameters() if p.ndim != 2 or len(p) == 1]
    muon = torch.optim.Muon(matrices, lr=PEAK_RATE, weight_decay=1e-3, adjust_lr_fn="match_rms_adamw")
    return [(muon, MATRIX_RATE), (torch.optim.AdamW(others, lr=PEAK_RATE, weight_decay=1e-4), 1.0)]


class Trainer:
    """A model, its average, its optimiser, and where they are kept."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.model = Suppressor()
        self.averaged = torch.optim.swa_utils.AveragedModel(
            self.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(options.average)
        )
        self.averaged.eval()
        self.optimisers = optimisers_of(self.model)
        self.schedule = Schedule(options.minutes * 60, options.rate)
        self.step = 0
        self._file: Path = options.out / "checkpoint.pt"
        if options.begin_with and not self._file.exists():
            begun = torch.load(options.begin_with, weights_only=True)["averaged"]
            self.averaged.load_state_dict(begun)
            self.model.load_state_dict(self.averaged.module.state_dict())
        if self._file.exists():
            saved = torch.load(self._file, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.averaged.load_state_dict(saved["averaged"])
            if "optimisers" in saved:
                for (optimiser, _), state in zip(self.optimisers, saved["optimisers"], strict=True):
                    optimiser.load_state_dict(state)
            self.step, self.schedule.spent = saved["step"], saved["spent"]
        drawn = Drawn(options.pack, options.seed + self.step)
        self._batches = iter(DataLoader(drawn, batch_size=None, num_workers=1, prefetch_factor=4))
        judge = Mixtures(options.pack, seconds=SECONDS, seed=7)
        self._judged = [judge.batch(BATCH) for _ in range(6)]

    def loss(self, model: nn.Module, noisy: Tensor, clean: Tensor) -> Tensor:
        estimate, voice = model(noisy, JUDGED)
        return loss_of(clean[..., JUDGED], estimate, voice, noisy)

    def advance(self) -> float:
        for optimiser, factor in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = factor * self.schedule.rate(self.step)
        loss = self.loss(self.model, *next(self._batches))
        self.model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser, _ in self.optimisers:
            optimiser.step()
        self.averaged.update_parameters(self.model)
        self.step += 1
        return float(loss.detach())

    def judge(self) -> float:
        """Of the average of the weights, on mixtures that are the same each time."""
        with torch.no_grad():
            losses = [float(self.loss(self.averaged.module, *pair)) for pair in self._judged]
        return sum(losses) / len(losses)

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "averaged": self.averaged.state_dict(), "step": self.step}
        state |= {"optimisers": [o.state_dict() for o, _ in self.optimisers], "spent": self.schedule.spent}
        torch.save(state, self._file.with_suffix(".new"))
        os.replace(self._file.with_suffix(".new"), self._file)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--begin-with", type=Path, help="a checkpoint whose averaged weights a new run starts from")
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--average", type=float, default=0.997, help="share of the averaged weights kept at a step")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parsed()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    log.info("%d parameters, step %d", parameters, trainer.step)
    running, begun = None, time.monotonic() - trainer.schedule.spent
    while trainer.schedule.spent < trainer.schedule.seconds:
        loss = trainer.advance()
        running = loss if running is None else running + 0.03 * (loss - running)
        trainer.schedule.spent = time.monotonic() - begun
        if trainer.step % CHECKPOINT_STEPS == 0:
            hours = trainer.step * BATCH * SECONDS / 3600
            line = {"step": trainer.step, "minutes": round(trainer.schedule.spent / 60, 1), "hours": round(hours, 1)}
            line |= {"train": round(running, 5), "judged": round(trainer.judge(), 5)}
            trainer.save()
            with (options.out / "log.jsonl").open("a") as out:
                out.write(json.dumps(line) + "\n")
            log.info("%s", line)
    trainer.save()


if __name__ == "__main__":
    main()
