"""Recorded speech as packets, networks that lose and delay them, and a clock that plays: for tests and benchmarks.

A network is an array of arrivals in ms, one for each packet of 20 ms, NaN where it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import av
import numpy as np
from numpy.typing import NDArray
from rooms import Samples

from spike_engine._core import OpusEncoder, VoiceReceiver

RATE_HZ = 48000
PACKET_SAMPLES, PACKET_MS = 960, 20.0
Arrivals = NDArray[np.float64]


def encoded(samples: Samples, *, bit_rate: int = 32000, expected_loss: float = 0.0, dtx: bool = False) -> list[bytes]:
    """Packets of 20 ms, with in-band error correction where loss is expected."""
    encoder = OpusEncoder(RATE_HZ, bitrate_bps=bit_rate, fec=expected_loss > 0.0, expected_loss=expected_loss, dtx=dtx)
    whole = samples[: len(samples) // PACKET_SAMPLES * PACKET_SAMPLES].reshape(-1, PACKET_SAMPLES)
    return [encoder.encode(block) for block in np.ascontiguousarray(whole)]


def uncompressed(samples: Samples, rate_hz: int) -> list[bytes]:
    """Packets of 20 ms of L16 (RFC 3551), of samples at that rate."""
    whole = np.clip(samples * 32767, -32768, 32767).astype(">i2")
    step = rate_hz // 50
    return [whole[at : at + step].tobytes() for at in range(0, len(whole) - step + 1, step)]


def decoded(packets: list[bytes]) -> Samples:
    """What FFmpeg's libopus makes of all packets."""
    context = av.CodecContext.create("libopus", "r")
    context.sample_rate, context.layout = RATE_HZ, "mono"
    blocks = [frame.to_ndarray() for packet in packets for frame in context.decode(av.Packet(packet))]
    whole = np.concatenate(blocks, axis=None)
    return whole.astype(np.float32) / 32768 if whole.dtype == np.int16 else whole


def perfect(packets: int) -> Arrivals:
    return PACKET_MS * np.arange(1, packets + 1, dtype=np.float64)


def random_loss(packets: int, share: float, seed: int) -> Arrivals:
    lost = np.random.default_rng(seed).random(packets) < share
    return np.where(lost, np.nan, perfect(packets))


def burst_loss(packets: int, share: float, seed: int, mean_length: float = 3.0) -> Arrivals:
    """Two states, of which one loses everything: E. N. Gilbert, "Capacity of a burst-noise channel", 1960."""
    random = np.random.default_rng(seed)
    leave = 1.0 / mean_length
    enter = share * leave / (1.0 - share)
    arrivals, bad = perfect(packets), False
    for n in range(packets):
        bad = random.random() >= leave if bad else random.random() < enter
        if bad:
            arrivals[n] = np.nan
    return arrivals


def jitter(packets: int, most_ms: float, seed: int, *, in_order: bool) -> Arrivals:
    delays = np.random.default_rng(seed).uniform(0.0, most_ms, packets)
    arrivals = perfect(packets) + delays
    return np.maximum.accumulate(arrivals) if in_order else arrivals


@dataclass
class Reception:
    receiver: VoiceReceiver = field(default_factory=lambda: VoiceReceiver(RATE_HZ))
    block: int = 480
    phase_ms: float = 3.0  # of the clock that plays, behind the packets'
    after_pull: Callable[[float], None] = lambda now_ms: None
    codec: str = "opus"
    clock_rate_hz: int = RATE_HZ

    def run(self, packets: list[bytes], arrivals: Arrivals, *, first: int = 65000) -> Samples:
        """Everything that is played from the first packet's beginning to half a second after the last one."""
        order = [n for n in np.argsort(arrivals, kind="stable") if not np.isnan(arrivals[n])]
        pulls = int((len(packets) * PACKET_MS + 500) / 1000 * RATE_HZ / self.block)
        out = np.zeros(pulls * self.block, np.float32)
        pushed = 0
        for pull in range(pulls):
            now = 1000 * pull * self.block / RATE_HZ + self.phase_ms
            while pushed < len(order) and arrivals[order[pushed]] <= now:
                n = int(order[pushed])
                timestamp = (self.clock_rate_hz // 50 * (first + n) + 0xFC000000) % 2**32
                self.receiver.push(
                    packets[n], (first + n) % 2**16, timestamp, float(arrivals[n]),
                    codec=self.codec, clock_rate_hz=self.clock_rate_hz,
                )  # fmt: skip
                pushed += 1
            self.receiver.pull(out[pull * self.block : (pull + 1) * self.block])
            self.after_pull(now)
        return out


def offset_of(reference: Samples, heard: Samples, *, most: int = RATE_HZ // 2) -> int:
    """By how many samples `heard` comes later, found where the loudest second of the reference is."""
    width = RATE_HZ
    power = np.add.reduceat(reference**2, np.arange(0, len(reference) - width + 1, width))
    at = int(np.argmax(power[: (len(heard) - most) // width])) * width
    part, area = reference[at : at + width], heard[at : at + width + most]
    size = 1 << (len(area) + len(part)).bit_length()
    product = np.fft.irfft(np.fft.rfft(area, size) * np.conj(np.fft.rfft(part, size)), size)
    return int(np.argmax(product[:most]))


def spectral_distance_db(reference: Samples, heard: Samples) -> float:
    """Mean log-spectral distance over the frames in which there is speech, up to 8 kHz; 0 for the same sound."""
    heard = heard[offset_of(reference, heard) :]
    count = min(len(reference), len(heard)) // 960
    window = np.hanning(960)

    def spectra(samples: Samples) -> NDArray[np.float64]:
        return np.abs(np.fft.rfft(samples[: count * 960].reshape(count, 960) * window)[:, 2:160]) + 1e-3

    ours, theirs = spectra(heard), spectra(reference)
    loud = np.sqrt(np.mean(theirs**2, axis=1)) > 0.1
    return float(np.mean(np.sqrt(np.mean((20 * np.log10(ours / theirs)) ** 2, axis=1))[loud]))
