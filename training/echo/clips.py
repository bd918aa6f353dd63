"""Makes the clips that the echo mask learns from, each as the canceller's linear stage leaves it.

`python -m training.echo.clips --corpus DIR ... --rooms DIR --out DIR`, and once more with `--held-out` for clips in
rooms that no other clip is made in. A shard holds 24 clips of 8 s at 16 kHz: int16 of shape (24, 6, 128000), the
signals being microphone, error, predicted echo, aligned far end, target and near end.
"""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from training.echo.devices import LOUDSPEAKERS, MICROPHONES, coloured, distorted, through_mask
from training.shared.prepare import HELD_OUT_ROOMS, MEASURED_SHARE, Recording, convolved, faded, recordings

from spike_engine import dsp

RATE_HZ, FRAME = 16000, 160
SAMPLES, CLIPS = 8 * RATE_HZ, 24  # of a clip; in a shard
HELD_OUT_VOICES = {"festvox-ru", "qabcs-data"}  # beside those of the tests: what is chosen, is chosen on these
LEVEL = 0.05  # root mean square that every drawn piece is brought to
Samples = NDArray[np.float32]
Random = np.random.Generator


def linear_stage(microphone: Samples, far: Samples) -> tuple[Samples, Samples, Samples]:
    """Error, predicted echo and aligned far end of a whole clip."""
    parts = dsp.EchoCanceller(RATE_HZ, residual="spectral").linear_stage(microphone, far)
    return parts.error, parts.echo, parts.far


