"""smart-turn v3 as it lies in pipecat-ai, beside pipecat's own way of asking it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from rooms import RECORDINGS, recording

from spike_engine.errors import InvalidOption
from spike_engine.extras import MissingExtra

pytest.importorskip("onnxruntime")
features = pytest.importorskip("pipecat.audio.turn.smart_turn._whisper_features")

from spike_engine.integrations import smart_turn  # noqa: E402
from spike_engine.integrations.smart_turn import SmartTurn, log_mel  # noqa: E402


def test_the_features_are_pipecats() -> None:
    voice = recording("vm-intro")[: 5 * 16000]
    theirs = features.compute_whisper_log_mel_features(np.pad(voice, (3 * 16000, 0)), do_normalize=True)

    assert log_mel(voice).shape == (80, 800)
    np.testing.assert_allclose(log_mel(voice), theirs, atol=1e-3)


def test_a_sentence_that_is_cut_off_is_not_over() -> None:
    judge = SmartTurn()
    sentences = [recording(path.stem) for path in sorted(RECORDINGS.glob("*.g722"))[::18]]
    sentences = [
        sentence[: np.flatnonzero(np.abs(sentence) > 0.02)[-1]] for sentence in sentences if len(sentence) > 32000
    ]
    pause = np.zeros(3200, np.float32)
    whole = [judge(np.concatenate([sentence, pause])) for sentence in sentences]
    cut = [judge(np.concatenate([sentence[: len(sentence) // 2], pause])) for sentence in sentences]

    assert np.mean(whole) > np.mean(cut) + 0.2, (whole, cut)
    assert all(0 <= answer <= 1 for answer in (*whole, *cut, judge(np.zeros(0, np.float32))))


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_text("no network")
    with pytest.raises(InvalidOption, match="no network that onnxruntime can read"):
        SmartTurn(tmp_path / "no.onnx")
    monkeypatch.setattr(smart_turn, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"spike-engine\[smart-turn\]"):
        SmartTurn()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="needs onnxruntime"):
        SmartTurn()
