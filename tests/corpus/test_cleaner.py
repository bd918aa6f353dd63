"""A corpus's cleaner: the same samples as `spike-engine clean`, whatever batch they are in and whoever asks."""

from __future__ import annotations

import io
import pickle
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rooms import FAR, NEAR, echo_of, impulse_response, speech

from spike_engine import cli, extras
from spike_engine.clean import clean_file
from spike_engine.corpus import Cleaner, Scorer
from spike_engine.corpus.clips import UnusableClip, clip_of, wave_bytes
from spike_engine.corpus.on_cluster import Source, batched, listed


def noisy(seconds: float, seed: int, rate_hz: int = 16000) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    voice = speech(NEAR, rate_hz, seconds)
    return np.clip(np.round(32768 * (0.3 * voice + 0.02 * random.standard_normal(len(voice)))), -32768, 32767).astype(
        np.int16
    )


def cleaned_by_the_command(samples: NDArray[np.int16], rate_hz: int, folder: Path) -> NDArray[np.int16]:
    (folder / "in.wav").write_bytes(wave_bytes(samples.reshape(-1, 1) / np.float32(32768), rate_hz))
    clean_file(folder / "in.wav", folder / "out.wav")
    return samples_of((folder / "out.wav").read_bytes())


def samples_of(content: bytes) -> NDArray[np.int16]:
    with wave.open(io.BytesIO(content)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_a_clip_becomes_what_the_command_makes_of_it(tmp_path: Path) -> None:
    clips = [noisy(seconds, seed) for seed, seconds in enumerate((1.0, 3.3, 0.777, 3.0, 2.95))]
    batch = {"audio": [{"array": clip, "sampling_rate": 16000} for clip in clips], "text": list("abcde")}

    cleaned = Cleaner()(batch)

    assert cleaned["text"] == list("abcde")
    assert cleaned["error"] == [""] * 5
    for clip, row in zip(clips, cleaned["audio"], strict=True):
        made = row["array"]
        assert (made.shape, made.dtype, row["sampling_rate"]) == (clip.shape, clip.dtype, 16000)
        expected = cleaned_by_the_command(clip, 16000, tmp_path)
        assert np.abs(made.astype(int) - expected).max() <= 1  # the file's writer rounds by itself


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100])
def test_other_rates_keep_their_rate_and_length(rate_hz: int, tmp_path: Path) -> None:
    clip = noisy(1.5, 1, rate_hz)
    (made,) = Cleaner(rate_hz=rate_hz)({"audio": [clip]})["audio"]

    assert len(made) == len(clip)
    assert np.abs(made.astype(int) - cleaned_by_the_command(clip, rate_hz, tmp_path)).max() <= 1


def test_a_batch_changes_nothing_in_its_clips() -> None:
    clips = [noisy(seconds, seed).astype(np.float32) / 32768 for seed, seconds in enumerate((2.0, 0.5, 2.1, 1.9))]
    clean = pickle.loads(pickle.dumps(Cleaner(rate_hz=16000).on("voice")))

    together = clean({"voice": clips})["voice"]
    for clip, made in zip(clips, together, strict=True):
        np.testing.assert_array_equal(clean({"voice": [clip]})["voice"][0], made)


def test_a_broken_clip_is_a_row_with_an_error_and_the_others_are_cleaned() -> None:
    good = noisy(1.0, 3)
    given = [good, np.zeros((0,), np.float32), b"no sound", None, "not/there.wav", good.astype(complex)]
    batch = Cleaner(rate_hz=16000)({"audio": given})

    assert batch["error"][0] == ""
    assert not np.array_equal(batch["audio"][0], good)
    for row in range(1, 6):
        assert batch["error"][row]
        assert batch["audio"][row] is given[row]


class Broken:
    """As torchcodec's decoder of a file that is none."""

    def get_all_samples(self) -> None:
        raise RuntimeError("could not open the file")


@pytest.mark.parametrize("make", [Cleaner, Scorer])
@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (None, ""),
        (float("nan"), ""),
        (0, ""),
        (float("inf"), "not inf"),
        ("16k", "not 16k"),
        (-1, "not -1"),
        ([], "must be 8000 to 192000"),
    ],
)
def test_a_rate_that_is_none_spoils_its_row_and_one_that_is_missing_does_not(make: Any, rate: Any, says: str) -> None:
    good = noisy(0.5, 1)
    error = make(rate_hz=16000)({"audio": [good, good], "sample_rate": [16000, rate]})["error"]

    assert error[0] == ""
    assert says in error[1]
    assert bool(error[1]) == bool(says)


@pytest.mark.parametrize("make", [Cleaner, Scorer])
def test_whatever_a_decoder_raises_is_the_error_of_its_row(make: Any) -> None:
    error = make(rate_hz=16000)({"audio": [noisy(0.5, 1), Broken()]})["error"]

    assert list(error) == ["", "could not open the file"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38])
