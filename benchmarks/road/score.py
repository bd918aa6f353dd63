"""Delay, PESQ and PLCMOS of what both sides of a run of lossy.sh heard, as one line of JSON for each way."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import soxr
from pesq import pesq
from recording import RATE_HZ
from scipy.signal import correlate

warnings.filterwarnings("ignore")
SCORED_HZ = 16000
DELAYS_HZ = 8000


def delays_ms(
    sent: np.ndarray, began_s: float, times_s: np.ndarray, lengths: np.ndarray, heard: np.ndarray
) -> np.ndarray:
    """From writing a sample to having it, for each second in which there is a voice."""
    ends = np.cumsum(lengths)
    sent, heard = soxr.resample(sent, RATE_HZ, DELAYS_HZ), soxr.resample(heard, RATE_HZ, DELAYS_HZ)
    window, found = DELAYS_HZ, []
    for at in range(0, len(heard) - window, window // 2):
        part = heard[at : at + window]
        block = np.searchsorted(ends, at * RATE_HZ // DELAYS_HZ, side="right")
        if np.sqrt(np.mean(part**2)) < 0.01 or block >= len(times_s):
            continue
        came_s = times_s[block] - began_s
        first, last = max(0, int((came_s - 1.2) * DELAYS_HZ)), min(len(sent), int((came_s + 0.1) * DELAYS_HZ) + window)
        if last - first < window:
            continue
        candidates = sent[first:last]
        products = correlate(candidates, part, "valid", method="fft")
        powers = np.convolve(candidates**2, np.ones(window), "valid") * np.sum(part**2)
        likeness = products / np.sqrt(np.maximum(powers, 1e-9))
        best = int(np.argmax(likeness))
        if likeness[best] > 0.4 and came_s > 6:
            found.append(1000 * (came_s - (first + best) / DELAYS_HZ))
    return np.array(found)


def as_played(times_s: np.ndarray, lengths: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """What a loudspeaker would have played: blocks one behind the other, silence where it ran dry."""
    played = np.zeros(int((times_s[-1] - times_s[0] + 3) * RATE_HZ), np.float32)
    at, end = 0, 0
    for time_s, length in zip(times_s, lengths, strict=True):
        due = int((time_s - times_s[0]) * RATE_HZ)
        at = due if at < due - 3 * 960 else at
        block = heard[end : end + length][: len(played) - at]
        played[at : at + len(block)] = block
        at, end = at + length, end + length
    return played


def quality(sent: np.ndarray, played: np.ndarray) -> dict[str, float]:
    """PESQ (ITU-T P.862.2) by parts of eight seconds, PLCMOS (Diener et al. 2023) by parts of ten."""
    from speechmos import plcmos  # noqa: PLC0415 (loads a network)

    reference, heard = soxr.resample(sent, RATE_HZ, SCORED_HZ), soxr.resample(played, RATE_HZ, SCORED_HZ)
    lag = int(np.argmax(correlate(heard, reference[2 * SCORED_HZ : 8 * SCORED_HZ], "valid"))) - 2 * SCORED_HZ
    heard = np.clip(heard[max(0, lag) :], -1, 1)
    end = min(len(reference), len(heard))
    scores = [
        pesq(SCORED_HZ, reference[at : at + 8 * SCORED_HZ], heard[at : at + 8 * SCORED_HZ], "wb")
        for at in range(4 * SCORED_HZ, end - 8 * SCORED_HZ, 8 * SCORED_HZ)
    ]
    concealed = [
        plcmos.run(heard[at : at + 10 * SCORED_HZ], SCORED_HZ)["plcmos"]
        for at in range(4 * SCORED_HZ, end - 10 * SCORED_HZ, 10 * SCORED_HZ)
    ]
    return {"pesq": round(float(np.mean(scores)), 2), "plcmos": round(float(np.mean(concealed)), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kept", type=Path)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--loss", type=float, required=True)
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    options = parser.parse_args()
    run = {"stack": options.stack, "loss": options.loss, "burst": options.burst, "jitter_ms": options.jitter_ms}
    sent = np.load(options.kept / "sent.npy").astype(np.float32) / 32768
    try:
        down = np.load(options.kept / "heard.npz")
        began_s = json.loads((options.kept / "down.json").read_text())["began_s"]
        blocks = down["times_s"], down["lengths"], down["samples"]
        delays = delays_ms(sent, began_s, *blocks)
        scores = quality(sent, as_played(*blocks))
        delay = {
            "delay_ms": round(float(np.median(delays)), 1),
            "delay_p95_ms": round(float(np.percentile(delays, 95)), 1),
        }
        print(json.dumps(run | {"way": "down"} | delay | scores))
    except Exception as error:  # a run without a call has nothing to score
        print(json.dumps(run | {"way": "down", "error": repr(error)[:100]}))
    try:
        heard = np.load(options.kept / "up.npy").astype(np.float32) / 32768
        print(json.dumps(run | {"way": "up"} | quality(sent, heard)))
    except Exception as error:
        print(json.dumps(run | {"way": "up", "error": repr(error)[:100]}))


main()
