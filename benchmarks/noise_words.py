"""Words that recognisers get wrong behind the noise suppressor: writes docs/tables/noise-words.md.

python benchmarks/noise_words.py --corpus DIR ... --whisper MODEL [--scenes 25] [--first 0] [--cache DIR]

The voices, noises and rooms are those that training keeps for validation (training/shared/prepare.py). A word is wrong
where the recogniser hears another one than in the voice without noise. MODEL is a folder of weights for faster-whisper;
needs faster-whisper, pocketsphinx, soxr and soundfile.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from words import errors, whisper, words

from spike_engine import dsp
from spike_engine.dsp.noise import NoiseMode

sys.path.insert(0, str(Path(__file__).parent.parent))

from training.shared.made_noise import shaped_noise
from training.shared.prepare import Recording, Rooms, active_level, convolved, load, recordings

Samples = Any
Recogniser = Callable[[Samples], list[str]]
TABLE = Path(__file__).parent.parent / "docs" / "tables" / "noise-words.md"
RATE_HZ, SECONDS = 16000, 14
KINDS, SNRS_DB = ("stationary", "babble", "music", "recorded", "room"), (20, 10, 5, 0, -5)
CLEAN = "clean"
ENGLISH = {"librispeech_train251", "vctk_28", "vctk_48k", "picovoice_intent"}
MODES: dict[str, NoiseMode | None] = {"nothing": None, '"neural"': "neural", '"recogniser"': "recogniser"}


class World:
    """Scenes of sources that no network was trained on."""

    def __init__(self, corpora: list[Path]) -> None:
        of_kind = {kind: recordings(corpora, kind, validation=True) for kind in ("speech", "noise", "rir")}
        self.voices: dict[str, list[Recording]] = {}
        for recording in of_kind["speech"]:
            if recording.package in ENGLISH and recording.snr_db > 30 and recording.seconds > 1.5:
                self.voices.setdefault(recording.speaker or recording.path.stem, []).append(recording)
        self.noises, self.music = of_kind["noise"], recordings(corpora, "music")
        rooms = next(corpus / "rir" for corpus in corpora if (corpus / "rir").is_dir())
        self.rooms = Rooms(rooms, of_kind["rir"], validation=True)

    def talk(self, random: np.random.Generator, lead: int = 0) -> Samples:
        """Sentences of one voice and, where it has no more, of others; at 48 kHz."""
        samples, parts, waiting = SECONDS * 48000, [np.zeros(lead, np.float32)], []
        while sum(map(len, parts)) < samples:
            if not waiting:
                waiting = list(random.permutation(self.voices[random.choice(sorted(self.voices))]))
            parts += [load(waiting.pop().path), np.zeros(14400, np.float32)]
        return np.concatenate(parts)[:samples]

    def noise(self, random: np.random.Generator, kind: str) -> Samples:
        samples = SECONDS * 48000
        if kind == "stationary":
            return shaped_noise(random, samples)
        if kind == "babble":
            return sum(self.talk(random) for _ in range(6))
        files = self.music if kind == "music" else self.noises
        with soundfile.SoundFile(files[random.integers(len(files))].path) as file:
            x = file.read(30 * file.samplerate, dtype="float32", always_2d=True)[:, 0]
            return np.resize(soxr.resample(x, file.samplerate, 48000), samples).astype(np.float32)

    def scene(self, number: int) -> tuple[str, int, Samples, Samples]:
        """Kind, signal-to-noise ratio, the noisy voice and the voice, at 16 kHz."""
        random = np.random.default_rng([77, number])
        kind, snr_db = KINDS[number % 5], SNRS_DB[number // 5 % 5]
        voice, noise = self.talk(random, 24000), self.noise(random, kind)
        if kind == "room":
            target, _, far = self.rooms.draw(random)
            voice, noise = convolved(voice, target)[0], convolved(noise, far)[0]
        noise = noise * active_level(voice) / (active_level(noise) + 1e-6) * 10 ** (-snr_db / 20)
        scale = 0.06 / active_level(voice + noise)
        noisy, clean = (soxr.resample(scale * x, 48000, RATE_HZ) for x in (voice + noise, voice))
        return kind, snr_db, np.clip(noisy, -1, 1).astype(np.float32), clean.astype(np.float32)


def suppressed(x: Samples, mode: NoiseMode | None) -> Samples:
    if mode is None:
        return x
    suppressor = dsp.NoiseSuppressor(RATE_HZ, mode=mode)
    return suppressor.process(np.pad(x, (0, suppressor.latency_samples)))[suppressor.latency_samples :]


def remembered(name: str, hear: Recogniser, folder: Path | None) -> Recogniser:
    """What was heard once is read again: the same sound need not be heard twice."""
    if folder is None:
        return hear
    folder.mkdir(parents=True, exist_ok=True)

    def read(x: Samples) -> list[str]:
        path = folder / f"{name}-{hashlib.sha256(x.tobytes()).hexdigest()[:32]}.txt"
        if not path.exists():
            path.write_text(" ".join(hear(x)))
        return path.read_text().split()

    return read


def measured(world: World, hear: Recogniser, scenes: range) -> dict[tuple[str, Any], list[int]]:
    """By mode and condition: words wrong, at most all of a scene's, and words."""
    found: dict[tuple[str, Any], list[int]] = {}
    for number in scenes:
        kind, snr_db, noisy, clean = world.scene(number)
        spoken = hear(clean)
        for name, mode in MODES.items():
            for x, conditions in ((noisy, ("noisy", kind, snr_db)), (clean, (CLEAN,))):
                wrong = min(len(spoken), errors(hear(suppressed(x, mode)), spoken))
                for condition in conditions:
                    sums = found.setdefault((name, condition), [0, 0])
                    sums[0], sums[1] = sums[0] + wrong, sums[1] + len(spoken)
        print(number, kind, snr_db, len(spoken), flush=True)
    return found


def table(found: dict[tuple[str, Any], list[int]]) -> str:
    columns = (CLEAN, *(f"{snr_db} dB" for snr_db in SNRS_DB), *KINDS, "noisy")
    rows = [["", *columns], ["---"] * (len(columns) + 1)]
    for name in MODES:
        shares = (found.get((name, key)) for key in (CLEAN, *SNRS_DB, *KINDS, "noisy"))
        rows.append(
            [name, *(f"{wrong / max(1, all_of):.1%}" if all_of else "-" for wrong, all_of in filter(None, shares))]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, nargs="+", required=True, help="folders with manifest.tsv")
    parser.add_argument("--whisper", type=Path, help="weights for faster-whisper; without, PocketSphinx alone")
    parser.add_argument("--scenes", type=int, default=25, help="25 are each kind of noise at each level once")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--cache", type=Path, help="keeps what was heard")
    options = parser.parse_args()
    world, scenes = World(options.corpus), range(options.first, options.first + options.scenes)
    recognisers: dict[str, Recogniser] = {"PocketSphinx": words}
    if options.whisper:
        recognisers = {"Whisper": whisper(options.whisper)} | recognisers
    pages = []
    for name, hear in recognisers.items():
        found = measured(world, remembered(name, hear, options.cache), scenes)
        count = found["nothing", "noisy"][1]
        pages += [f"{name}, {options.scenes} scenes of {SECONDS} s, {count} words:\n", table(found)]
        print("\n".join(pages), flush=True)
    TABLE.write_text("\n".join(pages))


if __name__ == "__main__":
    main()