def test_samples_that_are_none_spoil_nothing(value: float) -> None:
    clip = noisy(0.5, 1).astype(np.float32) / 32768
    clip[1000] = value
    cleaned = Cleaner(rate_hz=16000)({"audio": [clip]})
    scored = Scorer(rate_hz=16000)({"audio": [clip]})

    assert list(scored["error"]) == [""]
    assert np.isfinite(cleaned["audio"][0]).all()
    assert np.isfinite([scored["level_dbfs"][0], scored["bandwidth_hz"][0]]).all()


def test_a_far_end_of_many_channels_spoils_its_row() -> None:
    clip = noisy(0.5, 1)
    batch = Cleaner(rate_hz=16000).on("audio", far="far")({"audio": [clip, clip], "far": [np.tile(clip, (3, 1)), clip]})

    assert batch["error"] == ["a far end has 1 or 2 channels, not 3", ""]
    with pytest.raises(ValueError, match="no column 'far'"):
        Cleaner(rate_hz=16000).on("audio", far="far")({"audio": [clip]})


def test_columns_are_found_or_the_error_names_them() -> None:
    with pytest.raises(ValueError, match="no column 'voice'; it has 'text'"):
        Cleaner(column="voice")({"text": []})


def test_rays_columns_of_arrays_of_channels_first() -> None:
    stereo = np.stack([noisy(1.0, 4), noisy(1.0, 5)]).astype(np.float32) / 32768
    column = np.empty(1, object)
    column[0] = stereo
    batch = Cleaner()({"amplitude": column, "sample_rate": np.array([16000])})

    assert batch["amplitude"][0].shape == stereo.shape
    assert list(batch["error"]) == [""]
    assert np.square(batch["amplitude"][0]).mean() < np.square(stereo).mean()


def test_bytes_come_back_as_bytes() -> None:
    clip = noisy(1.0, 6)
    content = wave_bytes(clip.reshape(-1, 1) / np.float32(32768), 16000)
    batch = Cleaner()({"audio": [{"bytes": content, "path": "a.wav"}]})

    assert batch["audio"][0]["path"] == "a.wav"
    assert len(samples_of(batch["audio"][0]["bytes"])) == len(clip)


def test_a_far_end_takes_the_echo_out() -> None:
    far = speech(FAR, 16000, 6.0)
    microphone = 0.5 * echo_of(far, impulse_response(16000, 0.3, 20.0, -6.0, 5)).astype(np.float32)
    batch = Cleaner(rate_hz=16000).on("audio", far="far")({"audio": [microphone], "far": [far]})

    late = slice(3 * 16000, None)
    assert np.square(batch["audio"][0][late]).mean() < 1e-3 * np.square(microphone[late]).mean()


def test_files_are_cleaned_once(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    for number in range(3):
        content = wave_bytes(noisy(0.5, number).reshape(-1, 1) / np.float32(32768), 16000)
        path = tmp_path / "in" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "in" / "broken.wav").write_bytes(b"RIFF")
    paths = sorted(str(path) for path in (tmp_path / "in").iterdir())

    clean = Cleaner()
    first = clean.files(paths, out="memory://cleaned", root=str(tmp_path / "in"))
    second = clean.files(paths, out="memory://cleaned", root=str(tmp_path / "in"))
    other = Cleaner(attenuation_db=6).files(paths[:1], out="memory://cleaned", root=str(tmp_path / "in"))

    assert [row["path"] for row in first] == paths
    assert [bool(row["error"]) for row in first] == [False, False, False, True]
    assert str(tmp_path / "in" / "broken.wav") in first[3]["error"]
    assert [row["skipped"] for row in first] == [False] * 4
    assert [row["skipped"] for row in second] == [True, True, True, False]
    assert not other[0]["skipped"]
    with fsspec.open("memory://cleaned/1.wav", "rb") as file:
        assert len(samples_of(file.read())) == 8000


@pytest.mark.parametrize(
    ("value", "says"),
    [({}, "'array', 'bytes' or 'path'"), (np.zeros((3, 3, 3)), "shape"), (np.zeros(8, np.float32), "sampling rate")],
)
def test_what_is_no_clip_is_said(value: Any, says: str) -> None:
    with pytest.raises(UnusableClip, match=says):
        clip_of(value, None if isinstance(value, np.ndarray) and value.ndim == 1 else 16000)


def written(path: Path, seed: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wave_bytes(noisy(0.3, seed).reshape(-1, 1) / np.float32(32768), 16000))
    return str(path)


def test_no_file_takes_the_place_of_another(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="is in the dependency group peers")
    one, other = written(tmp_path / "a" / "1.wav"), written(tmp_path / "b" / "1.wav", 1)
    before = Path(one).read_bytes()

    first, second = Cleaner().files([one, other], out=str(tmp_path / "out"))
    (in_place,) = Cleaner().files([one], out=str(tmp_path / "b" / ".." / "a"))

    assert (first["error"], second["error"]) == ("", f"{other} would be written to {second['target']}, as {one} is")
    assert "would be replaced by what is made of it" in in_place["error"]
    assert Path(one).read_bytes() == before


