"""What this machine's screen shows, in the place of a camera."""

from __future__ import annotations

import os
import platform
from typing import Any

from spike_engine.devices.cameras import Camera, open_input
from spike_engine.errors import DeviceNotFound

SCREEN = "screen"  # the id by which a program asks for it

_BACKENDS = {"Linux": "x11grab", "Darwin": "avfoundation", "Windows": "gdigrab"}


class Screen(Camera):
    """The whole screen with its pointer, through PyAV: X11 on Linux, AVFoundation on macOS, GDI on Windows.

    Args:
        fps: How often it is looked at.
    """

    def __init__(self, fps: int) -> None:
        super().__init__(SCREEN, 0, 0, fps)
        self._called = "the screen"
        self._options = {"framerate": str(fps)}

    def _opened(self) -> Any:
        backend, address = _address()
        import av  # noqa: PLC0415 (only a program that uses a screen pays for it)

        if backend not in av.formats_available:
            raise DeviceNotFound(f"the screen cannot be read: this build of PyAV lacks FFmpeg's {backend}")
        return open_input(self._called, backend, address, self._options)


def _address() -> tuple[str, str]:
    """FFmpeg's name for what reads the screen, and for the screen."""
    system = platform.system()
    backend = _BACKENDS.get(system)
    if backend is None:
        raise DeviceNotFound(f"the screen cannot be read on {system}")
    if backend != "x11grab":
        return backend, {"avfoundation": "Capture screen 0:none", "gdigrab": "desktop"}[backend]
    display = os.environ.get("DISPLAY")
    if not display:
        raise DeviceNotFound("the screen cannot be read: there is no X server (DISPLAY is not set); Wayland has no way")
    return backend, display
