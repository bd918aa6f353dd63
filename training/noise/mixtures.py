"""Endless noisy speech and its clean target, drawn from the pools that `shared/prepare.py` packed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from training.noise.bands import BIN_HZ, BINS
from training.noise.network import FRAMES

RATE_HZ = 48000
Samples = NDArray[np.float32]
HZ = np.arange(BINS) * BIN_HZ
# Pools, how often each is drawn, and where a recording of that pool ends in Hz.
VOICES = {"speech_08": (0.4, 8000), "speech_11": (0.35, 11000), "speech_24": (0.25, 24000)}
LATE_KEPT = np.float32(0.2)  # of reverberation: to take all away costs the voice more than it gains
NOISES = {"stationary": 0.18, "noise": 0.42, "babble": 0.17, "music": 0.15, "clicks": 0.08}


def active_level(x: Samples) -> float:
    frames = x[: len(x) // 480 * 480].reshape(-1, 480)
    power = np.einsum("ij,ij->i", frames, frames) / 480
    return float(np.sqrt(power[power >= 0.01 * power.max()].mean() + 1e-12))


class Mixtures:
    """Batches of spectra (noisy, clean), 48 kHz, of `seconds` each."""

    def __init__(self, pack: Path, *, seconds: float, seed: int) -> None:
        files = [f"{name}_{side}" for name in VOICES for side in ("dry", "wet", "wet_target")]
        self._pools = {name: np.memmap(pack / f"{name}.i16", np.int16, "r") for name in [*files, *NOISES]}
        self._samples = int(seconds * RATE_HZ)
        self._random = np.random.default_rng(seed)

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        sides = [self._pair() for _ in range(size)]
        with torch.no_grad():
            voice, noise, clean = (
                FRAMES.analyse(torch.from_numpy(np.stack(side))) for side in zip(*(s[:3] for s in sides), strict=True)
            )
            shapes = np.stack([self._responses(s[3]) for s in sides], 1)
            of_voice, of_noise = torch.from_numpy(shapes)[:, :, None]
            return voice * of_voice + noise * of_noise, clean * of_voice

    def _cut(self, pool: str, at: int | None = None) -> tuple[Samples, int]:
        stream = self._pools[pool]
        at = int(self._random.integers(0, len(stream) - self._samples)) if at is None else at
        return stream[at : at + self._samples].astype(np.float32) / np.float32(32768), at

    def _voice(self) -> tuple[Samples, Samples, int]:
        """A voice, the part of it to be kept, and its bandwidth."""
        name = self._random.choice(list(VOICES), p=[share for share, _ in VOICES.values()])
        if self._random.random() < 0.55:
            voice, _ = self._cut(f"{name}_dry")
            return voice, voice.copy(), VOICES[name][1]
        voice, at = self._cut(f"{name}_wet")
        early, _ = self._cut(f"{name}_wet_target", at)
        return voice, early + LATE_KEPT * (voice - early), VOICES[name][1]

    def _noise(self) -> Samples:
        kinds = self._random.choice(
            list(NOISES), size=1 if self._random.random() < 0.65 else 2, p=list(NOISES.values())
        )
        noise = np.zeros(self._samples, np.float32)
        for kind in kinds:
            one, _ = self._cut(kind)
            noise += one * np.float32(self._random.uniform(0.3, 1) / (active_level(one) + 1e-4))
        return noise

    def _pair(self) -> tuple[Samples, Samples, Samples, int]:
        """What is heard of a voice, noise, the part of the voice to be kept; and its bandwidth."""
        random = self._random
        voice, clean, bandwidth_hz = self._voice()
        noise = self._noise()
        if random.random() < 0.25:  # somebody turns away, comes near
            knots = np.cumsum(random.normal(0, 3, 6))
            moving = (10 ** (np.interp(np.linspace(0, 5, self._samples), np.arange(6), knots) / 20)).astype(np.float32)
            voice, clean = voice * moving, clean * moving
        snr_db = random.uniform(-6, 25)
        noise *= np.float32(active_level(voice) / (active_level(noise) + 1e-6) * 10 ** (-snr_db / 20))
        kind = random.random()
        if kind < 0.08:
            noise *= np.float32(1e-3)  # nothing to do
        elif kind < 0.13:
            voice, clean = 0 * voice, 0 * clean  # nobody talks
        if random.random() < 0.06:  # the stream opens with nothing
            quiet = int(random.integers(0, self._samples // 2))
            for side in (voice, clean, noise):
                side[:quiet] = 0
        return *self._received(voice, noise, clean), bandwidth_hz

    def _received(self, voice: Samples, noise: Samples, clean: Samples) -> tuple[Samples, Samples, Samples]:
        random = self._random
        noisy = voice + noise
        gain = np.float32(10 ** (random.uniform(-40, -12) / 20) / (active_level(noisy) + 1e-5))
        noisy *= gain
        ceiling = 0.99
        if random.random() < 0.07:
            ceiling = min(ceiling, np.abs(noisy).max() * random.uniform(0.25, 0.9))
        np.clip(noisy, -ceiling, ceiling, out=noisy)
        noise = noise * gain + random.standard_normal(1, np.float32) * np.float32(1e-7)
        return noisy - noise, noise, clean * gain

    def _responses(self, bandwidth_hz: int) -> NDArray[np.float32]:
        """What becomes of the spectra of voice and noise: a curve each, one for both, and an end."""
        random = self._random
        end_hz = 24000 if random.random() < 0.08 else bandwidth_hz
        if random.random() < 0.4:
            end_hz = min(end_hz, random.choice([4000, 8000, 8000, 8000, 8000, 11025, 12000, 16000]))
        whole_db = self._curve_db() - np.clip((HZ - end_hz * 0.98) / 100, 0, None) * 30
        if random.random() < 0.3:
            low_hz = random.uniform(60, 300)
            whole_db = whole_db - 12 * np.log2(np.maximum(low_hz / np.maximum(HZ, 20), 1))
        curves_db = np.stack([whole_db + 0.7 * self._curve_db(), whole_db + 0.7 * self._curve_db()])
        return (10 ** (np.maximum(curves_db, -200) / 20) * (end_hz + 1 > HZ)).astype(np.float32)

    def _curve_db(self) -> NDArray[np.float64]:
        """Smooth, over octaves: a microphone, a room, a mouth."""
        octave = np.log2(np.maximum(HZ, 60) / 60) / np.log2(400)
        curve_db = self._random.uniform(-5, 5) * (octave - 0.5)
        for order in range(1, 5):
            swing_db, phase = self._random.normal(0, 2.2 / order), self._random.uniform(0, 6.28)
            curve_db = curve_db + swing_db * np.cos(np.pi * order * octave + phase)
        return curve_db