def test_a_bucket_has_each_name_once() -> None:
    fsspec = pytest.importorskip("fsspec", reason="is in the dependency group peers")
    for folder in "ab":
        with fsspec.open(f"memory://names/{folder}/1.wav", "wb") as file:
            file.write(b"RIFF")
    sources, _, faults = listed(["memory://names/a", "memory://names/b", "memory://names/a"], "memory://cleaned")

    assert [source.path for source in sources] == ["memory:///names/a/1.wav"]
    assert [row["error"] for row in faults.values()] == [
        "memory:///names/b/1.wav would be written to memory://cleaned/1.wav, as memory:///names/a/1.wav is"
    ]


@pytest.mark.parametrize("name", ["x::y.wav", "x?y#z[1]%20.wav", "\u00e9 1.wav", "n\nl.wav", "~.wav"])
def test_a_file_of_this_machine_may_have_any_name(name: str, tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="is in the dependency group peers")
    (row,) = Cleaner().files([written(tmp_path / name)], out=str(tmp_path / "out"))

    assert not row["error"]
    assert (tmp_path / "out" / name).exists()


def test_scores_say_what_was_put_in() -> None:
    random = np.random.default_rng(1)
    voice = speech(NEAR, 16000, 6.0)
    voice = voice * (0.1 / np.sqrt(np.square(voice).mean()))
    noise = random.standard_normal(len(voice)).astype(np.float32)
    clips = [voice + 0.1 * 10 ** (-snr_db / 20) * noise for snr_db in (20, 10, 0)]
    clips += [np.clip(8 * voice, -0.5, 0.5), 0.01 * noise, np.zeros(16000, np.float32)]
    scores = Scorer(rate_hz=16000)({"audio": [clip.astype(np.float32) for clip in clips]})

    np.testing.assert_allclose(scores["snr_db"][:3], [20, 10, 0], atol=4)
    assert (np.diff(scores["snr_db"][:3]) < -5).all()
    assert scores["speech_share"][0] > 0.4
    assert scores["speech_share"][4] < 0.1
    assert scores["clipped_share"][0] < 1e-3
    assert scores["clipped_share"][3] > 0.01
    assert scores["level_dbfs"][5] == -100.0
    assert np.isnan(scores["snr_db"][5])


def test_bandwidth_is_that_of_the_sound_and_not_of_the_file() -> None:
    from spike_engine import dsp

    wide = np.random.default_rng(2).standard_normal(48000).astype(np.float32) * 0.1
    narrow = dsp.resample(dsp.resample(wide, 48000, 8000), 8000, 48000)
    scores = Scorer(rate_hz=48000)({"audio": [wide, narrow], "sample_rate": [48000, 48000]})

    assert scores["bandwidth_hz"][0] > 22000
    assert 3000 < scores["bandwidth_hz"][1] < 4500


def test_ray_datasets_and_dask_clean_the_same_clips() -> None:
    clips = [noisy(0.6, seed).astype(np.float32) / 32768 for seed in range(4)]
    expected = Cleaner(rate_hz=16000)({"audio": clips})["audio"]

    bag = pytest.importorskip("dask.bag")
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"audio": [{"array": c, "sampling_rate": 16000} for c in clips]})
    mapped = rows.map(Cleaner().on("audio"), batched=True, batch_size=2)
    lazily = bag.from_sequence([{"audio": [clip]} for clip in clips], npartitions=2).map(Cleaner(rate_hz=16000))

    for index, made in enumerate(lazily.compute(scheduler="sync")):
        np.testing.assert_array_equal(made["audio"][0], expected[index])
        np.testing.assert_allclose(mapped[index]["audio"]["array"], expected[index], atol=1e-7)


def test_batches_hold_what_fits_together() -> None:
    sources = [
        Source(f"{number}.wav", "", size) for number, size in enumerate([100, 5, 30 << 20, 7, 50 << 20, 30 << 20])
    ]

    batches = list(batched(sources))

    assert [[source.size for source in batch] for batch in batches] == [
        [50 << 20],
        [30 << 20, 30 << 20, 100, 7, 5],
    ]
    assert [len(batch) for batch in batched([Source("", "", 1)] * 70)] == [32, 32, 6]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--gain"], 2, "a cluster turns down noise and nothing else: leave --gain out"),
        (["--no-noise-suppression", "--report", "x"], 2, "leave --report, --no-noise-suppression out"),
        ([], 2, r'cleaning on a cluster needs ray: pip install "spike-engine[ray]"'),
    ],
)
def test_what_a_cluster_cannot_do_is_said(
    arguments: list[str], code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "ray")

    assert cli.main(["clean", "a.wav", "-o", "b.wav", "--cluster", "local", *arguments]) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("batch", "words"), [(np.zeros(160, np.float32), "a mapping of columns"), ({"audio": 0.5}, "a list or an array")]
)
def test_what_is_no_batch_is_refused_in_words(batch: Any, words: str) -> None:
    for process in (Cleaner(rate_hz=16000), Scorer(rate_hz=16000)):
        with pytest.raises(TypeError, match=words):
            process(batch)
