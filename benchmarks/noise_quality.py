"""The noise suppressor beside its peers: writes docs/tables/noise.md and the picture of the page.

python benchmarks/noise_quality.py [--recordings DIR]

Needs pesq, pystoi, speechmos, pocketsphinx and what noise_scenes.py and suppressors.py name.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from noise_scenes import KINDS, LEAD_S, Scene, clean_scenes, scenes
from pesq import pesq
from pystoi import stoi
from scipy.signal import correlate
from speechmos import dnsmos
from suppressors import MILLIONS, SYSTEMS, Make, Samples, installed
from words import errors, words

from spike_engine import dsp

mpl.use("agg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).parent.parent / "docs"
TABLE = DOCS / "tables" / "noise.md"
COLUMNS = {
    "PESQ-WB": ("pesq", ".2f"),
    "STOI": ("stoi", ".3f"),
    "SI-SDR gain / dB": ("si_sdr_gain_db", ".1f"),
    "DNSMOS SIG": ("sig", ".2f"),
    "BAK": ("bak", ".2f"),
    "OVRL": ("ovrl", ".2f"),
    "babble OVRL": ("babble", ".2f"),
    "transient OVRL": ("transient", ".2f"),
    "pauses / dB": ("pauses_db", ".0f"),
    "words wrong": ("word_error_rate", ".0%"),
    "clean PESQ": ("clean_pesq", ".2f"),
    "speech / dB": ("speech_db", "+.1f"),
    "CPU / us": ("cpu_us", ".0f"),
}
Scores = dict[str, float]


def cleaned(make: Make, x: Samples, clean: Samples, rate_hz: int) -> Samples:
    """What a system makes of `x`, moved by up to 100 ms to where it fits the clean voice best.

    Silence behind `x` pushes its end out of every delay.
    """
    most, length = rate_hz // 10, len(clean)
    out = np.asarray(make(rate_hz)(np.concatenate([x, np.zeros(2 * most, np.float32)])), np.float32)
    out = np.concatenate([np.zeros(most, np.float32), out, np.zeros(2 * most, np.float32)])
    match = correlate(out[: length + 2 * most], clean, mode="valid", method="fft")
    begin = int(np.argmax(np.abs(match)))
    return out[begin : begin + length]


def si_sdr_db(x: Samples, clean: Samples) -> float:
    x, clean = x.astype(float), clean.astype(float)
    target = (x @ clean) / (clean @ clean) * clean
    return float(10 * np.log10((target @ target) / ((x - target) @ (x - target))))


def score(make: Make, scene: Scene, rate_hz: int) -> Scores:
    out = cleaned(make, scene.noisy, scene.clean, rate_hz)
    lead = slice(int(0.4 * rate_hz), int((LEAD_S - 0.1) * rate_hz))
    talking = slice(int(LEAD_S * rate_hz), None)
    pauses_db = 10 * np.log10((scene.noisy[lead] ** 2).mean() / ((out[lead] ** 2).mean() + 1e-12))
    gain_db = si_sdr_db(out[talking], scene.clean[talking]) - si_sdr_db(scene.noisy[talking], scene.clean[talking])
    out, clean = (dsp.resample(x, rate_hz, 16000) if rate_hz != 16000 else x for x in (out, scene.clean))
    talking = slice(int(LEAD_S * 16000), None)
    mos = dnsmos.run(np.clip(out, -1, 1), 16000)
    counts = {}
    if scene.english:
        spoken = words(clean)
        counts = {"words": len(spoken), "words_wrong": errors(words(out), spoken)}
    return counts | {
        "pesq": pesq(16000, clean[talking], out[talking], "wb"),
        "stoi": float(stoi(clean[talking], out[talking], 16000)),
        "si_sdr_gain_db": gain_db,
        "sig": float(mos["sig_mos"]),
        "bak": float(mos["bak_mos"]),
        "ovrl": float(mos["ovrl_mos"]),
        "pauses_db": float(pauses_db),
    }


def transparency(make: Make, clean: Samples, rate_hz: int) -> Scores:
    out = cleaned(make, clean, clean, rate_hz)
    speech_db = 20 * np.log10(np.abs(out @ clean) / (clean @ clean))
    out, clean = (dsp.resample(x, rate_hz, 16000) if rate_hz != 16000 else x for x in (out, clean))
    return {"clean_pesq": pesq(16000, clean, out, "wb"), "speech_db": float(speech_db)}


def qualities(make: Make, heard: list[Scene], plain: list[Samples], rate_hz: int) -> Scores:
    scores = [score(make, scene, rate_hz) for scene in heard]
    mean = {key: float(np.mean([one[key] for one in scores if key in one])) for key in set().union(*scores)}
    mean["word_error_rate"] = mean["words_wrong"] / max(mean["words"], 1)
    for kind in KINDS:
        mean[kind] = float(np.mean([s["ovrl"] for s, h in zip(scores, heard, strict=True) if h.kind == kind]))
    clean = [transparency(make, x, rate_hz) for x in plain]
    return mean | {key: float(np.mean([one[key] for one in clean])) for key in clean[0]}


def cpu_us(systems: dict[str, Make], rate_hz: int) -> dict[str, float]:
    """Of 10 ms, the quietest of three turns that all take one after another."""
    x = (0.05 * np.random.default_rng(0).standard_normal(2 * rate_hz)).astype(np.float32)
    best = dict.fromkeys(systems, np.inf)
    for _ in range(3):
        for name, make in systems.items():
            run = make(rate_hz)
            begin = time.perf_counter()
            run(x)
            best[name] = min(best[name], (time.perf_counter() - begin) / 200 * 1e6)
    return best


def measured(systems: dict[str, Make], rate_hz: int, options: argparse.Namespace) -> dict[str, Scores]:
    """Of each system; those found in the file of an earlier run are not measured again, but for their speed."""
    known = json.loads(options.resume.read_text()) if options.resume and options.resume.exists() else {}
    heard, plain = list(scenes(rate_hz, options.recordings)), list(clean_scenes(rate_hz))
    for name, make in systems.items():
        if f"{name} {rate_hz}" in known:
            continue
        known[f"{name} {rate_hz}"] = qualities(make, heard, plain, rate_hz)
        print(rate_hz, name, {key: round(value, 3) for key, value in known[f"{name} {rate_hz}"].items()}, flush=True)
        if options.resume:
            options.resume.write_text(json.dumps(known))
    speeds = cpu_us(systems, rate_hz)
    return {name: known[f"{name} {rate_hz}"] | {"cpu_us": speeds[name]} for name in systems}


def table(found: dict[str, Scores]) -> str:
    rows = [["", "weights", *COLUMNS], ["---"] * (len(COLUMNS) + 2)]
    for name, scores in found.items():
        cells = [f"{MILLIONS[name]:.2f} M" if name in MILLIONS else "-"]
        cells += [format(scores[key], style) for key, style in COLUMNS.values()]
        rows.append([f"**{name}**" if name == "spike_engine" else name, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def draw(recordings: Path | None) -> None:
    """A voice in music and one in a fan's noise, before and after."""
    chosen = [s for s in scenes(16000, recordings) if s.kind in ("stationary", "music") and s.snr_db == 2.5]
    figure, axes = plt.subplots(3, 2, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
    for column, scene in zip(axes.T, chosen, strict=True):
        after = cleaned(SYSTEMS["spike_engine"], scene.noisy, scene.clean, 16000)
        for axis, x, name in zip(column, (scene.noisy, after, scene.clean), ("noisy", "cleaned", "voice"), strict=True):
            axis.specgram(x + 1e-7, NFFT=512, noverlap=352, Fs=16, vmin=-110, vmax=-40, cmap="magma", scale="dB")
            axis.set_title(f"{scene.kind}, {scene.snr_db:g} dB: {name}", fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel("kHz")
    for axis, seconds in ((axis, np.arange(0, 11, 2)) for axis in axes[-1]):
        axis.set_xticks(seconds * 1000, [f"{s} s" for s in seconds])
    figure.savefig(DOCS / "images" / "noise-spectrograms.png", dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, help="further noise that is held out from training")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), help="only these; writes no table")
    parser.add_argument("--resume", type=Path, help="a file that keeps what was measured")
    parser.add_argument("--rates", nargs="+", type=int, default=[16000, 48000])
    options = parser.parse_args()
    pages: list[Any] = []
    for rate_hz in options.rates:
        chosen = {name: SYSTEMS[name] for name in options.systems or ()}
        systems = chosen or installed(rate_hz)
        pages += [f"At {rate_hz // 1000} kHz:\n", table(measured(systems, rate_hz, options))]
    print("\n".join(pages))
    if not options.systems:
        TABLE.write_text("\n".join(pages))
        draw(options.recordings)


if __name__ == "__main__":
    main()
