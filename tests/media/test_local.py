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
    camera = ColourCamera()
    media = media_of(MediaLog(), audio_source=HangingMicrophone(np.zeros(960, np.float32)), video_source=camera)
    await media.open()
    async with asyncio.timeout(1):
        await media.close()

    assert camera.closed == 1
    assert "has not come to an end within 0.05 s" in caplog.text
