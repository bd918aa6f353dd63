"""`spike-engine clean`: real speech with noise and echo, in every shape that a recording comes in."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from rooms import FAR, NEAR, echo_of, impulse_response, level_db, speech

from spike_engine import cli
from spike_engine.clean import CleaningOptions, UnusableAudio, clean_file
from spike_engine.clean.streams import in_time
from spike_engine.dsp.rates import working_rate_hz

RATE_HZ = 16000


def write(path: Path, samples: NDArray[np.float32], rate_hz: int, codec: str = "pcm_s16le") -> Path:
    """`samples` of shape (n,) or (n, channels) as a file."""
    block = samples.reshape(len(samples), -1)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[block.shape[1]]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate_hz, layout=layout)
        for at in range(0, len(block), 4096):
            packed = np.ascontiguousarray(block[at : at + 4096], np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
            frame.sample_rate, frame.pts = rate_hz, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path) -> tuple[NDArray[np.float32], int]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
        parts = [made.to_ndarray() for frame in container.decode(stream) for made in resampler.resample(frame)]
        return np.concatenate(parts, axis=1).reshape(-1, stream.channels), stream.rate


def noisy_speech(rate_hz: int, seconds: float) -> NDArray[np.float32]:
    """A third of the time, nobody talks yet."""
    noisy = 0.01 * np.random.default_rng(0).standard_normal(int(rate_hz * seconds)).astype(np.float32)
    voice = noisy[len(noisy) // 3 :]
    voice += 0.5 * speech(NEAR, rate_hz, seconds)[: len(voice)]
    return noisy


def lag_of(after: NDArray[np.float32], before: NDArray[np.float32]) -> int:
    """By how many samples `after` is late."""
    size = 2 * len(before)
    product = np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size))
    lag = int(np.argmax(np.fft.irfft(product)))
    return lag if lag < len(before) else lag - size


def quietest_db(samples: NDArray[np.float32]) -> float:
    """The level of the pauses."""
    return float(np.percentile([level_db(block) for block in np.array_split(samples, 60)[10:]], 10))


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_a_recording_keeps_its_rate_length_and_time(tmp_path: Path, rate_hz: int) -> None:
    noisy = noisy_speech(rate_hz, 1.5)[:-7]
    cleaned = clean_file(write(tmp_path / "in.wav", noisy, rate_hz), tmp_path / "out.wav")
    out, out_rate_hz = read(tmp_path / "out.wav")

    assert (out_rate_hz, cleaned.rate_hz) == (rate_hz, rate_hz)
    assert out.shape == (len(noisy), 1)
    assert lag_of(out[:, 0], noisy) == 0
    assert quietest_db(out[:, 0]) < quietest_db(noisy) - 6.0


@pytest.mark.parametrize("channels", [2, 6])
def test_each_channel_is_cleaned_by_itself(tmp_path: Path, channels: int) -> None:
    noisy = noisy_speech(RATE_HZ, 1.5)
    gains = np.linspace(1.0, 0.2, channels, dtype=np.float32)
    source = write(tmp_path / "in.wav", noisy[:, None] * gains, RATE_HZ, "pcm_f32le")
    clean_file(source, tmp_path / "out.wav")
    clean_file(write(tmp_path / "one.wav", noisy * gains[-1], RATE_HZ, "pcm_f32le"), tmp_path / "alone.wav")
    out, _ = read(tmp_path / "out.wav")

    assert out.shape == (len(noisy), channels)
    np.testing.assert_array_equal(out[:, -1], read(tmp_path / "alone.wav")[0][:, 0])


@pytest.mark.parametrize(
    ("codec", "suffix", "expected"),
    [
        ("pcm_s16le", ".wav", "pcm_s16le"),
        ("pcm_s24le", ".wav", "pcm_s24le"),
        ("pcm_f32le", ".wav", "pcm_f32le"),
        ("pcm_mulaw", ".wav", "pcm_mulaw"),
        ("pcm_alaw", ".wav", "pcm_alaw"),
        ("pcm_mulaw", ".flac", "flac"),
        ("pcm_s16le", ".flac", "flac"),
        ("pcm_s16le", ".mp3", "mp3"),
        ("pcm_s16le", ".ogg", "opus"),
    ],
)
def test_formats(tmp_path: Path, codec: str, suffix: str, expected: str) -> None:
    source = write(tmp_path / "in.wav", noisy_speech(48000, 0.5), 48000, codec)
    clean_file(source, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.audio[0].codec_context.name in (expected, f"{expected}float")


def test_less_attenuation_leaves_more_noise(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", 0.05 * np.random.default_rng(1).standard_normal(48000), RATE_HZ)
    levels = [
        clean_file(
            source, tmp_path / "out.wav", options=CleaningOptions(attenuation_db=attenuation_db)
        ).output_level_dbfs
        for attenuation_db in (6.0, 20.0)
    ]

    assert levels[1] < levels[0] - 6.0


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, NDArray[np.float32]]:
    folder = tmp_path_factory.mktemp("echo")
    far = speech(FAR, RATE_HZ, 6.0)
    mic = echo_of(far, impulse_response(RATE_HZ, 0.25, 60.0, -6.0, seed=1))
    return write(folder / "mic.wav", mic, RATE_HZ), write(folder / "far.wav", far, RATE_HZ), mic


def test_the_echo_goes_and_the_report_shows_it(tmp_path: Path, echo: Any) -> None:
    mic_path, far_path, mic = echo
    seconds: list[float] = []
    cleaned = clean_file(
        mic_path, tmp_path / "out.wav", far=far_path, report=tmp_path / "report.png", on_progress=seconds.append
    )
    out = read(tmp_path / "out.wav")[0][:, 0]

    assert len(out) == len(mic)
    assert level_db(out[3 * RATE_HZ :]) < level_db(mic[3 * RATE_HZ :]) - 20.0
    assert cleaned.delay_ms == pytest.approx(60.0, abs=15.0)
    assert cleaned.erle_db is not None
    assert cleaned.erle_db > 10.0
    assert seconds == sorted(seconds)
    assert seconds[-1] == pytest.approx(6.0)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


def test_speech_comes_to_one_loudness(tmp_path: Path) -> None:
    quiet = 0.02 * speech(FAR, RATE_HZ, 8.0)
    source = write(tmp_path / "quiet.wav", np.stack([quiet, 5 * quiet], axis=1), RATE_HZ)
    arguments = [str(source), "-o", str(tmp_path / "out.wav"), "--gain", "--no-noise-suppression"]

    assert cli.main(["clean", *arguments]) == 0
    out = read(tmp_path / "out.wav")[0][3 * RATE_HZ :]
    assert level_db(out[:, 0]) == pytest.approx(level_db(out[:, 1]), abs=2.0)
    assert level_db(out[:, 0]) > level_db(quiet[3 * RATE_HZ :]) + 6.0


def test_a_far_end_of_another_rate_that_ends_early(tmp_path: Path, echo: Any) -> None:
    mic_path, _, mic = echo
    far = speech(FAR, 48000, 6.0)[: 4 * 48000]
    far_path = write(tmp_path / "far.flac", np.stack([far, far], axis=1), 48000, "flac")
    clean_file(mic_path, tmp_path / "out.wav", far=far_path, options=CleaningOptions(noise_suppression=False))
    out = read(tmp_path / "out.wav")[0][:, 0]

    assert len(out) == len(mic)
    assert level_db(out[3 * RATE_HZ : 4 * RATE_HZ]) < level_db(mic[3 * RATE_HZ : 4 * RATE_HZ]) - 15.0


def test_silence_and_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.zeros(3000, np.float32), RATE_HZ)

    assert clean_file(source, tmp_path / "out.wav").output_level_dbfs == -100.0
    assert not read(tmp_path / "out.wav")[0].any()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say how much memory was used")
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    minute = np.tile(noisy_speech(8000, 5.0), 12)
    clean_file(write(tmp_path / "short.wav", minute[:80000], 8000), tmp_path / "out.wav", report=tmp_path / "a.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    long = write(tmp_path / "long.wav", np.tile(minute, 3), 8000)
    after_writing = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clean_file(long, tmp_path / "out.wav", report=tmp_path / "b.png")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - max(before, after_writing) < 30_000  # kB


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    good = write(tmp_path / "good.wav", np.zeros(1600, np.float32), RATE_HZ)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(UnusableAudio, match=r"missing\.wav cannot be read: no such file"):
        clean_file(tmp_path / "missing.wav", tmp_path / "out.wav")
    with pytest.raises(UnusableAudio, match=r"text\.wav cannot be read"):
        clean_file(tmp_path / "text.wav", tmp_path / "out.wav")
    with pytest.raises(UnusableAudio, match=r"must end in \.wav, \.flac"):
        clean_file(good, tmp_path / "out.xyz")
    with pytest.raises(UnusableAudio, match="is the recording itself"):
        clean_file(good, good)
    with pytest.raises(UnusableAudio, match="must be mono or stereo, not of 6"):
        clean_file(good, tmp_path / "out.wav", far=write(tmp_path / "six.wav", np.zeros((1600, 6)), RATE_HZ))
    with pytest.raises(UnusableAudio, match="8000 to 192000 Hz, not 1 at 4000"):
        clean_file(write(tmp_path / "slow.wav", np.zeros(400), 4000), tmp_path / "out.wav")
    with pytest.raises(ValueError, match="nothing to do"):
        clean_file(good, tmp_path / "out.wav", options=CleaningOptions(noise_suppression=False))
    with pytest.raises(ValueError, match="0 to 60"):
        clean_file(good, tmp_path / "out.wav", options=CleaningOptions(attenuation_db=99.0))

    assert not list(tmp_path.glob("out*"))
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(("rate_hz", "expected_hz"), [(8000, 16000), (11025, 44100), (12000, 24000), (96000, 48000)])
def test_the_working_rate_is_simply_related(rate_hz: int, expected_hz: int) -> None:
    assert working_rate_hz(rate_hz) == expected_hz


def test_in_time_takes_a_stages_delay_away() -> None:
    late = np.zeros((5, 1), np.float32)

    def process(block: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal late
        whole = np.concatenate([late, block])
        late = whole[len(block) :]
        return whole[: len(block)]

    blocks = [np.full((n, 1), n, np.float32) for n in (3, 1, 9, 2)]
    out = np.concatenate(list(in_time(iter(blocks), process, 5)))

    np.testing.assert_array_equal(out, np.concatenate(blocks))


def run(*arguments: object) -> int:
    try:
        return cli.main(["clean", *map(str, arguments)])
    except SystemExit as leaving:  # argparse's own
        return int(leaving.code or 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    noisy = noisy_speech(RATE_HZ, 1.0)
    write(tmp_path / "in" / "a.wav", noisy, RATE_HZ)
    write(tmp_path / "in" / "deeper" / "b.mp3", noisy_speech(48000, 1.0), 48000, "libmp3lame")
    (tmp_path / "in" / "notes.txt").write_text("no sound")
    return tmp_path


def test_a_folder_in_processes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder / "in", "-o", folder / "out", "--json", "--report", folder / "pictures") == 0
    printed = json.loads(capsys.readouterr().out)

    assert [Path(file["target"]).relative_to(folder).as_posix() for file in printed] == [
        "out/a.wav",
        "out/deeper/b.wav",
    ]
    assert all((folder / "pictures" / name).exists() for name in ("a.png", "deeper/b.png"))


def test_one_that_fails_stops_no_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in" / "broken.flac").write_bytes(b"\0" * 500)

    assert run(folder / "in", "-o", folder / "out", "--processes", 1) == 1
    printed = capsys.readouterr()
    assert "broken.flac cannot be read" in printed.err
    assert printed.out.count("times real time") == 2


def test_a_folder_with_a_folder_of_far_ends(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "far" / "deeper").mkdir(parents=True)
    for name in ("a.wav", "deeper/b.wav"):
        write(folder / "far" / name, speech(FAR, RATE_HZ, 1.0), RATE_HZ)

    assert run(folder / "in", "-o", folder / "out", "--far", folder / "far", "--json", "--processes", 1) == 0
    assert [file["echo_found"] for file in json.loads(capsys.readouterr().out)] == [False, False]


def test_one_file_goes_where_it_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder / "in" / "a.wav", "-o", folder / "x.flac") == 0
    assert run(folder / "in" / "a.wav", "-o", folder / "new") == 0
    assert (folder / "x.flac").exists()
    assert (folder / "new" / "a.wav").exists()
    assert "times real time" in capsys.readouterr().out


def test_a_name_with_a_slash_at_its_end_is_a_folders(folder: Path) -> None:
    (folder / "far").mkdir()
    write(folder / "far" / "a.wav", speech(FAR, RATE_HZ, 1.0), RATE_HZ)
    one, far, pictures = folder / "in" / "a.wav", folder / "far", f"{folder}/pictures.v2/"

    assert run(one, "-o", f"{folder}/out.v2/", "--far", far, "--report", pictures) == 0
    assert (folder / "out.v2" / "a.wav").exists()
    assert (folder / "pictures.v2" / "a.png").exists()


def test_a_folder_is_cleaned_again_without_what_was_made_of_it(folder: Path) -> None:
    for _ in range(2):
        assert run(folder / "in", folder / "in" / "a.wav", "-o", folder / "in" / "cleaned", "--processes", 1) == 0
    made = [path.relative_to(folder / "in" / "cleaned").as_posix() for path in (folder / "in" / "cleaned").rglob("*.*")]

    assert sorted(made) == ["a.wav", "deeper/b.wav"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "-o", "out.wav"], "must be a folder"),
        (["in", "-o", "out.mkv"], "must be a folder"),
        (["in/a.wav", "-o", "out.xyz"], "must end in .wav"),
        (["in/a.wav", "-o", "out.aac"], "must end in .wav"),
        (["in/a.wav", "in/notes.txt", "-o", "out"], "notes.txt cannot be read"),
        (["in", "missing", "-o", "out"], "missing is not there"),
        (["in", "-o", "out", "--far", "in/a.wav"], "--far must be a folder"),
        (["in", "-o", "out", "--far", "in/deeper"], "holds no far end for a.wav"),
        (["in", "other", "-o", "out"], "other/a.wav would be written to out/a.wav, as in/a.wav is"),
        (["in/a.wav", "-o", "-"], "standard input and output"),
        (["-", "-o", "out.wav"], "standard input and output"),
        (["in/a.wav", "-o", "out.v2"], "must end in .wav"),
        (["in/a.wav", "-o", ".wav"], "must be a folder, or end in .wav"),
        (["in/a.wav", "-o", "plain"], "must be a folder, or end in .wav"),
        (["in/a.wav", "-o", "out.wav", "--far", "in/a.wav"], "is the recording itself"),
        (["in/a.wav", "-o", "out.wav", "--far", "in/deeper"], "holds no far end for a.wav"),
        (["empty", "-o", "out"], "there is no recording in it"),
        (["in/a.wav", "-o", "out.wav", "--no-noise-suppression"], "nothing to do"),
    ],
)
def test_what_cannot_be_done_is_said(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (folder / "empty").mkdir()
    (folder / "plain").touch()
    (folder / "other").mkdir()
    (folder / "other" / "a.wav").write_bytes((folder / "in" / "deeper" / "b.mp3").read_bytes())
    monkeypatch.chdir(folder)

    assert run(*arguments) == 1
    assert message in capsys.readouterr().err


def test_a_wav_whose_sound_comes_late_in_the_file(tmp_path: Path) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        return name + len(content).to_bytes(4, "little") + content

    sound = (np.sin(np.arange(8000) / 3) * 8000).astype("<i2").tobytes()
    form = bytes.fromhex("0100 0100 803e0000 007d0000 0200 1000")  # PCM, mono, 16 kHz, 16 bits
    body = b"WAVE" + chunk(b"LIST", bytes(300_000)) + chunk(b"fmt ", form) + chunk(b"junk", bytes(200_000))
    (tmp_path / "late.wav").write_bytes(chunk(b"RIFF", body + chunk(b"data", sound)))

    cleaned = clean_file(tmp_path / "late.wav", tmp_path / "out.wav")

    assert (cleaned.rate_hz, cleaned.channels, cleaned.seconds) == (16000, 1, 0.5)