@cache
def responses(file: Path) -> Samples:
    """A room's, to a near talker and to a loudspeaker, without the simulation's own delay."""
    if file.suffix == ".npz":
        return soxr.resample(np.load(file)["rir"].T.astype(np.float32), 48000, RATE_HZ).T[:, 10:]
    measured, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
    response = soxr.resample(measured[:, 0], rate_hz, RATE_HZ)[: RATE_HZ // 2]
    response = response[max(0, int(np.argmax(np.abs(response))) - 8) :]
    return np.tile(response / (np.abs(response).max() + 1e-9), (2, 1)).astype(np.float32)


def weight(recording: Recording) -> float:
    """How often a recording is drawn: by its length, many voices before many words, clean ones before others."""
    length_s, source = min(recording.seconds, 12.0), recording.package.split("-")[0]
    if recording.speaker and recording.kind == "speech":
        return 2.0 * length_s  # many people, at microphones of their own
    if recording.kind != "speech":
        return length_s
    return length_s * {"tuxpaint": 0.3, "asterisk": 2.5}.get(source, 1.0) * (0.2 if recording.snr_db < 25 else 1.0)


class Corpus:
    """Recordings and rooms, drawn at random."""

    def __init__(self, corpora: list[Path], rooms: Path, *, held_out: bool) -> None:
        self._pools: dict[str, tuple[list[Recording], NDArray[np.float64]]] = {}
        for kind in ("speech", "music", "noise"):
            pool = [r for r in recordings(corpora, kind) if r.seconds > 0.4]
            if kind == "speech":
                pool = [r for r in pool if (r.package in HELD_OUT_VOICES) == held_out]
            if held_out:
                pool += [r for r in recordings(corpora, kind, validation=True) if r.seconds > 0.4]
            weights = np.array([weight(r) for r in pool])
            self._pools[kind] = pool, weights / weights.sum()
        files = sorted(rooms.glob("*.npz"))
        self._rooms = [file for i, file in enumerate(files) if (i % HELD_OUT_ROOMS == 0) == held_out]
        self._measured = [r.path for r in recordings(corpora, "rir", validation=held_out)]

    def room(self, random: Random) -> Samples:
        if self._measured and random.random() < MEASURED_SHARE:
            talker, loudspeaker = (self._measured[random.integers(len(self._measured))] for _ in range(2))
            count = min(responses(talker).shape[1], responses(loudspeaker).shape[1])
            return np.stack([responses(talker)[0, :count], responses(loudspeaker)[0, :count]])
        return responses(self._rooms[random.integers(len(self._rooms))])

    def draw(self, random: Random, kind: str, samples: int, *, pause_s: float = 0.0) -> Samples:
        """Recordings one after another; of one voice, or where none is named of one package."""
        pool, weights = self._pools[kind]
        voice, drawn = None, np.zeros(0, np.float32)
        while len(drawn) < samples:
            for _ in range(30):
                chosen = pool[random.choice(len(pool), p=weights)]
                if kind != "speech" or voice in {None, (chosen.package, chosen.speaker)}:
                    break
            voice = voice or (chosen.package, chosen.speaker)
            silence = np.zeros(int(random.exponential(pause_s) * RATE_HZ), np.float32)
            drawn = np.concatenate([drawn, self._piece(random, chosen, samples - len(drawn)), silence])
        return drawn[:samples]

    @staticmethod
    def _piece(random: Random, recording: Recording, most: int) -> Samples:
        with soundfile.SoundFile(recording.path) as file:
            x = file.read(30 * file.samplerate, dtype="float32", always_2d=True).mean(1)
            x = soxr.resample(x, file.samplerate, RATE_HZ).astype(np.float32)
        if len(x) > most:
            begin = random.integers(0, len(x) - most + 1)
            x = x[begin : begin + most]
        return faded(x * np.float32(LEVEL / (np.sqrt(np.mean(x**2)) + 1e-6)), 80)


def gain(random: Random, least_db: float, most_db: float) -> np.float32:
    return np.float32(10 ** (random.uniform(least_db, most_db) / 20))


def active_level(x: Samples) -> np.float32:
    """The root mean square of the frames within 20 dB of the loudest."""
    power = (x[: len(x) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(1)
    return np.float32(np.sqrt(power[power >= 0.01 * power.max()].mean() + 1e-12))


def drifted(x: Samples, ppm: float) -> Samples:
    """Read by a clock that is `ppm` faster: windowed-sinc interpolation of 32 points."""
    moments = np.arange(len(x)) * (1 + ppm * 1e-6)
    whole = np.floor(moments).astype(int)
    padded = np.pad(x, (16, 40 + int(len(x) * abs(ppm) * 1e-6)))
    out = np.zeros(len(x))
    for tap in range(-15, 17):
        distance = moments - whole - tap
        out += padded[whole + tap + 16] * np.sinc(distance) * np.cos(np.pi * distance / 34) ** 2
    return out.astype(np.float32)


def steady_noise(random: Random) -> Samples:
    hz, knots_hz = np.linspace(0, RATE_HZ / 2, SAMPLES // 2 + 1), np.concatenate([[0], np.geomspace(60, 8000, 8)])
    knots_db = random.uniform(-9, 1) * np.log2(np.maximum(knots_hz, 60) / 60) + random.normal(0, 4, 9)
    shape = 10 ** (np.interp(hz, knots_hz, knots_db) / 20)
    x = np.fft.irfft(shape * np.exp(2j * np.pi * random.random(len(hz))), SAMPLES)
    return (x * LEVEL / (x.std() + 1e-9)).astype(np.float32)


def far_end(random: Random, corpus: Corpus) -> Samples:
    kind = random.random()
    if kind < 0.8:
        far = corpus.draw(random, "speech", SAMPLES, pause_s=random.choice([0.2, 0.6, 1.5]))
    else:
        far = corpus.draw(random, "music", SAMPLES) if kind < 0.95 else steady_noise(random)
    if random.random() < 0.5:  # it begins late
        far[: int(random.uniform(0, 2.5) * RATE_HZ)] = 0
    if random.random() < 0.15:  # it pauses
        begin = random.integers(0, SAMPLES)
        far[begin : begin + random.integers(RATE_HZ // 2, 3 * RATE_HZ)] = 0
    if random.random() < 0.3:  # its level moves
        knots = 10 ** (np.cumsum(random.normal(0, 3, 6)) / 20)
        far *= np.interp(np.arange(SAMPLES), np.linspace(0, SAMPLES, 6), knots).astype(np.float32)
    return np.clip(far * gain(random, -12, 6), -1, 1)


def delayed(x: Samples, ms: float) -> Samples:
    return np.concatenate([np.zeros(int(ms * RATE_HZ / 1000), np.float32), x])[:SAMPLES]


def moving(random: Random, played: Samples, response: Samples) -> Samples:
    """In a room in which something moves: the reflections come nearer and go away, at some speed, and change."""
    knots = int(random.integers(2, 12))
    places = [np.clip(knots * np.arange(SAMPLES) / SAMPLES - at, -1, 1) for at in range(knots + 1)]
    heard = np.zeros(SAMPLES, np.float32)
    for place in places:
        stretched = soxr.resample(response, RATE_HZ, RATE_HZ * float(np.exp(random.normal(0, 0.01))))
        changed = stretched * np.exp(random.normal(0, 0.3, len(stretched)))
        heard += (1 - np.abs(place)).astype(np.float32) * convolved(played, changed.astype(np.float32))[0]
    return heard


def echo_of(random: Random, corpus: Corpus, far: Samples, room: Samples) -> Samples:
    """What the microphone hears of it: distorted, late, in a room that may change, by another clock."""
    played = distorted(random, far) if random.random() < 0.4 else far
    if random.random() < 0.35:
        played = LOUDSPEAKERS[random.integers(len(LOUDSPEAKERS))](random, played)
    least_ms, most_ms = random.choice([(0, 0), (0, 300), (300, 800)], p=[0.1, 0.675, 0.225])
    delay_ms = random.uniform(least_ms, most_ms)
    kind = random.random()
    still = convolved(played, room[1])[0] if kind < 0.8 else moving(random, played, room[1])
    echo = delayed(still, delay_ms)
    changes = 1 if kind < 0.12 else random.integers(1, 4) if kind < 0.22 else 0
    for _ in range(changes):  # another room, or another delay in the same: then the devices' buffers have jumped
        moved = kind < 0.1
        later_ms = delay_ms if moved else max(0.0, delay_ms + random.uniform(-300, 300))
        other = delayed(convolved(played, (corpus.room(random) if moved else room)[1])[0], later_ms)
        begin = random.integers(RATE_HZ, 7 * RATE_HZ)
        share = np.clip((np.arange(SAMPLES) - begin) / FRAME, 0, 1).astype(np.float32)
        echo = echo * (1 - share) + share * other * (active_level(echo) / (active_level(other) + 1e-9))
    echo = coloured(random, echo)
    if random.random() < 0.2:
        echo = drifted(echo, random.uniform(-1, 1) * (1100 if random.random() < 0.5 else 200))
    if random.random() < 0.1:  # hardly any: headphones, a loudspeaker in another room
        return echo * gain(random, -70, -42) / (active_level(echo) + 1e-9)
    return echo * gain(random, -42, -16) / (active_level(echo) + 1e-9)


def near_end(random: Random, corpus: Corpus, room: Samples, level: np.float32, *, alone: bool) -> Samples:
    begin = int(random.uniform(0, 4) * RATE_HZ) if random.random() < 0.6 and not alone else 0
    most = SAMPLES if alone or random.random() < 0.6 else int(random.uniform(0.5, 4) * RATE_HZ)
    length = min(SAMPLES - begin, most)
    voice = corpus.draw(random, "speech", length, pause_s=random.choice([0.1, 0.4, 1.0]))
    voice = coloured(random, convolved(np.pad(voice, (0, RATE_HZ // 2)), room[0])[0][: SAMPLES - begin])
    near = np.zeros(SAMPLES, np.float32)
    near[begin : begin + len(voice)] = voice * level * gain(random, -14, 14) / (active_level(voice) + 1e-9)
    return near


def clip(random: Random, corpus: Corpus) -> NDArray[np.int16]:
    """A tenth with the near end alone, a fifth with the far end alone, the rest with both."""
    kind, room, silence = random.random(), corpus.room(random), np.zeros(SAMPLES, np.float32)
    near_only, far_only = kind < 0.1, 0.1 <= kind < 0.3
    far = silence if near_only and random.random() < 0.7 else far_end(random, corpus)  # headphones, or nothing
    echo = echo_of(random, corpus, far, room) if far.any() and not near_only else silence
    level = max(active_level(echo), gain(random, -42, -30)) if echo.any() else gain(random, -42, -16)
    near = silence if far_only else near_end(random, corpus, room, level, alone=near_only)
    noise = steady_noise(random) if random.random() < 0.6 else corpus.draw(random, "noise", SAMPLES, pause_s=0.2)
    noise *= max(active_level(near), active_level(echo)) * gain(random, -55, -12) / (active_level(noise) + 1e-9)
    if random.random() < 0.3:  # the device has a processing of its own
        mask = MICROPHONES[random.integers(len(MICROPHONES))](random, near + noise + echo, echo)
        near, noise, echo = (through_mask(x, mask) for x in (near, noise, echo))
    target, microphone = near + noise, near + noise + echo
    scale = np.float32(min(1.0, 0.98 / (np.abs(microphone).max() + 1e-9)))
    microphone, target, near = microphone * scale, target * scale, near * scale
    if random.random() < 0.04:
        most = np.abs(microphone).max() * random.uniform(0.3, 0.8)
        microphone = np.clip(microphone, -most, most)
    signals = np.stack([microphone, *linear_stage(microphone, far), target, near])
    return np.clip(np.round(signals * 32767), -32768, 32767).astype(np.int16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, type=Path, nargs="+")
    parser.add_argument("--rooms", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--shards", type=int, default=56)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="in the rooms that are never trained in")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(options.corpus, options.rooms, held_out=options.held_out)
    for shard in range(options.shards):
        if (options.out / f"{shard:04d}.npy").exists():  # stopped, and started again
            continue
        random = np.random.default_rng([options.seed, shard, options.held_out])
        clips = np.stack([clip(random, corpus) for _ in range(CLIPS)])
        being_written = options.out / f"{shard:04d}.tmp.npy"  # training may go on meanwhile
        np.save(being_written, clips)
        being_written.rename(options.out / f"{shard:04d}.npy")


if __name__ == "__main__":
    main()
