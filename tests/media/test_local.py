"""The devices of a conversation together: opened side by side, replaced, and closed whatever they do."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from endpoints import ArrayMicrophone, ColourCamera, MediaLog, RecordingLoudspeaker

from spike_engine import ClientOptions, DeviceNotFound, frames
from spike_engine.media import reading
from spike_engine.media.local import LocalMedia
from spike_engine.sources import guard

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def media_of(log: MediaLog, **options: Any) -> LocalMedia:
    devices: dict[str, Any] = {"audio_source": ArrayMicrophone(), "video_source": ColourCamera()}
    devices |= {"audio_output": RecordingLoudspeaker(), "video_quality": "low"}
    url = "http://127.0.0.1:9/c"
    return LocalMedia(ClientOptions(conversation_url=url, token="t", **(devices | options)), log)


class MissingCamera(ColourCamera):
    async def start(self) -> None:
        raise DeviceNotFound("there is no such camera")


async def test_a_missing_camera_is_black_until_another_is_set() -> None:
    log = MediaLog()
    media = media_of(log, video_source=MissingCamera())
    await media.open()
    track = media.tracks().video
    black = frames.to_ndarray(await asyncio.wait_for(track.recv(), 5))
    await media.set_video_source(ColourCamera((200, 30, 60)))
    async with asyncio.timeout(5):
        while frames.to_ndarray(await track.recv())[..., 0].mean() < 150:
            pass
    await media.close()

    assert black.max() <= 2
    assert [error.message for error in log.errors] == ["there is no such camera"]


async def test_devices_open_side_by_side() -> None:
    together = asyncio.Barrier(3)

    async def start() -> None:
        await together.wait()

    devices = ArrayMicrophone(), ColourCamera(), RecordingLoudspeaker()
    for device in devices:
        device.start = start  # type: ignore[method-assign]
    media = media_of(MediaLog(), audio_source=devices[0], video_source=devices[1], audio_output=devices[2])
    await asyncio.wait_for(media.open(), 5)
    await media.close()

    assert [device.closed for device in devices] == [1, 1, 1]


class HangingMicrophone(ArrayMicrophone):
    async def close(self) -> None:
        await super().close()
        await asyncio.Event().wait()


async def test_a_device_that_hangs_while_it_is_closed_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reading, "CLOSE_LIMIT_S", 0.05)
    monkeypatch.setattr(guard, "CLOSE_LIMIT_S", 0.5)  # after which nothing is left of it
    camera = ColourCamera()
    media = media_of(MediaLog(), audio_source=HangingMicrophone(np.zeros(960, np.float32)), video_source=camera)
    await media.open()
    async with asyncio.timeout(10):
        await media.close()

    assert camera.closed == 1
    assert "has not come to an end within 0.05 s" in caplog.text


class Endless:
    """An async iterator of sound, as a program may have one."""

    def __init__(self) -> None:
        self.closed = 0

    async def __anext__(self) -> np.ndarray:
        await asyncio.sleep(0.02)
        return np.full(960, 0.5, np.float32)

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("microphone", [ArrayMicrophone, Endless])
async def test_what_is_set_a_second_time_stays_in_use(microphone: Any) -> None:
    log = MediaLog()
    sound, camera, loudspeaker = microphone(), ColourCamera(), RecordingLoudspeaker()
    media = media_of(log, audio_source=ArrayMicrophone(), video_source=camera, audio_output=loudspeaker)
    await media.open()
    await asyncio.gather(media.set_audio_source(sound), media.set_audio_source(sound))
    await media.set_audio_source(sound)
    await media.set_video_source(camera)
    await media.set_audio_output(loudspeaker)
    closed = [device.closed for device in (sound, camera, loudspeaker)]
    await media.close()

    assert closed == [0, 0, 0]
    assert not log.errors
    assert [device.closed for device in (sound, camera, loudspeaker)] == [1, 1, 1]


async def test_what_has_failed_can_be_set_again() -> None:
    log = MediaLog()
    sound = ArrayMicrophone()
    read, sound.read = sound.read, lambda _: asyncio.sleep(0, None)  # type: ignore[method-assign]
    media = media_of(log, audio_source=sound)
    await media.open()
    async with asyncio.timeout(5):
        while not log.errors:
            await asyncio.sleep(0)
    sound.read = read  # type: ignore[method-assign]
    await media.set_audio_source(sound)
    assert media.capture
    assert not media.capture.device.failed  # type: ignore[union-attr]
    await media.close()

    assert len(log.errors) == 1
