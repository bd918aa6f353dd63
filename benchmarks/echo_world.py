"""Echo cancellers outside the laboratory, scenario by scenario: writes docs/tables/echo_world.md.

python benchmarks/echo_world.py [--rate-hz 48000]

Of each system: by how many dB the echo goes down while the far end is alone, the least of the measured spans; and while
somebody talks, how many of the frames in which they clearly do are more than 3 dB down. Wants `livekit` for the peer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "tools"))

from echo_quality import SYSTEMS  # noqa: E402
from rooms import Samples, level_db  # noqa: E402
from world_scenarios import ALL, Heard, Span, build  # noqa: E402

from spike_engine import dsp  # noqa: E402

PEER, OWN = "WebRTC AEC3 (livekit)", "spike_engine"
MOST_LATE_MS = 60


def in_time(out: Samples, heard: Heard) -> Samples:
    """`out` moved by the delay at which it is most like the microphone, up to 60 ms."""
    microphone, most = heard.microphone, MOST_LATE_MS * heard.rate_hz // 1000
    size = 1 << (2 * len(microphone) - 1).bit_length()
    cross = np.fft.irfft(np.fft.rfft(out, size) * np.conj(np.fft.rfft(microphone, size)), size)[:most]
    best = int(np.argmax(np.abs(cross)))
    return np.concatenate([out[best:], np.zeros(best, np.float32)])


def down_db(out: Samples, heard: Heard) -> float:
    spans = heard.world.alone
    return min(level_db(heard.part(heard.microphone, span)) - level_db(heard.part(out, span)) for span in spans)


def frame_levels_db(samples: Samples, heard: Heard, span: Span) -> np.ndarray:
    size, part = heard.rate_hz // 50, heard.part(samples, span)
    return np.array([level_db(part[at : at + size]) for at in range(0, len(part) - size + 1, size)])


def lost_percent(out: Samples, heard: Heard) -> float:
    """Of the frames of 20 ms within 25 dB of the loudest: how many leave more than 3 dB quieter than the talker is."""
    lost = []
    for span in heard.world.together:
        near, sent = (frame_levels_db(x, heard, span) for x in (heard.near, out))
        lost.append((sent - near)[near > near.max() - 25.0] < -3.0)
    return float(100.0 * np.mean(np.concatenate(lost)))


def cells(system: str, heard: Heard) -> list[str]:
    if system == OWN:
        channels = heard.far.shape[1] if heard.far.ndim == 2 else 1
        out = dsp.EchoCanceller(heard.rate_hz, far_channels=channels).process(heard.microphone, heard.far)
    else:
        far = heard.far.mean(axis=1).astype(np.float32) if heard.far.ndim == 2 else heard.far
        out = SYSTEMS[system](heard.microphone, far, heard.rate_hz)
    out = in_time(out, heard)
    return [
        f"{down_db(out, heard):.0f}" if heard.world.alone else "",
        f"{lost_percent(out, heard):.0f}" if heard.world.together else "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate-hz", type=int, default=16000)
    rate_hz = parser.parse_args().rate_hz
    lines = [
        "| scenario | AEC3: echo down, dB | talker lost, % | spike_engine: echo down, dB | talker lost, % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for world in ALL:
        heard = build(world, rate_hz)
        lines.append(f"| {world.name} | " + " | ".join([*cells(PEER, heard), *cells(OWN, heard)]) + " |")
        print(lines[-1], flush=True)
    if rate_hz == 16000:
        (ROOT / "docs" / "tables" / "echo_world.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
