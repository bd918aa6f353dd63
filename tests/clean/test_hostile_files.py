"""Names, formats, disks and far ends that a recording does not have on good days."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
import wave
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from rooms import FAR, NEAR, echo_of, impulse_response, level_db, speech

from spike_engine import cli
from spike_engine.clean import CleaningOptions, UnusableAudio, clean_file
from spike_engine.clean.audio_file import AudioReader, AudioWriter
from spike_engine.errors import DeviceNotFound
from spike_engine.sources.stream import open_file

RATE_HZ = 16000
ECHO_ONLY = CleaningOptions(noise_suppression=False)


def write(path: Path, samples: NDArray[np.float32] | None = None, rate_hz: int = RATE_HZ, channels: int = 1) -> Path:
    """A WAV file of 32-bit floats: RIFF by hand, so that any rate, number and value is possible."""
    block = np.zeros(rate_hz * channels, np.float32) if samples is None else samples
    data = block.astype("<f4").tobytes()
    head = struct.pack("<HHIIHH", 3, channels, rate_hz, rate_hz * channels * 4, channels * 4, 32)
    body = b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    return path


def read(path: Path) -> NDArray[np.float32]:
    with AudioReader(path) as reader:
        return np.concatenate([np.zeros((0, reader.channels), np.float32), *reader.blocks()])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize(
    "name",
    ["12:30:05.wav", "a:b.wav", "C:x.wav", "http:x.wav", "concat:a|b.wav", "a%03d.wav", "?.wav", "-.wav", "ü .wav"],
)
def test_a_name_is_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rec").mkdir()
    for source, target in ((Path(name), Path("out:") / "1:2.wav"), (Path("rec") / name, Path(f"{name}.flac"))):
        write(source)
        clean_file(source, target)

        assert len(read(target)) == RATE_HZ
    open_file(Path(name), "audio", closes=True)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are no text")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    source = write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")))
    clean_file(source, tmp_path / "out.wav")

    assert (tmp_path / "out.wav").exists()


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write(tmp_path / "secret.wav")
    playlist = tmp_path / "list.wav"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n")

    with pytest.raises(UnusableAudio, match=r"list\.wav"):
        clean_file(playlist, tmp_path / "out.wav")
    assert not (tmp_path / "out.wav").exists()


def test_a_codec_that_nobody_knows_is_named_and_the_others_are_cleaned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "b.wav"):
        write(tmp_path / "in" / name)
    content = bytearray((tmp_path / "in" / "a.wav").read_bytes())
    content[20:22] = struct.pack("<H", 0x4242)
    (tmp_path / "in" / "a.wav").write_bytes(content)

    assert cli.main(["clean", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--processes", "1"]) == 1
    assert "a.wav cannot be read: its codec is not known" in capsys.readouterr().err
    assert (tmp_path / "out" / "b.wav").exists()
    with pytest.raises(DeviceNotFound, match="decoded"):
        open_file(tmp_path / "in" / "a.wav", "audio")


def test_one_that_is_not_there_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good.wav")
    (tmp_path / "far").mkdir()
    arguments = ["clean", str(good), str(tmp_path / "gone.wav"), "-o", str(tmp_path / "out"), "--processes", "1"]

    assert cli.main(arguments) == 1
    assert "gone.wav is not there" in capsys.readouterr().err
    assert (tmp_path / "out" / "good.wav").exists()
    assert cli.main([*arguments, "--far", str(tmp_path / "far")]) == 1
    assert "holds no far end for good.wav" in capsys.readouterr().err


def test_a_fault_of_any_kind_is_one_recordings_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav"):
        write(Path(name))

    def broken(source: Path, *arguments: object, **options: object) -> object:
        if source.name == "a.wav":
            raise av.error.PatchWelcomeError(1, "not implemented")
        return clean_file(source, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("spike_engine.clean.batch.clean_file", broken)

    assert cli.main(["clean", "a.wav", "b.wav", "-o", "out", "--processes", "1"]) == 1
    assert "a.wav was not cleaned" in capsys.readouterr().err
    assert Path("out/b.wav").exists()


def test_no_samples_are_no_recording(tmp_path: Path) -> None:
    with pytest.raises(UnusableAudio, match="holds no sound"):
        clean_file(write(tmp_path / "in.wav", np.zeros(0, np.float32)), tmp_path / "out.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_floats_beyond_full_scale_stay_in_a_file_of_floats_and_saturate_elsewhere(tmp_path: Path) -> None:
    loud = speech(NEAR, RATE_HZ, 3.0)
    loud = loud * (2.5 / np.abs(loud).max())
    source = write(tmp_path / "in.wav", loud)
    clean_file(source, tmp_path / "out.wav")
    clean_file(source, tmp_path / "out.flac")

    assert np.abs(read(tmp_path / "out.wav")).max() > 2.0
    assert np.abs(read(tmp_path / "out.flac")).max() == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_a_sample_that_is_no_number_does_not_spread(tmp_path: Path, bad: float) -> None:
    samples = speech(NEAR, RATE_HZ, 4.0).copy()
    clean = clean_file(write(tmp_path / "good.wav", samples), tmp_path / "a.wav")
    samples[RATE_HZ] = bad
    cleaned = clean_file(write(tmp_path / "bad.wav", samples), tmp_path / "b.wav")
    out = read(tmp_path / "b.wav")

    assert np.isfinite(out).all()
    assert abs(level_db(out[2 * RATE_HZ :]) - level_db(read(tmp_path / "a.wav")[2 * RATE_HZ :])) < 3.0
    assert cleaned.seconds == clean.seconds


@pytest.mark.parametrize(
    ("rate_hz", "channels", "suffix", "written_hz"),
    [
        (44100, 1, ".opus", 48000),
        (22050, 2, ".ogg", 24000),
        (11025, 1, ".mp3", 11025),
        (96000, 1, ".mp3", 48000),
        (192000, 2, ".m4a", 96000),
        (96000, 2, ".flac", 96000),
        (16000, 6, ".opus", 16000),
        (8000, 8, ".wav", 8000),
    ],
)
def test_a_format_that_lacks_the_rate_gets_the_next_that_it_has(
    tmp_path: Path, rate_hz: int, channels: int, suffix: str, written_hz: int
) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * rate_hz) / rate_hz)
    source = write(tmp_path / "in.wav", np.repeat(tone, channels), rate_hz, channels)
    cleaned = clean_file(source, tmp_path / f"out{suffix}")

    assert cleaned.rate_hz == written_hz
    with AudioReader(tmp_path / f"out{suffix}") as reader:
        seconds = sum(map(len, reader.blocks())) / reader.rate_hz
        assert reader.channels == channels
        assert seconds == pytest.approx(2.0, abs=0.1)


def test_a_format_that_lacks_the_channels_says_so(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", rate_hz=16000, channels=8)

    with pytest.raises(UnusableAudio, match=r"out\.mp3 cannot be written: \.mp3 has at most 2 channels, not 8"):
        clean_file(source, tmp_path / "out.mp3")
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


@pytest.fixture(scope="module")
def voices() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What the loudspeaker played, its echo, and a voice that has nothing to do with it."""
    far = speech(FAR, RATE_HZ, 8.0)
    echo = echo_of(far, impulse_response(RATE_HZ, 0.25, 60.0, -6.0, seed=1))
    return far, echo, speech(NEAR, RATE_HZ, 8.0)


