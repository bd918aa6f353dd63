"""What a program that was written for sounddevice or PyAudio finds in the module that takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import DuplexAudio, InvalidOption
from spike_engine.integrations import blocking
from spike_engine.integrations import pyaudio as pya
from spike_engine.integrations import sounddevice as sd

TONE = (0.25 * np.sin(np.arange(48000) * 0.05)).astype(np.float32)


@pytest.fixture
def loudspeaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingLoudspeaker]:
    """The only one, of a device that changes nothing of what it hears: a tone that never ends."""
    loudspeaker = RecordingLoudspeaker()

    def device() -> DuplexAudio:
        microphone = ArrayMicrophone(np.tile(TONE, 30))
        plain: Any = {"echo_cancellation": False, "noise_suppression": False, "auto_gain_control": False}
        return DuplexAudio(
            microphone=microphone, loudspeaker=loudspeaker, block_samples=480, hold_interruptions=False, **plain
        )

    monkeypatch.setattr(blocking, "device", device)
    yield loudspeaker
    sd.stop()


def heard(loudspeaker: RecordingLoudspeaker) -> np.ndarray:
    """What was played, without the silence around it."""
    samples = loudspeaker.samples
    sounding = np.flatnonzero(np.abs(samples) > 1e-4)
    return samples[sounding[0] : sounding[-1] + 1] if len(sounding) else samples[:0]


@pytest.mark.usefixtures("nothing_left_open")
def test_what_is_played_is_heard_whole(loudspeaker: RecordingLoudspeaker) -> None:
    sd.play(TONE[:9600].astype(float), 48000, blocking=True, blocksize=9600)

    assert 9595 < len(heard(loudspeaker)) < 9600 + 250  # the last sample fades within 5 ms
    np.testing.assert_allclose(heard(loudspeaker)[:4800], TONE[1:4801], atol=1e-3)


@pytest.mark.usefixtures("nothing_left_open")
def test_what_is_recorded_has_the_shape_and_dtype_that_were_asked_for(loudspeaker: RecordingLoudspeaker) -> None:
    recorded = sd.rec(4800, 24000, channels=2, dtype="int16")
    with pytest.raises(Exception, match="read by another"):
        sd.InputStream()
    assert not sd.wait()

    assert (recorded.shape, recorded.dtype) == ((4800, 2), np.int16)
    assert np.abs(recorded[-480:]).max() == pytest.approx(8192, abs=300)
    np.testing.assert_array_equal(recorded[:, 0], recorded[:, 1])


@pytest.mark.usefixtures("nothing_left_open")
def test_both_at_once(loudspeaker: RecordingLoudspeaker) -> None:
    stereo = np.stack([TONE[:9600], TONE[:9600]], axis=1)
    recorded = sd.playrec(stereo, 48000, channels=1, blocking=True)

    assert recorded.shape == (9600, 1)
    assert np.abs(recorded).max() > 0.2
    assert np.abs(heard(loudspeaker)).max() == pytest.approx(0.25, abs=0.01)


@pytest.mark.usefixtures("nothing_left_open")
def test_a_loop_is_played_until_it_is_stopped(loudspeaker: RecordingLoudspeaker) -> None:
    sd.play(TONE[:1000], loop=True)
    stream = sd.get_stream()
    while len(heard(loudspeaker)) < 4800:
        sd.sleep(10)
    assert stream.active
    sd.stop()

    assert (stream.active, stream.closed, stream.stopped) == (False, True, True)
    with pytest.raises(RuntimeError, match="not called yet"):
        sd.get_stream()


@pytest.mark.parametrize(("ends_by", "is_heard"), [(sd.CallbackStop, True), (sd.CallbackAbort, False)])
def test_a_callback_ends_its_stream(
    loudspeaker: RecordingLoudspeaker, ends_by: type[Exception], is_heard: bool
) -> None:
    times: list[Any] = []
    ended: list[bool] = []

    def callback(indata: np.ndarray, outdata: np.ndarray, frames: int, time: Any, status: Any) -> None:
        times.append(time)
        outdata[:] = 0.5
        raise ends_by

    with sd.Stream(48000, 960, channels=(1, 2), callback=callback, finished_callback=lambda: ended.append(True)) as it:
        it.wait()
        assert (it.channels, it.dtype, it.samplesize) == ((1, 2), ("float32", "float32"), (4, 4))
        assert len(it.latency) == 2

    assert ended == [True]
    assert times[0].inputBufferAdcTime < times[0].currentTime <= times[0].outputBufferDacTime
    assert bool(len(heard(loudspeaker))) == is_heard


def test_a_callback_that_raises_ends_its_stream_and_is_logged(
    loudspeaker: RecordingLoudspeaker, caplog: pytest.LogCaptureFixture
) -> None:
    def callback(indata: Any, frames: int, time: Any, status: Any) -> None:
        assert len(indata) == 2 * frames
        raise ZeroDivisionError

    with sd.RawInputStream(16000, 160, dtype="int16", callback=callback) as stream:
        stream.wait()
        assert not stream.active

    assert "ZeroDivisionError" in caplog.text


@pytest.mark.usefixtures("nothing_left_open")
def test_without_a_callback_it_is_read_and_written(loudspeaker: RecordingLoudspeaker) -> None:
    with sd.RawStream(16000, dtype="int16") as stream:
        data, overflowed = stream.read(320)
        assert (len(data), overflowed) == (640, False)
        (device,) = blocking._shared
        device.pause()  # nothing is heard meanwhile
        assert stream.write_available == 1600
        assert not stream.write(bytes(data))
        assert stream.write_available == pytest.approx(1280, abs=5)
        device.resume()
    with pytest.raises(sd.PortAudioError, match="closed"):
        stream.read(1)
    with sd.InputStream() as ears, sd.OutputStream() as mouth:
        assert (ears.channels, mouth.dtype, ears.samplesize) == (1, "float32", 4)
        with pytest.raises(sd.PortAudioError, match="input-only"):
            ears.write(TONE)
        with pytest.raises(sd.PortAudioError, match="output-only"):
            mouth.read(1)
        with pytest.raises(TypeError, match="dtype"):
            mouth.write(np.zeros(10, np.int16))
        with pytest.raises(ValueError, match="channels"):
            mouth.write(np.zeros((10, 2), np.float32))


def test_what_it_is_not_made_for_is_refused() -> None:
    with pytest.raises(InvalidOption, match="float32, int16, int32"):
        sd.InputStream(dtype="uint8")
    assert sd.query_devices(kind="input")["default_samplerate"] == 48000
    assert [each["max_output_channels"] for each in sd.query_devices()] == [1]
    assert not sd.get_status()


@pytest.mark.usefixtures("nothing_left_open")
def test_pyaudio_calls_back_and_ends_when_the_callback_says_so(loudspeaker: RecordingLoudspeaker) -> None:
    blocks: list[bytes] = []

    def callback(heard: bytes, frames: int, time: Any, status: int) -> tuple[bytes, int]:
        assert len(heard) == 2 * frames
        blocks.append(heard)
        return heard, pya.paContinue if len(blocks) < 10 else pya.paComplete

    audio = pya.PyAudio()
    stream = audio.open(48000, 1, pya.paInt16, input=True, output=True, frames_per_buffer=480, stream_callback=callback)
    while stream.is_active():
        sd.sleep(10)
    stream.stop_stream()
    audio.terminate()

    assert len(blocks) == 10
    silent = np.flatnonzero(np.abs(loudspeaker.samples) > 1e-4)[0]
    assert silent >= 0.9 * blocking.LEAD_S * 48000
    assert np.abs(loudspeaker.samples).max() == pytest.approx(0.25, abs=0.03)


def test_pyaudios_callback_that_raises_ends_its_stream(
    loudspeaker: RecordingLoudspeaker, caplog: pytest.LogCaptureFixture
) -> None:
    def callback(*_: Any) -> tuple[bytes, int]:
        raise ZeroDivisionError

    stream = pya.PyAudio().open(24000, 1, pya.paInt16, output=True, stream_callback=callback)
    while stream.is_active():
        sd.sleep(10)
    stream.close()

    assert stream.is_stopped()
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.usefixtures("loudspeaker")
@pytest.mark.parametrize("channels", [-1, 9, 1.5, "2"])
def test_channels_that_no_stream_has_are_refused(channels: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="channels must be"):
        sd.InputStream(channels=channels)


@pytest.mark.usefixtures("loudspeaker")
@pytest.mark.parametrize("frames", [10**30, 1.5, "3"])
def test_a_number_of_frames_that_is_none_is_refused_and_nothing_waited_for(frames: Any) -> None:
    with sd.InputStream() as stream, pytest.raises((ValueError, TypeError), match="frames"):
        stream.read(frames)
    other = pya.PyAudio().open(16000, 1, pya.paInt16, input=True)
    try:
        with pytest.raises((ValueError, TypeError), match="num_frames"):
            other.read(frames)
    finally:
        other.close()


@pytest.mark.usefixtures("loudspeaker")
def test_nothing_is_played_at_once() -> None:
    sd.play(np.zeros(0, np.float32), 16000)
    sd.wait()
    assert not sd.get_stream().active
