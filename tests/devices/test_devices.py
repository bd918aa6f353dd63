"""Devices through a stand-in for sounddevice: no sound card can be plugged in and out here, so PortAudio is mocked."""

from __future__ import annotations

import asyncio
import errno
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import av
import numpy as np
import pytest
from endpoints import MediaLog

from spike_engine import Device, DeviceInUse, DeviceNotFound, Devices, MediaPermissionDenied
from spike_engine.devices import Camera, Loudspeaker, Microphone, cameras, list_devices, opening, portaudio, sound
from spike_engine.devices.pictures import rgb_of
from spike_engine.devices.portaudio import BLOCK_SAMPLES
from spike_engine.devices.stand_ins import Silence
from spike_engine.devices.watch import COMMAND, DeviceWatch, devices_from_json
from spike_engine.media.playback import Playback


class PortAudioError(Exception):
    pass


class Stream:
    """A stream whose callbacks the test makes."""

    opened: ClassVar[list[Stream]] = []
    failure: ClassVar[Exception | None] = None
    plugged_in: ClassVar[list[dict[str, Any]]] = []  # and not yet noticed
    rates_hz: ClassVar[tuple[int, ...]] = (48000, 44100)
    channels: ClassVar[tuple[int, ...]] = (1, 2)

    def __init__(self, **settings: Any) -> None:
        if Stream.failure:
            raise Stream.failure
        if settings["samplerate"] not in Stream.rates_hz:
            raise PortAudioError("Error opening stream: Invalid sample rate [PaErrorCode -9997]")
        if settings["channels"] not in Stream.channels:
            raise PortAudioError("Error opening stream: Invalid number of channels [PaErrorCode -9998]")
        self.settings = settings
        self.running = False
        self.closed = 0
        Stream.opened.append(self)

    def start(self) -> None:
        self.running = True

    def close(self) -> None:
        self.running = False
        self.closed += 1

    def call(self, block: np.ndarray) -> np.ndarray:
        self.settings["callback"](block, len(block), None, None)
        return block


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> type[Stream]:
    described = [
        {"name": "Desk", "max_input_channels": 1, "max_output_channels": 0, "default_samplerate": 44100.0},
        {"name": "Headset", "max_input_channels": 1, "max_output_channels": 2, "default_samplerate": 48000.0},
    ]
    module = ModuleType("sounddevice")
    parts = {"InputStream": Stream, "OutputStream": Stream, "PortAudioError": PortAudioError}
    parts |= {"query_devices": lambda: described, "default": SimpleNamespace(device=(0, 1))}
    parts |= {"_terminate": lambda: None, "_initialize": lambda: described.extend(Stream.plugged_in)}
    for name, part in parts.items():
        setattr(module, name, part)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(Stream, "opened", [])
    monkeypatch.setattr(Stream, "failure", None)
    monkeypatch.setattr(Stream, "plugged_in", [])
    return Stream


@pytest.mark.usefixtures("sounddevice")
def test_devices_are_listed_by_what_they_can_do() -> None:
    found = list_devices()

    assert [(d.id, d.name, d.is_default) for d in found.audio] == [
        ("Desk", "Desk", True),
        ("Headset", "Headset", False),
    ]
    assert [(d.id, d.sample_rate_hz, d.is_default) for d in found.audio_output] == [("Headset", 48000, True)]


def test_without_portaudio_there_are_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # importing it raises

    def missing() -> Any:
        raise DeviceNotFound("no PortAudio")

    monkeypatch.setattr(portaudio, "_sounddevice", missing)

    assert list_devices().audio == ()


async def test_what_the_microphone_captures_is_read(sounddevice: type[Stream]) -> None:
    microphone = Microphone()
    await microphone.start()
    reading = asyncio.create_task(microphone.read(960))
    await asyncio.sleep(0)
    for value in (0.25, 0.5):
        sounddevice.opened[0].call(np.full((BLOCK_SAMPLES, 1), value, np.float32))
    samples = await asyncio.wait_for(reading, 1)
    await microphone.close()
    await microphone.close()

    np.testing.assert_array_equal(samples, np.repeat(np.float32([0.25, 0.5]), BLOCK_SAMPLES))
    assert not sounddevice.opened[0].running
    assert sounddevice.opened[0].settings["device"] is None


