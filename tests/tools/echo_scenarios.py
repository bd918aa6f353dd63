"""What an echo canceller meets, as seeded scenarios: real recorded speech in rooms of pyroomacoustics.

The quick tests, the long `echo-quality` session and `benchmarks/echo_quality.py` share them. No voice in them is among
those that a weight of this package was trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from rooms import Samples, level_db
from scipy.signal import fftconvolve

from spike_engine import dsp, frames

SOUNDS = Path("/usr/share/asterisk/sounds")
VOICES = {"allison": "en_US_f_Allison", "italian": "it_IT_m_Carlo", "russian": "ru_RU_f_IvrvoiceRU"}
ECHO_DBFS = -26.0
SPEECH_DBFS = -24.0


@dataclass(frozen=True)
class Scenario:
    """One recording of a microphone, and what it is made of. `first` and `settled` are seconds to measure in."""

    name: str
    kind: str  # "far" end alone, "double" talk or "near" end alone
    rate_hz: int
    far: Samples  # (n,) or (n, 2)
    echo: Samples
    near: Samples
    noise: Samples
    settled: tuple[float, float] = (5.0, 10.0)

    @property
    def microphone(self) -> Samples:
        return np.clip(self.echo + self.near + self.noise, -1.0, 1.0)

    @property
    def seconds(self) -> float:
        return len(self.echo) / self.rate_hz

    def part(self, samples: Samples, begin_s: float, end_s: float) -> Samples:
        return samples[int(begin_s * self.rate_hz) : int(end_s * self.rate_hz)]


@cache
def sentences(voice: str) -> tuple[Samples, ...]:
    """The recordings of a voice that last from 2 to 15 s, at 16 kHz, without their silent ends."""
    paths = sorted((SOUNDS / VOICES[voice]).glob("*.g722"))
    if not paths:
        pytest.skip(f"the voice {VOICES[voice]} is not installed (Debian: apt install asterisk-core-sounds-*-g722)")
    chosen = [path for path in paths if 2.0 <= path.stat().st_size / 8000 <= 15.0]
    return tuple(spoken for spoken in (decoded(path) for path in chosen[::3]) if len(spoken) > 16000)


def decoded(path: Path) -> Samples:
    with av.open(path, format="g722") as container:
        whole = np.concatenate([frames.audio_to_ndarray(frame, channels=1) for frame in container.decode(audio=0)])
    loud = np.flatnonzero(np.abs(whole) > 0.02)
    return whole[loud[0] : loud[-1]] if len(loud) else whole[:0]


def talk(voice: str, rate_hz: int, seconds: float, seed: int) -> Samples:
    """Sentences in a seeded order with short pauses, from the first sample on."""
    random = np.random.default_rng(seed)
    pool = sentences(voice)
    parts: list[Samples] = []
    for index in random.permutation(len(pool)):
        sentence = pool[index]
        parts += [sentence * np.float32(0.05 / np.sqrt(np.mean(sentence**2))), np.zeros(random.integers(2000, 8000))]
        if sum(map(len, parts)) > seconds * 16000 + 1000:
            break
    whole = np.concatenate(parts).astype(np.float32)
    whole = dsp.resample(whole, 16000, rate_hz) if rate_hz != 16000 else whole
    return np.resize(whole, int(seconds * rate_hz)).astype(np.float32)


def music(rate_hz: int, seconds: float, seed: int) -> Samples:
    """Chords of decaying partials over a beat: tonal, dense and without pauses."""
    random = np.random.default_rng(seed)
    out = np.zeros(int(seconds * rate_hz))
    for beat in np.arange(0.0, seconds - 0.5, 0.25):
        at = int(beat * rate_hz)
        time = np.arange(min(len(out) - at, rate_hz)) / rate_hz
        root = 110.0 * 2 ** (random.integers(0, 24) / 12)
        for partial in range(1, 12):
            for interval in (1.0, 1.26, 1.5):
                frequency = root * partial * interval
                if frequency < 0.45 * rate_hz:
                    tone = np.sin(2 * np.pi * frequency * time + random.uniform(0, 6.3))
                    out[at : at + len(time)] += tone * np.exp(-time * (2 + partial)) / partial
        drum = random.standard_normal(len(time)) * np.exp(-time * 40)
        out[at : at + len(time)] += 2 * drum
    return at_level(out, SPEECH_DBFS)


@cache
def room(rt60_s: float, rate_hz: int, seed: int) -> tuple[Samples, Samples, Samples]:
    """Impulse responses from two loudspeakers and a talker to the microphone, by the image source method."""
    pra = pytest.importorskip("pyroomacoustics")
    random = np.random.default_rng(seed)
    size = random.uniform([3.0, 3.0, 2.4], [6.0, 5.0, 3.2])
    absorption, order = pra.inverse_sabine(max(rt60_s, 0.2), size)
    if rt60_s < 0.2:  # drier than the formula gives for a room of this size
        absorption, order = min(0.99, absorption * 1.3), 8
    box = pra.ShoeBox(size, fs=rate_hz, materials=pra.Material(absorption), max_order=min(order, 25))
    microphone = random.uniform(0.3 * size, 0.7 * size)
    for distance in (random.uniform(0.1, 0.5), random.uniform(0.3, 0.6), random.uniform(0.4, 1.2)):
        direction = random.standard_normal(3)
        box.add_source(microphone + distance * direction / np.linalg.norm(direction))
    box.add_microphone(microphone)
    box.compute_rir()
    lead = 30  # of the fractional delay filters of the method
    first, second, talker = (np.asarray(h, np.float32)[lead:] for h in box.rir[0])
    return first, second, talker


def at_level(samples: NDArray[np.floating], dbfs: float) -> Samples:
    return (samples * 10 ** ((dbfs - level_db(samples)) / 20)).astype(np.float32)


def delayed(samples: Samples, delay_ms: float, rate_hz: int) -> Samples:
    count = round(delay_ms * rate_hz / 1000)
    return np.concatenate([np.zeros(count, np.float32), samples])[: len(samples)]


def drifted(samples: Samples, ppm: float) -> Samples:
    """As recorded by a clock that is slower than the player's by `ppm`: sample n is taken at n * (1 + ppm / 1e6)."""
    moments = np.arange(len(samples)) * (1 + ppm * 1e-6)
    whole = np.floor(moments).astype(int)
    padded = np.pad(samples, (32, 64 + int(len(samples) * abs(ppm) * 1e-6)))
    out = np.zeros(len(samples))
    for tap in range(-31, 33):
        distance = moments - whole - tap
        window = np.cos(np.pi * distance / 66) ** 2
        out += padded[whole + tap + 32] * np.sinc(distance) * window
    return out.astype(np.float32)


