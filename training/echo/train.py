"""Trains the echo mask: `python -m training.echo.train --clips CLIPS --held-out HELD --out RUN --minutes 90`.

Both folders are what `echo/clips.py` writes, the second with `--held-out`. What the linear stage left of an echo is
heard with the near end of its own clip or with another clip's. The learning rate follows the time spent; a run goes on
from the checkpoint in `--out`.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from training.echo.aecmos import Aecmos
from training.echo.clips import linear_stage
from training.echo.network import BINS, FRAMES, EchoMask, power
from training.shared.hearing import Hearing, compressed
from training.shared.trainer import Trainer, options_of

RATE_HZ = 16000
BATCH, SAMPLES = 24, 3 * RATE_HZ
RATIO_WEIGHT, HEARING_WEIGHT, VOICE_WEIGHT, JUDGE_WEIGHT = 0.01, 0.01, 0.01, 0.02
JUDGED, STEEPEST = 8, 200.0  # pieces of a batch; MOS lost as a piece changes, of its size
LOST, LEFT = (1.4, 0.8), (0.8, 1.6)  # weights of what is lost and what is left, while the near end talks and not
HEADPHONES = 0.12  # of the pieces in which both ends are heard: there is no echo, or hardly any
MICROPHONE, ERROR, ECHO, FAR, TARGET, NEAR = range(6)
WEIGHTS = torch.cat([torch.full((81,), 1.3), torch.full((BINS - 81,), 0.9)])
hearing = Hearing(BINS, RATE_HZ / 2 / (BINS - 1))


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
        if signals[NEAR].any() and signals[FAR].any() and self._random.random() < HEADPHONES:
            signals = self._with_headphones(signals)
        gain = 10 ** (self._random.uniform(-12, 6) / 20)
        return np.clip(signals * np.float32(min(gain, 0.99 / (np.abs(signals).max() + 1e-6))), -1, 1)

    def _with_headphones(self, signals: np.ndarray) -> np.ndarray:
        """The near end begins soon after the far end, most of whose echo is taken away, at a cold start."""
        begin, fade = int(self._random.uniform(0, 0.8) * RATE_HZ), RATE_HZ // 100
        near = signals[NEAR] * np.clip((np.arange(SAMPLES, dtype=np.float32) - begin) / fade, 0, 1)
        target = signals[TARGET] - signals[NEAR] + near
        kept = np.float32(10 ** (self._random.uniform(-50, -25) / 20) * (self._random.random() < 0.5))
        microphone = target + kept * (signals[MICROPHONE] - signals[TARGET])
        error, echo, _ = linear_stage(microphone, signals[FAR])
        return np.stack([microphone, error, echo, signals[FAR], target, near])


def loss_of(network: EchoMask, signals: Tensor, judge: Aecmos | None = None) -> Tensor:
    """Of compressed spectra (Braun and Tashev 2021), of samples, of what a listener hears and what a judge misses."""
    microphone, error, echo, far, target, near = (FRAMES.analyse(signals[:, signal]) for signal in range(6))
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
    missed = lack(judge, signals, estimate, talking.sum(1)) if judge else 0.0
    return (
        spectral
        + JUDGE_WEIGHT * missed
        + VOICE_WEIGHT * heard
        + RATIO_WEIGHT * left_to_voice(*voiced[:3]).sum() / BATCH
        + HEARING_WEIGHT * hearing.disturbance(power(voiced[1]), power(voiced[2]), voiced[3]).mean(1).sum() / BATCH
    )


def lack(judge: Aecmos, signals: Tensor, estimate: Tensor, talking: Tensor) -> Tensor:
    """By how much the MOS of some pieces are below those of their targets: what is better than these earns nothing."""
    talks = talking[:JUDGED] > 30
    told = talks | (talking[:JUDGED] == 0)
    begin = int(torch.randint(160, ()))  # of the judge's frames
    far, microphone, target = (signals[:JUDGED, at, begin:] for at in (FAR, MICROPHONE, TARGET))
    plays = far.square().mean(1) > 1e-8
    out = nn.functional.pad(FRAMES.synthesise(estimate[:JUDGED])[:, FRAMES.hop :], (0, FRAMES.hop))[:, begin:]
    if out.requires_grad:
        out.register_hook(partial(tempered, level=out.detach().norm(dim=1, keepdim=True)))
    ends = talks.float(), plays.float()
    with torch.no_grad():
        wanted = judge(far, microphone, target, *ends)
    missed = torch.relu(wanted - judge(far, microphone, out, *ends))
    return ((missed[:, 0] * plays + missed[:, 1] * talks) * told).mean()


def tempered(gradient: Tensor, level: Tensor) -> Tensor:
    """No piece may say much more than the others, as some do: the judge hears the most striking moments only."""
    steep = gradient.norm(dim=1, keepdim=True) * level * len(gradient)
    return gradient * (STEEPEST / (steep + 1e-9)).clamp(max=1)


def left_to_voice(near_power: Tensor, target: Tensor, estimate: Tensor) -> Tensor:
    """How wrong the samples are against the near end's power, in powers of ten."""
    wrong = FRAMES.synthesise(estimate - target).square().sum(1)
    voice = near_power * FRAMES.hop  # of its samples
    return torch.log10((wrong + 1e-3 * voice) / (voice + 1e-9))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = options_of(__doc__)
    parser.add_argument("--clips", required=True, type=Path)
    parser.add_argument("--held-out", required=True, type=Path)
    parser.add_argument("--judge", type=Path, help="AECMOS as speechmos has it, without which the loss does as well")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    trainer = Trainer(EchoMask(), partial(loss_of, judge=options.judge and Aecmos(options.judge)), options)
    held_out = Clips(options.held_out, 7)
    drawn = Clips(options.clips, options.seed + trainer.step)
    trainer.run(iter(lambda: (drawn.batch(),), None), [(held_out.batch(),) for _ in range(5)])


if __name__ == "__main__":
    main()
