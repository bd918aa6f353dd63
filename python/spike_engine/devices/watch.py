"""Notices microphones, loudspeakers and cameras that come and go.

PulseAudio's server says when one does. PortAudio lists devices once, when it begins, and beginning again would end
every open stream. So a process of its own begins again and again, and says so when its list differs from the one
before. It is what this module is when it is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from spike_engine.devices.listing import list_devices
from spike_engine.devices.portaudio import relist
from spike_engine.devices.pulse import wait_for_change
from spike_engine.events import Device, Devices
from spike_engine.lifetime import cancelled

INTERVAL_S = 2.0
COMMAND = (sys.executable, "-m", "spike_engine.devices.watch")


class DeviceWatch:
    """Calls `on_change` with the devices that there are whenever they have changed.

    Args:
        on_change: Takes the new list, on the event loop.
        command: What to run; one JSON text a line comes from it.
        known: Says what the program believes to be there; by default what `list_devices` does.
    """

    def __init__(
        self,
        on_change: Callable[[Devices], None],
        command: Sequence[str] | None = None,
        known: Callable[[], Devices] = list_devices,
    ) -> None:
        self._on_change = on_change
        self._known = known
        self._command = command or COMMAND
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a watch that runs goes on."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; may be called twice."""
        task, self._task = self._task, None
        await cancelled(task)

    async def _run(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # closes with this process, whatever ends it
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            before = await asyncio.to_thread(self._known)
            assert process.stdout
            while line := await process.stdout.readline():
                devices = devices_from_json(line)
                if devices != before:
                    self._on_change(devices)
                before = devices
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


def devices_from_json(line: bytes | str) -> Devices:
    """What `devices_to_json` wrote."""
    fields: dict[str, list[dict[str, Any]]] = json.loads(line)
    return Devices(**{kind: tuple(Device(**device) for device in found) for kind, found in fields.items()})


def devices_to_json(devices: Devices) -> str:
    """`devices` as one line."""
    return json.dumps(asdict(devices))


def main() -> None:
    """Print the devices now and after each change, for as long as somebody reads."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    before = ""
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        while True:
            line = devices_to_json(list_devices())
            if line != before:
                print(line, flush=True)  # noqa: T201 (that is what it is for)
                before = line
            if not wait_for_change(INTERVAL_S):
                time.sleep(INTERVAL_S)
                relist()


def _end_with_the_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