def soft_clipped(samples: Samples, drive: float = 3.0) -> Samples:
    """A small loudspeaker at its limit: odd distortion, and a little even."""
    scaled = drive * samples / np.abs(samples).max()
    return (np.tanh(scaled + 0.1) - np.tanh(0.1)).astype(np.float32) / np.float32(drive) * np.abs(samples).max()


@dataclass(frozen=True)
class Plan:
    """What a scenario is made of."""

    name: str
    kind: str = "far"
    rt60_s: float = 0.3
    delay_ms: float = 40.0
    seed: int = 1
    far_voice: str = "allison"
    near_voice: str = "italian"
    ser_db: float = 0.0
    snr_db: float = 45.0  # echo (or near end) over noise
    near_from_s: float = 4.0
    drift_ppm: float = 0.0
    clipping: bool = False
    stereo: bool = False
    far_music: bool = False
    delay_after_ms: float | None = None  # from 5 s on
    room_after: int | None = None  # the seed of the room from 5 s on
    far_from_s: float = 0.0
    seconds: float = 10.0
    settled: tuple[float, float] = (5.0, 10.0)
    tags: frozenset[str] = field(default_factory=frozenset)


def far_end(plan: Plan, rate_hz: int) -> Samples:
    if plan.far_music:
        return music(rate_hz, plan.seconds, plan.seed)
    far = talk(plan.far_voice, rate_hz, plan.seconds, plan.seed)
    far[: int(plan.far_from_s * rate_hz)] = 0.0
    if plan.stereo:
        other = talk("russian", rate_hz, plan.seconds, plan.seed + 50)
        return np.stack([0.9 * far + 0.3 * other, 0.3 * far + 0.9 * other], axis=1).astype(np.float32)
    return far


def echo_of(plan: Plan, far: Samples, rate_hz: int) -> Samples:
    played = soft_clipped(far) if plan.clipping else far

    def through(seed: int, delay_ms: float) -> Samples:
        responses = room(plan.rt60_s, rate_hz, seed)
        channels = played.T if played.ndim == 2 else [played]
        heard = sum(fftconvolve(x, h)[: len(far)] for x, h in zip(channels, responses, strict=False))
        return delayed(np.asarray(heard, np.float32), delay_ms, rate_hz)

    echo = through(plan.seed, plan.delay_ms)
    echo = at_level(echo, ECHO_DBFS)
    if plan.delay_after_ms is not None or plan.room_after is not None:
        after = through(plan.room_after or plan.seed, plan.delay_after_ms or plan.delay_ms)
        change = 5 * rate_hz
        echo[change:] = at_level(after, ECHO_DBFS)[change:]
    return drifted(echo, plan.drift_ppm) if plan.drift_ppm else echo


