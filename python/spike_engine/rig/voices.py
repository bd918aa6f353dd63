"""The sound of what the callers say, made ready once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.clean.audio_file import AudioReader, UnusableAudio
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.rig.script import InvalidScript, Line
from spike_engine.server.local.voice import open_voice

SPEECH_PEAK = 0.5
SILENCE = 0.02  # of the peak: what is cut at both ends, so that the times are those of the voice
MOST_SECONDS = 120.0

Sound = NDArray[np.float32]


async def voices_of(lines: Iterable[Line]) -> Mapping[Line, Sound]:
    """Each line as mono float32 at 48 kHz: its recording, or what eSpeak NG makes of it.

    Raises:
        InvalidScript: A recording is no sound, or longer than two minutes.
        MissingExtra: There is no eSpeak NG; it comes with the extra ``demo``.
    """
    voices: dict[Line, Sound] = {}
    spoken: list[Line] = []
    for line in lines:
        if line.voice is None:
            spoken.append(line)
        else:
            voices[line] = await asyncio.to_thread(_recorded, line)
    if spoken:
        voice = open_voice()
        await voice.start()
        try:
            for line in spoken:
                speech = await voice.speak(line.text)
                voices[line] = _trimmed(dsp.resample(speech.samples, speech.sample_rate_hz, ENGINE_RATE_HZ))
        finally:
            await voice.close()
    return voices


def _recorded(line: Line) -> Sound:
    assert line.voice
    try:
        with AudioReader(line.voice) as reader:
            blocks = list(reader.blocks())
            rate_hz = reader.rate_hz
        if not blocks:
            raise UnusableAudio(f"{line.voice} holds no samples")
    except UnusableAudio as error:
        raise InvalidScript(str(error)) from error
    samples = np.concatenate([block.mean(axis=1, dtype=np.float32) for block in blocks])
    if len(samples) > MOST_SECONDS * rate_hz:
        raise InvalidScript(f"{line.voice} is longer than {MOST_SECONDS:g} s")
    return _trimmed(dsp.resample(samples, rate_hz, ENGINE_RATE_HZ))


def _trimmed(speech: Sound) -> Sound:
    peak = float(np.abs(speech).max(initial=0.0))
    if peak == 0.0:
        return speech
    loud = np.flatnonzero(np.abs(speech) > SILENCE * peak)
    return (speech[loud[0] : loud[-1] + 1] * np.float32(SPEECH_PEAK / peak)).astype(np.float32)
