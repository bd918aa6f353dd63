"""The judge's network as it is trained, and what its mistakes cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FIGURES = 26  # of a frame: bands, level, pitch
TAKEN, HEARD_AGAIN = 2, 4  # frames that are taken in at a time, and how many before them are heard once more
_OF_TEACHERS = 0.6  # of the loss


class Judge(nn.Module):
    """Six frames of 26 figures to 96, every second frame; a memory of 192, and three answers: words, a nod, neither."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.Conv1d(FIGURES, 96, HEARD_AGAIN + TAKEN, stride=TAKEN)
        self.memory = nn.GRU(96, 192, batch_first=True)
        self.answer = nn.Linear(192, 3)

    def forward(self, heard: Tensor) -> Tensor:
        frames = nn.functional.pad(heard.transpose(1, 2), (HEARD_AGAIN, 0), mode="replicate")
        states, _ = self.memory(torch.relu(self.inputs(frames)).transpose(1, 2))
        answers: Tensor = self.answer(nn.functional.dropout(states, 0.2, self.training))
        return answers


def of_weights(path: Path) -> Judge:
    """A network with the weights of a file that `train.py` wrote."""
    stored, network = np.load(path), Judge()
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
