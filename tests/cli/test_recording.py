"""Recordings of `spike-engine join` on a disk that is full, and of a program that does not come to its end."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from spike_engine.cli.join import Recording
from spike_engine.events import AISpeaking, Connected

full_disk = pytest.importorskip("full_disk", exc_type=ImportError).full_disk  # Windows has no such limits
BLOCK = np.full(960, 0.5, np.float32)


@pytest.mark.parametrize("most_bytes", [0, 10, 44, 45, 1964, 5000, 10_000])
def test_what_a_full_disk_took_can_be_played_and_read(tmp_path: Path, most_bytes: int) -> None:
    told: list[str] = []
    with Recording(tmp_path, told.append) as recording:
        with full_disk(most_bytes):
            for _ in range(20):
                recording.tap("ai", BLOCK)
                recording.keep(AISpeaking("so many words " * 5))
        recording.tap("microphone", BLOCK)  # nobody is to think that the rest is there

    assert [text.partition(" ends here: ")[0] for text in told] == [f"the recording in {tmp_path}"]
    assert not (tmp_path / "microphone.wav").exists()
    assert [json.loads(line)["event"] for line in (tmp_path / "events.jsonl").read_text().splitlines()] in (
        ["ai-speaking"] * count for count in range(20)
    )
    if (sound := tmp_path / "ai.wav").exists():
        with wave.open(str(sound)) as file:
            assert file.getnframes() % len(BLOCK) == 0
            assert sound.stat().st_size == 44 + 2 * file.getnframes()
    else:
        assert most_bytes < 44 + 2 * len(BLOCK)


def test_what_was_heard_is_kept_at_once(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.keep(Connected())
    recording.tap("ai", BLOCK)
    recording.tap("ai", BLOCK)

    assert json.loads((tmp_path / "events.jsonl").read_text()) == {"event": "connected"}
    with wave.open(str(tmp_path / "ai.wav")) as file:
        assert file.getparams()[:4] == (1, 2, 48000, 2 * len(BLOCK))
        assert np.frombuffer(file.readframes(1), np.int16) == [16384]
    recording.__exit__(None, None, None)
