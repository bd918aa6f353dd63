"""What an echo canceller meets outside the laboratory, as seeded scenarios.

Headphones, mute switches, devices that process before us, people and devices that move, Bluetooth, music, loudspeakers
that rattle. `test_echo_world.py` runs a part of them with thresholds, `benchmarks/echo_world.py` all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from echo_scenarios import ECHO_DBFS, SPEECH_DBFS, at_level, delayed, drifted, music, room, talk
from rooms import Samples
from scipy.signal import butter, fftconvolve, sosfilt
from world_changes import (
    Change,
    Span,
    automatic_gain,
    bending_bass,
    child,
    clipped,
    covered,
    limited,
    mostly_cancelled,
    mu_law,
    noise_gate,
    rattling,
    restarted,
    slips,
    stuck,
    telephone,
    turned_down,
    two_people,
    whispered,
)

NOISE_DBFS = -65.0


@dataclass(frozen=True)
class World:
    """A plan: who talks when, what lies between loudspeaker and microphone, and what the device does to it.

    Attributes:
        echo_db: The echo's level against the far end's, or None where there is no path at all.
        rooms: Seeds of rooms, which the path goes through in turn, evenly over the time.
        echo_spans: When there is an echo, where it is not always.
        near_spans: When the near end talks.
        played: What the loudspeaker makes of the far end. left: what a canceller in the device leaves of the echo.
        heard: What the microphone and its driver make of the sum.
        alone, together: When the far end is heard alone and both are, to be measured.
    """

    name: str
    seed: int = 1
    seconds: float = 12.0
    far: str = "italian"  # a voice, "music", "song", "film" or "noisy"
    echo_db: float | None = -2.0
    delay_ms: float = 60.0
    rt60_s: float = 0.3
    rooms: tuple[int, ...] = ()
    echo_spans: tuple[Span, ...] = ((0.0, 1e9),)
    near: str = "allison"
    near_spans: tuple[Span, ...] = ()
    near_dbfs: float = ECHO_DBFS
    noise_dbfs: float = NOISE_DBFS
    drift_ppm: float = 0.0
    stereo: bool = False
    played: Change | None = None
    left: Change | None = None
    spoken: Change | None = None
    heard: Change | None = None
    moving_talker: bool = False
    alone: tuple[Span, ...] = ()
    together: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Heard:
    """A plan's signals."""

    world: World
    rate_hz: int
    far: Samples  # (n,) or (n, 2)
    near: Samples
    echo: Samples
    microphone: Samples

    def part(self, samples: Samples, span: Span) -> Samples:
        return samples[int(span[0] * self.rate_hz) : int(span[1] * self.rate_hz)]


def spans_of(count: int, rate_hz: int, spans: tuple[Span, ...]) -> Samples:
    """1 within the spans, 0 elsewhere, with flanks of 5 ms."""
    gate = np.zeros(count, np.float32)
    for begin, end in spans:
        gate[int(min(begin * rate_hz, count)) : int(min(end * rate_hz, count))] = 1.0
    flank = rate_hz // 200
    return np.convolve(gate, np.ones(flank, np.float32) / flank, mode="same")


