"""What an echo canceller is judged by, on one scenario. MOS, PESQ and STOI need the packages of the same names."""

from __future__ import annotations

import numpy as np
from echo_scenarios import Scenario
from rooms import Samples, gain_db, level_db, si_sdr_db


def in_time(out: Samples, scenario: Scenario) -> Samples:
    """`out` moved by the delay at which it is most like the near end (or the microphone), up to 60 ms."""
    reference = scenario.near if scenario.kind != "far" else scenario.microphone
    padded = np.concatenate([out, np.zeros(len(reference), np.float32)])[: len(reference) + scenario.rate_hz // 16]
    lags = range(scenario.rate_hz // 16)
    size = 1 << (2 * len(padded) - 1).bit_length()
    cross = np.fft.irfft(np.fft.rfft(padded, size) * np.conj(np.fft.rfft(reference, size)), size)
    best = max(lags, key=lambda lag: abs(cross[lag]))
    return padded[best : best + len(reference)].astype(np.float32)


def erle_db(scenario: Scenario, out: Samples, begin_s: float, end_s: float) -> float:
    """How far the output is below the microphone."""
    return level_db(scenario.part(scenario.microphone, begin_s, end_s)) - level_db(scenario.part(out, begin_s, end_s))


def seconds_to_20_db(scenario: Scenario, out: Samples) -> float:
    """From the echo's first sound until the output stays 20 dB below the microphone for half a second."""
    first = np.flatnonzero(np.abs(scenario.echo) > 0.1 * np.abs(scenario.echo).max())[0] / scenario.rate_hz
    for after in np.arange(0.0, scenario.seconds - first - 0.5, 0.05):
        if erle_db(scenario, out, first + after, first + after + 0.5) >= 20.0:
            return float(after)
    return float("inf")


def far_figures(scenario: Scenario, out: Samples) -> dict[str, float]:
    sound = np.flatnonzero(np.abs(scenario.echo) > 0.1 * np.abs(scenario.echo).max())[0] / scenario.rate_hz
    return {
        "erle_db": erle_db(scenario, out, *scenario.settled),
        "first_erle_db": erle_db(scenario, out, sound, sound + 2.0),
        "to_20_db_s": seconds_to_20_db(scenario, out),
    }


def near_figures(scenario: Scenario, out: Samples) -> dict[str, float]:
    near, heard = (scenario.part(x, *scenario.settled) for x in (scenario.near, out))
    return {"near_gain_db": gain_db(heard, near), "si_sdr_db": si_sdr_db(heard, near)}


def mos_figures(scenario: Scenario, out: Samples) -> dict[str, float]:
    """AECMOS (Purin et al. 2022) of the settled part: echo and degradation."""
    from speechmos import aecmos

    kind = {"far": "st", "near": "nst", "double": "dt"}[scenario.kind]
    far = scenario.far.mean(axis=1) if scenario.far.ndim == 2 else scenario.far
    signals = [as_16k(scenario.part(x, *scenario.settled), scenario) for x in (far, scenario.microphone, out)]
    signals = [np.clip(x, -1, 1) for x in signals]
    made = aecmos.run(dict(zip(("lpb", "mic", "enh"), signals, strict=True)), sr=16000, talk_type=kind)
    return {"echo_mos": float(made["echo_mos"]), "degradation_mos": float(made["deg_mos"])}


def speech_figures(scenario: Scenario, out: Samples) -> dict[str, float]:
    """PESQ wideband (ITU-T P.862.2) and STOI (Taal et al. 2011) of the near end against itself clean."""
    from pesq import pesq
    from pystoi import stoi

    near, heard = (as_16k(scenario.part(x, *scenario.settled), scenario) for x in (scenario.near, out))
    return {"pesq": float(pesq(16000, near, heard, "wb")), "stoi": float(stoi(near, heard, 16000))}


def as_16k(samples: Samples, scenario: Scenario) -> Samples:
    from spike_engine import dsp

    samples = np.ascontiguousarray(samples, np.float32)
    return samples if scenario.rate_hz == 16000 else dsp.resample(samples, scenario.rate_hz, 16000)


def figures(scenario: Scenario, out: Samples, *, perceptual: bool = True) -> dict[str, float]:
    out = in_time(out, scenario)
    found = far_figures(scenario, out) if scenario.kind == "far" else near_figures(scenario, out)
    if perceptual:
        found |= mos_figures(scenario, out)
        if scenario.kind != "far":
            found |= speech_figures(scenario, out)
    return found
