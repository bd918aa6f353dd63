"""One of the judge's networks as it is trained, and what its mistakes cost.

`python -m training.turns.judge ONE.npz ANOTHER.npz --out python/spike_engine/weights/turns.npz` puts several into one
file; the package averages their odds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from training.turns.disturbances import BANDS

FIGURES = BANDS + 2  # of a frame: bands, level, pitch
TAKEN = 2  # every second frame there is an answer
SHAPES = {6: (96, 192), 1: (64, 160)}  # of how many frames at a time how many figures are made, and the units
_OF_TEACHERS = 0.5  # of the loss


class Judge(nn.Module):
    """Of six frames at a time, or of one, figures, a memory, and three answers: words, a nod, neither."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        figures, units = SHAPES[width]
        self.inputs = nn.Conv1d(FIGURES, figures, width, stride=min(TAKEN, width))
        self.memory = nn.GRU(figures, units, batch_first=True)
        self.answer = nn.Linear(units, 3)

    def forward(self, heard: Tensor) -> Tensor:
        (width,), (new,) = self.inputs.kernel_size, self.inputs.stride
        frames = nn.functional.pad(heard.transpose(1, 2), (width - new, 0), mode="replicate")
        states, _ = self.memory(torch.relu(self.inputs(frames)).transpose(1, 2))
        states = states[:, TAKEN // new - 1 :: TAKEN // new]
        answers: Tensor = self.answer(nn.functional.dropout(states, 0.2, self.training))
        return answers


def of_weights(path: Path) -> Judge:
    """A network with the weights of a file that `train.py` wrote."""
    stored = np.load(path)
    network = Judge(stored["inputs.weight"].shape[2])
    network.load_state_dict({name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files})
    return network


def loss_of(network: Judge, teachers: list[Judge], heard: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy with the labels; and with what the teachers answer together (Hinton et al. 2015), if there are any.

    Args:
        network: What is trained.
        teachers: What it learns from, beside the labels.
        heard: Shape ``(sounds, frames, 26)``.
        labels: Shape ``(sounds, frames)``; where it is -1 nothing is asked.
        weights: What each of the three answers weighs.
    """
    answers = torch.log_softmax(network(heard), -1)
    asked = labels[:, TAKEN - 1 :: TAKEN][:, : answers.shape[1]]
    of_labels = nn.functional.nll_loss(answers.flatten(0, 1), asked.flatten(), weights, ignore_index=-1)
    if not teachers:
        return of_labels
    with torch.no_grad():
        told = torch.stack([torch.log_softmax(teacher(heard), -1) for teacher in teachers]).mean(0).softmax(-1)
    of_teachers = -(told * answers * weights).sum(-1)[asked >= 0].mean()
    return (1 - _OF_TEACHERS) * of_labels + _OF_TEACHERS * of_teachers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    stored = [np.load(path) for path in options.networks]
    of_all = {f"{number}.{name}": each[name] for number, each in enumerate(stored) for name in each.files}
    np.savez(options.out, **of_all)


if __name__ == "__main__":
    main()
