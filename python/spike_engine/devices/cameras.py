"""Cameras through PyAV: which there are, and their pictures."""

from __future__ import annotations

import asyncio
import errno
import platform
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices.opening import in_thread
from spike_engine.devices.pictures import rgb_of
from spike_engine.errors import DeviceInUse, DeviceNotFound, MediaError, MediaPermissionDenied
from spike_engine.events import Device

_BAD_PACKETS = 30  # so many in a row are no accident


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
    """A camera through PyAV: V4L2 on Linux, AVFoundation on macOS, DirectShow on Windows."""

    def __init__(self, device_id: str, width: int, height: int, fps: int) -> None:
        self._device_id = device_id
        self._options = {"video_size": f"{width}x{height}", "framerate": str(fps)}
        self._container: Any = None
        self._frames: Iterator[Any] | None = None
        self._first: Any = None
        self._lock = threading.Lock()  # a picture may be under way in a thread when the camera is closed

    async def start(self) -> None:
        """See :meth:`VideoSource.start`."""
        device_id = self._device_id
        if device_id == "default":
            cameras = list_cameras()
            if not cameras:
                raise DeviceNotFound("there is no camera")
            device_id = cameras[0].id
        self._container = await in_thread(_open_camera, device_id, self._options)
        self._frames = self._container.decode(video=0)

    async def ready(self) -> None:
        """Return when it has given its first picture: cameras take their time."""
        self._first = await asyncio.to_thread(self._next_frame)

    async def read(self) -> NDArray[np.uint8]:
        """See :meth:`VideoSource.read`."""
        frame, self._first = self._first, None
        return rgb_of(frame or await asyncio.to_thread(self._next_frame))

    async def close(self) -> None:
        """See :meth:`VideoSource.close`."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            container, self._container, self._frames = self._container, None, None
            if container:
                container.close()

    def _next_frame(self) -> Any:
        for _ in range(_BAD_PACKETS):
            try:
                with self._lock:
                    return next(self._frames or iter(()))
            except (StopIteration, OSError) as error:
                raise DeviceNotFound(f"the camera {self._device_id!r} gives no more pictures") from error
            except ValueError:  # PyAV's InvalidDataError: a picture that was damaged on its way
                self._frames = self._container.decode(video=0) if self._container else None
        raise DeviceNotFound(f"the camera {self._device_id!r} gives no pictures that can be decoded")


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