def test_a_far_end_that_was_not_heard_takes_nothing_out(tmp_path: Path, voices: tuple) -> None:
    far, echo, near = voices
    mic = write(tmp_path / "near.wav", near)
    echoing = write(tmp_path / "echo.wav", echo)
    late = write(tmp_path / "late.wav", np.concatenate([np.zeros(3 * RATE_HZ, np.float32), far]))
    silent = write(tmp_path / "silent.wav")
    for source, played in ((mic, write(tmp_path / "far.wav", far)), (echoing, late), (mic, silent), (mic, late)):
        cleaned = clean_file(source, tmp_path / "out.wav", far=played, options=ECHO_ONLY)

        assert "no echo of it was found" in str(cleaned)
        assert (cleaned.echo_found, cleaned.erle_db, cleaned.delay_ms) == (False, None, None)
        np.testing.assert_array_equal(read(tmp_path / "out.wav"), read(source))


def test_an_echo_below_a_voice_is_found(tmp_path: Path, voices: tuple) -> None:
    far, echo, near = voices
    count = min(len(echo), len(near))
    level = level_db(near) - level_db(echo)
    mic = near[:count] + echo[:count] * 10 ** ((level - 10.0) / 20)  # 10 dB below, all the time
    source, played = write(tmp_path / "mic.wav", mic), write(tmp_path / "far.wav", far)

    assert clean_file(source, tmp_path / "out.wav", far=played).echo_found


@pytest.mark.parametrize("which", ["mic.wav", "far.wav"])
def test_neither_recording_is_written_over(tmp_path: Path, which: str) -> None:
    for name in ("mic.wav", "far.wav"):
        write(tmp_path / name)
    before = (tmp_path / which).read_bytes()

    with pytest.raises(UnusableAudio, match="itself: write somewhere else"):
        clean_file(tmp_path / "mic.wav", tmp_path / which, far=tmp_path / "far.wav")
    assert (tmp_path / which).read_bytes() == before


