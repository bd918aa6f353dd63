"""The noise suppressor beside its peers: writes docs/tables/noise.md and the picture of the page.

python benchmarks/noise_quality.py [--recordings DIR]

Needs pesq, pystoi, speechmos and what noise_scenes.py and suppressors.py name.
"""

from __future__ import annotations

import argparse
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
from suppressors import SYSTEMS, Make, Samples, installed

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
    "clean PESQ": ("clean_pesq", ".2f"),
    "speech / dB": ("speech_db", "+.1f"),
    "CPU / us": ("cpu_us", ".0f"),
}
Scores = dict[str, float]


def aligned(x: Samples, clean: Samples, rate_hz: int) -> Samples:
    """Earlier or later by what fits the clean voice best, up to 100 ms, and as long."""
    most = rate_hz // 10
    x = np.concatenate([x, np.zeros(max(0, len(clean) - len(x)))])[: len(clean)]
    match = correlate(x, clean, method="fft")[len(clean) - 1 - most : len(clean) + most]
    shift = int(np.argmax(np.abs(match))) - most
    moved = np.roll(x, -shift)
    if shift > 0:
        moved[-shift:] = 0
    return moved.astype(np.float32)


def si_sdr_db(x: Samples, clean: Samples) -> float:
    x, clean = x.astype(float), clean.astype(float)
    target = (x @ clean) / (clean @ clean) * clean
    return float(10 * np.log10((target @ target) / ((x - target) @ (x - target))))


def score(make: Make, scene: Scene, rate_hz: int) -> Scores:
    run = make(rate_hz)
    ready = time.perf_counter()
    out = aligned(run(scene.noisy), scene.clean, rate_hz)
    cpu_us = (time.perf_counter() - ready) / (len(scene.noisy) / rate_hz) * 1e4
    lead = slice(int(0.4 * rate_hz), int((LEAD_S - 0.1) * rate_hz))
    talking = slice(int(LEAD_S * rate_hz), None)
    pauses_db = 10 * np.log10((scene.noisy[lead] ** 2).mean() / ((out[lead] ** 2).mean() + 1e-12))
    gain_db = si_sdr_db(out[talking], scene.clean[talking]) - si_sdr_db(scene.noisy[talking], scene.clean[talking])
    out, clean = (dsp.resample(x, rate_hz, 16000) if rate_hz != 16000 else x for x in (out, scene.clean))
    talking = slice(int(LEAD_S * 16000), None)
    mos = dnsmos.run(np.clip(out, -1, 1), 16000)
    return {
        "pesq": pesq(16000, clean[talking], out[talking], "wb"),
        "stoi": float(stoi(clean[talking], out[talking], 16000)),
        "si_sdr_gain_db": gain_db,
        "sig": float(mos["sig_mos"]),
        "bak": float(mos["bak_mos"]),
        "ovrl": float(mos["ovrl_mos"]),
        "pauses_db": float(pauses_db),
        "cpu_us": cpu_us,
    }


def transparency(make: Make, clean: Samples, rate_hz: int) -> Scores:
    out = aligned(make(rate_hz)(clean), clean, rate_hz)
    speech_db = 20 * np.log10(np.abs(out @ clean) / (clean @ clean))
    out, clean = (dsp.resample(x, rate_hz, 16000) if rate_hz != 16000 else x for x in (out, clean))
    return {"clean_pesq": pesq(16000, clean, out, "wb"), "speech_db": float(speech_db)}


def measured(systems: dict[str, Make], rate_hz: int, recordings: Path | None) -> dict[str, Scores]:
    heard, plain = list(scenes(rate_hz, recordings)), list(clean_scenes(rate_hz))
    found = {}
    for name, make in systems.items():
        scores = [score(make, scene, rate_hz) for scene in heard]
        mean = {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}
        mean["cpu_us"] = float(np.median([one["cpu_us"] for one in scores]))
        for kind in KINDS:
            mean[kind] = float(np.mean([s["ovrl"] for s, h in zip(scores, heard, strict=True) if h.kind == kind]))
        clean = [transparency(make, x, rate_hz) for x in plain]
        found[name] = mean | {key: float(np.mean([one[key] for one in clean])) for key in clean[0]}
        print(rate_hz, name, {key: round(value, 3) for key, value in found[name].items()}, flush=True)
    return found


def table(found: dict[str, Scores]) -> str:
    rows = [["", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    for name, scores in found.items():
        cells = [format(scores[key], style) for key, style in COLUMNS.values()]
        rows.append([f"**{name}**" if name == "spike_engine" else name, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def draw(recordings: Path | None) -> None:
    """A voice in music and one in a fan's noise, before and after."""
    chosen = [s for s in scenes(16000, recordings) if s.kind in ("stationary", "music") and s.snr_db == 2.5]
    figure, axes = plt.subplots(3, 2, figsize=(9, 6), sharex=True, sharey=True, layout="constrained")
    for column, scene in zip(axes.T, chosen, strict=True):
        cleaned = aligned(SYSTEMS["spike_engine"](16000)(scene.noisy), scene.clean, 16000)
        for axis, x, name in zip(
            column, (scene.noisy, cleaned, scene.clean), ("noisy", "cleaned", "voice"), strict=True
        ):
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
    parser.add_argument("--rates", nargs="+", type=int, default=[16000, 48000])
    options = parser.parse_args()
    pages: list[Any] = []
    for rate_hz in options.rates:
        chosen = {name: SYSTEMS[name] for name in options.systems or ()}
        systems = chosen or installed(rate_hz)
        pages += [f"At {rate_hz // 1000} kHz:\n", table(measured(systems, rate_hz, options.recordings))]
    print("\n".join(pages))
    if not options.systems:
        TABLE.write_text("\n".join(pages))
        draw(options.recordings)


if __name__ == "__main__":
    main()
