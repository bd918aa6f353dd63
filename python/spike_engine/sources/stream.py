"""What sources of sound and of pictures share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from spike_engine.addresses.files import NO_OTHER_FILES, input_address
from spike_engine.devices.decoding import frames_in, tags_of_any_encoding
from spike_engine.errors import DeviceNotFound

CATCH_UP_S = 0.2  # more is a pause, after which nothing has to be hurried


class Pace:
    """Waits until it is time for what comes next, as a device would make its reader wait."""

    def __init__(self) -> None:
        self._next_at: float | None = None

    async def wait(self, seconds: float) -> None:
        """Return when `seconds` more have passed since the return before; a little late, it catches up."""
        now = asyncio.get_running_loop().time()
        due = self._next_at = max(now - CATCH_UP_S, now if self._next_at is None else self._next_at) + seconds
        await asyncio.sleep(max(0.0, due - now))


class Iterated:
    """What streams of sound and of pictures share: an iterator, and the track that it may come from."""

    def __init__(self, things: AsyncIterator[Any], track: Any = None) -> None:
        self._things = things
        self._track = track
        self._pace = Pace()

    async def start(self) -> None:
        """See :meth:`AudioSource.start`."""

    async def close(self) -> None:
        """See :meth:`AudioSource.close`; a generator is closed and a track stopped with it."""
        if self._track:
            self._track.stop()
        if aclose := getattr(self._things, "aclose", None):
            with contextlib.suppress(RuntimeError):  # it is running: whoever runs it, ends it
                await aclose()


async def once(*things: Any) -> AsyncIterator[Any]:
    """Each of `things`, one after the other."""
    for thing in things:
        yield thing


async def frames_of(track: Any) -> AsyncGenerator[Any, None]:
    """What ``recv`` of an aiortc track gives, until the track ends; nothing where there is none."""
    while track and track.readyState == "live":
        try:
            yield await track.recv()
        except Exception as error:
            if type(error).__name__ == "MediaStreamError":  # aiortc's, which only the rooms of tracks import
                return
            raise


class OpenFile:
    """A file that is decoded, one frame after the other, in one thread at a time; it may be closed meanwhile.

    Raises:
        DeviceNotFound: See :func:`open_file`.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._container = open_file(path, kind)
        self._frames: Iterator[Any] = frames_in(self._container, kind)
        self._lock = threading.Lock()  # closing a container frees what a thread that decodes works on

    def next_frame(self) -> Any:
        """The next frame, None at the end. Blocks."""
        with self._lock:
            return next(self._frames, None)

    def close(self) -> None:
        """Free it; there is no next frame then. Blocks."""
        with self._lock:
            self._frames = iter(())
            self._container.close()


def open_file(path: Path, kind: str, *, closes: bool = False) -> Any:
    """The container of `path`, which has `kind`; closed again with `closes`. Blocks.

    Raises:
        DeviceNotFound: There is no such file, nothing of `kind` in it, or no decoder for that.
    """
    import av  # noqa: PLC0415 (only a program that uses a file pays for it)

    try:
        container = av.open(input_address(path), options=NO_OTHER_FILES, **tags_of_any_encoding())
    except (OSError, ValueError, av.FFmpegError) as error:
        raise DeviceNotFound(f"{path} cannot be read: {error}") from error
    streams = getattr(container.streams, kind)
    context = streams[0].codec_context if streams else None
    if context is None or (kind == "audio" and not (context.sample_rate and context.layout.nb_channels)):
        container.close()
        raise DeviceNotFound(f"there is no {kind} in {path}" + (" that can be decoded" if streams else ""))
    if closes:
        container.close()
    return container
