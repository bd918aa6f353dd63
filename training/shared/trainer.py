"""What the training of every network shares: optimisers, averaged weights, checkpoints, a schedule by the clock."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from training.shared.checkpoint import named_as
from training.shared.weights_file import read_weights
from training.shared.widening import widened

PEAK_RATE, LEAST_RATE, WARM_STEPS = 1e-3, 1e-5, 150
MATRIX_RATE = 1.7  # of that rate, for matrices under Muon
CHECKPOINT_STEPS = 100
Batch = tuple[Tensor, ...]
Loss = Callable[..., Tensor]  # of a network and a batch

log = logging.getLogger("train")


def options_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument(
        "--begin-with",
        type=Path,
        help="what a new run starts from: averaged weights of a checkpoint, or a .spkw, which may be narrower",
    )
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="the highest learning rate")
    parser.add_argument("--average", type=float, default=0.997, help="share of the averaged weights kept at a step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    return parser


class Trainer:
    """A network, its average, its optimisers, and where they are kept.

    The learning rate falls over `--minutes` of training, all runs together: in time spent rather than in steps, as
    machines differ.
    """

    def __init__(self, network: nn.Module, loss: Loss, options: argparse.Namespace) -> None:
        torch.set_num_threads(options.threads)
        options.out.mkdir(parents=True, exist_ok=True)
        self.network, self._loss, self._out = network, loss, options.out
        self._seconds, self._peak, self._spent, self.step = options.minutes * 60, options.rate, 0.0, 0
        averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(options.average)
        self._averaged = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging)
        self._averaged.eval()
        matrices = [p for p in network.parameters() if p.ndim == 2 and len(p) > 1]
        others = [p for p in network.parameters() if p.ndim != 2 or len(p) == 1]
        # Muon (Jordan et al. 2024): its orthogonal steps came further here in the same time than Adam's.
        muon = torch.optim.Muon(matrices, lr=PEAK_RATE, weight_decay=1e-3, adjust_lr_fn="match_rms_adamw")
        self._optimisers = [muon, torch.optim.AdamW(others, lr=PEAK_RATE, weight_decay=1e-4)]
        self._file = options.out / "checkpoint.pt"
        if self._file.exists():
            self._go_on(torch.load(self._file, weights_only=True))
        elif options.begin_with:
            self._begin_with(options.begin_with)

    def _begin_with(self, file: Path) -> None:
        if file.suffix == ".spkw":
            tensors = read_weights(file)
            network = self._averaged.module
            if (units := len(network.inputs.weight)) > len(tensors["inputs.weight"]):
                tensors = widened(tensors, units)
            network.load_state_dict(named_as(network, tensors))
        else:
            self._averaged.load_state_dict(torch.load(file, weights_only=True)["averaged"])
        self.network.load_state_dict(self._averaged.module.state_dict())

    def _go_on(self, saved: dict) -> None:
        self.network.load_state_dict(saved["network"])
        self._averaged.load_state_dict(saved["averaged"])
        for optimiser, state in zip(self._optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self.step, self._spent = saved["step"], saved["spent"]

    def run(self, batches: Iterator[Batch], held_out: list[Batch]) -> None:
        """Until the time is over."""
        log.info("%d parameters, step %d", sum(p.numel() for p in self.network.parameters()), self.step)
        running, begun = None, time.monotonic() - self._spent
        while self._spent < self._seconds:
            loss = self._advance(next(batches))
            running = loss if running is None else running + 0.03 * (loss - running)
            self._spent = time.monotonic() - begun
            if self.step % CHECKPOINT_STEPS == 0:
                self._report({"train": round(running, 5), "held_out": round(self._judged(held_out), 5)})
                self._save()
        self._save()

    def _rate(self) -> float:
        done = min(1.0, self._spent / self._seconds)
        rate = LEAST_RATE + (self._peak - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * done))
        return min(1.0, (self.step + 1) / WARM_STEPS) * rate

    def _advance(self, batch: Batch) -> float:
        for optimiser, factor in zip(self._optimisers, (MATRIX_RATE, 1.0), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = factor * self._rate()
        loss = self._loss(self.network, *batch)
        self.network.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self._optimisers:
            optimiser.step()
        self._averaged.update_parameters(self.network)
        self.step += 1
        return float(loss.detach())

    def _judged(self, held_out: list[Batch]) -> float:
        """Of the average of the weights."""
        with torch.no_grad():
            losses = [float(self._loss(self._averaged.module, *batch)) for batch in held_out]
        return sum(losses) / len(losses)

    def _report(self, losses: dict[str, float]) -> None:
        line = {"step": self.step, "minutes": round(self._spent / 60, 1)} | losses
        with (self._out / "log.jsonl").open("a") as out:
            out.write(json.dumps(line) + "\n")
        log.info("%s", line)

    def _save(self) -> None:
        state = {"network": self.network.state_dict(), "averaged": self._averaged.state_dict(), "step": self.step}
        state |= {"optimisers": [o.state_dict() for o in self._optimisers], "spent": self._spent}
        torch.save(state, self._file.with_suffix(".new"))
        os.replace(self._file.with_suffix(".new"), self._file)
