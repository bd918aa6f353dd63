"""Trains the echo mask: `python training/echo_train.py --clips CLIPS --held-out HELD --out RUN --minutes 40`.

Both folders are what `echo_clips.py` writes, the second with `--held-out`. The learning rate follows the time spent.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from echo_network import HOP, EchoMask, analyse, loss_of
from torch import Tensor

BATCH = 30
CROP = 400 * HOP  # 4 s: half of them from a clip's beginning, where nothing has been learned yet
PEAK_RATE, LEAST_RATE, WARM_STEPS = 2e-3, 3e-5, 100


def spectra_of(clips: np.ndarray) -> list[Tensor]:
    """Of microphone, error, echo, far end, target and near end."""
    samples = torch.from_numpy(clips.astype(np.float32) / 32767)
    return [analyse(samples[:, signal]) for signal in range(6)]


def draw(folder: Path, random: np.random.Generator) -> np.ndarray:
    files = sorted(x for x in folder.glob("*.npy") if ".tmp" not in x.name)
    chosen = [np.load(files[i], mmap_mode="r") for i in random.integers(len(files), size=6)]
    clips = np.concatenate([shard[np.sort(random.choice(len(shard), BATCH // 6, replace=False))] for shard in chosen])
    # All signals at another level: what the network does must not depend on it.
    begins = np.where(random.random(len(clips)) < 0.5, 0, random.integers(0, clips.shape[2] - CROP, len(clips)) // HOP)
    clips = np.stack([clip[:, HOP * begin : HOP * begin + CROP] for clip, begin in zip(clips, begins, strict=True)])
    gains = 10 ** (random.uniform(-10, 4, (len(clips), 1, 1)) / 20)
    return np.clip(clips * gains, -32768, 32767)


def loss_on(network: EchoMask, clips: np.ndarray) -> Tensor:
    microphone, error, echo, far, target, near = spectra_of(clips)
    features = network.features(microphone, error, echo, far)
    return loss_of(network, error, target, near, network(features))


def learning_rate(step: int, done: float) -> float:
    fall = LEAST_RATE + (PEAK_RATE - LEAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))
    return min(1.0, (step + 1) / WARM_STEPS) * fall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", required=True, type=Path)
    parser.add_argument("--held-out", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--begin-with", type=Path, help="a checkpoint to go on from")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    options.out.mkdir(parents=True, exist_ok=True)
    network = EchoMask()
    if options.begin_with:
        network.load_state_dict(torch.load(options.begin_with, weights_only=True)["averaged"])
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-4)
    held_out = np.concatenate([np.load(x) for x in sorted(options.held_out.glob("*.npy"))])[:72]
    random, begun, step, running = np.random.default_rng(1), time.time(), 0, 0.0
    print(sum(p.numel() for p in network.parameters()), "parameters", flush=True)
    while (done := (time.time() - begun) / 60 / options.minutes) < 1:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, done)
        loss = loss_on(network, draw(options.clips, random))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(network)
        step += 1
        value = float(loss.detach())
        running = running + 0.02 * (value - running) if step > 1 else value
        if step % 50 == 0:
            save(options.out, network, average, held_out, {"step": step, "train": running, "done": done})
    save(options.out, network, average, held_out, {"step": step, "train": running, "done": 1.0})


def save(out: Path, network: EchoMask, average: torch.nn.Module, held_out: np.ndarray, line: dict[str, float]) -> None:
    with torch.no_grad():
        parts = [float(loss_on(average.module, held_out[at : at + BATCH])) for at in range(0, len(held_out), BATCH)]
    line["held_out"] = float(np.mean(parts))
    torch.save({"averaged": average.module.state_dict()}, out / "checkpoint.new")
    os.replace(out / "checkpoint.new", out / "checkpoint.pt")
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(line, flush=True)


if __name__ == "__main__":
    main()
