"""Trains the echo mask: `python training/echo_train.py --clips CLIPS --held-out HELD --out RUN --minutes 90`.

Both folders are what `echo_clips.py` writes, the second with `--held-out`. What the linear stage left of an echo is
heard with the near end of its own clip or with another clip's. The learning rate follows the time spent; a run goes on
from the checkpoint in `--out`.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from pathlib import Path

import numpy as np
import torch
from echo_network import BINS, HOP, EchoMask, analyse, power, synthesise
from hearing import Hearing
from torch import Tensor, nn
from train import PEAK_RATE, Schedule, compressed, optimisers_of

RATE_HZ = 16000
BATCH, SAMPLES = 24, 3 * RATE_HZ
CHECKPOINT_STEPS = 100
RATIO_WEIGHT, HEARING_WEIGHT, VOICE_WEIGHT = 0.01, 0.01, 0.01
LOST, LEFT = (1.4, 0.8), (0.8, 1.6)  # weights of what is lost and what is left, while the near end talks and not
MICROPHONE, ERROR, ECHO, FAR, TARGET, NEAR = range(6)
WEIGHTS = torch.cat([torch.full((81,), 1.3), torch.full((BINS - 81,), 0.9)])
hearing = Hearing(BINS, RATE_HZ / 2 / (BINS - 1))

log = logging.getLogger("train")


class Clips:
    """Those of a folder, drawn with their own near end or another's."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._shards = [
            np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy")) if ".tmp" not in file.name
        ]
        self._random = np.random.default_rng(seed)

    def batch(self) -> Tensor:
        """(BATCH, 6, SAMPLES)."""
        return torch.from_numpy(np.stack([self._mixed() for _ in range(BATCH)]))

    def _drawn(self, *, from_begin: bool) -> np.ndarray:
        shard = self._shards[self._random.integers(len(self._shards))]
        clip = shard[self._random.integers(len(shard))]
        begin = 0 if from_begin else int(self._random.integers(0, clip.shape[1] - SAMPLES))
        return clip[:, begin : begin + SAMPLES].astype(np.float32) / 32768

    def _mixed(self) -> np.ndarray:
        signals = self._drawn(from_begin=self._random.random() < 0.4)
        talks = signals[NEAR].any()
        if self._random.random() < (0.6 if talks else 0.25):
            other = self._drawn(from_begin=False)[NEAR]
            level, echo = np.sqrt(np.mean(other**2)), np.sqrt(np.mean((signals[MICROPHONE] - signals[TARGET]) ** 2))
            if level > 1e-4 and echo > 1e-4:
                other = other * (echo / level * 10 ** (self._random.uniform(-14, 12) / 20))
                for signal in (MICROPHONE, ERROR, TARGET):
                    signals[signal] += other - signals[NEAR]
                signals[NEAR] = other
        gain = 10 ** (self._random.uniform(-12, 6) / 20)
        return np.clip(signals * np.float32(min(gain, 0.99 / (np.abs(signals).max() + 1e-6))), -1, 1)


def loss_of(network: EchoMask, signals: Tensor) -> Tensor:
    """Of compressed spectra (Braun and Tashev 2021), of samples, and of what a listener hears."""
    microphone, error, echo, far, target, near = (analyse(signals[:, signal]) for signal in range(6))
    estimate, voice = network(microphone, error, echo, far)
    near_power = power(near).sum(-1)
    talking = ((near_power > near_power.amax(1, keepdim=True) * 10**-3.5) & (near_power > 4e-9)).float()
    loudest = power(target).sum(-1).amax(1, keepdim=True)
    floor = power(microphone).sum(-1).mean(1, keepdim=True) * 1e-3
    scale = torch.rsqrt(torch.maximum(loudest, floor * 300) + 1e-9)[..., None]
    magnitude, wanted = compressed(target * scale)
    made, found = compressed(estimate * scale)
    difference, talks = made - magnitude, talking[..., None]
    lost, left = torch.relu(-difference) ** 2, torch.relu(difference) ** 2
    spectral = lost * (LOST[1] + (LOST[0] - LOST[1]) * talks) + left * (LEFT[1] + (LEFT[0] - LEFT[1]) * talks)
    spectral = ((spectral + 0.3 * ((found - wanted) ** 2).sum(-1)) * WEIGHTS).mean()
    there = talking.sum(1) > 30
    voiced = near_power[there].sum(1), target[there], estimate[there], talking[there]
    heard = nn.functional.binary_cross_entropy_with_logits(voice, talking)
    return (
        spectral
        + VOICE_WEIGHT * heard
        + RATIO_WEIGHT * left_to_voice(*voiced[:3]).sum() / BATCH
        + HEARING_WEIGHT * hearing.disturbance(power(voiced[1]), power(voiced[2]), voiced[3]).mean(1).sum() / BATCH
    )


