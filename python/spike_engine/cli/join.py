"""``spike-engine join``: hold a conversation from the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import wave
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from spike_engine.client import SpikeClient
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.errors import SpikeError
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
    """Every sound of a conversation, ``microphone.wav``, ``processed.wav`` and ``ai.wav``, and ``events.jsonl``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[str, wave.Wave_write] = {}
        self._events = (folder / "events.jsonl").open("w")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        for file in self._files.values():
            file.close()

    def tap(self, kind: Literal["microphone", "processed", "ai"], samples: NDArray[np.float32]) -> None:
        """For :meth:`~spike_engine.SpikeClient.add_audio_tap`."""
        if kind not in self._files:
            file = self._files[kind] = wave.open(str(self._folder / f"{kind}.wav"), "wb")  # noqa: SIM115 (closed above)
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(ENGINE_RATE_HZ)
        self._files[kind].writeframes(convert_samples(samples, "int16").tobytes())

    def keep(self, event: Event) -> None:
        """Note an event."""
        self._events.write(line_of(event) + "\n")


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
        recording = stack.enter_context(Recording(record)) if record else None
        if recording:
            client.add_audio_tap(recording.tap)
        last: list[Disconnected] = []
        events = client.events()

        async def tell() -> None:
            async for event in events:
                if recording:
                    recording.keep(event)
                if text := line_of(event) if as_json else sentence_of(event, client.state.ai_transcript):
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