def test_a_target_that_is_a_folder_is_named_and_nothing_left_behind(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav")
    (tmp_path / "out.wav").mkdir()

    with pytest.raises(UnusableAudio, match=r"out\.wav cannot be written"):
        clean_file(source, tmp_path / "out.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "out.wav"]


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav")
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(UnusableAudio, match=r"file/out\.wav cannot be written"):
        clean_file(source, tmp_path / "file" / "out.wav")


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs Linux, and another user to become")
def test_a_folder_without_leave_is_named(tmp_path: Path) -> None:
    program = (
        "import os, sys; from spike_engine.clean import UnusableAudio, clean_file\n"
        "clean_file(sys.argv[1], sys.argv[3])  # loads what only the first user may read\n"
        "os.setuid(65534)\n"
        "try: clean_file(sys.argv[1], sys.argv[2])\n"
        "except UnusableAudio as error: print(error)"
    )
    folder = tmp_path / "locked"
    folder.mkdir()
    for path in (tmp_path, *tmp_path.parents):
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    source = write(tmp_path / "in.wav")
    paths = (source, folder / "out.wav", tmp_path / "before.wav")
    uncovered = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=False, env=uncovered
    )

    assert "out.wav cannot be written: permission denied" in done.stdout, done.stderr
    assert not list(folder.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for files")
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a", ".opus"])
def test_a_full_disk_is_said_with_the_name_of_the_output_and_nothing_left_behind(tmp_path: Path, suffix: str) -> None:
    noise = 0.5 * np.random.default_rng(0).standard_normal(30 * RATE_HZ).astype(np.float32)
    source = write(tmp_path / "in.wav", noise)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(UnusableAudio, match=rf"out\{suffix} cannot be written: file too large"):
            clean_file(source, tmp_path / f"out{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_a_recording_that_breaks_off_is_cleaned_as_far_as_it_goes(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(bytes(4 * RATE_HZ))
    content = (tmp_path / "in.wav").read_bytes()
    (tmp_path / "in.wav").write_bytes(content[: len(content) // 2 + 1])

    assert clean_file(tmp_path / "in.wav", tmp_path / "out.wav").seconds == pytest.approx(1.0, abs=0.01)


def encoded(path: Path, codec: str, seconds: int = 6, container: str | None = None) -> Path:
    hum = 0.3 * np.sin(np.arange(seconds * RATE_HZ) / 8).astype(np.float32)
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(hum.reshape(1, -1), "flt", "mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for part in (frame, None):
            file.mux(stream.encode(part))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "at", "damage"),
    [
        ("a.mp3", "libmp3lame", 0.5, np.random.default_rng(2).bytes(700)),
        ("a.mp3", "libmp3lame", 0.9, bytes(300)),
        ("a.m4a", "aac", 0.5, np.random.default_rng(2).bytes(400)),
        ("a.flac", "flac", 0.97, b""),  # it breaks off there
    ],
    ids=["the middle of an mp3", "the end of an mp3", "the middle of an m4a", "the end of a flac"],
)
def test_what_is_damaged_is_silence_and_the_rest_is_cleaned_in_its_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, codec: str, at: float, damage: bytes
) -> None:
    source = encoded(tmp_path / name, codec)
    whole, content = read(source)[:, 0], bytearray(source.read_bytes())
    place = int(at * len(content))
    content[place : place + (len(damage) or len(content))] = damage
    source.write_bytes(content)
    damaged = read(source)[:, 0]
    clean_file(source, tmp_path / "out.wav")

    assert "pieces of it cannot be decoded" in caplog.text
    assert len(damaged) > 0.9 * len(whole)
    if name == "a.m4a":  # whose frames say when they are due
        np.testing.assert_allclose(damaged[5 * RATE_HZ :], whole[5 * RATE_HZ : len(damaged)], atol=0.01)


def test_a_recording_that_another_follows_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    first = encoded(tmp_path / "first.ts", "mp2", container="mpegts").read_bytes()
    with av.open(str(tmp_path / "film.ts"), "w", format="mpegts") as file:
        stream = file.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for part in (*(av.VideoFrame(64, 64, "yuv420p") for _ in range(30)), None):
            file.mux(stream.encode(part))
    (tmp_path / "both.ts").write_bytes(first + (tmp_path / "film.ts").read_bytes() + first)

    assert len(read(tmp_path / "both.ts")) > 4 * RATE_HZ


def test_what_is_hardly_decoded_is_no_recording(tmp_path: Path) -> None:
    source = encoded(tmp_path / "a.mp3", "libmp3lame", seconds=20)
    content, noise = bytearray(source.read_bytes()), np.random.default_rng(1)
    for place in range(3000, len(content) - 200, 100):  # in each of its frames, behind the header
        content[place : place + 60] = noise.bytes(60)
    source.write_bytes(content)

    with pytest.raises(UnusableAudio, match="is damaged"):
        read(source)


@pytest.mark.parametrize("tag", [b"\x03\xff\xfe\xfa\x80", b"\x00\xe9t\xe9"])
def test_tags_of_any_encoding_keep_nobody_from_the_sound(tmp_path: Path, tag: bytes) -> None:
    sound = write(tmp_path / "in.wav").read_bytes()
    listed = b"LIST" + struct.pack("<I", 12 + 8) + b"INFOINAM" + struct.pack("<I", 8) + tag.ljust(8, b"\0")
    (tmp_path / "in.wav").write_bytes(sound[:36] + listed + sound[36:])
    clean_file(tmp_path / "in.wav", tmp_path / "out.wav")

    assert len(read(tmp_path / "out.wav")) == RATE_HZ
    open_file(tmp_path / "in.wav", "audio", closes=True)


def test_a_header_without_channels_is_no_sound(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "in.wav").read_bytes())
    content[22:24] = bytes(2)
    (tmp_path / "in.wav").write_bytes(content)

    with pytest.raises(DeviceNotFound, match="that can be decoded"):
        open_file(tmp_path / "in.wav", "audio")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.wav")
    for read_it, error in (
        (lambda path: clean_file(path, tmp_path / "out.wav"), UnusableAudio),
        (lambda path: open_file(path, "audio"), DeviceNotFound),
    ):
        for path in (tmp_path / "in.wav", Path(os.devnull)):
            with pytest.raises(error, match="a pipe or a device"):
                read_it(path)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    long = "x" * 251
    clean_file(write(tmp_path / f"{long}.wav"), tmp_path / f"{long[1:]}y.wav")

    assert len(read(tmp_path / f"{long[1:]}y.wav")) == RATE_HZ


@pytest.mark.skipif(sys.platform == "win32", reason="links need leave on Windows")
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    link, elsewhere = tmp_path / "link.wav", tmp_path / "elsewhere.wav"
    link.symlink_to("elsewhere.wav")
    clean_file(write(tmp_path / "in.wav"), link)

    assert link.is_symlink()
    assert len(read(elsewhere)) == RATE_HZ


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "files"), [(signal.SIGINT, 3), (signal.SIGTERM, 1), (signal.SIGHUP, 1)])
def test_a_signal_ends_it_with_nothing_half_written(tmp_path: Path, number: int, files: int) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for index in range(files):
        write(tmp_path / "in" / f"{index}.wav", np.zeros(RATE_HZ * 1800, np.float32))
    command = [sys.executable, "-m", "spike_engine.cli", "clean", tmp_path / "in", "-o", tmp_path / "out"]
    process = subprocess.Popen([*command, "--processes", "2"], stderr=subprocess.PIPE, start_new_session=True)
    while not list((tmp_path / "out").iterdir()):
        assert process.poll() is None
    os.killpg(process.pid, number)  # as a terminal does
    _, said = process.communicate(timeout=30)

    assert process.returncode == 128 + number
    assert not list((tmp_path / "out").iterdir())
    assert b"Traceback" not in said


