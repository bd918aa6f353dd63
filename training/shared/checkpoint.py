"""What a training run left, ready to run or to be written as the core's file."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from training.shared.weights_file import Arrays, read_weights, rounded

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
    """With the averaged weights of a checkpoint, those of a .spkw, or the mean of several (Wortsman et al. 2022)."""
    states = [_state(network, checkpoint) for checkpoint in checkpoints]
    network.load_state_dict({name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]})
    return network.eval()


def named_as(network: torch.nn.Module, tensors: Arrays) -> dict[str, torch.Tensor]:
    """The tensors of a .spkw by the network's names, in its shapes."""
    return {
        name: torch.from_numpy(tensors[name.replace("_l0", "")].copy()).reshape(value.shape)
        for name, value in network.state_dict().items()
    }


def _state(network: torch.nn.Module, file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".spkw":
        return named_as(network, read_weights(file))
    saved = torch.load(file, weights_only=True)["averaged"]
    return {name.removeprefix("module."): value for name, value in saved.items() if "." in name}
