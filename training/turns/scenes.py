"""What the judge of turns learns from: sounds while an AI talks, as the capture chain of the package leaves them.

`python -m training.turns.scenes --corpus DIR ... --rooms DIR --coughs DIR --commands DIR --spoken DIR --out FILE`, and
once more with `--part validation`. In each scene one voice talks over the loudspeaker, falls silent soon after somebody
makes a sound, and goes on. The file holds the cleaned microphone at 16 kHz, the detectors' words in each frame, and
what sounded when.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.signal
import soxr
from numpy.typing import NDArray
from training.shared.prepare import Recording, Rooms, convolved, recordings
from training.turns.sounds import (
    NOD,
    OTHER,
    RATE_HZ,
    WORD,
    Samples,
    Sound,
    of_commands,
    of_corpora,
    of_coughs,
    of_voices,
)

from spike_engine import dsp

FRAME = RATE_HZ // 100
EVENTS, LEARNS_S, LONGEST_S = 10, 4.0, 1.8  # of a scene; the canceller learns the room; of an event
SHARES = {WORD: 0.42, NOD: 0.28, OTHER: 0.30}
SPEEDS = {WORD: 0.1, NOD: 0.15, OTHER: 0.25}  # as a logarithm: the pitch moves with it
LEVELS_DB = {WORD: (-38, -18), NOD: (-42, -20), OTHER: (-44, -14)}
OFTEN = {"person_sneeze": 4, "hums": 2, "nods of kokoro": 1.5}  # how much more often than their number makes them
Random = np.random.Generator


class Scenes:
    """Draws scenes from sounds, voices of the loudspeaker, noises and rooms."""

    def __init__(self, random: Random, sounds: list[Sound], voices: list[Recording], rooms: Rooms) -> None:
        self._random, self._voices, self._rooms = random, voices, rooms
        self._kinds: dict[int, dict[str, list[Sound]]] = {}
        for sound in sounds:
            self._kinds.setdefault(sound.label, {}).setdefault(sound.kind, []).append(sound)

    def draw_sound(self) -> Sound:
        """Of each label a kind, many of them more often than few."""
        kinds = self._kinds[int(self._random.choice(list(SHARES), p=list(SHARES.values())))]
        weights = np.array([OFTEN.get(kind, 1) * len(found) ** 0.5 for kind, found in kinds.items()])
        found = list(kinds.values())[self._random.choice(len(kinds), p=weights / weights.sum())]
        return found[self._random.integers(len(found))]

    def event(self, sound: Sound) -> Samples:
        """From one of its beginnings on, at a level, in a room or near the microphone."""
        random, samples = self._random, sound.load()
        rate_hz = RATE_HZ * np.exp(SPEEDS[sound.label] * random.uniform(-1, 1))
        samples = soxr.resample(samples, rate_hz, RATE_HZ) if len(samples) else samples
        begins = beginnings(samples)
        if len(begins) == 0:
            return np.zeros(FRAME, np.float32)
        begin = begins[random.integers(len(begins))] if sound.label == OTHER else begins[0]
        samples = samples[begin : begin + int(LONGEST_S * RATE_HZ)]
        samples[-min(80, len(samples)) :] *= np.linspace(1, 0, min(80, len(samples)))
        loud = np.abs(samples) > 0.05 * np.abs(samples).max()
        level = 10 ** (random.uniform(*LEVELS_DB[sound.label]) / 20)
        samples = samples * level / np.sqrt(np.mean(samples[loud] ** 2) + 1e-12)
        if random.random() < 0.5:
            talker = soxr.resample(self._rooms.draw(random)[0], 48000, RATE_HZ)
            talker = talker[max(0, int(np.argmax(np.abs(talker))) - 16) :]
            (samples,) = convolved(np.concatenate([samples, np.zeros(3200, np.float32)]), talker / np.abs(talker).max())
        return np.clip(samples, -0.95, 0.95).astype(np.float32)

    def scene(self) -> tuple[Samples, Samples, list[tuple[int, int, Sound]]]:
        """The near end and the far end of one scene, and which sounds stand where, in frames."""
        random, near, events = self._random, [np.zeros(int(LEARNS_S * RATE_HZ), np.float32)], []
        at = len(near[0])
        silent: list[tuple[int, int]] = []
        for _ in range(EVENTS):
            sound = self.draw_sound()
            heard = self.event(sound)
            gap = np.zeros(int(random.uniform(0.9, 1.6) * RATE_HZ), np.float32)
            near += [heard, gap]
            events.append((at // FRAME, (at + len(heard)) // FRAME, sound))
            silent.append((at + int(random.uniform(0.06, 0.3) * RATE_HZ), at + len(heard) + 4800))
            at += len(heard) + len(gap)
        far = self._far(at)
        if random.random() < 0.85:  # else nothing holds it
            for begin, end in silent:
                far[begin:end] = 0
        return np.concatenate(near)[: len(far)], far, events

    def _far(self, samples: int) -> Samples:
        spoken, length = [], 0
        while length < samples:
            each = self._voices[self._random.integers(len(self._voices))]
            spoken.append(Sound(WORD, "", each.path).load())
            length += len(spoken[-1])
        far = np.concatenate(spoken)[:samples]
        return (far * 10 ** (self._random.uniform(-30, -16) / 20) / np.sqrt(np.mean(far**2) + 1e-9)).astype(np.float32)

    def microphone(self, near: Samples, far: Samples) -> tuple[Samples, Samples]:
        """What is captured, and what the chain is told of the loudspeaker."""
        random = self._random
        noise = scipy.signal.lfilter([1], [1, -random.uniform(0, 0.95)], random.standard_normal(len(near)))
        heard = near + noise / noise.std() * 10 ** (random.uniform(-85, -50) / 20)
        if random.random() < 0.25:
            return heard.astype(np.float32), far  # headphones
        response = soxr.resample(self._rooms.draw(random)[0], 48000, RATE_HZ)
        delay = np.zeros(int(random.uniform(0.01, 0.12) * RATE_HZ), np.float32)
        (echo,) = convolved(far, np.concatenate([delay, response]))
        echo *= 10 ** (random.uniform(-20, 0) / 20) * np.sqrt(np.mean(far**2) / (np.mean(echo**2) + 1e-12))
        return np.clip(heard + echo, -1, 1).astype(np.float32), far


def beginnings(samples: Samples) -> list[int]:
    """Where sound begins, in samples: after nothing, or after 200 ms without."""
    count = len(samples) // FRAME
    peaks = np.abs(samples[: count * FRAME]).reshape(-1, FRAME).max(axis=1, initial=0)
    loud = np.flatnonzero(peaks > 0.08 * peaks.max(initial=1e-9))
    return [max(0, (int(at) - 2) * FRAME) for i, at in enumerate(loud) if i == 0 or at - loud[i - 1] > 20]


STATS = ("voice_active", "voice_suspected")


def cleaned(microphone: Samples, far: Samples) -> tuple[Samples, NDArray[np.float16]]:
    """The chain's voice, and what it knows in each frame, shape ``(frames, len(STATS))``."""
    chain = dsp.CapturePipeline(RATE_HZ, gain_control=True)
    count = len(microphone) // FRAME
    voice, known = np.zeros(count * FRAME, np.float32), np.zeros((count, len(STATS)), np.float16)
    for i in range(count):
        block = slice(i * FRAME, (i + 1) * FRAME)
        voice[block] = chain.process(microphone[block], far[block])
        known[i] = [getattr(chain.stats, name) for name in STATS]
    return voice, known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, many in (
        ("corpus", "+"),
        ("spoken", "+"),
        ("rooms", None),
        ("coughs", None),
        ("commands", None),
        ("out", None),
    ):
        parser.add_argument(f"--{name}", required=True, type=Path, nargs=many)
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--part", choices=("train", "validation"), default="train")
    options = parser.parse_args()
    validation = options.part == "validation"
    sounds = [
        *of_corpora(options.corpus, options.part),
        *of_coughs(options.coughs, options.part),
        *of_commands(options.commands, options.part),
        *of_voices(options.spoken, options.part),
    ]
    voices = [each for each in recordings(options.corpus, "speech", validation=validation) if each.seconds > 3]
    scenes = Scenes(np.random.default_rng(options.seed), sounds, voices, Rooms(options.rooms, validation=validation))
    kinds = sorted({sound.kind for sound in sounds})
    heard, known, events, at = [], [], [], 0
    for number in range(options.scenes):
        near, far, placed = scenes.scene()
        voice, stats = cleaned(*scenes.microphone(near, far))
        events += [(at + b, at + e, sound.label, kinds.index(sound.kind)) for b, e, sound in placed]
        at += len(stats)
        heard.append(np.round(32767 * np.clip(voice, -1, 1)).astype(np.int16))
        known.append(stats)
        if number % 20 == 19:
            print(number + 1, "scenes", flush=True)
    of_stats = dict(zip(STATS, np.concatenate(known).T, strict=True))
    np.savez(options.out, voice=np.concatenate(heard), events=np.array(events), kinds=np.array(kinds), **of_stats)


if __name__ == "__main__":
    main()