def song(rate_hz: int, seconds: float, seed: int) -> Samples:
    """A sung melody: harmonics that glide and tremble through the formants of vowels."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    notes = 180.0 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 12], size=int(2 * seconds) + 2) / 12)
    pitch = np.interp(2 * time, np.arange(len(notes)), notes) * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    loud = 0.3 + np.abs(np.sin(2 * np.pi * 0.9 * time))
    voice = np.zeros(len(time))
    for harmonic in range(1, 20):
        frequency = harmonic * pitch
        formants = sum(np.exp(-(((frequency - f) / 150.0) ** 2)) for f in (600.0, 1100.0, 2500.0, 3300.0))
        voice += np.where(frequency < 0.45 * rate_hz, (0.1 + formants) * np.sin(harmonic * phase), 0.0) / harmonic**0.5
    return at_level(voice * loud, SPEECH_DBFS)


def far_end(world: World, rate_hz: int) -> Samples:
    count = int(world.seconds * rate_hz)
    random = np.random.default_rng(world.seed + 500)
    if world.far == "music":
        mono = music(rate_hz, world.seconds, world.seed)
    elif world.far == "song":
        mono = song(rate_hz, world.seconds, world.seed)
    elif world.far == "film":
        speech = talk("russian", rate_hz, world.seconds, world.seed)
        wind = sosfilt(butter(1, 400, fs=rate_hz, output="sos"), random.standard_normal(count))
        mono = speech + 0.5 * music(rate_hz, world.seconds, world.seed) + at_level(wind, SPEECH_DBFS - 10)
    elif world.far == "noisy":  # a telephone far end: hiss all the time, words now and then
        words = talk("italian", rate_hz, world.seconds, world.seed)
        mono = words * spans_of(count, rate_hz, ((0.0, 4.0), (world.seconds - 5.0, world.seconds)))
        mono = mono + at_level(random.standard_normal(count), SPEECH_DBFS - 35)
    else:
        mono = talk(world.far, rate_hz, world.seconds, world.seed)
    mono = mono.astype(np.float32)
    if not world.stereo:
        return mono
    other = music(rate_hz, world.seconds, world.seed + 1)
    return np.stack([0.9 * mono + 0.3 * other, 0.3 * mono + 0.9 * other], axis=1).astype(np.float32)


def through_rooms(samples: Samples, world: World, rate_hz: int, source: int) -> Samples:
    """From a source of the room to its microphone, while the room becomes another one and another one."""
    seeds = world.rooms or (world.seed,)
    heard = [fftconvolve(samples, room(world.rt60_s, rate_hz, seed)[source])[: len(samples)] for seed in seeds]
    if len(heard) == 1:
        return heard[0].astype(np.float32)
    place = np.linspace(0, len(heard) - 1, len(samples))
    shares = [np.clip(1 - np.abs(place - index), 0, 1) for index in range(len(heard))]
    return np.sum([share * x for share, x in zip(shares, heard, strict=True)], axis=0).astype(np.float32)


def echo_of(world: World, far: Samples, rate_hz: int) -> Samples:
    count = len(far)
    if world.echo_db is None:
        return np.zeros(count, np.float32)
    channels = list(far.T) if far.ndim == 2 else [far]
    played = [world.played(x, rate_hz) if world.played else x for x in channels]
    echo = sum(through_rooms(x, world, rate_hz, source) for source, x in enumerate(played))
    echo = at_level(delayed(np.asarray(echo, np.float32), world.delay_ms, rate_hz), SPEECH_DBFS + world.echo_db)
    echo = drifted(echo, world.drift_ppm) if world.drift_ppm else echo
    echo = world.left(echo, rate_hz) if world.left else echo
    return echo * spans_of(count, rate_hz, world.echo_spans)


def near_end(world: World, rate_hz: int) -> Samples:
    count = int(world.seconds * rate_hz)
    near = np.zeros(count, np.float32)
    for index, (begin, end) in enumerate(world.near_spans):
        at, long = int(begin * rate_hz), int((min(end, world.seconds) - begin) * rate_hz)
        said = talk(world.near, rate_hz, long / rate_hz, world.seed + 20 + index)[:long]
        said = world.spoken(said, rate_hz)[:long] if world.spoken else said
        near[at : at + len(said)] += at_level(said, world.near_dbfs)
    if world.moving_talker:
        return through_rooms(near, world, rate_hz, 2)
    return (
        fftconvolve(near, room(world.rt60_s, rate_hz, world.seed)[2])[:count].astype(np.float32) if any(near) else near
    )


@cache
def build(world: World, rate_hz: int = 16000) -> Heard:
    far = far_end(world, rate_hz)
    echo, near = echo_of(world, far, rate_hz), near_end(world, rate_hz)
    if near.any():
        loud = spans_of(len(near), rate_hz, world.near_spans) > 0.5
        near = (near * 10 ** ((world.near_dbfs - 10 * np.log10(np.mean(near[loud] ** 2.0))) / 20)).astype(np.float32)
    random = np.random.default_rng(world.seed + 100)
    noise = at_level(
        fftconvolve(random.standard_normal(len(near)), 0.9 ** np.arange(60))[: len(near)], world.noise_dbfs
    )
    microphone = (echo + near + noise).astype(np.float32)
    microphone = world.heard(microphone, rate_hz) if world.heard else microphone
    return Heard(world, rate_hz, far, near, echo, np.clip(microphone, -1.0, 1.0).astype(np.float32))


TALKS = ((5.0, 8.0), (10.0, 12.0))
LATER = ((5.2, 7.8),)
HEADPHONES = (
    World("headphones", 61, 20.0, echo_db=None, near_spans=((6, 9), (14, 17)), together=((6, 9), (14, 17))),
    World("headphones, noise", 62, 20.0, echo_db=None, near_spans=((6, 9), (14, 17)), noise_dbfs=-50, far="music",
          together=((6, 9), (14, 17))),
    World("an echo 40 dB down", 63, 20.0, echo_db=-40, near_spans=((6, 9), (14, 17)), together=((6, 9), (14, 17))),
    World("an echo 30 dB down", 64, 20.0, echo_db=-30, near_spans=((6, 9), (14, 17)), together=((6, 9), (14, 17))),
    World("headphones, cold start", 65, 12.0, echo_db=None, near_spans=((0.2, 4), (7, 10)), together=((0.2, 4),
          (7, 10))),
    World("headphones, interrupted early", 68, 12.0, echo_db=None, near_spans=((0.8, 4), (7, 10)),
          together=((0.8, 4), (7, 10))),
    World("an echo 40 dB down, interrupted early", 69, 12.0, echo_db=-40, near_spans=((0.5, 4), (7, 10)),
          together=((0.5, 4), (7, 10))),
    World("headphones, music, interrupted early", 60, 12.0, echo_db=None, far="music", near="russian", near_dbfs=-38,
          near_spans=((1.1, 4), (7, 10)), together=((1.1, 4), (7, 10))),
    World("headphones, both begin", 730, 6.0, echo_db=None, near_spans=((0.3, 4),), together=((0.3, 1.9),)),
    World("headphones, both begin again", 750, 6.0, echo_db=None, far="russian", near="italian",
          near_spans=((0.3, 4),), together=((0.3, 1.9),)),
    World("headphones pulled out", 66, 16.0, echo_spans=((6, 99),), alone=((7, 12),), near_spans=((3, 5), (12.5, 15)),
          together=((3, 5), (12.5, 15))),
    World("headphones plugged in", 67, 16.0, echo_spans=((0, 6),), alone=((2, 6),), near_spans=((8, 10), (12, 15)),
          together=((8, 10), (12, 15))),
)  # fmt: skip
MUTES = (
    World("mute switch, 20 s", 71, 40.0, heard=turned_down((8, 28), 0.0), delay_ms=120, alone=((4, 8), (29, 39))),
    World("mute switch, 5 s", 72, 20.0, heard=turned_down((8, 13), 0.0), alone=((4, 8), (14, 19))),
    World("muted at the start", 73, 16.0, heard=turned_down((0, 6), 0.0), alone=((7, 15),)),
    World("turned down 60 dB", 74, 40.0, heard=turned_down((8, 28), 1e-3), delay_ms=20, alone=((4, 8), (29, 39))),
    World("turned down 40 dB", 75, 30.0, heard=turned_down((8, 18), 1e-2), delay_ms=20, alone=((4, 8), (19, 29))),
    World("a repeated block", 76, 30.0, heard=stuck((8, 18)), alone=((4, 8), (19, 29))),
    World("device restarts", 77, 20.0, heard=restarted(8.0, 30.0), alone=((4, 8), (9.5, 19))),
    World("mute, then the user talks", 78, 24.0, heard=turned_down((8, 14), 0.0), near_spans=((13.9, 17),),
          alone=((4, 8), (18, 23)), together=((14.2, 17),)),
)  # fmt: skip
DEVICES = (
    World("microphone AGC", 81, heard=automatic_gain, near_spans=TALKS, alone=((2, 5), (8.5, 10))),
    World("noise gate", 82, heard=noise_gate, near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("clipping microphone", 83, echo_db=4, heard=clipped, near_spans=TALKS, alone=((2, 5), (8.5, 10)),
          together=TALKS),
    World("sample slips", 84, 20.0, heard=slips(2.5, 12), alone=((4, 19),)),
    World("drift 1000", 85, 16.0, drift_ppm=1000, delay_ms=150, alone=((3, 15),)),
    World("a canceller in the device", 87, left=mostly_cancelled, near_spans=TALKS, alone=((2, 5), (8.5, 10)),
          together=TALKS),
    World("a hand over the microphone", 88, 20.0, heard=covered((8, 12)), near_spans=((5, 7), (13, 16)),
          alone=((2, 5), (9, 12), (17, 19)), together=((5, 7), (13, 16))),
    World("a lid that is shut", 89, 20.0, rooms=(141, 141, 142, 142), near_spans=((13, 16),),
          alone=((3, 6), (16.5, 19)), together=((13, 16),)),
    World("drift -1000, live room", 86, 16.0, drift_ppm=-1000, rt60_s=0.6, alone=((3, 15),)),
)  # fmt: skip
DOUBLE = (
    World("cold start, user louder", 91, near_spans=((0.0, 6.0),), near_dbfs=-21, together=((0.0, 6.0),)),
    World("cold start, equal", 92, near_spans=((0.1, 6.0),), together=((0.1, 6.0),), near="russian"),
    World("cold start, user quieter", 93, near_spans=((0.3, 6.0),), near_dbfs=-32, together=((0.3, 6.0),)),
    World("two people", 94, near_spans=TALKS, together=TALKS, alone=((2, 5),), spoken=two_people),
    World("whisper", 95, near_spans=TALKS, near_dbfs=-34, together=TALKS, alone=((2, 5),), spoken=whispered),
    World("a child", 96, near_spans=TALKS, together=TALKS, alone=((2, 5),), spoken=child),
    World("user quieter than the noise", 97, near_spans=TALKS, near_dbfs=-36, noise_dbfs=-34, together=TALKS),
    World("quiet smart speaker", 98, echo_db=-18, near_spans=TALKS, together=TALKS, alone=((2, 5), (8.5, 10))),
)
MOVING = (
    World("a device that moves", 101, rooms=(101, 102, 103, 104), near_spans=TALKS, alone=((2, 5), (8.5, 10)),
          together=TALKS),
    World("quickly", 102, rooms=tuple(range(110, 122)), near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("a talker who moves", 103, rooms=(131, 132, 133), moving_talker=True, near_spans=TALKS, together=TALKS),
)  # fmt: skip
FAR_ENDS = (
    World("music", 111, far="music", near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("loud music", 112, far="music", echo_db=8, played=limited, alone=((2, 11),)),
    World("a song", 113, far="song", near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("a film", 114, far="film", near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("music, live room", 115, far="music", rt60_s=0.7, alone=((3, 11),)),
    World("hiss and long silence", 116, 30.0, far="noisy", near_spans=((12, 16),), alone=((1, 4), (25.5,
          29.5)), together=((12, 16),)),
    World("stereo", 117, 16.0, stereo=True, alone=((4, 15),)),
)  # fmt: skip
PATHS = (
    World("Bluetooth, 200 ms", 121, delay_ms=200, played=telephone, near_spans=TALKS, alone=((2, 5), (8.5,
          10)), together=TALKS),
    World("Bluetooth, 400 ms", 122, delay_ms=400, played=telephone, alone=((2, 11),)),
    World("Bluetooth, 600 ms", 123, delay_ms=600, near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("a telephone's hybrid", 127, played=mu_law, heard=mu_law, echo_db=-8, delay_ms=30, rt60_s=0.03,
          near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("RT60 1 s", 124, rt60_s=1.0, near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
    World("bass that bends", 125, echo_db=4, played=bending_bass, near_spans=TALKS, alone=((2, 5), (8.5, 10)),
          together=TALKS),
    World("rattles", 126, echo_db=4, played=rattling, near_spans=TALKS, alone=((2, 5), (8.5, 10)), together=TALKS),
)  # fmt: skip
ALL = (*HEADPHONES, *MUTES, *DEVICES, *DOUBLE, *MOVING, *FAR_ENDS, *PATHS)
