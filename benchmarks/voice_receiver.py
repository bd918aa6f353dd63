"""How the voice receiver fares: PESQ and delay over loss and jitter, its time and its memory.

    python benchmarks/voice_receiver.py [--seconds 60] [--voices italian,allison]

Recorded speech, Opus at 32 kbit/s with in-band error correction, a simulated network and clock; PLCMOS where
speechmos is installed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "tools"))

from echo_scenarios import talk
from lossy_voice import (
    PACKET_SAMPLES,
    RATE_HZ,
    Arrivals,
    Reception,
    burst_loss,
    encoded,
    jitter,
    offset_of,
    perfect,
    random_loss,
    uncompressed,
)
from rooms import Samples

from spike_engine import dsp
from spike_engine._core import VoiceReceiver

warnings.filterwarnings("ignore")
LOSSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)


def scores(sent: Samples, heard: Samples) -> tuple[float, float]:
    """PESQ in wide band over stretches of 8 s, and PLCMOS; NaN for what is not installed."""
    late = offset_of(sent, heard)
    reference, degraded = (dsp.resample(x.astype(np.float32), RATE_HZ, 16000) for x in (sent, heard[late:]))
    begins = range(0, min(len(reference), len(degraded)) - 8 * 16000 + 1, 8 * 16000)
    parts = [(reference[at : at + 8 * 16000], degraded[at : at + 8 * 16000]) for at in begins]
    try:
        from pesq import pesq  # noqa: PLC0415

        quality = float(np.mean([pesq(16000, *part, "wb") for part in parts]))
    except ImportError:
        quality = np.nan
    try:
        from speechmos import plcmos  # noqa: PLC0415

        mos = float(np.mean([plcmos.run(np.clip(part, -1, 1), 16000)["plcmos"] for _, part in parts]))
    except ImportError:
        mos = np.nan
    return quality, mos


def plain_table(voice: str, seconds: float) -> None:
    """L16 at 16 kHz: nothing repeats what is lost, and the codec has no concealment of its own."""
    sent = talk(voice, RATE_HZ, seconds, seed=1)
    packets = uncompressed(dsp.resample(sent.astype(np.float32), RATE_HZ, 16000), 16000)
    for name, network in (("random", random_loss), ("bursts", burst_loss)):
        for loss in LOSSES:
            call = Reception(codec="l16", clock_rate_hz=16000)
            quality, mos = scores(sent, call.run(packets, network(len(packets), loss, seed=1)))
            print(f"| {voice}, L16 | {name} {loss:.0%} | {quality:.2f} | {mos:.2f} |", flush=True)


def loss_table(voice: str, seconds: float) -> None:
    sent = talk(voice, RATE_HZ, seconds, seed=1)
    for name, network in (("random", random_loss), ("bursts", burst_loss)):
        for loss in LOSSES:
            packets = encoded(sent, expected_loss=loss)
            call = Reception()
            delays: list[float] = []
            call.after_pull = lambda now, call=call, delays=delays: delays.append(call.receiver.stats.delay_ms)
            heard = call.run(packets, network(len(packets), loss, seed=1))
            quality, mos = scores(sent, heard)
            stats = call.receiver.stats
            print(
                f"| {voice} | {name} {loss:.0%} | {quality:.2f} | {mos:.2f} | {np.median(delays):.0f} ms "
                f"| {stats.fec_recovered} of {stats.packets_lost} | {stats.concealed_samples / RATE_HZ:.1f} s |",
                flush=True,
            )


def trace(name: str, packets: list[bytes], arrivals: Arrivals) -> None:
    """The delay in steps of two seconds, and what was concealed once the first five are over."""
    call = Reception()
    delays: list[float] = []
    concealed: list[int] = []

    def note(_: float) -> None:
        delays.append(call.receiver.stats.delay_ms)
        concealed.append(call.receiver.stats.concealed_samples)

    call.after_pull = note
    call.run(packets, arrivals)
    end = len(packets) * 2
    steps = " ".join(f"{np.median(delays[at : at + 200]):.0f}" for at in range(0, end, 200))
    print(f"{name}: {steps} ms; {(concealed[end - 1] - concealed[500]) / 48:.0f} ms concealed")


def traces(seconds: float) -> None:
    packets = encoded(talk("italian", RATE_HZ, seconds, seed=1), expected_loss=0.1)
    count = len(packets)
    stalled = perfect(count)
    stalled[500:515] = np.maximum(stalled[500:515], stalled[515])
    spikes = perfect(count)
    for at in range(250, count - 6, 100):
        spikes[at : at + 6] = np.maximum(spikes[at : at + 6], spikes[at + 6])
    walk = np.clip(np.cumsum(np.random.default_rng(1).normal(0.0, 8.0, count)) % 240.0, 0.0, 240.0)
    trace("perfect", packets, perfect(count))
    trace("one stall of 300 ms", packets, stalled)
    trace("a spike of 120 ms every 2 s", packets, spikes)
    trace("jitter of 0 to 120 ms", packets, jitter(count, 120.0, 1, in_order=False))
    trace("the same, in order", packets, jitter(count, 120.0, 1, in_order=True))
    trace("delay that wanders over 0 to 120 ms", packets, perfect(count) + np.minimum(walk, 240.0 - walk))
    trace("a clock that is 0.02 % fast", packets, perfect(count) / 1.0002)


def cost(seconds: float) -> None:
    packets = encoded(talk("italian", RATE_HZ, seconds, seed=1), expected_loss=0.1)
    networks: tuple[tuple[str, Callable[[], Arrivals]], ...] = (
        ("no loss", lambda: perfect(len(packets))),
        ("10 % lost", lambda: random_loss(len(packets), 0.1, 1)),
        ("jitter", lambda: jitter(len(packets), 60.0, 1, in_order=True)),
    )
    for name, network in networks:
        call, arrivals = Reception(), network()
        before = time.process_time()
        call.run(packets, arrivals)
        took = time.process_time() - before
        print(f"{name}: {1e6 * took / len(packets):.0f} us for 20 ms, the simulation included")
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    receivers, out = [VoiceReceiver() for _ in range(1000)], np.zeros(PACKET_SAMPLES, np.float32)
    for receiver in receivers:
        for n in range(3):
            receiver.push(packets[n], n, PACKET_SAMPLES * n, 0.0)
            receiver.pull(out)
    print(f"a receiver: {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--voices", default="italian,allison")
    arguments = parser.parse_args()
    print("| voice | loss | PESQ | PLCMOS | delay | recovered | concealed |\n|---|---|---|---|---|---|---|")
    for each in arguments.voices.split(","):
        loss_table(each, arguments.seconds)
        plain_table(each, arguments.seconds)
    print()
    traces(arguments.seconds)
    print()
    cost(arguments.seconds)
