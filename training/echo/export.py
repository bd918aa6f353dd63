"""Writes the echo mask as the file that the core reads, and a reference run beside it for the tests.

python -m training.echo.export --checkpoint RUN/checkpoint.pt --out python/spike_engine/weights/echo.spkw
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.echo.network import EchoMask
from training.shared.checkpoint import averaged
from training.shared.weights_file import tensors_of, write_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path, nargs="+")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    write_weights(options.out, tensors_of(averaged(EchoMask(), options.checkpoint)))


if __name__ == "__main__":
    main()
