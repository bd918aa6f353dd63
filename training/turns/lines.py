"""What a call makes of a voice before somebody judges it: Opus at low rates, lost packets, telephones."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from spike_engine._core import OpusEncoder, VoiceReceiver
from spike_engine.duplex.voice_shape import RATE_HZ
from spike_engine.frames import convert_samples
from spike_engine.integrations.telephony import RATE_HZ as TELEPHONE_HZ
from spike_engine.integrations.telephony import from_mulaw, to_mulaw

_PACKET_MS = 20
_PACKET, _BLOCK = 48 * _PACKET_MS, 480  # samples at 48 kHz
_PAUSE_S = 0.4  # before and after, so that a jitter buffer has all of it
Samples = NDArray[np.float32]


def over_a_line(random: np.random.Generator, samples: Samples) -> Samples:
    """In three of four cases by Opus, 6 to 32 kb/s, losing up to a seventh of the packets; else by G.711 at 8 kHz."""
    if random.random() < 0.25:
        return _by_telephone(samples)
    pause = np.zeros(int(_PAUSE_S * RATE_HZ), np.float32)
    heard = soxr.resample(np.concatenate([pause, samples, pause]), RATE_HZ, 3 * RATE_HZ).astype(np.float32)
    lost = random.uniform(0, 0.15) if random.random() < 0.6 else 0.0
    encoder = OpusEncoder(bitrate_bps=int(np.exp(random.uniform(np.log(6000), np.log(32000)))))
    receiver, out = VoiceReceiver(), np.zeros(len(heard) // _PACKET * _PACKET, np.float32)
    for number in range(len(out) // _PACKET):
        at = number * _PACKET
        packet = encoder.encode(np.clip(heard[at : at + _PACKET], -1, 1))
        if random.random() >= lost:
            receiver.push(packet, number, at, float((number + 1) * _PACKET_MS))
        for begin in (at, at + _BLOCK):
            receiver.pull(out[begin : begin + _BLOCK])
    return soxr.resample(out, 3 * RATE_HZ, RATE_HZ).astype(np.float32)


def _by_telephone(samples: Samples) -> Samples:
    narrow = soxr.resample(samples, RATE_HZ, TELEPHONE_HZ).astype(np.float32)
    heard = convert_samples(from_mulaw(to_mulaw(convert_samples(narrow, "int16"))))
    return soxr.resample(heard, TELEPHONE_HZ, RATE_HZ).astype(np.float32)