def left_to_voice(near_power: Tensor, target: Tensor, estimate: Tensor) -> Tensor:
    """How wrong the samples are against the near end's power, in powers of ten."""
    wrong = synthesise(estimate - target).square().sum(1)
    voice = near_power * HOP  # of its samples
    return torch.log10((wrong + 1e-3 * voice) / (voice + 1e-9))


class Trainer:
    """A network, its average, its optimisers, and where they are kept."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.network = EchoMask()
        averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.997)
        self.averaged = torch.optim.swa_utils.AveragedModel(self.network, multi_avg_fn=averaging)
        self.averaged.eval()
        self.optimisers = optimisers_of(self.network)
        self.schedule = Schedule(options.minutes * 60, options.rate)
        self.step, self._file = 0, options.out / "checkpoint.pt"
        begun = self._file if self._file.exists() else options.begin_with
        if begun:
            saved = torch.load(begun, weights_only=True)
            self.averaged.load_state_dict(saved["averaged"])
            self.network.load_state_dict(saved["network"])
        if self._file.exists():
            for (optimiser, _), state in zip(self.optimisers, saved["optimisers"], strict=True):
                optimiser.load_state_dict(state)
            self.step, self.schedule.spent = saved["step"], saved["spent"]
        self._clips = Clips(options.clips, self.step + 1)
        held_out = Clips(options.held_out, 7)
        self._held_out = [held_out.batch() for _ in range(5)]

    def advance(self) -> float:
        for optimiser, factor in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = factor * self.schedule.rate(self.step)
        loss = loss_of(self.network, self._clips.batch())
        self.network.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser, _ in self.optimisers:
            optimiser.step()
        self.averaged.update_parameters(self.network)
        self.step += 1
        return float(loss.detach())

    def judge(self) -> float:
        with torch.no_grad():
            return float(np.mean([float(loss_of(self.averaged.module, batch)) for batch in self._held_out]))

    def save(self) -> None:
        state = {"network": self.network.state_dict(), "averaged": self.averaged.state_dict(), "step": self.step}
        state |= {"optimisers": [o.state_dict() for o, _ in self.optimisers], "spent": self.schedule.spent}
        torch.save(state, self._file.with_suffix(".new"))
        os.replace(self._file.with_suffix(".new"), self._file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", required=True, type=Path)
    parser.add_argument("--held-out", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the highest learning rate")
    parser.add_argument("--begin-with", type=Path, help="a checkpoint to go on from")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    options.out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(options)
    log.info("%d parameters, step %d", sum(p.numel() for p in trainer.network.parameters()), trainer.step)
    running, begun = None, time.monotonic() - trainer.schedule.spent
    while trainer.schedule.spent < trainer.schedule.seconds:
        loss = trainer.advance()
        running = loss if running is None else running + 0.03 * (loss - running)
        trainer.schedule.spent = time.monotonic() - begun
        if trainer.step % CHECKPOINT_STEPS == 0:
            line = {"step": trainer.step, "minutes": round(trainer.schedule.spent / 60, 1)}
            line |= {"train": round(running, 5), "held_out": round(trainer.judge(), 5)}
            trainer.save()
            with (options.out / "log.jsonl").open("a") as out:
                out.write(json.dumps(line) + "\n")
            log.info("%s", line)
    trainer.save()


if __name__ == "__main__":
    main()
