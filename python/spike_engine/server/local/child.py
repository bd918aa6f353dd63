"""A worker in a process of its own, asked over a pipe. See `spike_engine.server.local.children`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from asyncio.subprocess import PIPE
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

CHILDREN = Path(__file__).parent / "children"
MAX_LINE_BYTES = 1 << 20
EXIT_TIMEOUT_S = 2.0


class ChildFailed(RuntimeError):
    """The worker could not do what it was asked, or is not running any more."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the worker answered, and the bytes that came with it."""

    fields: dict[str, Any]
    payload: bytes


class Child:
    """Runs one module of `children`. Requests are answered in order; a caller that is cancelled disturbs no other."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changing = asyncio.Lock()  # held while the process starts or ends
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: deque[asyncio.Future[Reply]] = deque()

    async def start(self) -> None:
        """Start the process unless it runs; `ask` may follow at once."""
        async with self._changing:
            if self._reading and not self._reading.done():
                return
            await self._end()
            command = (sys.executable, "-I", str(CHILDREN), self._name)
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                limit=MAX_LINE_BYTES,
                process_group=0,  # out of Ctrl-C's reach
            )
            self._reading = asyncio.create_task(self._read(self._process))

    async def ask(self, request: dict[str, Any], payload: bytes = b"") -> Reply:
        """Send a request and wait for its reply; a process that has died is started anew.

        Raises:
            ChildFailed: The worker reports an error, or ends before it replies.
        """
        await self.start()
        if not self._process or not self._process.stdin:
            raise ChildFailed(f"the {self._name} process was closed")
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(reply)
        self._process.stdin.write(json.dumps(request | {"bytes": len(payload)}).encode() + b"\n" + payload)
        with contextlib.suppress(ConnectionError):  # then the process has ended, which the reply tells
            await self._process.stdin.drain()
        return await reply

    async def close(self) -> None:
        """End the process, by force if it does not go; one that does not run is no error."""
        async with self._changing:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        reading, self._reading = self._reading, None
        if not process or not process.stdin or not reading:
            return
        process.stdin.close()
        await asyncio.wait([reading], timeout=EXIT_TIMEOUT_S)
        if not reading.done():
            process.kill()
        await reading
        await process.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                fields = json.loads(line)
                payload = await process.stdout.readexactly(fields.pop("bytes"))
                _settle(self._waiting.popleft(), fields, payload)
        except asyncio.IncompleteReadError:
            pass
        except Exception:  # a line without end, no JSON, a reply that nobody asked for: what follows has no beginning
            logger.exception("what the %s process says cannot be read", self._name)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        finally:
            while self._waiting:
                _settle(self._waiting.popleft(), {"error": f"the {self._name} process has ended"}, b"")


def _settle(reply: asyncio.Future[Reply], fields: dict[str, Any], payload: bytes) -> None:
    if reply.done():  # its caller was cancelled
        return
    if "error" in fields:
        reply.set_exception(ChildFailed(fields["error"]))
    else:
        reply.set_result(Reply(fields, payload))
