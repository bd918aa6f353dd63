"""Which recordings are words of somebody who takes the floor, which are nods, and which are neither."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from training.shared.prepare import recordings

RATE_HZ = 16000
WORD, NOD, OTHER = range(3)
Samples = NDArray[np.float32]

VALIDATED_PACKAGES = {"minetest-data", "scratch"}  # beside those of `shared/prepare.py`
# Without voices: effects of games, keys, drums and bells. Those of others shout.
EFFECTS = {"bucklespring-data", "cube2-data", "endless-sky-data", "flare-game", "freedroidrpg-data", "lugaru-data",
           "minetest-data", "openarena-data", "oxygen-sounds", "supertuxkart-data", "torcs-data", "scratch",
           "hydrogen-drumkits-effects", "sonic-pi-samples"}  # fmt: skip
NEITHER_IN_HEDGEWARS = ("Laugh", "PoisonCough")
HELD_VOICES = ("+f1", "+f4", "+m5", "+m7", "voices_held")
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
    with av.open(str(path)) as container:
        to_float = av.AudioResampler("flt", "mono", RATE_HZ)
        pieces = [made.to_ndarray()[0] for frame in container.decode(audio=0) for made in to_float.resample(frame)]
        pieces += [made.to_ndarray()[0] for made in to_float.resample(None)]
    return np.concatenate(pieces).astype(np.float32)


def is_for_validation(name: str, share: int = 7) -> bool:
    return zlib.crc32(name.encode()) % share == 0


def of_corpora(corpora: list[Path], *, validation: bool) -> list[Sound]:
    """Sentences and single words, and effects without a voice."""
    found = []
    for each in recordings(corpora, "speech", validation=validation):
        if each.package in LETTERS:
            if each.package == "hedgewars-data" and each.path.name.partition(".")[0].endswith(NEITHER_IN_HEDGEWARS):
                found.append(Sound(OTHER, "laughs", each.path))
        elif each.seconds > 0.4:
            kind = "single words" if each.package == "picovoice_wakeword" else "sentences"
            found.append(Sound(WORD, kind, each.path))
    for validated in (False, True):
        for each in recordings(corpora, "noise", validation=validated):
            stem = each.path.stem
            held = each.package in VALIDATED_PACKAGES if each.package in EFFECTS else is_for_validation(stem[:-2], 4)
            if held != validation:
                continue
            if each.package == "esc10":
                found.append(Sound(OTHER, stem.rpartition("_")[0].lower(), each.path))
            elif each.package in EFFECTS and each.seconds < 4:
                found.append(Sound(OTHER, "keys" if each.package == "bucklespring-data" else "effects", each.path))
    return found


def of_coughs(folder: Path, *, validation: bool) -> list[Sound]:
    """The recordings of github.com/covid19-cough/dataset, each of one person."""
    files = sorted((folder / "raw").glob("*.mp3"))
    return [Sound(OTHER, "coughs", file) for file in files if is_for_validation(file.stem) == validation]


def of_commands(folder: Path, *, validation: bool) -> list[Sound]:
    """Speech Commands' words in folders of their name; all of one speaker on one side where the name tells them."""
    found = []
    for file in sorted(folder.glob("*/*.wav")):
        word = file.stem.partition("_")[0] if file.parent.name == "_unknown_" else file.parent.name
        named = file.stem.partition("_nohash")[0].rpartition("_")[2]
        if word not in ("_silence_", "wow", "happy") and is_for_validation(named) == validation:
            nods = word in NODS_OF_COMMANDS
            found.append(Sound(NOD if nods else WORD, f'"{word}"' if nods else "single words", file))
    return found


def of_voices(folders: list[Path], *, validation: bool) -> list[Sound]:
    """What `spoken.py` wrote; some variants of espeak-ng and a folder of Kokoro's voices are kept to choose by."""
    found = []
    for folder in folders:
        for line in (folder / "manifest.tsv").read_text().splitlines()[1:]:
            kind, package, path, speaker = line.split("\t")
            if speaker.endswith(HELD_VOICES) == validation:
                label, name = (NOD, "nods") if kind == "nod" else (WORD, "words")
                found.append(Sound(label, f"{name} of {package}", folder / path))
    return found
