"""Microphones, loudspeakers and cameras, and what anything that stands in for one must do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import platform
import threading
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.errors import DeviceInUse, DeviceNotFound, MediaError, MediaPermissionDenied
from spike_engine.far_end import FarEnd
from spike_engine.inventory import Device, Devices

SAMPLE_RATE_HZ = 48000
BLOCK_SAMPLES = SAMPLE_RATE_HZ // 100
# A microphone that has given nothing for so long is gone: PortAudio often does not say so.
STALL_S = 2.0
# Enough for a loop that is held up; more would only be delay.
_MICROPHONE_RING_SAMPLES = SAMPLE_RATE_HZ // 2
_LOUDSPEAKER_RING_SAMPLES = SAMPLE_RATE_HZ


class AudioSource(Protocol):
    """Where microphone samples come from: mono float32 in [-1, 1]."""

    sample_rate_hz: int

    async def start(self) -> None:
        """Open it. Raises a :class:`~spike_engine.errors.MediaError` where that fails."""

    async def read(self, samples: int) -> NDArray[np.float32]:
        """Exactly `samples` samples, shape ``(samples,)``, as soon as they have been captured."""

    async def close(self) -> None:
        """Free it; may be called twice."""


class AudioSink(Protocol):
    """Where the AI's voice plays: mono float32 in [-1, 1]."""

    sample_rate_hz: int

    async def start(self) -> None:
        """Open it. Raises a :class:`~spike_engine.errors.MediaError` where that fails."""

    def write(self, samples: NDArray[np.float32]) -> None:
        """Queue `samples`, shape ``(n,)``, for playing. Never blocks; what does not fit is dropped."""

    def played(self, samples: int) -> NDArray[np.float32]:
        """The next `samples` samples that left the loudspeaker, zeros where none did: the echo canceller's far end."""

    def flush(self) -> None:
        """Drop what is queued, so that the loudspeaker falls silent."""

    async def close(self) -> None:
        """Free it; may be called twice."""


class VideoSource(Protocol):
    """Where pictures come from."""

    async def start(self) -> None:
        """Open it. Raises a :class:`~spike_engine.errors.MediaError` where that fails."""

    async def read(self) -> NDArray[np.uint8]:
        """The next picture as RGB, shape ``(height, width, 3)``."""

    async def close(self) -> None:
        """Free it; may be called twice."""


def list_devices() -> Devices:
    """The devices of this machine, empty where there are none. Blocks for some milliseconds."""
    return Devices(audio=_audio_devices("input"), video=_cameras(), audio_output=_audio_devices("output"))


def _cameras(folder: Path = Path("/dev"), described: Path = Path("/sys/class/video4linux")) -> tuple[Device, ...]:
    """V4L2's; the id is a link that stays when cameras are plugged in another order, where the system makes one."""
    links = {link.resolve(): link for link in sorted((folder / "v4l" / "by-id").glob("*"))}
    found: list[Device] = []
    for path in sorted(folder.glob("video*")):
        name = described / path.name / "name"
        readable = name.read_text().strip() if name.exists() else path.name
        found.append(Device(str(links.get(path.resolve(), path)), readable, is_default=not found))
    return tuple(found)


class Microphone:
    """A microphone through PortAudio. Its callback does one push on a native ring."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, device_id: str = "default") -> None:
        self._device_id = device_id
        self._ring = dsp.Ring(_MICROPHONE_RING_SAMPLES)
        self._stream: Any = None
        self._captured = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""
        loop = self._loop = asyncio.get_running_loop()

        def on_block(block: NDArray[np.float32], *_: object) -> None:
            self._ring.push(block[:, 0])
            with contextlib.suppress(RuntimeError):  # the loop is closing
                loop.call_soon_threadsafe(self._captured.set)

        self._stream = await _in_thread(_open_stream, "input", self._device_id, on_block)

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSource.read`."""
        while self._ring.available < samples:
            self._captured.clear()
            try:
                async with asyncio.timeout(STALL_S):
                    await self._captured.wait()
            except TimeoutError:
                raise DeviceNotFound(f"the microphone {self._device_id!r} gives no more sound") from None
        block = np.empty(samples, np.float32)
        self._ring.pop(block)
        return block

    async def close(self) -> None:
        """See :meth:`AudioSource.close`."""
        stream, self._stream = self._stream, None
        if stream:
            await asyncio.to_thread(stream.close)


