"""The ends of the media path without a network: capture, camera, what comes in."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import DeviceNotFound, MediaError, frames
from spike_engine.tracks import FRAME_SAMPLES, CameraTrack, Capture, RemoteAudio

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def ignore(*_: Any) -> None: ...


def tone(seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(48000 * seconds)) / 48000)).astype(np.float32)


async def test_the_microphone_arrives_as_numbered_frames() -> None:
    capture = Capture(
        ArrayMicrophone(tone()), RecordingLoudspeaker(), echo_cancellation=False, noise_suppression=False,
        on_error=ignore, tap=ignore,
    )  # fmt: skip
    track = capture.create_track()
    capture.start()
    received = [await track.recv() for _ in range(5)]
    await capture.close()

    assert [frame.pts for frame in received] == [n * FRAME_SAMPLES for n in range(5)]
    assert {(frame.sample_rate, frame.time_base) for frame in received} == {(48000, Fraction(1, 48000))}
    assert np.abs(frames.audio_to_ndarray(received[4])).max() == pytest.approx(0.3, abs=0.02)
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_a_muted_microphone_sends_silence_and_goes_on_listening() -> None:
    heard: list[str] = []
    capture = Capture(
        ArrayMicrophone(tone()), RecordingLoudspeaker(), on_error=ignore, tap=lambda kind, _: heard.append(kind)
    )
    capture.enabled = False
    track = capture.create_track()
    capture.start()
    received = [await track.recv() for _ in range(5)]
    await capture.close()

    assert not any(frames.audio_to_ndarray(frame).any() for frame in received)
    assert heard.count("processed") >= 5


async def test_a_sender_that_falls_behind_gets_the_newest_frames() -> None:
    capture = Capture(ArrayMicrophone(tone()), RecordingLoudspeaker(), on_error=ignore, tap=ignore)
    track = capture.create_track()
    for _ in range(5):
        track.push(np.zeros(FRAME_SAMPLES, np.float32))
    await capture.close()

    assert track.dropped_frames == 2


class Unplugged(ArrayMicrophone):
    async def read(self, samples: int) -> Any:
        raise DeviceNotFound("unplugged")


async def test_an_unplugged_microphone_is_told_once_and_another_takes_over() -> None:
    errors: list[MediaError] = []
    unplugged, spare = Unplugged(), ArrayMicrophone(tone())
    capture = Capture(unplugged, RecordingLoudspeaker(), on_error=errors.append, tap=ignore)
    track = capture.create_track()
    capture.start()
    await track.recv()  # silence stands in
    await capture.replace_source(spare)
    await track.recv()
    await capture.close()

    assert [error.code for error in errors] == ["DEVICE_NOT_FOUND"]
    assert (unplugged.closed, spare.closed) == (1, 1)


def camera_track(source: Any, errors: list[MediaError]) -> CameraTrack:
    return CameraTrack(source, width=32, height=24, fps=50, on_error=errors.append)


async def test_the_camera_is_scaled_and_black_when_it_is_off() -> None:
    track = camera_track(ColourCamera((200, 30, 60)), [])
    shown = frames.to_ndarray(await track.recv())
    track.enabled = False
    hidden = frames.to_ndarray(await track.recv())
    await track.close()

    assert shown.shape == (24, 32, 3)
    np.testing.assert_allclose(shown[12, 16].astype(int), (200, 30, 60), atol=4)
    assert hidden.max() <= 2
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_time_goes_on_in_the_camera_track() -> None:
    track = camera_track(ColourCamera(), [])
    first, second = await track.recv(), await track.recv()
    await track.close()

    assert first.pts == 0
    assert 0.03 <= second.pts * second.time_base < 1.0


class BrokenCamera(ColourCamera):
    async def read(self) -> Any:
        raise DeviceNotFound("the camera is gone")


async def test_a_camera_that_fails_is_told_once_and_becomes_black() -> None:
    errors: list[MediaError] = []
    track = camera_track(BrokenCamera(), errors)
    pictures = [frames.to_ndarray(await track.recv()) for _ in range(3)]
    await track.close()

    assert len(errors) == 1
    assert max(picture.max() for picture in pictures) <= 2


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
    levels: list[float] = []
    remote = RemoteAudio(RemoteTone(rate_hz, 20), loudspeaker, on_level=levels.append, tap=ignore)
    await asyncio.wait_for(remote._task, 5)
    await remote.close()

    assert len(loudspeaker.samples) == 20 * 320
    assert loudspeaker.samples[-320:].mean() == pytest.approx(0.25, abs=0.01)
    assert levels[-1] == pytest.approx(0.25, abs=0.02)
