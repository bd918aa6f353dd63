"""Recordings of every kind, in files, archives and stores, and long ones."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from spike_engine import frames
from spike_engine.corpus import Cleaner, Scorer, cleaner, files
from spike_engine.corpus.clips import wave_bytes
from spike_engine.corpus.on_cluster import listed

fsspec: Any = pytest.importorskip("fsspec", reason="is in the dependency group peers")

NOISE = np.random.default_rng(1).standard_normal((16000, 1)).astype(np.float32) * 0.05


def archive(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/one.wav", wave_bytes(NOISE, 16000))
        file.writestr("b/two.wav", wave_bytes(NOISE[:8000], 16000))
        file.writestr("b/note.txt", b"")
    return str(path)


def test_what_is_in_an_archive_has_its_name_there(tmp_path: Path) -> None:
    raw = archive(tmp_path / "raw.zip")
    addresses = [f"zip://{name}::{raw}" for name in ("a/one.wav", "b/two.wav", "b/none.wav")]
    one, two, none = Cleaner().files(addresses, out="memory://archive", root=f"zip://::{raw}")

    assert [one["target"], two["target"]] == ["memory://archive/a/one.wav", "memory://archive/b/two.wav"]
    assert [one["seconds"], two["seconds"]] == [1.0, 0.5]
    assert [one["error"], two["error"]] == ["", ""]
    assert none["error"].startswith(f"{addresses[2]} cannot be cleaned")
    (alone,) = Cleaner().files(addresses[:1], out="memory://alone")
    assert alone["target"] == "memory://alone/one.wav"


def test_an_archive_is_listed_for_a_cluster(tmp_path: Path) -> None:
    raw = archive(tmp_path / "raw.zip")
    sources, _, _ = listed([f"zip://::{raw}"], "memory://cleaned")

    assert [source.path for source in sources] == [f"zip://a/one.wav::{raw}", f"zip://b/two.wav::{raw}"]
    assert [source.name for source in sources] == ["a/one.wav", "b/two.wav"]


def test_whatever_a_store_raises_is_the_error_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Throttled(Exception):
        pass

    def throttled(*_: Any, **__: Any) -> None:
        raise Throttled("slow down")

    (here := tmp_path / "here.wav").write_bytes(wave_bytes(NOISE, 16000))
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", throttled)
    away, mine = Cleaner().files(["memory://bucket/away.wav", str(here)], out=str(tmp_path / "out"))
    assert away["error"] == "memory://bucket/away.wav cannot be cleaned: slow down"
    assert mine["error"] == ""

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "put_file", throttled)
    (kept,) = Cleaner().files([str(here)], out="memory://bucket")
    assert "slow down" in kept["error"]
    missing, known = Cleaner().files(["nobody://knows/it.wav", str(here)], out=str(tmp_path / "out"))
    assert "Protocol not known" in missing["error"]
    assert known["skipped"]


def encoded(path: Path, codec: str) -> str:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=16000, layout="mono")
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 16000)
        frame = frames.audio_from_ndarray(NOISE[:, 0], format="flt", sample_rate_hz=16000)
        for made in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(made))
    return str(path)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("eight.wav", "pcm_u8"), ("24.wav", "pcm_s24le"), ("32.wav", "pcm_s32le"), ("float.wav", "pcm_f32le"),
        ("double.wav", "pcm_f64le"), ("mu.wav", "pcm_mulaw"), ("a.wav", "pcm_alaw"), ("x.flac", "flac"),
        ("x.mp3", "libmp3lame"), ("x.m4a", "aac"), ("x.aiff", "pcm_s16be"),
    ],
)  # fmt: skip
def test_recordings_of_every_kind_are_cleaned_and_scored(name: str, codec: str, tmp_path: Path) -> None:
    path = encoded(tmp_path / name, codec)
    (row,) = Cleaner().files([path], out=str(tmp_path / "out"))
    scores = Scorer()({"path": [path]})

    assert row["error"] == ""
    assert row["seconds"] == pytest.approx(1.0, abs=0.1)  # what is packed in frames has silence at its ends
    assert scores["error"][0] == ""
    assert scores["level_dbfs"][0] == pytest.approx(-26, abs=2)
    with av.open(row["target"]) as cleaned:
        made = np.concatenate([frames.audio_to_ndarray(f, channels=1) for f in cleaned.decode(audio=0)])
    assert len(made) == round(row["seconds"] * 16000)
    assert np.square(made).mean() < 0.3 * np.square(NOISE).mean()


@pytest.mark.parametrize("samples", [0, 1, 159])
def test_recordings_of_next_to_nothing(samples: int, tmp_path: Path) -> None:
    (path := tmp_path / "short.wav").write_bytes(wave_bytes(NOISE[:samples], 16000))
    (row,) = Cleaner().files([str(path)], out=str(tmp_path / "out"))
    scores = Scorer()({"path": [str(path)]})

    assert row["error"] == scores["error"][0] == ("" if samples else f"{path} holds no samples")


def test_floats_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    clip = NOISE[:, 0].copy()
    clip[100:104] = np.nan, np.inf, -np.inf, 1e30
    (cleaned,) = Cleaner(rate_hz=16000)({"audio": [clip]})["audio"]
    assert np.isfinite(cleaned).all()
    assert np.isfinite(Scorer(rate_hz=16000)({"audio": [clip]})["level_dbfs"]).all()


def test_a_long_recording_is_the_same_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [NOISE[:, 0], np.concatenate([NOISE, NOISE[:777]])[:, 0]]
    whole = Cleaner(rate_hz=16000)({"audio": clips})["audio"]
    monkeypatch.setattr(cleaner, "_SECONDS_AT_ONCE", 0.25)
    pieces = Cleaner(rate_hz=16000)({"audio": clips})["audio"]

    for one, other in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(one, other)


def test_as_many_files_are_held_as_memory_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_SAMPLES", 20000)
    held: list[int] = []
    clean = Cleaner.clean
    monkeypatch.setattr(Cleaner, "clean", lambda self, clips, far: held.append(len(clips)) or clean(self, clips, far))
    for number in range(5):
        (tmp_path / f"{number}.wav").write_bytes(wave_bytes(NOISE, 16000))
    rows = Cleaner().files(sorted(map(str, tmp_path.iterdir())), out=str(tmp_path / "out"))

    assert held == [2, 2, 1]
    assert [Path(row["path"]).stem for row in rows] == list("01234")
    assert not any(row["error"] for row in rows)


def test_clips_of_a_store_are_scored() -> None:
    with fsspec.open("memory://scored/one.wav", "wb") as file:
        file.write(wave_bytes(NOISE, 16000))
    scores = Scorer()({"path": ["memory://scored/one.wav", "memory://scored/none.wav"]})

    assert scores["level_dbfs"][0] == pytest.approx(-26, abs=1)
    assert scores["error"][0] == ""
    assert "none.wav" in scores["error"][1]
