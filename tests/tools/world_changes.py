"""What happens to sound outside the laboratory: devices, the ways to them, people. Changes of samples at a rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from echo_scenarios import soft_clipped, talk
from rooms import Samples
from scipy.signal import butter, sosfilt

from spike_engine import dsp

Span = tuple[float, float]  # seconds
Change = Callable[[Samples, int], Samples]  # of samples at a rate


# What devices do to a microphone.


def turned_down(span: Span, gain: float) -> Change:
    def change(samples: Samples, rate_hz: int) -> Samples:
        out = samples.copy()
        out[int(span[0] * rate_hz) : int(span[1] * rate_hz)] *= np.float32(gain)
        return out

    return change


def stuck(span: Span) -> Change:
    """A driver that gives the same 10 ms again and again."""

    def change(samples: Samples, rate_hz: int) -> Samples:
        out, begin, end = samples.copy(), int(span[0] * rate_hz), int(span[1] * rate_hz)
        out[begin:end] = np.resize(samples[begin - rate_hz // 100 : begin], end - begin)
        return out

    return change


def restarted(at_s: float, later_ms: float) -> Change:
    """Half a second of nothing, and then everything comes later than before."""

    def change(samples: Samples, rate_hz: int) -> Samples:
        at, off, later = (int(x * rate_hz) for x in (at_s, 0.5, later_ms / 1000))
        gap = np.zeros(off, np.float32)
        return np.concatenate([samples[:at], gap, samples[at + off - later :]])[: len(samples)]

    return change


def slips(every_s: float, most_samples: int) -> Change:
    """A driver that loses or repeats a few samples now and then."""

    def change(samples: Samples, rate_hz: int) -> Samples:
        random, parts, step = np.random.default_rng(7), [], int(every_s * rate_hz)
        for at in range(0, len(samples), step):
            slip = int(random.integers(-most_samples, most_samples + 1)) if at else 0
            parts.append(samples[max(0, at + slip) : at + step])
        whole = np.concatenate(parts)
        return np.concatenate([whole, np.zeros(max(0, len(samples) - len(whole)), np.float32)])[: len(samples)]

    return change


def levels_of(samples: Samples, rate_hz: int, smoothing_s: float) -> Samples:
    """The power in each sample's past, in dB of full scale."""
    keep = np.exp(-1 / (smoothing_s * 100))
    frames = samples[: len(samples) // (rate_hz // 100) * (rate_hz // 100)].reshape(-1, rate_hz // 100)
    power, levels = 1e-9, []
    for now in np.mean(frames**2, axis=1):
        power = max(now, keep * power) if now > power else keep * power + (1 - keep) * now
        levels.append(10 * np.log10(power + 1e-12))
    times = (np.arange(len(levels)) + 1) * (rate_hz // 100)
    return np.interp(np.arange(len(samples)), times, levels).astype(np.float32)


def automatic_gain(samples: Samples, rate_hz: int) -> Samples:
    """A microphone that brings what it hears to -24 dB of full scale, by 12 dB at most."""
    gain_db = np.clip(-24.0 - levels_of(samples, rate_hz, 1.0), -12.0, 12.0)
    return (samples * 10 ** (gain_db / 20)).astype(np.float32)


def noise_gate(samples: Samples, rate_hz: int) -> Samples:
    """A microphone that gives nothing but zeros where it hears little."""
    return np.where(levels_of(samples, rate_hz, 0.1) > -52.0, samples, 0.0).astype(np.float32)


def clipped(samples: Samples, rate_hz: int) -> Samples:
    del rate_hz
    return np.clip(4.0 * samples, -0.25, 0.25).astype(np.float32)


def covered(span: Span) -> Change:
    """A hand over the microphone: quieter, and duller."""

    def change(samples: Samples, rate_hz: int) -> Samples:
        out, begin, end = samples.copy(), int(span[0] * rate_hz), int(span[1] * rate_hz)
        dull = sosfilt(butter(1, 800, fs=rate_hz, output="sos"), samples)
        out[begin:end] = 0.4 * dull[begin:end]
        return out

    return change


def mostly_cancelled(samples: Samples, rate_hz: int) -> Samples:
    """What a canceller in the device leaves of the echo: pieces of it, here and there in time and frequency."""
    size = rate_hz // 25
    random = np.random.default_rng(11)
    window = np.sqrt(np.hanning(2 * size + 1)[:-1])
    out = np.zeros(len(samples) + 2 * size, np.float32)
    for at in range(0, len(samples) - 2 * size, size):
        spectrum = np.fft.rfft(window * samples[at : at + 2 * size])
        bands = np.where(random.random(24) < 0.3, random.uniform(0.1, 0.5, 24), 0.02)
        gains = np.interp(np.arange(len(spectrum)), np.linspace(0, len(spectrum), 24), bands)
        out[at : at + 2 * size] += (window * np.fft.irfft(gains * spectrum, 2 * size)).astype(np.float32)
    return out[: len(samples)]


# What loudspeakers do, and the way to them.


def mu_law(samples: Samples, rate_hz: int) -> Samples:
    """Eight bits of mu-law (ITU-T G.711)."""
    del rate_hz
    compressed = np.sign(samples) * np.log1p(255 * np.abs(samples)) / np.log(256)
    return (np.sign(compressed) * np.expm1(np.log(256) * np.abs(np.round(compressed * 128) / 128)) / 255).astype(
        np.float32
    )


def telephone(samples: Samples, rate_hz: int) -> Samples:
    """A hands-free headset's narrow band, and its codec's eight bits of mu-law."""
    low = sosfilt(butter(6, [250, 3400], "bandpass", fs=rate_hz, output="sos"), samples)
    return mu_law(low.astype(np.float32), rate_hz)


def bending_bass(samples: Samples, rate_hz: int) -> Samples:
    """A small membrane: what it does below 300 Hz bends all that it plays."""
    bass = sosfilt(butter(2, 300, fs=rate_hz, output="sos"), samples)
    excursion = bass / (np.abs(bass).max() + 1e-9)
    return (samples * (1 - 0.5 * excursion**2) + 0.3 * np.abs(bass).max() * excursion**3).astype(np.float32)


def rattling(samples: Samples, rate_hz: int) -> Samples:
    """Something loose beside the loudspeaker: loud sounds make it buzz."""
    loud = sosfilt(butter(1, 30, fs=rate_hz, output="sos"), np.abs(samples))
    buzz = np.random.default_rng(3).standard_normal(len(samples)) * np.maximum(loud - 0.6 * loud.max(), 0.0)
    return (samples + 0.5 * sosfilt(butter(2, [500, 2500], "bandpass", fs=rate_hz, output="sos"), buzz)).astype(
        np.float32
    )


def limited(samples: Samples, rate_hz: int) -> Samples:
    del rate_hz
    return soft_clipped(samples)


# Who talks.


def whispered(samples: Samples, rate_hz: int) -> Samples:
    """The same envelope of the spectrum, with noise in place of the voice."""
    size = rate_hz // 50
    random = np.random.default_rng(9)
    window = np.hanning(2 * size + 1)[:-1]
    out = np.zeros(len(samples) + 2 * size)
    for at in range(0, len(samples) - 2 * size, size):
        spectrum = np.abs(np.fft.rfft(window * samples[at : at + 2 * size]))
        smooth = np.convolve(spectrum, np.ones(13) / 13, mode="same")
        phases = np.exp(2j * np.pi * random.random(len(smooth)))
        out[at : at + 2 * size] += np.fft.irfft(smooth * phases)
    high = sosfilt(butter(1, 500, "highpass", fs=rate_hz, output="sos"), out[: len(samples)])
    return high.astype(np.float32)


def child(samples: Samples, rate_hz: int) -> Samples:
    """A third higher and quicker."""
    return np.resize(dsp.resample(samples, 4 * rate_hz, 3 * rate_hz), len(samples))


def two_people(samples: Samples, rate_hz: int) -> Samples:
    other = talk("russian", rate_hz, len(samples) / rate_hz, 77)
    return (samples + np.where(np.abs(samples) > 0, 0.7 * other, 0.0)).astype(np.float32)
