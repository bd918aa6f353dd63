"""What devices do to sound: loudspeakers, ways to them, and what a microphone's own processing takes away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.signal
import soxr
from numpy.typing import NDArray
from training.shared.prepare import through_codec

RATE_HZ, FRAME = 16000, 160
WINDOW = 512  # samples of a device's own spectra, half of them a hop
Samples = NDArray[np.float32]
Random = np.random.Generator


def smoothed_levels(x: Samples, up_s: float, down_s: float) -> Samples:
    """The level of each frame of 10 ms, which follows louder ones within `up_s` and quieter ones within `down_s`."""
    levels = np.sqrt((x[: len(x) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(1))
    up, down = (1 - np.exp(-0.01 / seconds) for seconds in (up_s, down_s))
    held = 0.0
    for at, level in enumerate(levels):
        held += (up if level > held else down) * (level - held)
        levels[at] = held
    return levels


def over_samples(frames: NDArray[np.floating], samples: int) -> Samples:
    return np.interp(np.arange(samples), np.arange(len(frames)) * FRAME + FRAME / 2, frames).astype(np.float32)


# Loudspeakers, and the way to them.


def coloured(random: Random, x: Samples) -> Samples:
    """Through two peaking equalisers at most: what loudspeaker and microphone do to the spectrum."""
    for _ in range(random.integers(0, 3)):
        at = 2 * np.pi * np.exp(random.uniform(np.log(80), np.log(7000))) / RATE_HZ
        a, width = 10 ** (random.uniform(-9, 9) / 40), np.sin(at) / (2 * random.uniform(0.4, 1.5))
        numerator = [1 + width * a, -2 * np.cos(at), 1 - width * a]
        denominator = [1 + width / a, -2 * np.cos(at), 1 - width / a]
        x = scipy.signal.lfilter(numerator, denominator, x).astype(np.float32)
    return x


def distorted(random: Random, x: Samples) -> Samples:
    """By a loudspeaker: soft and lopsided, hard, or a cubic; one in four distorts the bass more than the rest."""
    peak, kind = np.abs(x).max() + 1e-9, random.random()
    if random.random() < 0.25:
        bass = scipy.signal.sosfilt(scipy.signal.butter(2, random.uniform(200, 1200), fs=RATE_HZ, output="sos"), x)
        return (x - bass + distorted_evenly(random, bass.astype(np.float32), kind, peak)).astype(np.float32)
    return distorted_evenly(random, x, kind, peak)


def distorted_evenly(random: Random, x: Samples, kind: float, peak: np.float32) -> Samples:
    if kind < 0.6:
        drive, bias = np.exp(random.uniform(np.log(0.7), np.log(10))), random.uniform(-0.2, 0.2)
        return ((np.tanh(drive * x / peak + bias) - np.tanh(bias)) * peak / drive).astype(np.float32)
    if kind < 0.8:
        most = peak * random.uniform(0.08, 0.7)
        return np.clip(x, -most, most).astype(np.float32)
    u = x / peak
    return (peak * (u + random.uniform(-0.3, 0.3) * u**2 - random.uniform(0, 0.4) * u**3)).astype(np.float32)


def compressed_loudspeaker(random: Random, x: Samples) -> Samples:
    """A limiter that holds loud sounds down, slowly."""
    levels = smoothed_levels(x, random.uniform(0.005, 0.05), random.uniform(0.1, 0.6))
    threshold = levels.max() * random.uniform(0.15, 0.7)
    gain = np.minimum(1.0, (threshold / (levels + 1e-9)) ** random.uniform(0.5, 1.0))
    return x * over_samples(gain, len(x))


def bending_bass(random: Random, x: Samples) -> Samples:
    """A membrane that is far out plays everything more quietly."""
    bass = scipy.signal.sosfilt(scipy.signal.butter(2, random.uniform(120, 500), fs=RATE_HZ, output="sos"), x)
    most = np.abs(bass).max() + 1e-9
    out = bass / most
    bent = x * (1 - random.uniform(0.2, 0.6) * out**2) + random.uniform(0, 0.5) * most * out**3
    return bent.astype(np.float32)


def rattling(random: Random, x: Samples) -> Samples:
    """Something loose buzzes with loud sounds."""
    levels = over_samples(smoothed_levels(x, 0.005, 0.03), len(x))
    least_hz = random.uniform(200, 1500)
    band = scipy.signal.butter(2, [least_hz, least_hz * random.uniform(1.5, 4)], "bandpass", fs=RATE_HZ, output="sos")
    buzz = scipy.signal.sosfilt(band, random.standard_normal(len(x)))
    loud = np.maximum(levels - random.uniform(0.3, 0.7) * levels.max(), 0.0)
    return (x + random.uniform(0.2, 1.0) * loud * buzz / (buzz.std() + 1e-9)).astype(np.float32)


def coded(random: Random, x: Samples) -> Samples:
    """Through a headset's or a call's codec."""
    high = through_codec(random, soxr.resample(x, RATE_HZ, 48000).astype(np.float32))
    return np.resize(soxr.resample(high, 48000, RATE_HZ), len(x)).astype(np.float32)


def slipping(random: Random, x: Samples) -> Samples:
    """A driver that loses or repeats some samples now and then."""
    parts, at = [], 0
    while at < len(x):
        end = at + int(random.uniform(0.2, 4.0) * RATE_HZ)
        parts.append(x[max(0, at + int(random.integers(-20, 21))) : end])
        at = end
    return np.resize(np.concatenate(parts), len(x)).astype(np.float32)


LOUDSPEAKERS: tuple[Callable[[Random, Samples], Samples], ...] = (
    compressed_loudspeaker, bending_bass, rattling, coded, slipping,
)  # fmt: skip


# Microphones with a processing of their own. What they do to the sum, they do to each of its parts.


def spectra(x: Samples) -> NDArray[np.complexfloating]:
    return scipy.signal.stft(x, RATE_HZ, nperseg=WINDOW, boundary="zeros")[2]


def through_mask(x: Samples, mask: NDArray[np.floating]) -> Samples:
    back = scipy.signal.istft(spectra(x) * mask, RATE_HZ, nperseg=WINDOW)[1]
    return np.resize(back, len(x)).astype(np.float32)


def noise_suppression(random: Random, heard: Samples, echo: Samples) -> NDArray[np.floating]:
    """Gains of a spectral subtraction, with the least level of each bin as the noise."""
    del echo
    power = np.abs(spectra(heard)) ** 2
    power = scipy.signal.lfilter([0.4], [1, -0.6], power, axis=1)
    noise = np.quantile(power, random.uniform(0.1, 0.3), axis=1, keepdims=True)
    return np.clip(1 - random.uniform(1, 3) * noise / (power + 1e-12), random.uniform(0.05, 0.4), 1.0)


def own_canceller(random: Random, heard: Samples, echo: Samples) -> NDArray[np.floating]:
    """Gains of an echo suppressor in the device: where the echo is most of what is heard, most of it goes."""
    power, of_echo = (np.abs(spectra(x)) ** 2 for x in (heard, echo))
    of_echo = scipy.signal.lfilter([0.3], [1, -0.7], of_echo * np.exp(random.normal(0, 1.0, power.shape)), axis=1)
    share = np.clip(of_echo / (power + 1e-12), 0, 1)
    return np.clip(1 - random.uniform(0.6, 1.2) * share, random.uniform(0.03, 0.3), 1.0)


def gate(random: Random, heard: Samples, echo: Samples) -> NDArray[np.floating]:
    """One gain for all bins: a gain control, or a gate that shuts where little is heard."""
    del echo
    levels = smoothed_levels(heard, random.uniform(0.01, 0.1), random.uniform(0.2, 1.5))
    if random.random() < 0.5:
        target = np.median(levels[levels >= np.quantile(levels, 0.5)])
        gains = np.clip((target / (levels + 1e-9)) ** random.uniform(0.4, 1.0), 0.25, 4.0)
    else:
        gains = np.where(levels > levels.max() * random.uniform(0.02, 0.1), 1.0, random.uniform(0, 0.2))
    times = np.linspace(0, len(levels) - 1, spectra(heard).shape[1])
    return np.interp(times, np.arange(len(levels)), gains)[None, :]


MICROPHONES: tuple[Callable[[Random, Samples, Samples], NDArray[np.floating]], ...] = (
    noise_suppression, own_canceller, gate,
)  # fmt: skip