def build(plan: Plan, rate_hz: int = 16000) -> Scenario:
    far = far_end(plan, rate_hz) if plan.kind != "near" else np.zeros(int(plan.seconds * rate_hz), np.float32)
    echo = echo_of(plan, far, rate_hz) if plan.kind != "near" else np.zeros_like(far)
    near = np.zeros(len(echo), np.float32)
    if plan.kind != "far":
        begin = int(plan.near_from_s * rate_hz)
        spoken = talk(plan.near_voice, rate_hz, plan.seconds, plan.seed + 20)
        heard = fftconvolve(spoken, room(plan.rt60_s, rate_hz, plan.seed)[2])[: len(near) - begin]
        near[begin:] = at_level(heard, ECHO_DBFS + (plan.ser_db if plan.kind == "double" else 0.0))
    random = np.random.default_rng(plan.seed + 100)
    coloured = fftconvolve(random.standard_normal(len(echo)), 0.9 ** np.arange(60))[: len(echo)]
    noise = at_level(coloured, ECHO_DBFS - plan.snr_db)
    return Scenario(plan.name, plan.kind, rate_hz, far, echo, near, noise, plan.settled)


FAR_ALONE = (
    Plan("delay 0", rt60_s=0.15, delay_ms=0, seed=1),
    Plan("delay 40", rt60_s=0.3, delay_ms=40, seed=2, far_voice="italian"),
    Plan("delay 120", rt60_s=0.5, delay_ms=120, seed=3, far_voice="russian"),
    Plan("delay 300", rt60_s=0.7, delay_ms=300, seed=4),
    Plan("delay 700", rt60_s=0.3, delay_ms=700, seed=5, far_voice="italian"),
    Plan("delay jump", delay_after_ms=190, delay_ms=60, seed=6, settled=(7.0, 10.0)),
    Plan("path change", room_after=17, seed=7, far_voice="russian", settled=(7.0, 10.0)),
    Plan("clipping", clipping=True, seed=8),
    Plan("drift 100", drift_ppm=100, seed=9, far_voice="italian"),
    Plan("drift 1000", drift_ppm=1000, seed=10),
    Plan("drift -1000", drift_ppm=-1000, seed=11, far_voice="russian", delay_ms=90),
    Plan("noise 30", snr_db=30, seed=12),
    Plan("noise 15", snr_db=15, seed=13, far_voice="italian"),
    Plan("music", far_music=True, seed=14),
    Plan("stereo", stereo=True, seed=15),
    Plan("silence, then shout", far_from_s=4.0, seed=16, settled=(7.0, 10.0)),
)
DOUBLE_TALK = (
    Plan("double talk -10", "double", ser_db=-10, seed=31, settled=(4.0, 10.0)),
    Plan("double talk 0", "double", ser_db=0, seed=32, far_voice="russian", near_voice="allison", settled=(4.0, 10.0)),
    Plan(
        "double talk 10", "double", ser_db=10, seed=33, far_voice="italian", near_voice="russian", settled=(4.0, 10.0)
    ),
    Plan("cold start 0", "double", near_from_s=0.0, seed=34, rt60_s=0.4, settled=(0.0, 10.0)),
    Plan("cold start -10", "double", ser_db=-10, near_from_s=0.5, seed=35, near_voice="russian", settled=(0.5, 10.0)),
    Plan(
        "double talk, clipping",
        "double",
        clipping=True,
        seed=36,
        far_voice="italian",
        near_voice="allison",
        settled=(4.0, 10.0),
    ),
    Plan(
        "all together",
        "double",
        clipping=True,
        drift_ppm=300,
        snr_db=25,
        seed=37,
        delay_ms=150,
        rt60_s=0.5,
        near_voice="russian",
        settled=(4.0, 10.0),
    ),
)
NEAR_ALONE = (
    Plan("near end alone", "near", near_from_s=0.5, seed=41, near_voice="allison", settled=(0.5, 10.0)),
    Plan("near end in noise", "near", near_from_s=0.5, seed=42, snr_db=20, settled=(0.5, 10.0)),
)
ALL = (*FAR_ALONE, *DOUBLE_TALK, *NEAR_ALONE)
Canceller = Callable[[Scenario], Samples]