class Loudspeaker:
    """A loudspeaker through PortAudio. Its callback does one pop, which also keeps what was played as the far end."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, device_id: str = "default") -> None:
        self._device_id = device_id
        self._queued = dsp.Ring(_LOUDSPEAKER_RING_SAMPLES)
        self._far_end = FarEnd(SAMPLE_RATE_HZ)
        self._flush = threading.Event()
        self._stream: Any = None

    async def start(self) -> None:
        """See :meth:`AudioSink.start`."""
        mono = np.zeros(BLOCK_SAMPLES, np.float32)

        def on_block(block: NDArray[np.float32], *_: object) -> None:
            if self._flush.is_set():  # the ring's reader is this thread: only it may clear
                self._queued.clear()
                self._flush.clear()
            self._queued.pop(mono, self._far_end.ring)
            block[:] = mono[:, None]

        self._stream = await _in_thread(_open_stream, "output", self._device_id, on_block)

    def write(self, samples: NDArray[np.float32]) -> None:
        """See :meth:`AudioSink.write`."""
        self._queued.push(samples)

    def played(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSink.played`."""
        return self._far_end.next(samples)

    def flush(self) -> None:
        """See :meth:`AudioSink.flush`."""
        self._flush.set()

    async def close(self) -> None:
        """See :meth:`AudioSink.close`."""
        stream, self._stream = self._stream, None
        if stream:
            await asyncio.to_thread(stream.close)


