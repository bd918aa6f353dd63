"""Every instruction set makes the same of a signal, to rounding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fingerprint
import numpy as np
import pytest

# A network's numbers are rounded to 8 bits on their way in: where two instruction sets differ by a rounding error, one
# of them may take the next step.
MOST_DB, MOST_NEURAL_DB = -100.0, -20.0


def made_by(isa: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{isa}.npz"
    environment = {**os.environ, "SPIKE_ENGINE_ISA": isa}
    subprocess.run([sys.executable, fingerprint.__file__, str(path)], env=environment, check=True)
    with np.load(path) as made:
        return dict(made)


def test_instruction_sets_agree(tmp_path: Path) -> None:
    expected = made_by("baseline", tmp_path)
    compared = set()
    for isa in fingerprint.INSTRUCTION_SETS[1:]:
        actual = made_by(isa, tmp_path)
        if str(actual.pop("isa")) in compared | {"baseline"}:
            continue
        compared.add(isa)
        for name, samples in actual.items():
            error, power = np.sum((samples - expected[name]) ** 2), np.sum(expected[name] ** 2)
            most_db = MOST_NEURAL_DB if "neural" in name else MOST_DB
            assert 10 * np.log10(error / power + 1e-20) < most_db, f"{isa}: {name}"
    if not compared:
        pytest.skip("this processor has one instruction set only")
