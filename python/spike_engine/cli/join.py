"""``spike-engine join``: hold a conversation from the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import struct
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from spike_engine.client import SpikeClient
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.errors import ConnectionFailed, ConversationEnded, SpikeError, TokenExpired
from spike_engine.events import (
    AIIdle,
    Connected,
    Disconnected,
    Event,
    Perception,
    Reconnecting,
    UserTranscript,
    name_of,
)
from spike_engine.frames import convert_samples


class Recording:
    """Every sound of a conversation, ``microphone.wav``, ``processed.wav`` and ``ai.wav``, and ``events.jsonl``.

    Whatever ends it, a full disk or a killed program, all that was kept until then can be played and read.

    Args:
        folder: Made where it is not there.
        on_failure: Called once, with the reason, where nothing more can be kept. The conversation goes on.

    Raises:
        OSError: The folder cannot be written to.
    """

    def __init__(self, folder: Path, on_failure: Callable[[str], None] = lambda _: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._on_failure = on_failure
        self._failed = False
        self._sounds: dict[str, _SoundFile] = {}
        self._events = _WholePieces(folder / "events.jsonl")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        for sound in self._sounds.values():
            sound.close()

    def tap(self, kind: Literal["microphone", "processed", "ai"], samples: NDArray[np.float32]) -> None:
        """For :meth:`~spike_engine.SpikeClient.add_audio_tap`."""
        if self._failed:
            return
        try:
            if kind not in self._sounds:
                self._sounds[kind] = _SoundFile(self._folder / f"{kind}.wav")
            self._sounds[kind].add(convert_samples(samples, "int16").astype("<i2", copy=False).tobytes())
        except OSError as error:
            self._fail(error)

    def keep(self, event: Event) -> None:
        """Note an event."""
        if self._failed:
            return
        try:
            self._events.add(f"{line_of(event)}\n".encode())
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._on_failure(f"the recording in {self._folder} ends here: {error.strerror or error}")


class _WholePieces:
    """A file that grows by whole pieces or not at all."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._file = path.open("wb", buffering=0)

    def add(self, piece: bytes) -> None:
        self.put(self.size, piece)
        self.size += len(piece)

    def put(self, at: int, piece: bytes) -> None:
        self._file.seek(at)
        if self._file.write(piece) != len(piece):  # a disk that is nearly full takes what still fits
            self._file.truncate(self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        self._file.close()


class _SoundFile:
    """A WAV file of 16 bits, mono, at 48 kHz, whose header is right after every block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _WholePieces(path)

    def add(self, pcm: bytes) -> None:
        if not self._file.size:
            self._file.add(_wav_header(len(pcm)) + pcm)
        else:
            self._file.add(pcm)
            self._file.put(0, _wav_header(self._file.size - _WAV_HEADER.size))

    def close(self) -> None:
        self._file.close()
        if not self._file.size:  # no player opens it
            self._path.unlink()


_WAV_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")  # RIFF, format PCM, data


def _wav_header(data_bytes: int) -> bytes:
    most = 0xFFFFFFFF  # of longer ones, players read on to the end
    size, riff = min(data_bytes, most), min(data_bytes + _WAV_HEADER.size - 8, most)
    pcm = (16, 1, 1, ENGINE_RATE_HZ, 2 * ENGINE_RATE_HZ, 2, 16)
    return _WAV_HEADER.pack(b"RIFF", riff, b"WAVE", b"fmt ", *pcm, b"data", size)


async def hold(
    client: SpikeClient,
    say: Callable[[str], None],
    *,
    as_json: bool = False,
    record: Path | None = None,
    seconds: float | None = None,
) -> Disconnected:
    """Join, tell what happens until the conversation ends or `seconds` are over, and leave.

    Raises:
        SpikeError: There is no conversation to be had.
    """
    with contextlib.ExitStack() as stack:

        def tell_of(failure: str) -> None:
            say(json.dumps({"event": "recording-ended", "message": failure}) if as_json else failure)

        recording = stack.enter_context(Recording(record, tell_of)) if record else None
        if recording:
            client.add_audio_tap(recording.tap)
        last: list[Disconnected] = []
        events = client.events()
        joined = False

        async def tell() -> None:
            nonlocal joined
            async for event in events:
                if recording:
                    recording.keep(event)
                joined |= isinstance(event, Connected)
                is_raised = not joined and isinstance(
                    event, ConnectionFailed | TokenExpired | ConversationEnded | Disconnected
                )
                if as_json:
                    say(line_of(event))
                elif not is_raised and (text := sentence_of(event, client.state.ai_transcript)):
                    say(text)
                if isinstance(event, Disconnected) and not event.will_reconnect:
                    last.append(event)

        telling = asyncio.create_task(tell())
        try:
            await client.join()
            await asyncio.wait({telling}, timeout=seconds)  # which ends with the conversation, or where it cannot tell
        finally:
            await client.leave()
            await events.aclose()  # where no conversation began, there is none that ends
            await telling
    return last[0]


def line_of(event: Event) -> str:
    """An event as one line of JSON, with its name."""
    if isinstance(event, SpikeError):
        fields: dict[str, Any] = {"code": event.code, "message": event.message}
    else:
        fields = asdict(event) if is_dataclass(event) else {}
    return json.dumps({"event": name_of(event), **fields}, default=str, ensure_ascii=False)


def sentence_of(event: Event, ai_transcript: str) -> str | None:
    """An event for a person; None where it is not worth a line."""
    match event:
        case Connected():
            return "connected; Ctrl-C leaves"
        case AIIdle(interrupted) if ai_transcript:
            return f"AI:  {ai_transcript}{' ...' if interrupted else ''}"
        case UserTranscript(transcript, True):
            return f"you: {transcript}"
        case Perception(emotion, gesture):
            return f"(seen: {', '.join(what for what in (emotion, gesture) if what)})"
        case Reconnecting(attempt):
            return f"reconnecting, attempt {attempt}"
        case Disconnected(reason):
            return f"disconnected: {reason}"
        case SpikeError():
            return f"{event.code}: {event.message}"
    return None