@pytest.mark.parametrize("layout", ["2.1", "4.0", "5.0(side)", "5.1(side)", "6.1(back)", "7.1(wide)", "downmix"])
@pytest.mark.parametrize("suffix", [".opus", ".m4a"])
def test_channels_that_a_codec_does_not_know_are_written_as_as_many_others(
    tmp_path: Path, layout: str, suffix: str
) -> None:
    channels = av.AudioLayout(layout).nb_channels
    form = SimpleNamespace(rate_hz=48000, channels=channels, layout=layout, codec="pcm_s16le", sample_format="s16")
    with AudioWriter(tmp_path / f"out{suffix}", form) as writer:
        writer.write(np.zeros((4800, channels), np.float32))

    with AudioReader(tmp_path / f"out{suffix}") as reader:
        assert reader.channels == channels


def test_a_link_that_leads_nowhere_is_written_through(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav")
    (tmp_path / "out.wav").symlink_to(tmp_path / "elsewhere")
    clean_file(source, tmp_path / "out.wav")

    assert (tmp_path / "out.wav").is_symlink()
    with AudioReader(tmp_path / "elsewhere") as reader:
        assert reader.rate_hz == 16000


def test_a_name_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a\x1b[2Jb.wav")

    assert cli.main(["clean", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    assert "\x1b" not in capsys.readouterr().out