async def test_what_is_lost_is_counted(sounddevice: type[Stream]) -> None:
    microphone, loudspeaker = Microphone(), Loudspeaker()
    await microphone.start()
    await loudspeaker.start()
    heard, played = sounddevice.opened
    for _ in range(60):  # of 10 ms, which nobody reads
        heard.call(np.zeros((BLOCK_SAMPLES, 1), np.float32))
    loudspeaker.write(np.zeros(48000 + 480, np.float32))
    assert (microphone.lost_ms, loudspeaker.lost_ms) == (pytest.approx(100), pytest.approx(10))
    for _ in range(103):
        played.call(np.zeros((BLOCK_SAMPLES, 1), np.float32))
    assert loudspeaker.idle_ms == pytest.approx(30)
    await microphone.close()
    await loudspeaker.close()


async def test_what_is_written_is_played_and_is_the_far_end(sounddevice: type[Stream]) -> None:
    loudspeaker = Loudspeaker("1")
    await loudspeaker.start()
    loudspeaker.write(np.full(BLOCK_SAMPLES // 2, 0.5, np.float32))
    played = sounddevice.opened[0].call(np.full((BLOCK_SAMPLES, 1), 9.0, np.float32))
    far_end = loudspeaker.played(BLOCK_SAMPLES)
    await loudspeaker.close()

    expected = np.repeat(np.float32([0.5, 0.0]), BLOCK_SAMPLES // 2)
    np.testing.assert_array_equal(played[:, 0], expected)
    np.testing.assert_array_equal(far_end, expected)
    assert sounddevice.opened[0].settings["device"] == 1


async def test_a_far_end_that_waited_for_the_microphone_is_no_later_than_its_echo(sounddevice: type[Stream]) -> None:
    loudspeaker = Loudspeaker()
    await loudspeaker.start()
    block = np.zeros((BLOCK_SAMPLES, 1), np.float32)
    loudspeaker.write(np.repeat(np.arange(1, 41, dtype=np.float32), BLOCK_SAMPLES))
    for _ in range(20):  # nobody reads yet
        sounddevice.opened[0].call(block)
    first = loudspeaker.played(BLOCK_SAMPLES)
    sounddevice.opened[0].call(block)
    second = loudspeaker.played(BLOCK_SAMPLES)
    await loudspeaker.close()

    assert (first == 20).all()
    assert (second == 21).all()


async def test_a_far_end_that_falls_behind_catches_up_within_a_second(sounddevice: type[Stream]) -> None:
    loudspeaker = Loudspeaker()
    await loudspeaker.start()
    block = np.zeros((BLOCK_SAMPLES, 1), np.float32)
    seen = []
    for number in range(1, 301):
        loudspeaker.write(np.full(BLOCK_SAMPLES, number, np.float32))
        sounddevice.opened[0].call(block)
        if not 10 <= number < 14:  # the reader is held up once for 40 ms, and its microphone loses them
            seen.append(float(loudspeaker.played(BLOCK_SAMPLES)[-1]))
    await loudspeaker.close()

    assert seen[9] == 10
    assert seen[-1] == 300


async def test_a_callback_that_comes_late_moves_the_far_end_once(sounddevice: type[Stream]) -> None:
    loudspeaker = Loudspeaker()
    await loudspeaker.start()
    block = np.zeros((BLOCK_SAMPLES, 1), np.float32)
    seen = []
    for number in range(1, 601):
        loudspeaker.write(np.full(BLOCK_SAMPLES, number, np.float32))
        if number % 100:  # else its callback is held up until the next one's time
            sounddevice.opened[0].call(block)
            if number % 100 == 1 and number > 1:
                sounddevice.opened[0].call(block)
        seen.append(float(loudspeaker.played(BLOCK_SAMPLES)[-1]))
    await loudspeaker.close()
    behind = [number - value for number, value in enumerate(seen, 1) if value]

    assert behind[:99] == [0] * 99
    assert set(behind[99:]) == {1}  # as much as was missing is held back from then on


async def test_a_device_that_nobody_waits_for_any_more_is_closed(
    sounddevice: type[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, opened = threading.Event(), threading.Event()

    def slow_start(stream: Stream) -> None:
        opening.set()
        opened.wait(5)
        stream.running = True

    monkeypatch.setattr(Stream, "start", slow_start)
    starting = asyncio.create_task(Microphone().start())
    await asyncio.to_thread(opening.wait, 5)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    opened.set()
    async with asyncio.timeout(5):
        while sounddevice.opened[0].closed == 0:
            await asyncio.sleep(0.01)

    assert not sounddevice.opened[0].running


@pytest.mark.parametrize(("rate_hz", "channels"), [(44100, 1), (48000, 2), (16000, 2), (96000, 1)])
async def test_a_device_of_one_rate_or_of_two_channels_is_opened_as_it_is(
    sounddevice: type[Stream], monkeypatch: pytest.MonkeyPatch, rate_hz: int, channels: int
) -> None:
    monkeypatch.setattr(Stream, "rates_hz", (rate_hz,))
    monkeypatch.setattr(Stream, "channels", (channels,))
    microphone, loudspeaker = Microphone(), Loudspeaker()
    await microphone.start()
    await loudspeaker.start()
    shape = rate_hz // 100, channels
    sounddevice.opened[0].call(np.full(shape, 0.5, np.float32))
    captured = await microphone.read(rate_hz // 100)
    loudspeaker.write(np.full(rate_hz // 100, 0.25, np.float32))
    heard = sounddevice.opened[1].call(np.zeros(shape, np.float32))
    played = loudspeaker.played(rate_hz // 100)
    pulls = loudspeaker.play_from(None)
    await microphone.close()
    await loudspeaker.close()

    assert (microphone.sample_rate_hz, loudspeaker.sample_rate_hz) == (rate_hz, rate_hz)
    np.testing.assert_array_equal(captured, 0.5)
    np.testing.assert_array_equal(heard, 0.25)
    np.testing.assert_array_equal(played, 0.25)
    assert pulls == (rate_hz == 48000)


async def test_a_device_of_a_rate_that_nobody_asks_for_says_so(
    sounddevice: type[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stream, "rates_hz", (11025,))
    with pytest.raises(DeviceNotFound, match="Invalid sample rate"):
        await Microphone().start()
    assert not sounddevice.opened


@pytest.mark.usefixtures("nothing_left_open")
@pytest.mark.parametrize("device", [Microphone, Loudspeaker])
async def test_a_device_that_hangs_while_it_opens_is_given_up_and_closed_when_it_is_open(
    sounddevice: type[Stream], monkeypatch: pytest.MonkeyPatch, device: Any
) -> None:
    may_go_on = threading.Event()
    monkeypatch.setattr(Stream, "start", lambda _: may_go_on.wait(10))
    monkeypatch.setattr(opening, "OPEN_LIMIT_S", 0.3)  # in which its thread has begun
    with pytest.raises(DeviceNotFound, match=r"'default' did not open within 0\.3 s"):
        await device().start()
    may_go_on.set()
    async with asyncio.timeout(5):
        while not sounddevice.opened[0].closed:
            await asyncio.sleep(0.01)


async def test_flush_silences_the_loudspeaker(sounddevice: type[Stream]) -> None:
    loudspeaker = Loudspeaker()
    await loudspeaker.start()
    loudspeaker.write(np.ones(4800, np.float32))
    loudspeaker.flush()
    played = sounddevice.opened[0].call(np.full((BLOCK_SAMPLES, 1), 9.0, np.float32))
    await loudspeaker.close()

    assert not played.any()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Device unavailable [PaErrorCode -9985]", DeviceInUse),
        ("Permission denied", MediaPermissionDenied),
        ("Error querying device -1", DeviceNotFound),
    ],
)
async def test_each_failure_of_portaudio_is_its_error(sounddevice: type[Stream], text: str, error: type) -> None:
    sounddevice.failure = PortAudioError(text)

    with pytest.raises(error, match="input device 'Desk'"):
        await Microphone("Desk").start()


async def test_silence_keeps_time_and_plays_nowhere() -> None:
    silence = Silence()
    loop = asyncio.get_running_loop()
    await silence.start()
    began_at = loop.time()
    for _ in range(5):
        assert not (await silence.read(480)).any()
    silence.write(np.ones(480, np.float32))
    silence.flush()
    await silence.close()

    assert loop.time() - began_at >= 0.045
    assert not silence.played(480).any()


async def test_a_camera_gives_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generated picture stands in for the driver; the rest of the way is a camera's."""
    monkeypatch.setattr(cameras, "_open_camera", lambda *_: av.open("testsrc2=size=64x48:rate=30", format="lavfi"))
    camera = Camera("0", 64, 48, 30)
    await camera.start()
    picture = await camera.read()
    await camera.close()

    assert picture.shape == (48, 64, 3)
    assert picture.std() > 10


async def test_a_camera_that_ends_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "testsrc2=size=64x48:rate=30:duration=0.04"
    monkeypatch.setattr(cameras, "_open_camera", lambda *_: av.open(source, format="lavfi"))
    camera = Camera("0", 64, 48, 30)
    await camera.start()
    assert (await camera.read()).shape == (48, 64, 3)
    with pytest.raises(DeviceNotFound, match="no more pictures"):
        await read_on(camera)
    await camera.close()


class StalledContainer:
    """Gives a picture, then none until it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.decoding = self.closed_while_decoding = False
        self.closed = threading.Event()
        self._whole = av.open("testsrc2=size=64x48:rate=30", format="lavfi")

    def decode(self, video: int) -> Iterator[Any]:
        for frame in self._whole.decode(video=video):
            yield frame
            self.decoding = True
            self.may_go_on.wait(10)
            self.decoding = False

    def close(self) -> None:
        self.closed_while_decoding = self.decoding
        self._whole.close()
        self.closed.set()


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_camera_that_gives_no_picture_is_gone_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    container = StalledContainer()
    monkeypatch.setattr(cameras, "_open_camera", lambda *_: container)
    monkeypatch.setattr(cameras, "STALL_S", 0.05)
    monkeypatch.setattr(cameras, "CLOSE_LIMIT_S", 0.05)
    camera = Camera("0", 64, 48, 30)
    await camera.start()
    await camera.read()
    with pytest.raises(DeviceNotFound, match="no more pictures"):
        await camera.read()
    async with asyncio.timeout(10):
        await camera.close()
    assert not container.closed.is_set()
    container.may_go_on.set()

    assert await asyncio.to_thread(container.closed.wait, 5)
    assert not container.closed_while_decoding


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_camera_that_is_closed_while_it_opens_is_closed_when_it_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opening, may_open, container = threading.Event(), threading.Event(), StalledContainer()

    def open_slowly(*_: Any) -> StalledContainer:
        opening.set()
        may_open.wait(5)
        return container

    monkeypatch.setattr(cameras, "_open_camera", open_slowly)
    camera = Camera("0", 64, 48, 30)
    starting = asyncio.create_task(camera.start())
    await asyncio.to_thread(opening.wait, 5)
    starting.cancel()
    closing = asyncio.create_task(camera.close())
    await asyncio.sleep(0)
    may_open.set()
    await closing

    assert container.closed.is_set()
    assert starting.cancelled()


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_camera_that_hangs_while_it_opens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    may_open, container = threading.Event(), StalledContainer()
    monkeypatch.setattr(cameras, "_open_camera", lambda *_: may_open.wait(10) and container)
    monkeypatch.setattr(cameras, "OPEN_LIMIT_S", 0.3)  # in which its thread has begun
    camera = Camera("0", 64, 48, 30)
    with pytest.raises(DeviceNotFound, match="did not open within"):
        await camera.start()
    closing = asyncio.create_task(camera.close())
    await asyncio.sleep(0)
    may_open.set()
    await closing

    assert container.closed.is_set()


async def read_on(camera: Camera) -> None:
    while True:
        await camera.read()


def film_of(*pictures: Any) -> SimpleNamespace:
    """A camera's container: what is an exception is raised, as PyAV does, which ends its generator."""
    left = iter(pictures)

    def decode(**_: int) -> Iterator[Any]:
        for picture in left:
            if isinstance(picture, Exception):
                raise picture
            yield picture

    return SimpleNamespace(decode=decode, close=lambda: None)


@pytest.mark.parametrize("name", ["yuyv422", "yuvj420p", "nv12", "yuvj422p", "yuv422p", "uyvy422", "bgr0", "gray"])
async def test_pictures_of_every_format_of_cameras(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), "rgb24").reformat(format=name)
    monkeypatch.setattr(cameras, "_open_camera", lambda *_: film_of(grey))
    camera = Camera("0", 64, 48, 30)
    await camera.start()
    picture = await camera.read()
    await camera.close()

    np.testing.assert_allclose(picture, np.full((48, 64, 3), 128), atol=3)


async def test_a_camera_of_a_format_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strange:
        format = SimpleNamespace(name="cuda")

        def to_ndarray(self, **_: str) -> Any:
            raise ValueError("no way")

    with pytest.raises(DeviceNotFound, match="cuda cannot be converted: no way"):
        rgb_of(Strange())


async def test_a_damaged_picture_is_left_out_and_a_hundred_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = av.error.InvalidDataError(1, "damaged")
    good = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
    monkeypatch.setattr(cameras, "_open_camera", lambda *_: film_of(damaged, good, *[damaged] * 100))
    camera = Camera("0", 64, 48, 30)
    await camera.start()
    assert (await camera.read()).shape == (48, 64, 3)
    with pytest.raises(DeviceNotFound, match="can be decoded"):
        await camera.read()
    await camera.close()


async def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(DeviceNotFound, match="camera"):
        await Camera("/dev/video-none", 64, 48, 30).start()


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.EBUSY, DeviceInUse), (errno.EACCES, MediaPermissionDenied), (errno.EIO, DeviceNotFound)],
)
async def test_each_failure_of_a_camera_is_its_error(monkeypatch: pytest.MonkeyPatch, number: int, error: type) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(av, "open", refuse)

    with pytest.raises(error, match="'cam'"):
        await Camera("cam", 64, 48, 30).start()


async def test_the_default_camera_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "list_cameras", tuple)

    with pytest.raises(DeviceNotFound, match="this machine has no camera"):
        await Camera("default", 64, 48, 30).start()


async def test_a_device_is_opened_by_its_id_whatever_its_number_is_now(sounddevice: type[Stream]) -> None:
    for device_id, number in (("Headset", 1), ("0", 0)):
        microphone = Microphone(device_id)
        await microphone.start()
        await microphone.close()
        assert sounddevice.opened[-1].settings["device"] == number


@pytest.mark.parametrize("device_id", ["default", "Gone"])
@pytest.mark.usefixtures("sounddevice")
async def test_a_machine_without_devices_says_what_to_do(monkeypatch: pytest.MonkeyPatch, device_id: str) -> None:
    monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", list)

    with pytest.raises(DeviceNotFound, match="no microphone: plug one in, or set audio_source"):
        await Microphone(device_id).start()
    with pytest.raises(DeviceNotFound, match="no loudspeaker: plug one in, or set audio_output"):
        await Loudspeaker(device_id).start()


@pytest.mark.usefixtures("sounddevice")
def test_a_sound_server_that_has_died_lists_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (PortAudioError("Error querying device -1"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")):

        def fail(error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", fail)
        assert list_devices().audio == ()


@pytest.mark.parametrize("device_id", ["²", "9" * 5000, "\ud800", "Köpfhörer 🎧"])
@pytest.mark.usefixtures("sounddevice")
async def test_any_id_is_a_device_or_none(monkeypatch: pytest.MonkeyPatch, device_id: str) -> None:
    monkeypatch.setattr(Stream, "failure", ValueError("no such number"))
    with pytest.raises(DeviceNotFound):
        await Microphone(device_id).start()


@pytest.mark.usefixtures("sounddevice")
async def test_an_id_that_is_not_there_any_more() -> None:
    with pytest.raises(DeviceNotFound, match="Desk, Headset"):
        await Microphone("Gone").start()


async def test_a_device_that_was_plugged_in_later_can_be_opened_and_the_others_go_on(sounddevice: type[Stream]) -> None:
    microphone = Microphone("Desk")
    await microphone.start()
    sounddevice.plugged_in.append({"name": "New", "max_input_channels": 1, "max_output_channels": 0})
    new = Microphone("New")
    await new.start()
    first, again, opened = sounddevice.opened
    again.call(np.full((BLOCK_SAMPLES, 1), 0.5, np.float32))
    heard = await asyncio.wait_for(microphone.read(BLOCK_SAMPLES), 5)
    await microphone.close()
    await new.close()

    assert (first.settings["device"], again.settings["device"], opened.settings["device"]) == (0, 0, 2)
    assert [stream.closed for stream in sounddevice.opened] == [1, 1, 1]
    assert (heard == 0.5).all()


async def test_a_microphone_that_is_closed_keeps_nobody_waiting(sounddevice: type[Stream]) -> None:
    microphone = Microphone("Desk")
    await microphone.start()
    reading = asyncio.create_task(microphone.read(960))
    await asyncio.sleep(0)
    await microphone.close()

    with pytest.raises(DeviceNotFound, match="closed"):
        await asyncio.wait_for(reading, 1)
    assert sounddevice.opened[0].closed


async def test_a_loudspeaker_that_plays_nothing_any_more_is_gone(
    sounddevice: type[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    loudspeaker = Loudspeaker("Headset")
    await loudspeaker.start()
    log = MediaLog()
    playback = Playback(log)
    await playback.replace(loudspeaker)
    playback.write(np.zeros(960, np.float32))
    assert not log.errors
    monkeypatch.setattr(sound, "BEGIN_S", -1.0)  # it is later than that
    playback.write(np.zeros(960, np.float32))
    playback.write(np.zeros(960, np.float32))
    await playback.close()

    assert [str(error) for error in log.errors] == ["the loudspeaker 'Headset' plays no more sound"]
    assert sounddevice.opened[0].closed == 1


async def test_portaudio_does_not_look_for_devices_while_a_stream_is_being_closed(
    sounddevice: type[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, may_close = threading.Event(), threading.Event()
    order: list[str] = []

    def close_slowly(stream: Stream) -> None:
        closing.set()
        may_close.wait(5)
        stream.closed += 1
        order.append("closed")

    microphone, new = Microphone("Desk"), Microphone("New")
    await microphone.start()
    monkeypatch.setattr(Stream, "close", close_slowly)
    monkeypatch.setattr(sys.modules["sounddevice"], "_terminate", lambda: order.append("terminated"))
    sounddevice.plugged_in.append({"name": "New", "max_input_channels": 1, "max_output_channels": 0})
    pulled_out = asyncio.create_task(microphone.close())
    await asyncio.to_thread(closing.wait, 5)
    plugged_in = asyncio.create_task(new.start())
    await asyncio.sleep(0.05)  # time for it to do the wrong thing
    may_close.set()
    await asyncio.gather(pulled_out, plugged_in)
    await new.close()

    assert order == ["closed", "terminated", "closed"]


def test_devices_of_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch, sounddevice: type[Stream]) -> None:
    twin = {"name": "Headset", "max_input_channels": 1, "max_output_channels": 1, "default_samplerate": 48000.0}
    monkeypatch.setattr(sys.modules["sounddevice"], "query_devices", lambda: [twin, twin])

    assert [device.id for device in list_devices().audio] == ["Headset", "Headset #2"]


@pytest.mark.usefixtures("sounddevice")
async def test_a_microphone_that_falls_silent_for_good_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "BEGIN_S", 0.05)
    microphone = Microphone("Desk")
    await microphone.start()
    with pytest.raises(DeviceNotFound, match="'Desk' gives no more sound"):
        await microphone.read(960)
    await microphone.close()


def test_cameras_have_names_and_ids_that_stay(tmp_path: Path) -> None:
    for number, name in enumerate(("Front", "Back")):
        (tmp_path / f"video{number}").touch()
        (tmp_path / "sys" / f"video{number}").mkdir(parents=True)
        (tmp_path / "sys" / f"video{number}" / "name").write_text(f"{name}\n")
    links = tmp_path / "v4l" / "by-id"
    links.mkdir(parents=True)
    (links / "usb-back").symlink_to(tmp_path / "video1")

    front, back = cameras.list_cameras(tmp_path, tmp_path / "sys")
    assert (front.id, front.name, front.is_default) == (str(tmp_path / "video0"), "Front", True)
    assert (back.id, back.name, back.is_default) == (str(links / "usb-back"), "Back", False)


# --- devices that come and go -----------------------------------------------------------------------------------------

LISTS = """
import sys, time
from spike_engine.devices.watch import devices_to_json
from spike_engine import Device, Devices
desk, headset = Device("Desk", "Desk"), Device("Headset", "Headset")
for devices in (Devices((desk,)), Devices((desk,)), Devices((desk, headset)), Devices((headset,))):
    print(devices_to_json(devices), flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("nothing_left_open")
async def test_devices_that_come_and_go_are_told() -> None:
    told: asyncio.Queue[Devices] = asyncio.Queue()
    known = Devices((Device("Desk", "Desk"),))
    watch = DeviceWatch(told.put_nowait, (sys.executable, "-c", LISTS), lambda: known)
    watch.start()
    watch.start()
    plugged_in, pulled_out = [await asyncio.wait_for(told.get(), 30) for _ in range(2)]
    await watch.close()
    await watch.close()

    assert [device.id for device in plugged_in.audio] == ["Desk", "Headset"]
    assert [device.id for device in pulled_out.audio] == ["Headset"]
    assert told.empty()


async def test_the_process_that_watches_begins_with_what_there_is() -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    process.stdin.close()  # as when the program that watches ends

    assert isinstance(devices_from_json(line), Devices)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    await process.communicate()
