"""Writes the echo mask as the file that the core reads, and a reference run beside it for the tests.

python training/echo_export.py --checkpoint RUN/checkpoint.pt --out python/spike_engine/weights/echo.spkw
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from echo_network import EchoMask
from export import tensors_of, write_weights


def trained(checkpoint: Path) -> EchoMask:
    """The averaged weights of a checkpoint, ready to run."""
    averaged = torch.optim.swa_utils.AveragedModel(EchoMask())
    averaged.load_state_dict(torch.load(checkpoint, weights_only=True)["averaged"])
    return averaged.module.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    write_weights(options.out, tensors_of(trained(options.checkpoint)))


if __name__ == "__main__":
    main()
