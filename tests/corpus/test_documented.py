"""The programs of docs/corpora.md, each with its engine, on a few clips."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spike_engine.corpus.clips import wave_bytes

PAGE = Path(__file__).parents[2] / "docs" / "corpora.md"
PROGRAMS = re.findall(
    r"^\*\*(\w+)\*\*.*?^```text\n(.*?)^```", PAGE.read_text() if PAGE.exists() else "", re.MULTILINE | re.DOTALL
)


def test_there_is_one_for_each_engine() -> None:
    if not PAGE.exists():
        pytest.skip("the documentation is not here: an installed package is tested")
    assert [name for name, _ in PROGRAMS] == ["Ray", "datasets", "Dask"]


@pytest.mark.parametrize(("name", "program"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_a_program_cleans(name: str, program: str, tmp_path: Path) -> None:
    pytest.importorskip(name.lower(), reason="is in the dependency group peers")
    (tmp_path / "raw").mkdir()
    random = np.random.default_rng(1)
    for number in range(4):
        noise = 0.1 * random.standard_normal((8000, 1), np.float32)
        (tmp_path / "raw" / f"{number}.wav").write_bytes(wave_bytes(noise, 16000))
    (tmp_path / "program.py").write_text(program)

    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, capture_output=True, timeout=110)

    made = [path for path in (tmp_path / "cleaned").rglob("*") if path.suffix in (".wav", ".parquet", ".arrow")]
    assert made
    if name == "datasets":
        (cleaned,) = [path for path in made if path.suffix == ".arrow"][:1]
        assert b"RIFF" in cleaned.read_bytes()
    if name == "Dask":
        assert sorted(path.name for path in made) == [f"{number}.wav" for number in range(4)]
