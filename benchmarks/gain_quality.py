"""How loud speech comes out of gain controls, beside WebRTC's (the audio processing module that livekit ships).

``python benchmarks/gain_quality.py`` prints a table: for voices recorded at several levels, over a hiss at -75 dBFS,
the active level after one second and a half and in the steady state, the largest sample, and the hiss in a pause.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "tools"))

from rooms import FAR, NEAR, Samples, level_db, speech

from spike_engine import dsp

RATE_HZ = 16000
LEVELS_DBFS = (-50, -40, -30, -23, -15, -8)


def active_level_db(samples: Samples) -> float:
    """The mean power of what is within 30 dB of the loudest 20 ms."""
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320).astype(float)
    powers = np.square(blocks).mean(axis=1)
    return float(10 * np.log10(powers[powers > 1e-3 * powers.max()].mean() + 1e-12))


def webrtc(samples: Samples) -> Samples:
    from livekit import rtc  # noqa: PLC0415 (a peer that need not be installed)

    module = rtc.AudioProcessingModule(auto_gain_control=True)
    parts = []
    for block in (32767 * np.clip(samples, -1, 1)).astype(np.int16).reshape(-1, RATE_HZ // 100):
        frame = rtc.AudioFrame(block.tobytes(), RATE_HZ, 1, len(block))
        module.process_stream(frame)
        parts.append(np.frombuffer(frame.data, np.int16) / np.float32(32768))
    return np.concatenate(parts)


def row(level_dbfs: float, process: Callable[[Samples], Samples]) -> str:
    cells = []
    for names in (NEAR, FAR):
        voice = speech(names, RATE_HZ, 16.0)
        voice = voice * 10 ** ((level_dbfs - active_level_db(voice)) / 20)
        voice[-4 * RATE_HZ :] = 0.0
        hiss = 10 ** (-75 / 20) * np.random.default_rng(1).standard_normal(len(voice))
        out = process((voice + hiss).astype(np.float32))
        cells.append(
            (
                active_level_db(out[int(1.5 * RATE_HZ) : 3 * RATE_HZ]),
                active_level_db(out[6 * RATE_HZ : 12 * RATE_HZ]),
                float(np.abs(out).max()),
                level_db(out[-3 * RATE_HZ :]),
            )
        )
    early, late, peak, pause = np.mean(cells, axis=0)
    return f"{early:.1f} | {late:.1f} | {peak:.2f} | {pause:.0f}"


def main() -> None:
    peers: dict[str, Callable[[Samples], Samples]] = {
        "spike_engine": lambda samples: dsp.GainControl(RATE_HZ).process(samples)
    }
    try:
        import livekit.rtc  # noqa: F401, PLC0415

        peers["WebRTC AGC2 (livekit)"] = webrtc
    except ImportError:
        sys.stderr.write("livekit is not installed: its row is left out\n")
    sys.stdout.write(
        "| | speech in, dBFS | after 1.5 s | after 6 s | largest sample | pause |\n|---|---|---|---|---|---|\n"
    )
    for name, process in peers.items():
        for level_dbfs in LEVELS_DBFS:
            sys.stdout.write(f"| {name} | {level_dbfs} | {row(level_dbfs, process)} |\n")


if __name__ == "__main__":
    main()