class Silence:
    """A microphone that hears nothing and a loudspeaker that plays nowhere, paced by the clock.

    Stands in for a device that is not there, so that a conversation can go on without it.
    """

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self) -> None:
        self._next_at: float | None = None

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""

    async def read(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSource.read`."""
        now = asyncio.get_running_loop().time()
        due = self._next_at = (self._next_at or now) + samples / self.sample_rate_hz
        await asyncio.sleep(max(0.0, due - now))
        return np.zeros(samples, np.float32)

    def write(self, samples: NDArray[np.float32]) -> None:
        """See :meth:`AudioSink.write`."""

    def played(self, samples: int) -> NDArray[np.float32]:
        """See :meth:`AudioSink.played`."""
        return np.zeros(samples, np.float32)

    def flush(self) -> None:
        """See :meth:`AudioSink.flush`."""

    async def close(self) -> None:
        """See :meth:`AudioSource.close`."""


class Camera:
    """A camera through PyAV: V4L2 on Linux, AVFoundation on macOS, DirectShow on Windows."""

    def __init__(self, device_id: str, width: int, height: int, fps: int) -> None:
        self._device_id = device_id
        self._options = {"video_size": f"{width}x{height}", "framerate": str(fps)}
        self._container: Any = None
        self._frames: Iterator[Any] | None = None

    async def start(self) -> None:
        """See :meth:`VideoSource.start`."""
        device_id = self._device_id
        if device_id == "default":
            cameras = list_devices().video
            if not cameras:
                raise DeviceNotFound("there is no camera")
            device_id = cameras[0].id
        self._container = await _in_thread(_open_camera, device_id, self._options)
        self._frames = self._container.decode(video=0)

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`VideoSource.read`."""
        frame = await asyncio.to_thread(self._next_frame)
        return frames.to_ndarray(frame, "rgb24")

    async def close(self) -> None:
        """See :meth:`VideoSource.close`."""
        container, self._container, self._frames = self._container, None, None
        if container:
            await asyncio.to_thread(container.close)

    def _next_frame(self) -> Any:
        try:
            assert self._frames is not None
            return next(self._frames)
        except (StopIteration, OSError) as error:
            raise DeviceNotFound(f"the camera {self._device_id!r} gives no more pictures") from error


async def _in_thread(open_device: Callable[..., Any], *arguments: Any) -> Any:
    """What `open_device` opens in a thread. If nobody waits for it any more when it is open, it is closed again."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_device, *arguments))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise


def _close_unwanted(opening: asyncio.Future[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _open_camera(device_id: str, options: dict[str, str]) -> Any:
    import av  # noqa: PLC0415 (only a program that uses a camera pays for it)

    backend = {"Darwin": "avfoundation", "Windows": "dshow"}.get(platform.system(), "v4l2")
    try:
        return av.open(device_id, format=backend, options=options)
    except PermissionError as error:
        raise MediaPermissionDenied(f"this program may not use the camera {device_id!r}") from error
    except (FileNotFoundError, av.error.ArgumentError) as error:
        raise DeviceNotFound(f"there is no camera {device_id!r}") from error
    except OSError as error:
        raise _error_of_os(error, f"the camera {device_id!r}") from error


def _error_of_os(error: OSError, what: str) -> MediaError:
    if error.errno == errno.EBUSY:
        return DeviceInUse(f"{what} is used by another program")
    if error.errno in (errno.EACCES, errno.EPERM):
        return MediaPermissionDenied(f"this program may not use {what}")
    return DeviceNotFound(f"{what} cannot be opened: {error}")


def _sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 (loads PortAudio, which a server or a test has no use for)
    except OSError as error:
        raise DeviceNotFound(f"audio devices need PortAudio (Debian: apt install libportaudio2): {error}") from error
    return sounddevice


def relist() -> None:
    """Have the next `list_devices` look again. Ends every open stream of this process: for one that has none."""
    with contextlib.suppress(DeviceNotFound):
        sounddevice = _sounddevice()
        sounddevice._terminate()
        sounddevice._initialize()


def _audio_devices(direction: Literal["input", "output"]) -> tuple[Device, ...]:
    try:
        default = _sounddevice().default.device[0 if direction == "input" else 1]
        return tuple(
            Device(device_id, info["name"], index == default, round(info["default_samplerate"]))
            for device_id, (index, info) in _by_id(direction).items()
        )
    except (DeviceNotFound, OSError):
        return ()


def _by_id(direction: Literal["input", "output"]) -> dict[str, tuple[int, dict[str, Any]]]:
    """PortAudio's number and description of each device, by an id that stays when others come and go: its name.

    Devices of the same name are told apart by their order: ``"Headset"``, ``"Headset #2"``.
    """
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    for index, info in enumerate(_sounddevice().query_devices()):
        if info[f"max_{direction}_channels"] > 0:
            found[_unused(info["name"], found)] = index, info
    return found


def _unused(name: str, taken: Container[str]) -> str:
    numbered = (name if number == 1 else f"{name} #{number}" for number in itertools.count(1))
    return next(candidate for candidate in numbered if candidate not in taken)


def _open_stream(direction: Literal["input", "output"], device_id: str, callback: Any) -> Any:
    sounddevice = _sounddevice()
    stream_type = sounddevice.InputStream if direction == "input" else sounddevice.OutputStream
    device = None if device_id == "default" else _index_of(direction, device_id)
    try:
        stream = stream_type(
            device=device,
            samplerate=SAMPLE_RATE_HZ,
            blocksize=BLOCK_SAMPLES,
            channels=1,
            dtype="float32",
            latency="low",
            callback=callback,
        )
        stream.start()
    except (ValueError, sounddevice.PortAudioError) as error:
        raise _error_of_portaudio(error, f"the {direction} device {device_id!r}") from error
    return stream


def _index_of(direction: Literal["input", "output"], device_id: str) -> int:
    """PortAudio's number of a device, by its id or by that number."""
    devices = _by_id(direction)
    if device_id in devices:
        return devices[device_id][0]
    if device_id.isdigit():
        return int(device_id)
    raise DeviceNotFound(f"there is no {direction} device {device_id!r}; there are {', '.join(devices) or 'none'}")


def _error_of_portaudio(error: Exception, what: str) -> MediaError:
    text = str(error)
    if any(phrase in text for phrase in ("Device unavailable", "busy", "in use")):
        return DeviceInUse(f"{what} is used by another program: {text}")
    if any(phrase in text for phrase in ("ermission", "denied", "not authorized")):
        return MediaPermissionDenied(f"this program may not use {what}: {text}")
    return DeviceNotFound(f"{what} cannot be opened: {text}")
