"""Cameras through PyAV: which there are, and their pictures."""

from __future__ import annotations

import asyncio
import errno
import logging
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices.decoding import frames_in
from spike_engine.devices.opening import BEGIN_S, CLOSE_LIMIT_S, OPEN_LIMIT_S, STALL_S, Worker
from spike_engine.devices.pictures import rgb_of
from spike_engine.errors import DeviceInUse, DeviceNotFound, MediaError, MediaPermissionDenied
from spike_engine.events import Device

logger = logging.getLogger(__name__)

_CAMERAS = {"Darwin": "avfoundation", "Windows": "dshow"}


def list_cameras(folder: Path = Path("/dev"), described: Path = Path("/sys/class/video4linux")) -> tuple[Device, ...]:
    """V4L2's; the id is a link that stays when cameras are plugged in another order, where the system makes one."""
    links = {link.resolve(): link for link in sorted((folder / "v4l" / "by-id").glob("*"))}
    found: list[Device] = []
    for path in sorted(folder.glob("video*")):
        name = described / path.name / "name"
        readable = name.read_text().strip() if name.exists() else path.name
        found.append(Device(str(links.get(path.resolve(), path)), readable, is_default=not found))
    return tuple(found)


class Camera:
    """A camera through PyAV: V4L2 on Linux, AVFoundation on macOS, DirectShow on Windows.

    One thread of its own opens, reads and closes it. A camera that gives no picture holds up that thread only.
    """

    def __init__(self, device_id: str, width: int, height: int, fps: int) -> None:
        self._device_id = device_id
        self._called = f"the camera {device_id!r}"
        self._options = {"video_size": f"{width}x{height}", "framerate": str(fps)}
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._first: Any = None
        self._limit_s = BEGIN_S
        self._worker = Worker(f"camera {device_id}")

    async def start(self) -> None:
        """See :meth:`VideoSource.start`."""
        self._first, self._limit_s = None, BEGIN_S
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                await self._worker.do(self._open)
        except TimeoutError:
            raise DeviceNotFound(f"the camera {self._device_id!r} did not open within {OPEN_LIMIT_S:g} s") from None

    async def ready(self) -> None:
        """Return when it has given its first picture: cameras take their time."""
        self._first = await self._next_frame()

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`VideoSource.read`."""
        frame, self._first = self._first, None
        return rgb_of(frame or await self._next_frame())

    async def close(self) -> None:
        """See :meth:`VideoSource.close`. A picture that is under way is waited for, but not for long."""
        if not await self._worker.finish(self._release, CLOSE_LIMIT_S):
            logger.warning("%s is held up: it is closed when it gives its next picture", self._called)

    async def _next_frame(self) -> Any:
        try:
            async with asyncio.timeout(self._limit_s):
                frame = await self._worker.do(self._decode)
        except TimeoutError:
            frame = None
        if frame is None:
            raise DeviceNotFound(f"{self._called} gives no more pictures")
        self._limit_s = STALL_S
        return frame

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._container = self._opened()
        self._frames = frames_in(self._container, "video")

    def _opened(self) -> Any:
        device_id = self._device_id
        if device_id == "default":
            cameras = list_cameras()
            if not cameras:
                raise DeviceNotFound(
                    "this machine has no camera: plug one in, or set video_source to a film, or video to False"
                )
            device_id = cameras[0].id
        return _open_camera(device_id, self._options)

    def _decode(self) -> Any:
        try:
            return next(self._frames, None)
        except OSError as error:
            raise DeviceNotFound(f"{self._called} gives no more pictures") from error
        except ValueError as error:
            raise DeviceNotFound(f"{self._called} gives no pictures that can be decoded") from error

    def _release(self) -> None:
        container, self._container, self._frames = self._container, None, iter(())
        if container:
            container.close()


def _open_camera(device_id: str, options: dict[str, str]) -> Any:
    return open_input(f"the camera {device_id!r}", _CAMERAS.get(platform.system(), "v4l2"), device_id, options)


def open_input(called: str, backend: str, address: str, options: dict[str, str]) -> Any:
    """A device of FFmpeg's as a PyAV container.

    Raises:
        MediaError: It cannot be opened; the message begins with what it is `called`.
    """
    import av  # noqa: PLC0415 (only a program that uses a camera pays for it)

    try:
        return av.open(address, format=backend, options=options)
    except PermissionError as error:
        raise MediaPermissionDenied(f"this program may not use {called}") from error
    except (FileNotFoundError, av.error.ArgumentError) as error:
        raise DeviceNotFound(f"{called} does not exist") from error
    except OSError as error:
        raise _error_of_os(error, called) from error
    except (av.FFmpegError, ValueError) as error:
        raise DeviceNotFound(f"{called} cannot be opened: {error}") from error


def _error_of_os(error: OSError, what: str) -> MediaError:
    if error.errno == errno.EBUSY:
        return DeviceInUse(f"{what} is used by another program")
    if error.errno in (errno.EACCES, errno.EPERM):
        return MediaPermissionDenied(f"this program may not use {what}")
    return DeviceNotFound(f"{what} cannot be opened: {error}")
