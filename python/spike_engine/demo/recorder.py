"""Keeps everything of a conversation that the report needs: sounds, pictures, events, all on one clock."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spike_engine.demo.acoustics import Samples
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.events import Event

Kind = Literal["microphone", "processed", "ai"]

_HEARD_LEVEL = 0.01  # root mean square of a block that holds a voice
_SILENT_POWER = 1e-6
_BLOCK_SAMPLES = ENGINE_RATE_HZ // 50
_GAP_SAMPLES = ENGINE_RATE_HZ // 5  # what is shorter is the jitter of the loop or of the clocks, not a gap


@dataclass(slots=True)
class TurnRecord:
    """What became of one thing that the user said, in seconds since the recording began."""

    text: str
    began_at: float
    ended_at: float
    interrupted: bool = False
    answered_at: float | None = None
    heard_as: str = ""

    @property
    def response_s(self) -> float | None:
        """From the end of the user's speech to the AI's first sound."""
        return None if self.answered_at is None else self.answered_at - self.ended_at


@dataclass(slots=True)
class Recorder:
    """Collects; `started_at` is the loop's time of second 0."""

    started_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    events: list[tuple[float, str, Event]] = field(default_factory=list)
    turns: list[TurnRecord] = field(default_factory=list)
    picture: NDArray[np.uint8] | None = None
    _blocks: dict[str, list[tuple[float, Samples]]] = field(default_factory=dict)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> float:
        """Seconds since the recording began."""
        return asyncio.get_running_loop().time() - self.started_at

    def tap(self, kind: Kind, samples: Samples) -> None:
        """Take one block; for :meth:`~spike_engine.SpikeClient.add_audio_tap`."""
        self._blocks.setdefault(kind, []).append((self.now(), samples.copy()))
        self._arrived.set()

    def note(self, name: str, event: Any) -> None:
        """Take one event."""
        self.events.append((self.now(), name, event))

    def track(self, kind: Kind) -> Samples:
        """All of one kind on the recording's clock, each stretch at the time when it began."""
        blocks = self._blocks.get(kind, [])
        if not blocks:
            return np.zeros(0, np.float32)
        places = _places([time_s for time_s, _ in blocks], [len(samples) for _, samples in blocks])
        track = np.zeros(places[-1] + len(blocks[-1][1]), np.float32)
        for at, (_, samples) in zip(places, blocks, strict=True):
            track[at : at + len(samples)] = samples
        return track

    async def ai_sound_after(self, time_s: float, timeout_s: float = 1.0) -> float | None:
        """When the AI's voice was first heard after `time_s`; None where that is not within `timeout_s` from now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while (heard_at := self._first_ai_sound(time_s)) is None:
                    self._arrived.clear()
                    await self._arrived.wait()
                return heard_at
        return None

    def _first_ai_sound(self, time_s: float) -> float | None:
        for arrived_at, samples in self._blocks.get("ai", []):
            if arrived_at >= time_s and float(np.sqrt(np.mean(samples**2))) > _HEARD_LEVEL:
                return arrived_at
        return None

    def echo_reduction_db(self, latency_samples: int) -> float | None:
        """How much quieter the microphone leaves the engine while only the AI talks, in dB; None if it never did.

        Args:
            latency_samples: The delay of the processed microphone against the raw one.
        """
        raw, processed, ai = self.track("microphone"), self.track("processed"), self.track("ai")
        processed = processed[latency_samples:]
        count = min(len(raw), len(processed), len(ai)) // _BLOCK_SAMPLES
        if not count:
            return None
        power = [track[: count * _BLOCK_SAMPLES].reshape(count, -1) ** 2 for track in (raw, processed, ai)]
        raw_power, processed_power, ai_power = (block.mean(axis=1) for block in power)
        times = (np.arange(count) + 0.5) * _BLOCK_SAMPLES / ENGINE_RATE_HZ
        alone = (ai_power > _HEARD_LEVEL**2) & (np.roll(ai_power, 10) > _HEARD_LEVEL**2)
        for turn in self.turns:
            alone &= (times < turn.began_at - 0.2) | (times > turn.ended_at + 0.6)
        if raw_power[alone].sum() < _SILENT_POWER:  # nothing of the AI came back through the microphone
            return None
        return float(10 * np.log10(raw_power[alone].sum() / max(processed_power[alone].sum(), 1e-12)))


def _places(arrivals_s: list[float], lengths: list[int]) -> list[int]:
    """Where each block begins on the recording's clock, in samples.

    Blocks follow each other by their count of samples. One that comes late because the event loop was held up has
    others behind it that catch up; where none ever catches up, there was a gap, and a new stretch begins.
    """
    counted = np.cumsum(lengths)
    began = np.asarray(arrivals_s) * ENGINE_RATE_HZ - counted  # when sample 0 would have begun, were there no delay
    soonest = np.minimum.accumulate(began[::-1])[::-1]
    places, offset = [], soonest[0]
    for earliest, end, length in zip(soonest, counted, lengths, strict=True):
        if earliest - offset > _GAP_SAMPLES:
            offset = earliest
        places.append(max(0, round(offset + end - length)))
    return places
