"""Trains the echo mask: `python training/echo_train.py --clips CLIPS --held-out HELD --out RUN --minutes 40`.

Both folders are what `echo_clips.py` writes, the second with `--held-out`; clips that are made meanwhile are taken in.
What the network hears and is to answer is computed once and kept in memory in half precision: 1.4 MB a clip. The
learning rate follows the time spent.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from echo_network import EchoMask, Example, analyse, compressed, likeness_of, loss_of, talking_of

BATCH = 32
CROP = 400  # frames, 4 s: half of them from a clip's beginning, where nothing has been learned yet
PEAK_RATE, LEAST_RATE, WARM_STEPS = 2e-3, 2e-5, 100
SAVE_EVERY_S = 120.0


def example_of(network: EchoMask, clips: np.ndarray) -> Example:
    signals = torch.from_numpy(clips.astype(np.float32) / 32767)
    microphone, error, echo, far, target, near = (analyse(signals[:, signal]) for signal in range(6))
    features = network.features(microphone, error, echo, far)
    parts = compressed(error), compressed(target), likeness_of(error, target), talking_of(near)
    return Example(*(part.half() for part in (features, *parts)))


class Examples:
    """Those of a folder of clips, in memory."""

    def __init__(self, folder: Path, network: EchoMask, seed: int) -> None:
        self._folder, self._network = folder, network
        self._random = np.random.default_rng(seed)
        self._known: dict[Path, Example] = {}

    def read(self) -> int:
        """Take in what has been written since; the number of clips."""
        for file in sorted(self._folder.glob("*.npy")):
            if file not in self._known and ".tmp" not in file.name:
                clips = np.load(file)
                levels = 10 ** (self._random.uniform(-10, 4, (len(clips), 1, 1)) / 20)  # the answer is the same at any
                with torch.no_grad():
                    self._known[file] = example_of(self._network, np.clip(clips * levels, -32768, 32767))
        return sum(len(example.talking) for example in self._known.values())

    def draw(self) -> Example:
        shards = list(self._known.values())
        parts = []
        for _ in range(BATCH):
            shard = shards[self._random.integers(len(shards))]
            clip, frames = self._random.integers(len(shard.talking)), shard.talking.shape[1]
            begin = 0 if self._random.random() < 0.5 else self._random.integers(0, frames - CROP)
            parts.append([part[clip, begin : begin + CROP] for part in shard])
        return Example(*(torch.stack(part).float() for part in zip(*parts, strict=True)))

    def loss(self, network: EchoMask) -> float:
        """Of all whole clips."""
        losses = []
        with torch.no_grad():
            for shard in self._known.values():
                example = Example(*(part.float() for part in shard))
                losses.append(float(loss_of(network, example, network(example.features))))
        return float(np.mean(losses))


def learning_rate(step: int, done: float) -> float:
    fall = LEAST_RATE + (PEAK_RATE - LEAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * min(1.0, done))))
    return min(1.0, (step + 1) / WARM_STEPS) * fall


def train(options: argparse.Namespace, network: EchoMask) -> None:
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-4)
    examples, held_out = Examples(options.clips, network, 1), Examples(options.held_out, network, 2)
    held_out.read()
    clips = examples.read()
    begun = saved = time.time()
    step, running, done = 0, 0.0, 0.0
    while done < 1:
        done = (time.time() - begun) / 60 / options.minutes
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, done)
        example = examples.draw()
        loss = loss_of(network, example, network(example.features))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step >= WARM_STEPS:
            average.update_parameters(network)
        step += 1
        running += max(0.02, 1 / step) * (float(loss.detach()) - running)
        if time.time() - saved > SAVE_EVERY_S or done >= 1:
            line = {
                "step": step,
                "clips": clips,
                "done": done,
                "train": running,
                "held_out": held_out.loss(average.module),
            }
            save(options.out, average.module, line)
            clips, saved = examples.read(), time.time()


def save(out: Path, averaged: torch.nn.Module, line: dict[str, float]) -> None:
    torch.save({"averaged": averaged.state_dict()}, out / "checkpoint.new")
    os.replace(out / "checkpoint.new", out / "checkpoint.pt")
    with (out / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(line, flush=True)


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
    print(sum(p.numel() for p in network.parameters()), "parameters", flush=True)
    train(options, network)


if __name__ == "__main__":
    main()
