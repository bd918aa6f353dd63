"""Files, arrays, generators and tracks in the place of devices."""

from __future__ import annotations

import asyncio
import struct
import threading
import wave
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import DeviceNotFound, InvalidOption, SpikeClient, frames
from spike_engine.devices import Loudspeaker, Microphone
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.sources import AudioArray, AudioFile, AudioStream, VideoFile, audio
from spike_engine.sources.guarded import GuardedPictures
from spike_engine.sources.resolve import audio_source_of, sink_of, video_source_of
from spike_engine.sources.stream import OpenFile

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def tone(seconds: float, rate_hz: int = 48000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.float32)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file with a second of sound at 16 kHz and ten pictures, red then blue."""
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        picture = container.add_stream("ffv1", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "bgr0"
        for number in range(10):
            colour = np.zeros((48, 64, 3), np.uint8)
            colour[..., 0 if number < 5 else 2] = 200
            container.mux(picture.encode(av.VideoFrame.from_ndarray(colour, "rgb24")))
        block = frames.audio_from_ndarray(tone(1, 16000), format="s16", sample_rate_hz=16000)
        block.pts, block.time_base = 0, Fraction(1, 16000)
        container.mux(sound.encode(block))
        for stream in (sound, picture):
            container.mux(stream.encode(None))
    return path


async def read_all(source: Any, blocks: int) -> np.ndarray:
    await source.start()
    read = np.concatenate([await source.read(source.sample_rate_hz // 50) for _ in range(blocks)])
    await source.close()
    return read


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
async def test_an_array_is_read_and_then_silence(dtype: type) -> None:
    samples = tone(0.05) if dtype is np.float32 else (tone(0.05) * 32768).astype(np.int16)
    read = await read_all(audio_source_of(samples), 5)

    np.testing.assert_allclose(read[:2400], tone(0.05), atol=1e-4)
    assert not read[2400:].any()


async def test_an_array_of_another_rate_says_so() -> None:
    assert AudioArray(tone(0.1, 16000), sample_rate_hz=16000).sample_rate_hz == 16000


async def test_the_sound_of_a_file(film: Path) -> None:
    read = await read_all(audio_source_of(film), 20)

    assert np.sqrt(np.mean(read[4800:] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


async def test_the_pictures_of_a_file(film: Path) -> None:
    source = video_source_of(film)
    await source.start()
    pictures = [await source.read() for _ in range(12)]
    await source.close()

    assert pictures[0].shape == (48, 64, 3)
    assert pictures[0][20, 20].argmax() == 0
    assert pictures[9][20, 20].argmax() == 2
    np.testing.assert_array_equal(pictures[11], pictures[9])  # the last one stays


async def test_a_generator_of_blocks_of_any_length() -> None:
    closed = asyncio.Event()

    async def blocks() -> AsyncIterator[np.ndarray]:
        try:
            for _ in range(100):
                yield np.full(333, 0.5, np.float32)
        finally:
            closed.set()

    read = await read_all(audio_source_of(blocks()), 4)

    assert (read == 0.5).all()
    assert closed.is_set()


async def test_pictures_of_a_generator_and_of_an_array() -> None:
    async def pictures() -> AsyncIterator[np.ndarray]:
        yield np.full((4, 6, 3), 7, np.uint8)

    for given in (pictures(), np.full((4, 6, 3), 7, np.uint8), np.full((2, 4, 6, 3), 7, np.uint8)):
        source = video_source_of(given)
        await source.start()
        assert (await source.read() == 7).all()
        assert (await source.read() == 7).all()
        await source.close()


class HummingTrack(AudioStreamTrack):
    """Three frames at 8 kHz, then its end."""

    left = 3

    async def recv(self) -> Any:
        if not self.left:
            raise MediaStreamError
        self.left -= 1
        return frames.audio_from_ndarray(np.full(160, 0.25, np.float32), format="s16", sample_rate_hz=8000)


async def test_a_track_is_a_microphone_or_a_camera() -> None:
    track = HummingTrack()
    read = await read_all(audio_source_of(track), 5)
    assert read[1000:2400].mean() == pytest.approx(0.25, abs=0.02)
    assert not read[3840:].any()
    assert track.readyState == "ended"

    camera = video_source_of(VideoStreamTrack())
    assert (await camera.read()).shape == (480, 640, 3)
    await camera.close()


async def test_a_track_that_raises_is_no_end() -> None:
    class Broken(HummingTrack):
        async def recv(self) -> Any:
            raise OSError("no more")

    source = audio_source_of(Broken())
    with pytest.raises(OSError, match="no more"):
        await source.read(960)
    await source.close()


async def test_an_iterator_that_is_no_generator() -> None:
    class Blocks:
        def __aiter__(self) -> Blocks:
            return self

        async def __anext__(self) -> np.ndarray:
            return np.full(960, 0.5, np.float32)

    assert (await read_all(audio_source_of(Blocks()), 2) == 0.5).all()


@pytest.mark.parametrize("format_name", ["u8", "u8p", "dbl", "dblp"])
def test_samples_of_formats_that_calls_do_not_have(format_name: str) -> None:
    stereo = av.AudioFrame(format_name, "stereo", 480)
    half = np.uint8(192) if format_name.startswith("u8") else np.float64(0.5)
    for plane in stereo.planes:
        plane.update(np.repeat(half, plane.buffer_size // half.itemsize).tobytes())

    assert (audio._mono(stereo) == np.full(480, 0.5, np.float32)).all()


async def test_an_iterator_without_one_picture() -> None:
    async def pictures() -> AsyncIterator[np.ndarray]:
        for picture in ():
            yield picture

    with pytest.raises(DeviceNotFound, match="not one picture"):
        await video_source_of(pictures()).read()


async def test_a_device_by_its_id() -> None:
    assert isinstance(audio_source_of("default"), Microphone)
    assert isinstance(sink_of("default"), Loudspeaker)
    assert sink_of(loudspeaker := RecordingLoudspeaker()) is loudspeaker


async def test_files_that_are_none(tmp_path: Path, film: Path) -> None:
    (tmp_path / "text").write_text("no film")
    silent = tmp_path / "silent.mkv"
    with av.open(str(film)) as container, av.open(str(silent), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    for source in (AudioFile(tmp_path / "none"), AudioFile(tmp_path / "text"), AudioFile(silent)):
        with pytest.raises(DeviceNotFound):
            await source.start()
    with pytest.raises(DeviceNotFound):
        await VideoFile(tmp_path / "text").start()


def write_wav(path: Path, codec: str, sound: np.ndarray) -> None:
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream(codec, rate=16000, layout="mono")
        block = frames.audio_from_ndarray(sound, format="flt", sample_rate_hz=16000)
        block.pts, block.time_base = 0, Fraction(1, 16000)
        converter = av.AudioResampler(stream.format, "mono", 16000, stream.frame_size or None)
        for part in (*converter.resample(block), *converter.resample(None), None):
            container.mux(stream.encode(part))


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "adpcm_ima_wav"]
)
async def test_wav_files_of_any_kind_are_heard_to_their_end(tmp_path: Path, codec: str) -> None:
    sound = np.zeros(1600, np.float32)
    sound[-160:] = tone(0.01, 16000)  # at the very end, where a resampler's delay holds it back
    write_wav(tmp_path / "sound.wav", codec, sound)
    read = await read_all(audio_source_of(tmp_path / "sound.wav"), 10)

    assert np.abs(read).max() == pytest.approx(0.3, abs=0.05)
    assert np.sum(read**2) == pytest.approx(3 * np.sum(sound**2), rel=0.1)


async def test_a_wav_of_more_channels_than_calls_have(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "sound.wav"), "wb") as file:
        file.setparams((9, 2, 48000, 0, "NONE", ""))
        file.writeframes(np.repeat(np.int16(tone(0.04) * 32767)[:, None], 9, axis=1).tobytes())
    read = await read_all(audio_source_of(tmp_path / "sound.wav"), 2)

    np.testing.assert_allclose(read, tone(0.04), atol=1e-4)


async def test_a_file_that_is_damaged_in_its_middle_is_heard_on(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.flac"), "w") as container:
        stream = container.add_stream("flac", rate=16000, layout="mono", format="s16")
        block = frames.audio_from_ndarray(tone(2, 16000), format="s16", sample_rate_hz=16000)
        block.pts, block.time_base = 0, Fraction(1, 16000)
        for part in (block, None):
            container.mux(stream.encode(part))
    raw = bytearray((tmp_path / "sound.flac").read_bytes())
    raw[len(raw) // 3 : len(raw) // 2] = bytes(len(raw) // 2 - len(raw) // 3)
    (tmp_path / "sound.flac").write_bytes(raw)
    file = AudioFile(tmp_path / "sound.flac")
    await file.start()
    read = np.concatenate([block async for block in file._things])

    assert np.abs(read[-4800:]).max() == pytest.approx(0.3, abs=0.02)


async def test_a_wav_of_an_unknown_codec_says_so(tmp_path: Path) -> None:
    write_wav(tmp_path / "sound.wav", "pcm_s16le", tone(0.1, 16000))
    raw = bytearray((tmp_path / "sound.wav").read_bytes())
    raw[20:22] = b"\x77\x77"  # wFormatTag
    (tmp_path / "sound.wav").write_bytes(raw)

    with pytest.raises(DeviceNotFound, match=r"sound\.wav"):
        await AudioFile(tmp_path / "sound.wav").start()


async def test_a_file_is_decoded_beside_the_event_loop(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    def next_frame(file: OpenFile) -> Any:
        threads.add(threading.current_thread())
        return decode(file)

    decode = OpenFile.next_frame
    monkeypatch.setattr(OpenFile, "next_frame", next_frame)
    await read_all(audio_source_of(film), 5)

    assert threads
    assert threading.main_thread() not in threads


async def test_a_reader_that_is_cancelled_ends_no_film(film: Path) -> None:
    source = GuardedPictures(video_source_of(film), "film", print)
    await source.start()
    await source.read()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(source.read(), 0.001)
    picture = [await source.read() for _ in range(8)][-1]
    await source.close()

    assert picture[20, 20].argmax() == 2


async def test_a_pause_of_an_iterator_is_not_made_up_for() -> None:
    async def blocks() -> AsyncIterator[np.ndarray]:
        yield np.zeros(480, np.float32)
        await asyncio.sleep(0.5)
        yield np.zeros(48000, np.float32)

    source = audio_source_of(blocks())
    await source.read(960)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(25):
        await source.read(960)
    took_s = loop.time() - begun
    await source.close()

    assert took_s > 0.25  # 0.5 s of sound, of which 0.2 s may be caught up with


async def test_an_iterator_of_nothing_holds_nobody_up() -> None:
    async def blocks() -> AsyncIterator[np.ndarray]:
        while True:
            yield np.zeros(0, np.float32)

    source = AudioStream(blocks())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(source.read(960), 0.05)
    await source.close()


@pytest.mark.parametrize("block", [b"\0" * 960, [0.0], None, np.zeros((480, 2), np.float32), np.zeros(480, np.uint8)])
async def test_blocks_that_are_no_sound_say_what_is(block: Any) -> None:
    async def blocks() -> AsyncIterator[Any]:
        yield block

    source = audio_source_of(blocks())
    with pytest.raises(InvalidOption, match=r"float, int16 or int32, of shape \(n,\) or \(n, 1\), not"):
        await source.read(960)
    await source.close()


@pytest.mark.parametrize("value", [5, np.zeros((2, 2), np.float32), np.zeros(4, np.int64)])
def test_what_is_no_microphone(value: Any) -> None:
    with pytest.raises(InvalidOption):
        audio_source_of(value)


@pytest.mark.parametrize("value", [None, np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.float32)])
def test_what_is_no_camera(value: Any) -> None:
    with pytest.raises(InvalidOption):
        video_source_of(value)


async def test_a_client_sends_what_it_is_given_and_reads_the_ai_as_arrays(film: Path) -> None:
    heard = asyncio.Event()
    async with ConversationServer(persona=HummingPersona) as server:
        invitation = server.create_conversation()
        client = SpikeClient(
            conversation_url=invitation.conversation_url,
            token=invitation.token,
            audio_source=film,
            video_source=np.zeros((90, 160, 3), np.uint8),
            audio_output=RecordingLoudspeaker(),
            video_quality="low",
            join_timeout_s=20.0,
        )
        client.add_audio_tap(lambda kind, block: heard.set() if kind == "microphone" and block.max() > 0.2 else None)
        async with client:
            await asyncio.wait_for(heard.wait(), 20)
            await client.set_audio_device(ArrayMicrophone())
            async with asyncio.timeout(20):
                block = await anext(client.ai_voice())
                picture = await anext(client.ai_pictures("bgr24", width=64, height=36))

    assert block.dtype == np.float32
    assert block.ndim == 1
    assert picture.shape == (36, 64, 3)


def test_a_text_is_the_id_of_a_device() -> None:
    assert isinstance(audio_source_of("Headset"), Microphone)
    assert isinstance(sink_of("Headset"), Loudspeaker)


CLOCKWISE = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


@pytest.mark.parametrize("degrees", [0, *CLOCKWISE])
async def test_a_film_that_lies_on_its_side_stands_upright(tmp_path: Path, degrees: int) -> None:
    """As phones write them: the pictures as the sensor gives them, and in the header how to turn them."""
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :48] = 255  # the corner where reading begins
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as out:
        lying = np.ascontiguousarray(np.rot90(upright, degrees // 90))
        stream = out.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = *lying.shape[:2], "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(lying, "rgb24")))
        out.mux(stream.encode())
    film = bytearray(path.read_bytes())
    if degrees:  # the matrix of the track header (ISO/IEC 14496-12, 8.3.2)
        a, b, c, d = (value * 65536 for value in CLOCKWISE[degrees])
        at = film.index(b"tkhd") + 44
        film[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(film)

    source = VideoFile(path)
    await source.start()
    picture = await source.read()
    await source.close()

    assert picture.shape == upright.shape
    assert np.mean((picture > 128) != (upright > 128)) < 0.05
