"""Whether a recording holds an echo of another one at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spike_engine.clean.audio_file import AudioReader, Block
from spike_engine.clean.streams import Playhead, resampled

LATEST_S = 0.75  # how late an echo may come
_RATE_HZ = 16000
_WINDOW = 1 << 15  # 2 s
_HOP = _WINDOW // 2
_WINDOWS_AT_A_TIME = 8  # clocks drift apart: within 10 s by a few samples only
_SURE = 9.5  # recordings that have nothing in common give 4 to 8, an echo as loud as a voice over it 20 and more


def holds_echo_of(mic: AudioReader, far: AudioReader) -> bool:
    """Whether what `far` holds is heard in `mic`, at the same moment or up to `LATEST_S` later. Reads both.

    The generalised cross-correlation with phase transform (Knapp and Carter, 1976) of two recordings with nothing in
    common is noise; an echo is a peak in it, always at the same place.
    """
    heard, played = _mono(mic), Playhead(_mono(far), 1)
    window = np.hanning(_WINDOW).astype(np.float32)
    mine = theirs = np.zeros(0, np.float32)
    phases = np.zeros(_WINDOW // 2 + 1, np.complex64)
    summed = 0
    for block in heard:
        mine = np.concatenate([mine, block[:, 0]])
        theirs = np.concatenate([theirs, played.take(len(block))[:, 0]])
        while len(mine) >= _WINDOW:
            phases += _phases(mine[:_WINDOW] * window, theirs[:_WINDOW] * window)
            summed += 1
            mine, theirs = mine[_HOP:], theirs[_HOP:]
            if summed == _WINDOWS_AT_A_TIME:
                if _has_peak(phases):
                    return True
                phases, summed = np.zeros_like(phases), 0
    padding = (0, _WINDOW - len(mine))
    phases += _phases(np.pad(mine, padding) * window, np.pad(theirs, padding) * window)
    return _has_peak(phases)


def _mono(reader: AudioReader) -> Iterator[Block]:
    blocks = (block.mean(axis=1, keepdims=True) for block in reader.blocks())
    return resampled(blocks, reader.rate_hz, _RATE_HZ, 1)


def _phases(mine: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.complex64]:
    cross = np.fft.rfft(mine) * np.conj(np.fft.rfft(theirs))
    return (cross / (np.abs(cross) + 1e-12)).astype(np.complex64)


def _has_peak(phases: NDArray[np.complex64]) -> bool:
    correlation = np.abs(np.fft.irfft(phases))
    spread = np.sqrt(np.mean(np.square(correlation)))
    return bool(correlation[: round(LATEST_S * _RATE_HZ)].max() > _SURE * spread > 0)
