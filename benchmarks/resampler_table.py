"""The resampler beside its peers: writes docs/tables/resampler.md and the pictures that the page shows.

python benchmarks/resampler_table.py   (needs the packages of the dependency group `bench`; about two minutes)
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from resamplers import STREAMS, Make, Push, scipy_polyphase

from spike_engine import dsp

mpl.use("svg")
import matplotlib.pyplot as plt

DOCS = Path(__file__).parent.parent / "docs"
FROM_HZ, TO_HZ = 48000, 16000  # where quality is measured
SPEEDS = [(48000, 16000), (16000, 48000), (44100, 48000), (48000, 24000), (48000, 8000), (48000, 48024)]
FORMS = [(20, 1, "float32"), (10, 2, "float32"), (20, 2, "float32"), (10, 1, "int16"), (10, 2, "int16")]
ROUNDS, PUSHES = 7, 400
FORMATS = {"latency_ms": ".1f", "ripple_db": ".1g", "alias_db": ".0f", "sinad_db": ".0f"}


def stream(push: Push, x: Any, size: int) -> Any:
    return np.concatenate([np.asarray(push(x[at : at + size])) for at in range(0, len(x), size)])


def tone(frequency_hz: float, seconds: float = 0.6) -> Any:
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(FROM_HZ * seconds)) / FROM_HZ).astype(np.float32)


def middle_of(make: Make, frequency_hz: float) -> Any:
    out = stream(make(FROM_HZ, TO_HZ), tone(frequency_hz), 480)
    return out[len(out) // 3 : 5 * len(out) // 6].astype(float)


def gain_and_sinad_db(make: Make, frequency_hz: float) -> tuple[float, float]:
    y = middle_of(make, frequency_hz)
    angle = 2 * np.pi * frequency_hz * np.arange(len(y)) / TO_HZ
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, y, rcond=None)
    power = float(fit @ fit) / 2
    return 10 * np.log10(2 * power), 10 * np.log10(power / (y - basis @ fit).var())


def level_db(make: Make, frequency_hz: float) -> float:
    return float(20 * np.log10(np.abs(middle_of(make, frequency_hz)).max() + 1e-10))


def latency_ms(make: Make) -> float:
    """From when the top of a pulse goes in to when its largest sample comes out, in pushes of 0.25 ms."""
    size, at = FROM_HZ // 4000, FROM_HZ // 5
    x = np.zeros(FROM_HZ // 2, np.float32)
    x[at - 32 : at + 33] = np.hanning(65)
    push = make(FROM_HZ, TO_HZ)
    best, when = 0.0, 0
    for begin in range(0, len(x), size):
        out = np.abs(np.asarray(push(x[begin : begin + size])))
        if len(out) and out.max() > best:
            best, when = float(out.max()), begin + size
    return 1000 * (when - at) / FROM_HZ


def quality_of(make: Make) -> dict[str, float]:
    shares = np.linspace(0.02, 0.45, 14)
    gains, sinads = zip(*(gain_and_sinad_db(make, share * TO_HZ) for share in shares), strict=True)
    alias = max(level_db(make, share * TO_HZ) for share in (0.56, 0.565, 0.57, 0.59, 0.63, 0.75, 1.0, 1.2, 1.4))
    return {
        "latency_ms": latency_ms(make),
        "ripple_db": max(abs(gain) for gain in gains),
        "alias_db": alias,
        "sinad_db": min(sinads),
    }


def times_us(push: Push, chunk: Any, pushes: int) -> Any:
    clock, times = time.perf_counter, np.empty(pushes)
    for at in range(pushes):
        begin = clock()
        push(chunk)
        times[at] = clock() - begin
    return 1e6 * times


Speed = tuple[float, float]  # mean and 99th percentile of a push, in us


def taking_turns(pushes: dict[str, Push], chunk: Any) -> dict[str, Speed]:
    """The peers take turns, and the quietest round of each counts."""
    found: dict[str, list[Any]] = {name: [] for name in pushes}
    for _ in range(ROUNDS):
        for name, push in pushes.items():
            times = times_us(push, chunk, PUSHES)
            found[name].append((times.mean(), np.percentile(times, 99)))
    return {name: tuple(np.min(rounds, axis=0)) for name, rounds in found.items()}


def noise(count: int, channels: int = 1, dtype: str = "float32") -> Any:
    shape = (count,) if channels == 1 else (count, channels)
    return (np.random.default_rng(0).standard_normal(shape) * (3000 if dtype == "int16" else 0.1)).astype(dtype)


def speeds(from_hz: int, to_hz: int) -> dict[str, Speed]:
    return taking_turns({name: make(from_hz, to_hz) for name, make in STREAMS.items()}, noise(from_hz // 100))


def speeds_of_form(milliseconds: int, channels: int, dtype: str) -> dict[str, Speed]:
    pushes = {name: STREAMS[name](FROM_HZ, TO_HZ, channels, dtype) for name in ("spike voice", "soxr HQ", "PyAV")}
    return taking_turns(pushes, noise(FROM_HZ * milliseconds // 1000, channels, dtype))


def three_samples() -> dict[str, Speed]:
    pushes = {
        name: STREAMS[name](FROM_HZ, TO_HZ) for name in ("spike voice", "soxr HQ", "libsamplerate medium", "PyAV")
    }
    return taking_turns({"an empty pybind11 call": lambda _: dsp.active_isa(), **pushes}, noise(3))


def offline_times_real_time(from_hz: int, to_hz: int) -> dict[str, float]:
    minute = noise(60 * from_hz)
    peers = {name: STREAMS[name] for name in ("spike voice", "soxr HQ", "soxr VHQ", "PyAV")}
    peers["scipy resample_poly"] = scipy_polyphase
    best = dict.fromkeys(peers, np.inf)
    for _ in range(5):
        for name, make in peers.items():
            best[name] = min(best[name], times_us(make(from_hz, to_hz), minute, 1)[0])
    return {name: 60e6 / us for name, us in best.items()}


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def draw_responses() -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    frequencies = np.concatenate(
        [np.linspace(200, 7000, 12), np.linspace(7000, 10000, 61), np.linspace(10100, 23500, 30)]
    )
    for name in ("spike voice", "spike fast", "spike mastering", "soxr HQ", "soxr VHQ", "libsamplerate best", "PyAV"):
        levels = [level_db(STREAMS[name], frequency) for frequency in frequencies]
        axes.plot(frequencies / 1000, levels, label=name, lw=2 if name.startswith("spike") else 1)
    axes.axvspan(0.56 * TO_HZ / 1000, 24, color="0.95")
    axes.set(xlabel="frequency of the input / kHz", ylabel="peak of the output / dB", xlim=(0, 24), ylim=(-175, 5))
    axes.set_title("A tone through 48 to 16 kHz; grey: what must be gone")
    axes.legend(ncols=2, fontsize=8)
    figure.savefig(DOCS / "images" / "resampler-response.svg")


def draw_latencies(qualities: dict[str, dict[str, float]]) -> None:
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name, quality in qualities.items():
        ours = name.startswith("spike")
        axes.plot(quality["latency_ms"], -quality["alias_db"], "o" if ours else "s", color="C0" if ours else "0.6")
        axes.annotate(
            name, (quality["latency_ms"], -quality["alias_db"]), (5, 4), textcoords="offset points", fontsize=8
        )
    axes.set(xscale="log", xlabel="latency / ms", ylabel="rejection from 0.56 of the lower rate / dB", xlim=(0.7, 200))
    axes.set_title("48 to 16 kHz: up and to the left is better")
    figure.savefig(DOCS / "images" / "resampler-latency.svg")


def quality_table(qualities: dict[str, dict[str, float]]) -> str:
    head = ["", "latency / ms", "ripple to 0.45 / dB", "alias from 0.56 / dB", "worst SINAD / dB"]
    rows = [[name, *(format(q[key], FORMATS[key]) for key in FORMATS)] for name, q in qualities.items()]
    return table(head, rows)


def speed_table(columns: dict[str, dict[str, Speed]]) -> str:
    names = next(iter(columns.values()))
    rows = [[name, *(f"{c[name][0]:.1f} / {c[name][1]:.1f}" for c in columns.values())] for name in names]
    return table(["", *columns], rows)


def ratio_table(columns: dict[str, dict[str, Speed]], qualities: dict[str, dict[str, float]]) -> str:
    """How many times longer the others take, on the mean; and what they reject less."""
    pairs = [("spike voice", "soxr HQ"), ("spike voice", "PyAV"), ("spike varying", "soxr varying")]
    rows = [
        [
            f"{other} / {ours}",
            *(f"{c[other][0] / c[ours][0]:.1f}" for c in columns.values()),
            f"{qualities[other]['alias_db'] - qualities[ours]['alias_db']:+.0f} dB",
        ]
        for ours, other in pairs
    ]
    return table(["mean time", *columns, "alias"], rows)


def main() -> None:
    names = [f"{a / 1000:g} > {b / 1000:g}" for a, b in SPEEDS]
    measured = {name: speeds(*ratio) for name, ratio in zip(names, SPEEDS, strict=True)}
    forms = {f"{c} x {dtype}, {ms} ms": speeds_of_form(ms, c, dtype) for ms, c, dtype in FORMS}
    few = three_samples()
    offline = {name: offline_times_real_time(*ratio) for name, ratio in zip(names[:-1], SPEEDS[:-1], strict=True)}
    qualities = {name: quality_of(make) for name, make in STREAMS.items()}
    pages = [
        "Quality, 48 to 16 kHz:\n",
        quality_table(qualities),
        "A push of 10 ms, mono float32, the Python call included: mean / 99th percentile in us, rates in kHz:\n",
        speed_table(measured),
        "The same as ratios:\n",
        ratio_table(measured, qualities),
        "Other pushes, 48 to 16 kHz, channels x type and length:\n",
        speed_table(forms),
        "A push of 3 samples, 48 to 16 kHz, so that little but the call is left:\n",
        table(["", "mean / us"], [[name, f"{mean:.2f}"] for name, (mean, _) in few.items()]),
        "A minute in one call, times real time:\n",
        table(["", *offline], [[n, *(f"{c[n]:,.0f}" for c in offline.values())] for n in next(iter(offline.values()))]),
    ]
    (DOCS / "tables" / "resampler.md").write_text("\n".join(pages))
    draw_latencies(qualities)
    draw_responses()
    print((DOCS / "tables" / "resampler.md").read_text())


if __name__ == "__main__":
    main()
