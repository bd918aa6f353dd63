"""voicebench as the judge of turn_taking.py's bot: it hears both sides and knows nothing of how the bot decides."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np
from turn_taking import FRAME, RATE_HZ, Bot, Samples
from voicebench.adapters.base import Adapter, AgentAudio
from voicebench.bench import run_benchmark
from voicebench.scenario import AdapterSpec, AudioSpec, Scenario, StartRule, Turn
from voicebench.vad import VadConfig

from spike_engine import UserStoppedSpeaking

BETWEEN_S = 6.0
HELD_MS = 700.0  # a bot that is silent for so long and goes on has not stopped


class BotAdapter(Adapter):
    """The bot as voicebench's agent under test, at 48 kHz; it goes on when the user has finished."""

    name = "spike_engine"
    supports_virtual_clock = True

    async def connect(self) -> None:
        self._bot = Bot()
        for _ in range(500):
            self._bot.hear(np.zeros(FRAME, np.float32))

    async def send_audio(self, pcm: Any) -> None:
        said = []
        for block in np.asarray(pcm, np.float32).reshape(-1, FRAME):
            says, told = self._bot.hear(block)
            said.append(says)
            if any(isinstance(outcome, UserStoppedSpeaking) for outcome in told):
                self._bot.go_on()
        self.emit(AgentAudio(np.concatenate(said), self.session.clock.now()))

    async def close(self) -> None:
        pass


def judged(kinds: dict[str, list[Samples]], most: int = 25) -> str:
    """voicebench's summary of sentences that must stop the bot, and of all other sounds, which must not."""
    with tempfile.TemporaryDirectory() as folder:
        turns = []
        for kind, sounds in kinds.items():
            if "word" in kind:
                continue
            for number, sound in enumerate(sounds[:: max(1, len(sounds) // most)]):
                path = Path(folder) / f"{len(turns)}.wav"
                _write(path, sound)
                start = StartRule("session_start", 3000 + 1000 * BETWEEN_S * len(turns))
                expect: Any = "stop" if "sentences" in kind else "ignore"
                turns.append(Turn(f"{kind} {number}", AudioSpec(file=path), start, expect, max_stop_ms=500))
        scenario = Scenario(
            name="hold and resume",
            turns=tuple(turns),
            sample_rate=RATE_HZ,
            max_duration_ms=1000 * (BETWEEN_S * len(turns) + 10),
            agent_vad=VadConfig(min_silence_ms=HELD_MS),
            adapter=AdapterSpec("voicebench_adapter:BotAdapter"),
        )
        summary = asyncio.run(run_benchmark(scenario)).summary
    names = ("barge_in_turns", "barge_in_success_rate", "barge_in_stop_ms", "noise_turns", "false_barge_ins")
    return "voicebench: " + ", ".join(f"{name} {summary[name]}" for name in names)


def _write(path: Path, sound: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.round(32767 * sound).astype(np.int16).tobytes())
