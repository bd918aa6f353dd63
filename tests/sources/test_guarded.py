"""Objects of the program that raise, give nonsense, or hang: told once, something else in their place, on it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import DeviceInUse, DeviceNotFound, MediaError
from spike_engine.sources import guard, guarded
from spike_engine.sources.guarded import GuardedPictures, GuardedSink, GuardedSound

pytestmark = pytest.mark.usefixtures("nothing_left_open")


def raises(error: BaseException) -> Callable[..., Any]:
    def method(*_: object) -> Any:
        raise error

    method.__name__ = f"raises {type(error).__name__}"
    return method


def gives(value: object) -> Callable[..., Any]:
    async def method(*_: object) -> object:
        return value

    of = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
    method.__name__ = f"gives {of}"
    return method


async def hangs(*_: object) -> None:
    await asyncio.Event().wait()


def changed(thing: Any, **members: Any) -> Any:
    for name, member in members.items():
        setattr(thing, name, member)
    return thing


@pytest.mark.parametrize(
    ("says", "counts"), [(0.05, 0.05), (np.float32(0.25), 0.25), (-1, 0), (1e9, 0), (float("nan"), 0), ("soon", 0)]
)
def test_what_an_object_says_of_its_delay_counts_where_it_can_be_true(says: Any, counts: float) -> None:
    sink = GuardedSink(changed(RecordingLoudspeaker(), latency_s=says), "audio_output", raises(AssertionError()))

    assert sink.latency_s == counts


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((guard, "START_LIMIT_S"), (guard, "CLOSE_LIMIT_S"), (guarded, "LATE_S"), (guarded, "STALL_S")):
        monkeypatch.setattr(module, name, 0.05)


@pytest.mark.parametrize(
    "read",
    [
        raises(OSError(-9981, "Input overflowed")),
        raises(asyncio.CancelledError()),
        raises(StopAsyncIteration()),
        gives(None),
        gives(b"\0\0" * 960),
        gives([0.0] * 960),
        gives(np.zeros((960, 2), np.float32)),
        gives(np.zeros(960, np.int64)),
        gives(np.zeros(960, complex)),
        gives(np.zeros(100, np.float32)),
        lambda _: np.zeros(960, np.float32),  # not async
    ],
)
async def test_a_microphone_that_fails_is_told_once_and_becomes_silence(
    read: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    errors: list[MediaError] = []
    inner = changed(ArrayMicrophone(), read=read)
    microphone = GuardedSound(inner, "audio_source (Mine)", errors.append)
    await microphone.start()
    blocks = [await microphone.read(960) for _ in range(3)]
    await microphone.close()

    assert not np.concatenate(blocks).any()
    assert [len(block) for block in blocks] == [960] * 3
    assert len(errors) == 1
    assert "audio_source (Mine)" in str(errors[0])
    assert str(errors[0]) in caplog.text
    assert inner.closed == 1


@pytest.mark.parametrize(
    ("dtype", "full"), [("float16", 1), ("float32", 1), ("float64", 1), ("int16", 2**15), ("int32", 2**31)]
)
@pytest.mark.parametrize("shape", [(960,), (960, 1)])
async def test_sound_is_taken_where_its_meaning_is_clear(dtype: str, full: int, shape: tuple[int, ...]) -> None:
    errors: list[MediaError] = []
    block = np.full((*shape, 2), full // 2 if full > 1 else 0.5, dtype)[..., 0]  # not contiguous
    microphone = GuardedSound(changed(ArrayMicrophone(), read=gives(block)), "mine", errors.append)
    await microphone.start()
    read = await microphone.read(960)
    await microphone.close()

    assert (read == 0.5).all()
    assert (read.shape, read.dtype) == ((960,), np.float32)
    assert errors == []


async def test_an_error_of_the_objects_own_is_passed_on() -> None:
    error = DeviceInUse("somebody else has it")
    errors: list[MediaError] = []
    microphone = GuardedSound(changed(ArrayMicrophone(), read=raises(error)), "mine", errors.append)
    await microphone.read(960)
    await microphone.close()

    assert errors == [error]


@pytest.mark.usefixtures("short_limits")
async def test_a_microphone_that_hangs_is_told_once_and_heard_when_it_goes_on() -> None:
    errors: list[MediaError] = []
    go_on = asyncio.Event()

    async def read(samples: int) -> Any:
        await go_on.wait()
        return np.full(samples, 0.5, np.float32)

    microphone = GuardedSound(changed(ArrayMicrophone(), read=read), "mine", errors.append)
    meanwhile = np.concatenate([await microphone.read(960) for _ in range(8)])
    go_on.set()
    after = await microphone.read(960)
    await microphone.close()

    assert not meanwhile.any()
    assert (after == 0.5).all()
    assert ["given nothing" in str(error) for error in errors] == [True]


async def test_a_microphone_that_does_not_wait_is_kept_in_step_with_the_clock(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guarded, "AHEAD_S", 0.1)
    microphone = GuardedSound(changed(ArrayMicrophone(), read=gives(np.zeros(960, np.float32))), "mine", print)
    await microphone.start()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(30):  # of 20 ms
        await microphone.read(960)
    took_s = loop.time() - begun
    await microphone.close()

    assert took_s > 0.35
    assert [record.message for record in caplog.records] == [
        "read() of mine does not wait until the samples were captured"
    ]


async def test_a_camera_that_does_not_wait_leaves_time_for_others() -> None:
    camera = GuardedPictures(changed(ColourCamera(), read=gives(np.zeros((2, 2, 3), np.uint8))), "mine", print)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(21):
        await camera.read()
    took_s = loop.time() - begun
    await camera.close()

    assert took_s > 0.09


async def test_a_reader_that_is_cancelled_loses_nothing() -> None:
    blocks = iter([np.full(960, 0.25, np.float32), np.full(960, 0.5, np.float32)])
    go_on = asyncio.Event()

    async def read(_: int) -> Any:
        await go_on.wait()
        return next(blocks)

    microphone = GuardedSound(changed(ArrayMicrophone(), read=read), "mine", print)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(microphone.read(960), 0.01)
    go_on.set()
    read_on = [await microphone.read(960) for _ in range(2)]
    await microphone.close()

    assert [block[0] for block in read_on] == [0.25, 0.5]


async def test_closed_while_it_is_read() -> None:
    errors: list[MediaError] = []
    inner = changed(ArrayMicrophone(), read=hangs)
    microphone = GuardedSound(inner, "mine", errors.append)
    reading = asyncio.create_task(microphone.read(960))
    await asyncio.sleep(0.01)  # it waits for the object now
    await microphone.close()
    await microphone.close()

    with pytest.raises(DeviceNotFound, match="closed"):
        await reading
    with pytest.raises(DeviceNotFound, match="closed"):
        await microphone.read(960)
    assert (errors, inner.closed) == ([], 1)


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("start", [raises(OSError("no")), raises(asyncio.CancelledError()), hangs, None])
async def test_what_cannot_be_started_is_an_error_of_a_device(start: Any) -> None:
    for device in (
        GuardedSound(changed(ArrayMicrophone(), start=start), "mine", print),
        GuardedPictures(changed(ColourCamera(), start=start), "mine", print),
        GuardedSink(changed(RecordingLoudspeaker(), start=start), "mine", print),
    ):
        with pytest.raises(DeviceNotFound, match=r"start\(\) of mine"):
            await device.start()


@pytest.mark.parametrize("rate_hz", [None, 0, -8000, 11025, 44100.5, "48000", 384000])
async def test_a_rate_that_is_none(rate_hz: Any) -> None:
    for device in (
        GuardedSound(changed(ArrayMicrophone(), sample_rate_hz=rate_hz), "mine", print),
        GuardedSink(changed(RecordingLoudspeaker(), sample_rate_hz=rate_hz), "mine", print),
    ):
        with pytest.raises(DeviceNotFound, match="multiple of 50 from 8000 to 192000"):
            await device.start()


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("close", [raises(OSError("no")), raises(asyncio.CancelledError()), hangs, None])
async def test_what_cannot_be_closed_is_logged(close: Any, caplog: pytest.LogCaptureFixture) -> None:
    microphone = GuardedSound(changed(ArrayMicrophone(), close=close), "mine", print)
    await microphone.start()
    await microphone.close()

    assert "close() of mine" in caplog.text


async def test_who_is_cancelled_while_it_starts_is_cancelled() -> None:
    starting = asyncio.create_task(GuardedSound(changed(ArrayMicrophone(), start=hangs), "mine", print).start())
    await asyncio.sleep(0.01)  # it waits for the object now
    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_ready_is_asked_where_there_is_one() -> None:
    await GuardedSound(ArrayMicrophone(), "mine", print).ready()
    with pytest.raises(DeviceNotFound, match=r"ready\(\) of mine"):
        await GuardedSound(changed(ArrayMicrophone(), ready=raises(OSError("no"))), "mine", print).ready()


@pytest.mark.parametrize(
    "read",
    [
        raises(OSError("no")),
        raises(asyncio.CancelledError()),
        gives(None),
        gives(np.zeros((48, 64), np.uint8)),
        gives(np.zeros((48, 64, 4), np.uint8)),
        gives(np.zeros((0, 64, 3), np.uint8)),
        gives(np.zeros((48, 64, 3))),
    ],
)
async def test_a_camera_that_fails_is_told_once_and_becomes_black(read: Callable[..., Any]) -> None:
    errors: list[MediaError] = []
    camera = GuardedPictures(changed(ColourCamera(), read=read), "video_source (Mine)", errors.append)
    await camera.start()
    pictures = [await camera.read() for _ in range(2)]
    await camera.close()

    assert max(picture.max() for picture in pictures) == 0
    assert len(errors) == 1
    assert "video_source (Mine)" in str(errors[0])
    if "accepted" in str(errors[0]):
        assert "(height, width, 3)" in str(errors[0])


@pytest.mark.usefixtures("short_limits")
async def test_a_camera_that_hangs_shows_its_last_picture() -> None:
    errors: list[MediaError] = []
    inner = ColourCamera()
    camera = GuardedPictures(inner, "mine", errors.append)
    await camera.read()
    changed(inner, read=hangs)
    pictures = [await camera.read() for _ in range(3)]
    await camera.close()

    assert {picture.max() for picture in pictures} == {200}
    assert len(errors) == 1


@pytest.mark.parametrize("method", ["write", "played", "flush"])
@pytest.mark.parametrize("error", [OSError("no"), asyncio.CancelledError()])
async def test_a_loudspeaker_that_fails_is_told_once_and_falls_silent(method: str, error: BaseException) -> None:
    errors: list[MediaError] = []
    inner = changed(RecordingLoudspeaker(), **{method: raises(error)})
    sink = GuardedSink(inner, "audio_output (Mine)", errors.append)
    await sink.start()
    for _ in range(2):
        sink.write(np.zeros(960, np.float32))
        sink.flush()
        assert not sink.played(960).any()
    await sink.close()

    assert [f"{method}() of audio_output (Mine) raised" in str(error) for error in errors] == [True]
    assert inner.closed == 1


async def test_a_loudspeaker_that_is_closed_is_left_alone() -> None:
    errors: list[MediaError] = []
    inner = changed(RecordingLoudspeaker(), flush=raises(OSError("closed")))
    sink = GuardedSink(inner, "mine", errors.append)
    await sink.close()
    sink.write(np.zeros(960, np.float32))
    sink.flush()

    assert not sink.played(960).any()
    assert (errors, inner.blocks) == ([], [])


async def test_a_loudspeaker_whose_write_is_async_says_so() -> None:
    errors: list[MediaError] = []
    sink = GuardedSink(changed(RecordingLoudspeaker(), write=gives(None)), "mine", errors.append)
    sink.write(np.zeros(960, np.float32))
    await sink.close()

    assert ["write() of mine" in str(error) and "must not be async" in str(error) for error in errors] == [True]


@pytest.mark.parametrize("played", [None, np.zeros(10, np.float32), np.zeros((960, 2), np.float32)], ids=str)
async def test_a_loudspeaker_that_has_played_nonsense(played: Any) -> None:
    errors: list[MediaError] = []
    sink = GuardedSink(changed(RecordingLoudspeaker(), played=lambda _: played), "mine", errors.append)
    silence = sink.played(960)
    await sink.close()

    assert (silence.shape, silence.any(), len(errors)) == ((960,), False, 1)
