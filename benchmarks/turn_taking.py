"""Who stops a bot that talks over a loudspeaker: people, and not coughs, nods, doors and its own voice.

    python benchmarks/turn_taking.py [--sounds FOLDER] [--voicebench]

Recorded sentences of three voices (Debian's asterisk sounds) interrupt, in a simulated room whose loudspeaker leaks
into the microphone; pygame's doors and blows and nods of espeak-ng must not. Nor must the sounds in FOLDER (any format,
"kind_name.ext"), but for kinds that begin with "word" or "sentence". The loop is closed: what is held is not played.
No clock is involved: a busy machine gives the same figures.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "tools"))

from rooms import FAR, RECORDINGS, impulse_response, speech

from spike_engine import UserStartedSpeaking, dsp
from spike_engine.duplex.turn_taking import Floor, Outcome, TurnTaking

RATE_HZ, FRAME, LATE_FRAMES = 48000, 480, 4  # of the loudspeaker's device
RECOGNISED_WITHIN_MS = 1500.0
Samples = NDArray[np.float32]


class Bot:
    """Talks all the time, in a room; what is held is not heard there."""

    def __init__(self, *, holds: bool = True) -> None:
        self.stopped = self.held = False
        self._chain, self._turns = dsp.CapturePipeline(RATE_HZ, gain_control=True), TurnTaking(holds=holds)
        self._to_judges = dsp.Resampler(RATE_HZ, 16000)
        voice = speech(FAR, RATE_HZ, 60.0)
        self._voice = 0.1 * voice / np.sqrt(np.mean(voice**2))
        self._response = impulse_response(RATE_HZ, 0.3, 40.0, -6.0, 1)
        self._air = np.zeros(len(self._response) + FRAME, np.float32)
        self._late = [np.zeros(FRAME, np.float32)] * LATE_FRAMES
        self._at = 0
        self._random = np.random.default_rng(3)

    def hear(self, sound: Samples) -> tuple[Samples, list[Outcome]]:
        """10 ms of what is said in the room; returns what the bot says meanwhile, and what is told."""
        says = np.zeros(FRAME, np.float32)
        if not (self.held or self.stopped):
            says = self._voice[self._at : self._at + FRAME]
            self._at = (self._at + FRAME) % (len(self._voice) - FRAME)
        self._late.append(says)
        played = self._late.pop(0)
        echo = fftconvolve(played, self._response)
        self._air[: len(echo)] += echo
        hiss = 1e-4 * self._random.standard_normal(FRAME).astype(np.float32)
        microphone = (self._air[:FRAME] + sound + hiss).astype(np.float32)
        self._air = np.concatenate([self._air[FRAME:], np.zeros(FRAME, np.float32)])
        cleaned, stats = self._chain.process(microphone, played), self._chain.stats
        told = self._turns.on_frame(
            self._to_judges.process(cleaned),
            active=stats.voice_active,
            suspected=stats.voice_suspected,
            ai_heard=True,
        )
        for outcome in told:
            self.held = outcome is Floor.HOLD or (self.held and not isinstance(outcome, Floor))
            self.stopped |= isinstance(outcome, UserStartedSpeaking)
        return says, told

    def go_on(self) -> None:
        self.stopped = self.held = False


@dataclass
class Tally:
    sounds: int = 0
    stopped: int = 0
    quiet_ms: list[float] = field(default_factory=list)
    resumed_ms: list[float] = field(default_factory=list)

    def row(self, kind: str) -> str:
        goes_on = f"{np.median(self.resumed_ms):.0f} ms" if self.resumed_ms else ""
        quiet = np.array(self.quiet_ms or [math.nan])
        return (
            f"| {kind} | {self.sounds} | {100 * self.stopped / max(1, self.sounds):.0f} % | {np.median(quiet):.0f} ms "
            f"| {np.percentile(quiet, 95):.0f} ms | {goes_on} |"
        )


def measured(sounds: list[Samples], *, holds: bool = True) -> Tally:
    bot, tally = Bot(holds=holds), Tally()
    for _ in range(500):  # the canceller learns the room
        bot.hear(np.zeros(FRAME, np.float32))
    for sound in sounds:
        bot.go_on()
        tally.sounds += 1
        quiet_at: float | None = None
        for number in range(len(sound) // FRAME + 150):
            block = sound[number * FRAME :][:FRAME]
            _, told = bot.hear(np.pad(block, (0, FRAME - len(block))))
            at_ms = 10.0 * (number + 1)
            if (bot.held or bot.stopped) and quiet_at is None:
                quiet_at = at_ms
                tally.quiet_ms.append(at_ms)
            if Floor.RESUME in told and quiet_at is not None:
                tally.resumed_ms.append(at_ms - tally.quiet_ms[-1])
            if any(isinstance(outcome, UserStartedSpeaking) for outcome in told) and at_ms <= RECOGNISED_WITHIN_MS:
                tally.stopped += 1
                break
        bot.go_on()
        for _ in range(100):
            bot.hear(np.zeros(FRAME, np.float32))
    return tally


def at_one_loudness(sound: Samples, most_s: float = 2.5) -> Samples:
    """From its first sound to its last, as loud as a person at the microphone."""
    loud = np.flatnonzero(np.abs(sound) > 0.05 * np.abs(sound).max())
    sound = sound[max(0, loud[0] - 240) : loud[-1] + 4800][: round(most_s * RATE_HZ)]
    power = np.mean(np.square(sound[np.abs(sound) > 0.02 * np.abs(sound).max()]))
    return np.clip(0.08 * sound / np.sqrt(power), -0.9, 0.9).astype(np.float32)


def read(path: Path, format: str | None = None) -> Samples:  # noqa: A002
    with av.open(path, format=format) as container:
        to_float = av.AudioResampler("flt", "mono", RATE_HZ)
        return np.concatenate(
            [made.to_ndarray().ravel() for frame in container.decode(audio=0) for made in to_float.resample(frame)]
        )


def recordings(folder: str, least_s: float, most_s: float, step: int) -> Iterator[Samples]:
    for voice in sorted(RECORDINGS.parent.iterdir()):
        for path in sorted((voice / folder).glob("*.g722"))[::step]:
            if path.stat().st_size > 3000 and not any(word in path.stem for word in ("tone", "beep", "silence")):
                sound = at_one_loudness(read(path, "g722"))
                if least_s <= len(sound) / RATE_HZ - 0.1 <= most_s:
                    yield sound


ENGLISH = ("umhum", "hmm", "uh-huh", "yeah", "okay", "right")  # espeak-ng spells "mhm" letter by letter
NODS = {"en": ENGLISH, "en-us": ENGLISH}
FOREIGN_NODS = {"fr": ("oui", "ouais", "d'accord", "ah oui"), "es": ("sí", "vale", "claro", "ajá")}


def nods(texts: dict[str, tuple[str, ...]]) -> Iterator[Samples]:
    from spike_engine.server.local.children.espeak import Worker  # noqa: PLC0415 (the demo extra)

    espeak = Worker()
    for voice, pitch in ((voice, pitch) for voice in texts for pitch in (40, 65)):
        for text in texts[voice]:
            request = {"text": text, "voice": voice, "words_per_minute": 175, "pitch": pitch}
            info, pcm = espeak.handle(request, b"")
            spoken = np.frombuffer(pcm, np.int16).astype(np.float32) / 32768
            yield at_one_loudness(dsp.resample(spoken, info["sample_rate_hz"], RATE_HZ))


def doors() -> Iterator[Samples]:
    import pygame  # noqa: PLC0415 (its examples have sounds)

    for name in ("car_door", "punch", "whiff", "boom"):
        yield at_one_loudness(read(Path(pygame.__file__).parent / "examples" / "data" / f"{name}.wav"))


def all_sounds(folder: Path | None) -> dict[str, list[Samples]]:
    kinds = {
        "sentences, three voices": list(recordings("", 0.7, 9.0, 12)),
        "single words": list(recordings("digits", 0.3, 0.7, 8)),
        "nods (espeak-ng)": list(nods(NODS)),
        "nods in French and Spanish": list(nods(FOREIGN_NODS)),
        "doors and blows": list(doors()),
    }
    for path in sorted(folder.iterdir()) if folder else ():
        kinds.setdefault(path.stem.partition("_")[0], []).append(at_one_loudness(read(path)))
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=Path, help='a folder of further sounds, "kind_name.ext"')
    parser.add_argument("--voicebench", action="store_true", help="have voicebench judge, too (pip install voicebench)")
    options = parser.parse_args()
    kinds = all_sounds(options.sounds)
    print("| sound | how many | taken for a turn | quiet after, median | 95 % | goes on after, median |")
    print("|---|---|---|---|---|---|")
    for kind, sounds in kinds.items():
        print(measured(sounds).row(kind), flush=True)
    alone = measured([np.zeros(60 * RATE_HZ, np.float32)])
    print(f"| its own voice, 60 s | {len(alone.quiet_ms)} holds | {alone.stopped} stops | | | |")
    if options.voicebench:
        from voicebench_adapter import judged  # noqa: PLC0415

        print(judged(kinds))


if __name__ == "__main__":
    main()
