"""The duplex proof: a bot that talks all the time over a real device path, and a user who interrupts it.

PulseAudio's devices, a simulated room from loudspeaker to microphone, and the engine in a process of its own:

    python tests/tools/duplex.py --seconds 300 --barge-ins 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rooms import RECORDINGS, echo_of, impulse_response, level_db, recording
from sound_card import RATE_HZ, Room, sound_card

from spike_engine import UserStartedSpeaking, devices, dsp
from spike_engine.duplex.turn_taking import TurnTaking

NOTICED_WITHIN_S = 0.2
ECHO_DB = -6.0  # of the microphone's echo below what is played
PAUSE_S = 4.0  # between barge-ins, and from half of it to one and a half


def speech_of(pattern: str, at_least_s: float) -> list[NDArray[np.float32]]:
    """Recordings at 48 kHz from their first sound on."""
    found = []
    for path in sorted(RECORDINGS.glob(f"{pattern}.g722")):
        voice = dsp.resample(recording(path.stem), 16000, RATE_HZ)
        loud = np.flatnonzero(np.abs(voice) > 0.1 * np.abs(voice).max())
        voice = voice[loud[0] : loud[-1]]
        if len(voice) >= at_least_s * RATE_HZ:
            found.append(voice)
    return found


@dataclass
class Result:
    """What was measured, in time of the microphone's samples: the way through the devices is not the engine's.

    Attributes:
        seconds: How long the bot talked alone.
        false_starts: Moments at which a user was noticed who was not there, in seconds from the beginning.
        notice_s: For each barge-in, how long after its first sample it was noticed; None where it was not.
        jumps: Moments at which the echo's delay was another all at once: the devices' streams broke off, because the
            machine was too busy, and no canceller can know before.
        stats: The engine's last by-products.
    """

    seconds: float
    false_starts: list[float] = field(default_factory=list)
    notice_s: list[float | None] = field(default_factory=list)
    jumps: list[float] = field(default_factory=list)
    stats: dict[str, float] = field(default_factory=dict)

    @property
    def inexcusable(self) -> list[float]:
        """The false starts that no jump precedes."""
        return [at for at in self.false_starts if not any(-1.0 <= at - jump <= 3.0 for jump in self.jumps)]

    def table(self) -> str:
        noticed = [s for s in self.notice_s if s is not None]
        soon = sum(s <= NOTICED_WITHIN_S for s in noticed)
        rows = [
            ("bot alone / s", f"{self.seconds:.0f}"),
            ("false user-started-speaking", f"{len(self.false_starts)} {[round(s, 1) for s in self.false_starts]}"),
            ("barge-ins", f"{len(self.notice_s)}"),
            (f"noticed within {1000 * NOTICED_WITHIN_S:.0f} ms / at all", f"{soon} / {len(noticed)}"),
        ]
        if noticed:
            middle, last = 1000 * np.median(noticed), 1000 * max(noticed)
            rows.append(("noticed after, median / longest", f"{middle:.0f} / {last:.0f} ms"))
        rows += [
            ("jumps of the echo's delay", f"{len(self.jumps)} {[round(s, 1) for s in self.jumps]}"),
            ("false starts but for those within 3 s of a jump", str(len(self.inexcusable))),
        ]
        rows += [(name, f"{value:.1f}") for name, value in self.stats.items()]
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


class Engine:
    """The process that talks and listens; reads when it notices a user."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.starts: list[float] = []  # in seconds of the microphone
        self.stats: dict[str, float] = {}
        self.ready = threading.Event()
        command = [sys.executable, __file__, "--engine", str(folder)]
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._thread = threading.Thread(target=self._run, name="engine")
        self._thread.start()

    def _run(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            said = json.loads(line)
            self.stats = said["stats"]
            if said["voice"]:
                self.starts.append(said["at"])
            self.ready.set()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join()


def run(seconds: float, barge_ins: int, folder: Path, *, rt60_s: float = 0.3, seed: int = 1) -> Result:
    """Let the bot talk alone for `seconds`, then interrupt it `barge_ins` times."""
    random = np.random.default_rng(seed)
    bot = np.concatenate(speech_of("vm-[a-m]*", 1.0))[: 90 * RATE_HZ]
    response = impulse_response(RATE_HZ, rt60_s, 3.0, ECHO_DB, seed)
    save(folder / "bot.wav", bot)
    users, echo_level_db = speech_of("conf-*", 0.8), level_db(echo_of(bot, response))
    voices = [as_loud(users[int(random.integers(len(users)))], echo_level_db) for _ in range(barge_ins)]
    result = Result(seconds)
    with sound_card(folder) as environment, Room(environment, response) as room:
        engine = Engine(folder, environment)
        try:
            assert engine.ready.wait(30), "the engine does not start"
            time.sleep(seconds)
            for voice in voices:
                room.say(voice)
                time.sleep(len(voice) / RATE_HZ + PAUSE_S * random.uniform(0.5, 1.5))
        finally:
            engine.close()
    heard, played = np.fromfile(folder / "heard.s16", np.int16).reshape(-1, 2).T.astype(np.float32) / 32768
    judge(result, heard, voices, engine.starts)
    result.jumps = jumps_of(heard, played)
    result.stats = engine.stats
    return result


def as_loud(voice: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    return (voice * 10 ** ((level - level_db(voice)) / 20)).astype(np.float32)


def judge(
    result: Result, heard: NDArray[np.float32], voices: Sequence[NDArray[np.float32]], starts: Sequence[float]
) -> None:
    """Find each voice in what the microphone heard, and which of the engine's starts is due to it."""
    at, due = int(result.seconds * RATE_HZ), set()
    for voice in voices:
        onset = at + place_of(voice, heard[at : at + 12 * RATE_HZ])[0]
        began_s, ended_s = onset / RATE_HZ, (onset + len(voice)) / RATE_HZ
        found = [start for start in starts if began_s <= start <= ended_s + 0.2]
        result.notice_s.append(found[0] - began_s if found else None)
        due.update(found)
        at = onset + len(voice)
    result.false_starts = [start for start in starts if start not in due]


def jumps_of(heard: NDArray[np.float32], played: NDArray[np.float32]) -> list[float]:
    """Moments, to half a second, at which what is heard comes by more than 2 ms earlier or later than before."""
    found, before, second = [], None, RATE_HZ
    for at in range(0, len(played) - 2 * second, second // 2):
        delay, sure = place_of(played[at : at + second // 2], heard[at : at + 2 * second])
        if not sure:
            continue
        if before is not None and abs(delay - before) > 2 * RATE_HZ // 1000:
            found.append(at / RATE_HZ)
        before = delay
    return found


def place_of(voice: NDArray[np.float32], heard: NDArray[np.float32]) -> tuple[int, bool]:
    """Where `heard` begins to hold `voice`, by the whitened cross-correlation, and whether its peak stands out."""
    size = 1 << (len(heard) + len(voice)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(voice, size))
    spectrum /= np.abs(spectrum) + 1e-3 * np.abs(spectrum).max()
    spectrum[: size * 100 // RATE_HZ] = spectrum[size * 7000 // RATE_HZ :] = 0.0  # where recorded speech has nothing
    likeness = np.abs(np.fft.irfft(spectrum, size)[: len(heard)])
    place = int(np.argmax(likeness))
    near = slice(max(0, place - RATE_HZ // 500), place + RATE_HZ // 500)
    peak, likeness[near] = likeness[place], 0.0
    return place, bool(peak > 1.5 * likeness.max())


def save(path: Path, samples: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((32767 * np.clip(samples, -1, 1)).astype(np.int16).tobytes())


async def engine(folder: Path) -> None:
    """Play the bot over and over, and print a line each time that a user is noticed, or a second has gone by."""
    with wave.open(str(folder / "bot.wav")) as file:
        bot = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    found = devices.list_devices()
    microphone = devices.Microphone(next(d.id for d in found.audio if d.name == "microphone"))
    loudspeaker = devices.Loudspeaker(next(d.id for d in found.audio_output if d.name == "loudspeaker"))
    chain, turns = dsp.CapturePipeline(RATE_HZ), TurnTaking(holds=False)
    to_judges = dsp.Resampler(RATE_HZ, 16000)
    await microphone.start()  # first: the far end must not wait for a microphone that opens later
    await loudspeaker.start()
    block, frames = RATE_HZ // 50, 0
    loudspeaker.write(np.zeros(2 * block, np.float32))  # what a network's jitter buffer holds
    with (folder / "heard.s16").open("wb", buffering=0) as kept:
        while True:
            heard = await microphone.read(block)
            loudspeaker.write(np.take(bot, range(frames * block, (frames + 1) * block), mode="wrap"))
            played = loudspeaker.played(block)
            voice, stats = to_judges.process(chain.process(heard, played)), chain.stats
            kept.write(np.round(32767 * np.stack([heard, played], axis=1)).astype(np.int16).tobytes())
            frames += 1
            told = turns.on_frame(voice, active=stats.voice_active, suspected=stats.voice_suspected, ai_heard=True)
            began = any(isinstance(event, UserStartedSpeaking) for event in told)
            if began or frames % 50 == 0:
                report(chain.stats, at_s=frames / 50, voice=began)


def report(stats: dsp.CaptureStats, *, at_s: float, voice: bool) -> None:
    names: dict[str, Any] = {name: getattr(stats, name) for name in ("erle_db", "delay_ms", "drift_ppm")}
    print(json.dumps({"at": at_s, "voice": voice, "stats": names}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--barge-ins", type=int, default=20)
    parser.add_argument(
        "--keep", type=Path, help="a folder for what the engine heard and played: heard.s16, interleaved"
    )
    parser.add_argument("--engine", type=Path, help="(what this program starts itself with)")
    options = parser.parse_args()
    if options.engine:
        asyncio.run(engine(options.engine))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        result = run(options.seconds, options.barge_ins, folder)
    print(result.table())
    soon = [s is not None and s <= NOTICED_WITHIN_S for s in result.notice_s]
    return 0 if all(soon) and not result.false_starts else 1


if __name__ == "__main__":
    sys.exit(main())
