"""Plain .wav files are read as FFmpeg reads them; whatever is not plain is left to it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from spike_engine.clean import clean_file
from spike_engine.clean.audio_file import AudioReader
from spike_engine.corpus import Cleaner
from spike_engine.corpus.plain_wave import plain_wave


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def wave_of(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def form(channels: int = 1, rate_hz: int = 16000, kind: int = 1, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * block, block, bits))


SOUND = np.random.default_rng(1).integers(-32768, 32768, 4000).astype("<i2")
DATA = chunk(b"data", SOUND.tobytes())
PLAIN = {
    "mono": wave_of(form(), DATA),
    "stereo": wave_of(form(2, 44100), DATA),
    "chunks around it": wave_of(
        chunk(b"JUNK", b"\0" * 27), form(), chunk(b"LIST", b"INFO"), DATA, chunk(b"id3 ", b"x")
    ),
}
OTHER = {
    "broken off": wave_of(form(), DATA)[:-100],
    "without an end": wave_of(form(), DATA).replace(struct.pack("<I", 8000), b"\xff\xff\xff\xff"),
    "empty": wave_of(form(), chunk(b"data", b"")),
    "half a sample": wave_of(form(2), chunk(b"data", SOUND.tobytes()[:-2])),
    "two pieces": wave_of(form(), DATA, DATA),
    "24 bits": wave_of(form(bits=24), DATA),
    "floats": wave_of(form(kind=3, bits=32), DATA),
    "five channels": wave_of(form(5), DATA),
    "a rate that is none": wave_of(form(rate_hz=100), DATA),
    "no form": wave_of(DATA),
    "form behind it": wave_of(DATA, form()),
    "a form that is cut": wave_of(form())[:30],
    "no wave": b"RIFF" + b"\0" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_what_is_plain_is_what_ffmpeg_makes_of_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with AudioReader(tmp_path / "a.wav") as reader:
        expected = np.concatenate(list(reader.blocks()))
    plain = plain_wave(content)

    assert plain
    np.testing.assert_array_equal(plain.samples, expected)
    for name in ("rate_hz", "channels", "layout", "codec", "sample_format"):
        assert getattr(plain, name) == getattr(reader, name)


@pytest.mark.parametrize("content", OTHER.values(), ids=OTHER)
def test_what_is_not_plain_is_left_to_ffmpeg(content: bytes) -> None:
    assert plain_wave(content) is None


@pytest.mark.parametrize("content", [*PLAIN.values(), OTHER["broken off"]], ids=[*PLAIN, "broken off"])
def test_a_file_becomes_what_the_command_makes_of_it(content: bytes, tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="is in the dependency group peers")
    (source := tmp_path / "a.wav").write_bytes(content)
    clean_file(source, tmp_path / "alone.wav")
    (row,) = Cleaner().files([str(source)], out=str(tmp_path / "there"))

    assert not row["error"]
    assert Path(row["target"]).read_bytes() == (tmp_path / "alone.wav").read_bytes()
    assert sorted(path.name for path in (tmp_path / "there").rglob("*")) == [".spike", "a.wav", "a.wav.json"]
