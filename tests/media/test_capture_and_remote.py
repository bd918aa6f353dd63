"""The ends of the media path without a network: capture, camera, what comes in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from endpoints import ArrayMicrophone, ColourCamera, MediaLog, RecordingLoudspeaker

from spike_engine import DeviceNotFound, dsp, frames
from spike_engine.lifetime import cancelled
from spike_engine.media.capture import FRAME_SAMPLES, Capture
from spike_engine.media.filming import Filming
from spike_engine.media.playback import Playback
from spike_engine.media.remote import RemoteMedia
from spike_engine.sources import VideoStream

pytestmark = pytest.mark.usefixtures("nothing_left_open")


async def capture_of(source: Any, log: MediaLog | None = None, **options: bool) -> Capture:
    log = log or MediaLog()
    capture = Capture(Playback(log), log, **options)
    await capture.replace(source)
    return capture


async def playback_on(sink: Any, log: MediaLog | None = None) -> Playback:
    playback = Playback(log or MediaLog())
    await playback.replace(sink)
    return playback


def tone(seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(48000 * seconds)) / 48000)).astype(np.float32)


async def test_the_microphone_arrives_as_numbered_frames() -> None:
    capture = await capture_of(ArrayMicrophone(tone()), echo_cancellation=False, noise_suppression=False)
    track = capture.create_track()
    received = [await track.recv() for _ in range(5)]
    await capture.close()

    assert [frame.pts for frame in received] == [n * FRAME_SAMPLES for n in range(5)]
    assert {(frame.sample_rate, frame.time_base) for frame in received} == {(48000, Fraction(1, 48000))}
    assert np.abs(frames.audio_to_ndarray(received[4])).max() == pytest.approx(0.3, abs=0.02)
    with pytest.raises(MediaStreamError):
        await track.recv()


@pytest.mark.parametrize(("rate_hz", "cleaned_at_hz"), [(8000, 16000), (16000, 16000), (24000, 24000), (44100, 48000)])
async def test_a_microphone_is_cleaned_at_its_rate_and_sent_at_48_khz(rate_hz: int, cleaned_at_hz: int) -> None:
    log, sound = MediaLog(), tone()
    resampled = dsp.resample(sound, 48000, rate_hz)
    capture = await capture_of(ArrayMicrophone(resampled, rate_hz), log, noise_suppression=False)
    track = capture.create_track()
    received = [await track.recv() for _ in range(20)]
    assert capture.front_end.pipeline.sample_rate_hz == cleaned_at_hz
    await capture.replace(ArrayMicrophone(sound))
    received += [await track.recv() for _ in range(20)]
    assert capture.front_end.pipeline.sample_rate_hz == 48000
    await capture.close()

    blocks = np.stack([frames.audio_to_ndarray(frame, dtype="float32", channels=1) for frame in received])
    assert blocks.shape == (40, FRAME_SAMPLES)
    for cleaned in (blocks[8:18], blocks[-10:]):
        spectrum = np.abs(np.fft.rfft(cleaned.reshape(-1)))
        assert np.argmax(spectrum) * 48000 / cleaned.size == pytest.approx(440, abs=5)
        assert np.abs(cleaned).max() == pytest.approx(0.3, abs=0.05)


async def test_a_muted_microphone_sends_silence_and_goes_on_listening() -> None:
    log = MediaLog()
    log.muted.add("audio")
    capture = await capture_of(ArrayMicrophone(tone()), log)
    track = capture.create_track()
    received = [await track.recv() for _ in range(5)]
    await capture.close()

    assert not any(frames.audio_to_ndarray(frame).any() for frame in received)
    assert log.audio.count("processed") >= 5
    assert not any(log.voices)


async def test_a_sender_that_falls_behind_gets_the_newest_frames() -> None:
    capture = Capture(Playback(MediaLog()), MediaLog())
    track = capture.create_track()
    for _ in range(5):
        track.push(np.zeros(FRAME_SAMPLES, np.float32))
    await capture.close()
    capture.create_track()  # which forgets the one before, but not what it has dropped

    assert (track.dropped, capture.dropped) == (2, 2)


class Unplugged(ArrayMicrophone):
    async def read(self, samples: int) -> Any:
        raise DeviceNotFound("unplugged")


async def test_an_unplugged_microphone_is_told_once_and_another_takes_over() -> None:
    log = MediaLog()
    unplugged, spare = Unplugged(), ArrayMicrophone(tone())
    capture = await capture_of(unplugged, log)
    track = capture.create_track()
    await track.recv()  # silence stands in
    await capture.replace(spare)
    await track.recv()
    await capture.close()

    assert [error.code for error in log.errors] == ["DEVICE_NOT_FOUND"]
    assert (unplugged.closed, spare.closed) == (1, 1)


async def filming_of(source: Any, log: MediaLog | None = None, *, fps: int = 50) -> Filming:
    filming = Filming(log or MediaLog(), width=32, height=24, fps=fps)
    await filming.replace(source)
    return filming


async def test_the_camera_is_scaled_and_black_when_it_is_off() -> None:
    log = MediaLog()
    filming = await filming_of(ColourCamera((200, 30, 60)), log)
    track = filming.create_track()
    shown = frames.to_ndarray(await track.recv())
    log.muted.add("video")
    hidden = frames.to_ndarray(await track.recv())
    filming.size = 16, 12
    smaller = frames.to_ndarray(await track.recv())
    track.stop()
    await filming.close()

    assert shown.shape == (24, 32, 3)
    np.testing.assert_allclose(shown[12, 16].astype(int), (200, 30, 60), atol=4)
    assert hidden.max() <= 2
    assert smaller.shape == (12, 16, 3)
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_time_goes_on_in_the_camera_track() -> None:
    filming = await filming_of(ColourCamera())
    track = filming.create_track()
    first, second = await track.recv(), await track.recv()
    await filming.close()

    assert first.pts == 0
    assert 0.03 <= second.pts * second.time_base < 1.0


class SteadyCamera(ColourCamera):
    """Gives pictures without waiting; each counts."""

    read_count = 0

    async def read(self) -> Any:
        self.read_count += 1
        await asyncio.sleep(0.005)
        return self._picture


async def test_a_camera_that_is_faster_than_what_is_sent_is_thinned_out() -> None:
    camera = SteadyCamera()
    filming = await filming_of(camera, fps=20)
    track = filming.create_track()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(6):
        await track.recv()
    took_s = loop.time() - begun
    await filming.close()

    assert took_s >= 0.2  # five intervals of 50 ms, each with its quarter of tolerance
    assert filming.pictures == 6
    assert camera.read_count > 12


class BrokenCamera(ColourCamera):
    async def read(self) -> Any:
        raise DeviceNotFound("the camera is gone")


async def test_a_camera_that_fails_is_told_once_and_becomes_black() -> None:
    log = MediaLog()
    broken, spare = BrokenCamera(), ColourCamera()
    filming = await filming_of(broken, log)
    track = filming.create_track()
    pictures = [frames.to_ndarray(await track.recv()) for _ in range(3)]
    await filming.replace(spare)
    shown = frames.to_ndarray(await track.recv())
    await filming.close()

    assert len(log.errors) == 1
    assert max(picture.max() for picture in pictures) <= 2
    assert shown.max() > 190
    assert (broken.closed, spare.closed) == (1, 1)


async def test_pictures_of_an_iterator_go_on_when_a_connection_is_replaced() -> None:
    async def film() -> AsyncIterator[np.ndarray]:
        for level in itertools.count(40, 2):
            yield np.full((24, 32, 3), level, np.uint8)

    filming = await filming_of(VideoStream(film(), fps=100))
    before = filming.create_track()
    first = frames.to_ndarray(await before.recv()).mean()
    receiving = asyncio.create_task(before.recv())
    await asyncio.sleep(0)
    await cancelled(receiving)  # as aiortc does it when its connection is closed
    before.stop()
    after = filming.create_track()
    later = [frames.to_ndarray(await asyncio.wait_for(after.recv(), 5)).mean() for _ in range(2)]
    await filming.close()

    assert first < later[0] < later[1]


class RemoteTone(MediaStreamTrack):
    """A remote voice of another rate than the engine's, then its end."""

    kind = "audio"

    def __init__(self, rate_hz: int, blocks: int) -> None:
        super().__init__()
        self._rate_hz = rate_hz
        self._left = blocks

    async def recv(self) -> av.AudioFrame:
        if not self._left:
            raise MediaStreamError
        self._left -= 1
        await asyncio.sleep(0)
        return frames.audio_from_ndarray(np.full(self._rate_hz // 50, 0.25, np.float32), sample_rate_hz=self._rate_hz)


@pytest.mark.parametrize("rate_hz", [8000, 48000])
async def test_what_comes_in_is_played_whatever_its_rate(rate_hz: int) -> None:
    loudspeaker = RecordingLoudspeaker(sample_rate_hz=16000)
    log = MediaLog()
    remote = RemoteMedia(await playback_on(loudspeaker), log)
    remote.attach(RemoteTone(rate_hz, 20))
    async with asyncio.timeout(5):
        while len(log.levels) < 20:
            log.arrived.clear()
            await log.arrived.wait()
    await remote.close()

    assert len(loudspeaker.samples) == 20 * 320
    assert loudspeaker.samples[-320:].mean() == pytest.approx(0.25, abs=0.01)
    assert log.levels[-1] == pytest.approx(0.25, abs=0.02)


class RemoteVoice(RemoteTone):
    """Numbers its frames as a decoder does: from any time on."""

    def __init__(self, begins: int) -> None:
        super().__init__(48000, 3)
        self._pts = begins

    async def recv(self) -> av.AudioFrame:
        frame = await super().recv()
        frame.pts, frame.time_base = self._pts, Fraction(1, 48000)
        self._pts += 960
        return frame


async def test_the_ai_track_outlives_a_connection_and_its_time_goes_on() -> None:
    remote = RemoteMedia(Playback(MediaLog()), MediaLog())
    track = remote.attach(RemoteVoice(begins=123_456))
    before = [await track.recv() for _ in range(3)]
    await remote.detach()
    waiting = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert remote.attach(RemoteVoice(begins=7)) is track
    after = [await waiting, await track.recv()]
    await remote.close()

    assert [frame.pts for frame in (*before, *after)] == [0, 960, 1920, 2880, 3840]
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_another_loudspeaker_takes_over_in_the_middle() -> None:
    first, second = RecordingLoudspeaker(), RecordingLoudspeaker(sample_rate_hz=16000)
    playback = await playback_on(first)
    playback.write(np.full(960, 0.5, np.float32))
    await playback.replace(second)
    playback.write(np.full(960, 0.5, np.float32))
    await playback.close()

    assert (len(first.samples), len(second.samples)) == (960, 320)
    assert (first.closed, second.closed) == (1, 1)
