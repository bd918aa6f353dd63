"""Which recordings are words of somebody who takes the floor, which are nods, and which are neither."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import av
import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from training.shared.prepare import recordings

RATE_HZ = 16000
WORD, NOD, OTHER = range(3)
Samples = NDArray[np.float32]
Part: TypeAlias = Literal["train", "validation", "test"]

VALIDATED_PACKAGES = {"minetest-data", "scratch"}  # beside those of `shared/prepare.py`
# Without voices: effects of games, keys, drums and bells. Those of others shout.
EFFECTS = {"bucklespring-data", "cube2-data", "endless-sky-data", "flare-game", "freedroidrpg-data", "lugaru-data",
           "minetest-data", "openarena-data", "oxygen-sounds", "supertuxkart-data", "torcs-data", "scratch",
           "hydrogen-drumkits-effects", "sonic-pi-samples"}  # fmt: skip
NEITHER_IN_HEDGEWARS = ("Laugh", "PoisonCough")
VOICES_OF = {"validation": ("+f1", "+f4", "+m5", "+m7", "voices_val"), "test": ("voices_held",)}
OF_VOICES = {"nod": (NOD, "nods"), "word": (WORD, "words"), "neither": (OTHER, "spoken sneezes")}
NODS_OF_COMMANDS = {"yes", "right"}
LETTERS = {"klettres-data", "qabcs-data", "fillets-ng-data-cs", "tuxpaint-stamps-default", "hedgewars-data"}


@dataclass(frozen=True)
class Sound:
    """A recording, what it is, and of what kind, for the figures."""

    label: int
    kind: str
    path: Path

    def load(self) -> Samples:
        """At 16 kHz; empty where the file is damaged, as one of the coughs is."""
        try:
            return _read(self.path)
        except av.error.InvalidDataError:
            return np.zeros(0, np.float32)


@cache
def _read(path: Path) -> Samples:
    if path.suffix in (".flac", ".wav"):  # sooner than by PyAV
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        return soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32)
    with av.open(str(path)) as container:
        to_float = av.AudioResampler("flt", "mono", RATE_HZ)
        pieces = [made.to_ndarray()[0] for frame in container.decode(audio=0) for made in to_float.resample(frame)]
        pieces += [made.to_ndarray()[0] for made in to_float.resample(None)]
    return np.concatenate(pieces).astype(np.float32)


def part_of(name: str, share: int = 7) -> Part:
    """One in `share` is for the test, and of the others every sixth to choose by."""
    rest, number = zlib.crc32(name.encode()) % share, zlib.crc32(name.encode()) // share
    return "test" if rest == 0 else "validation" if number % 6 == 0 else "train"


def part_of_package(package: str) -> Part:
    return "validation" if package in VALIDATED_PACKAGES else "train"


def of_corpora(corpora: list[Path], part: Part) -> list[Sound]:
    """Sentences and single words, hums, and effects without a voice."""
    found = []
    for each in recordings(corpora, "speech", validation=part == "validation") if part != "test" else ():
        if each.package == "hedgewars-data":
            name = each.path.name.partition(".")[0]
            if name.endswith(NEITHER_IN_HEDGEWARS):
                found.append(Sound(OTHER, "laughs", each.path))
            elif name.endswith("Hmm"):
                found.append(Sound(NOD, "hums", each.path))
        elif each.package not in LETTERS and each.seconds > 0.4:
            kind = "single words" if each.package == "picovoice_wakeword" else "sentences"
            found.append(Sound(WORD, kind, each.path))
    for each in [*recordings(corpora, "noise"), *recordings(corpora, "noise", validation=True)]:
        stem = each.path.stem
        if each.package == "esc10" and part_of(stem[:-2], 4) == part:
            found.append(Sound(OTHER, stem.rpartition("_")[0].lower(), each.path))
        elif each.package in EFFECTS and each.seconds < 4 and part == part_of_package(each.package):
            found.append(Sound(OTHER, "keys" if each.package == "bucklespring-data" else "effects", each.path))
    return found


def of_coughs(folder: Path, part: Part) -> list[Sound]:
    """The recordings of github.com/covid19-cough/dataset, each of one person."""
    files = sorted((folder / "raw").glob("*.mp3"))
    return [Sound(OTHER, "coughs", file) for file in files if part_of(file.stem) == part]


def of_commands(folder: Path, part: Part) -> list[Sound]:
    """Speech Commands' words in folders of their name; all of one speaker on one side where the name tells them."""
    found = []
    for file in sorted(folder.glob("*/*.wav")):
        word = file.stem.partition("_")[0] if file.parent.name == "_unknown_" else file.parent.name
        named = file.stem.partition("_nohash")[0].rpartition("_")[2]
        if word not in ("_silence_", "wow", "happy") and part_of(named) == part:
            nods = word in NODS_OF_COMMANDS
            found.append(Sound(NOD if nods else WORD, f'"{word}"' if nods else "single words", file))
    return found


def of_voices(folders: list[Path], part: Part) -> list[Sound]:
    """What `spoken.py` wrote; some variants of espeak-ng and folders of Kokoro's voices are kept."""
    found = []
    for folder in folders:
        for line in (folder / "manifest.tsv").read_text().splitlines()[1:]:
            kind, package, path, speaker = line.split("\t")
            if part == next((each for each, kept in VOICES_OF.items() if speaker.endswith(kept)), "train"):
                label, name = OF_VOICES[kind]
                found.append(Sound(label, f"{name} of {package}", folder / path))
    return found
