"""What a training run left, ready to run or to be written as the core's file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from training.shared.weights_file import rounded

Network = TypeVar("Network", bound=torch.nn.Module)


def quantized(network: torch.nn.Module) -> torch.nn.Module:
    """The network with its weights as the file holds them."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if ".weight" in name:
                weights, scales = rounded(value.numpy())
                value.copy_(torch.from_numpy(weights * scales[:, None]))
    return network


def averaged(network: Network, checkpoints: list[Path]) -> Network:
    """With the averaged weights of a checkpoint, or the mean of several (Wortsman et al. 2022), ready to run."""
    states = [torch.load(checkpoint, weights_only=True)["averaged"] for checkpoint in checkpoints]
    means = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0] if "." in name}
    network.load_state_dict({name.removeprefix("module."): value for name, value in means.items()})
    return network.eval()
