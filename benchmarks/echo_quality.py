"""Echo cancellers on the same recordings in the same rooms: writes docs/tables/echo.md, or echo_48k.md.

python benchmarks/echo_quality.py [--rate-hz 48000]

Wants the dependency group `echo-bench`; peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "tools"))

from echo_metrics import figures  # noqa: E402
from echo_scenarios import ALL, Scenario, build  # noqa: E402
from rooms import Samples  # noqa: E402

from spike_engine import dsp  # noqa: E402

TABLES = {16000: "echo.md", 48000: "echo_48k.md"}
Canceller = Callable[[Samples, Samples, int], Samples]  # microphone, far end, rate in Hz
Step = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of one frame, int16
COLUMNS = {
    "far": ("erle_db", "first_erle_db", "to_20_db_s", "echo_mos"),
    "double": ("echo_mos", "degradation_mos", "pesq", "stoi", "near_gain_db"),
    "near": ("pesq", "near_gain_db"),
}
TITLES = (
    "FE ERLE, dB", "first 2 s, dB", "s to 20 dB", "FE echo MOS", "DT echo MOS", "DT degradation MOS", "DT PESQ-WB",
    "DT STOI", "DT near-end gain, dB", "NE PESQ", "NE gain, dB", "CPU, us per 10 ms",
)  # fmt: skip


def nothing(microphone: Samples, far: Samples, rate_hz: int) -> Samples:
    return microphone


def spike(residual: dsp.EchoResidual) -> Canceller:
    return lambda microphone, far, rate_hz: dsp.EchoCanceller(rate_hz, residual=residual).process(microphone, far)


def as_int16(samples: Samples) -> np.ndarray:
    return np.round(32767 * np.clip(samples, -1, 1)).astype(np.int16)


def by_frames(process: Step, microphone: Samples, far: Samples, size: int) -> Samples:
    near, loud = as_int16(microphone), as_int16(far)
    frames = [process(near[at : at + size], loud[at : at + size]) for at in range(0, len(near) - size + 1, size)]
    out = np.concatenate(frames).astype(np.float32) / 32767
    return np.concatenate([out, np.zeros(len(microphone) - len(out), np.float32)])


def webrtc_of_livekit(microphone: Samples, far: Samples, rate_hz: int) -> Samples:
    from livekit import rtc  # noqa: PLC0415

    module = rtc.AudioProcessingModule(echo_cancellation=True)

    def process(near: np.ndarray, loud: np.ndarray) -> np.ndarray:
        near_frame, far_frame = (rtc.AudioFrame(x.tobytes(), rate_hz, 1, len(x)) for x in (near, loud))
        module.process_reverse_stream(far_frame)
        module.process_stream(near_frame)
        return np.frombuffer(near_frame.data, np.int16).copy()

    return by_frames(process, microphone, far, rate_hz // 100)


def webrtc_of_pywebrtc_audio(microphone: Samples, far: Samples, rate_hz: int) -> Samples:
    from pywebrtc_audio import EchoCanceller  # noqa: PLC0415

    canceller = EchoCanceller(rate_hz, 1)
    return by_frames(lambda near, loud: np.asarray(canceller.process(near, loud)), microphone, far, rate_hz // 100)


def webrtc_of_aec_audio_processing(microphone: Samples, far: Samples, rate_hz: int) -> Samples:
    from aec_audio_processing import AudioProcessor  # noqa: PLC0415

    processor = AudioProcessor(enable_aec=True, enable_ns=False, enable_agc=False, enable_vad=False)
    processor.set_stream_format(rate_hz, 1, rate_hz, 1)
    processor.set_reverse_stream_format(rate_hz, 1)

    def process(near: np.ndarray, loud: np.ndarray) -> np.ndarray:
        processor.process_reverse_stream(loud.tobytes())
        return np.frombuffer(processor.process_stream(near.tobytes()), np.int16)

    return by_frames(process, microphone, far, rate_hz // 100)


def speexdsp(microphone: Samples, far: Samples, rate_hz: int) -> Samples:
    from speexdsp_aec import SpeexAec  # noqa: PLC0415

    canceller = SpeexAec(sample_rate=rate_hz)
    return by_frames(
        lambda near, loud: np.frombuffer(canceller.process(near, loud), np.int16), microphone, far, rate_hz // 50
    )


SYSTEMS: dict[str, Canceller] = {
    "nothing": nothing,
    "WebRTC AEC3 (livekit)": webrtc_of_livekit,
    "WebRTC AEC3 (pywebrtc-audio)": webrtc_of_pywebrtc_audio,
    "WebRTC AEC3 (aec-audio-processing)": webrtc_of_aec_audio_processing,
    "SpeexDSP (speexdsp-aec)": speexdsp,
    "spike_engine, spectral": spike("spectral"),
    "spike_engine": spike("neural"),
}


def row(cancel: Canceller, scenarios: list[Scenario]) -> list[str]:
    """Mean and worst of each figure, and the CPU time of a frame, Python's part included."""
    found: dict[tuple[str, str], list[float]] = {}
    seconds, frames = 0.0, 0
    for scenario in scenarios:
        begun = time.process_time()
        out = cancel(scenario.microphone, scenario.far, scenario.rate_hz)
        seconds += time.process_time() - begun
        frames += len(out) * 100 // scenario.rate_hz
        for name, value in figures(scenario, out).items():
            found.setdefault((scenario.kind, name), []).append(value)
    cells = []
    for kind, names in COLUMNS.items():
        for name in names:
            values = found[kind, name]
            worst = max(values) if name == "to_20_db_s" else min(values)
            cells.append(f"{np.mean(values):.2f} ({worst:.2f})" if np.isfinite(worst) else "never")
    return [*cells, f"{1e6 * seconds / frames:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate-hz", type=int, choices=TABLES, default=16000)
    rate_hz = parser.parse_args().rate_hz
    warnings.filterwarnings("ignore")
    scenarios = [build(plan, rate_hz) for plan in ALL if not plan.stereo]
    lines = ["|  | " + " | ".join(TITLES) + " |", "| --- |" + " --- |" * len(TITLES)]
    for name, cancel in SYSTEMS.items():
        try:
            lines.append(f"| {name} | " + " | ".join(row(cancel, scenarios)) + " |")
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
        print(lines[-1], flush=True)
    (ROOT / "docs" / "tables" / TABLES[rate_hz]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
