"""PulseAudio's devices, and PipeWire's, which speaks the same protocol: PortAudio does not notice them come and go.

PortAudio reaches them all through the one ALSA device "pulse". Which of them that is, the environment says while it is
opened (``PULSE_SOURCE``, ``PULSE_SINK``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Literal

from spike_engine.events import Device

Direction = Literal["input", "output"]

_VARIABLES = {"input": "PULSE_SOURCE", "output": "PULSE_SINK"}


def pulse_devices(direction: Direction) -> tuple[Device, ...] | None:
    """The microphones or loudspeakers of the server; None where there is no server. Monitors are left out."""
    with _connection() as server:
        if server is None:
            return None
        info = server.server_info()
        if direction == "input":
            found, default = server.source_list(), info.default_source_name
        else:
            found, default = server.sink_list(), info.default_sink_name
        return tuple(
            Device(device.name, device.description, device.name == default, device.sample_spec.rate)
            for device in found
            if not getattr(device, "monitor_of_sink_name", None)
        )


@contextlib.contextmanager
def chosen(direction: Direction, device_id: str) -> Iterator[None]:
    """While this lasts, the ALSA device "pulse" is `device_id`. For one thread at a time."""
    variable = _VARIABLES[direction]
    before = os.environ.get(variable)
    os.environ[variable] = device_id
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def wait_for_change(seconds: float) -> bool:
    """Return when a device has come or gone, or after `seconds`; False at once where there is no server."""
    with _connection() as server:
        if server is None:
            return False
        server.event_mask_set("sink", "source", "server")
        server.event_callback_set(lambda _event: server.event_listen_stop())
        server.event_listen(timeout=seconds)
        return True


@contextlib.contextmanager
def _connection() -> Iterator[Any]:
    """A connection to the server; None where there is no server, or nothing to speak to it with."""
    try:
        import pulsectl  # noqa: PLC0415 (loads libpulse, which not every system has)
    except (ImportError, OSError):
        yield None
        return
    server = pulsectl.Pulse("spike_engine", connect=False)
    try:
        server.connect(autospawn=False)
    except pulsectl.PulseError:
        server.close()
        yield None
        return
    with contextlib.closing(server):
        yield server
