"""How much of a room is in a clip, from how fast its sound dies away."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.clean.audio_file import Block

RATE_HZ = 16000
_WINDOW, _HOP, _BANDS = 512, 128, 18
_EDGES_HZ = 700 * (np.geomspace(1 + 250 / 700, 1 + 7000 / 700, _BANDS + 1) - 1)  # of bands that are even in mel
_FRAMES_AT_ONCE = 512
_REACH_DB = 45.0  # below the loudest of a band, where nothing is looked at any more
_ABOVE_NOISE_DB = 6.0
_LEAST_FRAMES, _LEAST_FALL_DB = 10, 8.0  # of what counts as dying away
_LEAST_DECAYS = 20  # fewer say nothing
_LEAST_RANGE_DB = 18.0  # between a band's loud and its quiet; noise that fills it hides how sound dies away
_FASTEST = 90  # per cent
# Fitted to nine clips of four corpora in 32 rooms, of 0.1 to 0.7 s, with 30 dB of noise and without.
_AT_ONE_SECOND_DB, _PER_E_DB = -29.0, -29.8
DRIEST_DB, WETTEST_DB = 30.0, -5.0


def clarity_db(samples: NDArray[np.float32]) -> float:
    """C50 of the room between talker and microphone, estimated from what is heard.

    In each of 18 bands the stretches are found in which the sound does nothing but fall. None falls faster than the
    room lets it: the rate that nine in ten of them stay under is the room's where that is slower than speech itself.
    After J. Y. C. Wen, E. A. P. Habets and P. A. Naylor, "Blind estimation of reverberation time based on the
    distribution of signal decay rates", ICASSP 2008, in bands as T. de M. Prego et al., "Blind estimators for
    reverberation time and direct-to-reverberant energy ratio using subband speech decomposition", WASPAA 2015.

    Args:
        samples: Shape ``(n,)`` at 16 kHz.

    Returns:
        Energy of the first 50 ms after the direct sound against that of all later ones (ISO 3382-1), in dB, -5 to 30;
        NaN where too little of the clip dies away, or noise hides it.
    """
    level_db = _levels_db(samples)
    if len(level_db) < _LEAST_FRAMES + 3:
        return float("nan")
    smooth = (level_db[:-2] + level_db[1:-1] + level_db[2:]) / 3
    top = np.percentile(smooth, 98, axis=0)
    quiet = np.percentile(smooth, 5, axis=0)
    if np.median(top - quiet) < _LEAST_RANGE_DB:
        return float("nan")
    bottom = np.maximum(quiet, top - _REACH_DB) + _ABOVE_NOISE_DB
    bottom[top < top.max() - _REACH_DB] = np.inf  # nothing was sent in this band
    rates = _decay_rates(smooth.T, bottom)
    if len(rates) < _LEAST_DECAYS:
        return float("nan")
    slowest_s = 60.0 / np.percentile(rates, _FASTEST)
    return float(np.clip(_AT_ONE_SECOND_DB + _PER_E_DB * np.log(slowest_s), WETTEST_DB, DRIEST_DB))


def _levels_db(samples: NDArray[np.float32]) -> Block:
    """Shape ``(frames, bands)``, a frame every 8 ms; the loudest sample is 0 dB or more."""
    if len(samples) < _WINDOW:
        return np.zeros((0, _BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    window = (np.hanning(_WINDOW) / (np.abs(samples).max() + 1e-12)).astype(np.float32)
    bins = np.round(_EDGES_HZ * _WINDOW / RATE_HZ).astype(int)
    power = np.empty((len(frames), _BANDS), np.float32)
    for at in range(0, len(frames), _FRAMES_AT_ONCE):
        spectra = np.fft.rfft(frames[at : at + _FRAMES_AT_ONCE] * window, axis=1)[:, : bins[-1]]
        powers = np.square(spectra.real) + np.square(spectra.imag)
        power[at : at + len(spectra)] = np.add.reduceat(powers, bins[:-1], axis=1)
    return np.asarray(10 * np.log10(power + 1e-9), np.float32)


def _decay_rates(level_db: NDArray[Any], bottom_db: NDArray[Any]) -> NDArray[np.float64]:
    """In dB a second, of each stretch above `bottom_db` in which a band (a row) only falls: the slope of a line."""
    falls = np.zeros((len(level_db), level_db.shape[1] + 1), bool)
    falls[:, 1:-1] = (np.diff(level_db, axis=1) < 0) & (level_db[:, 1:] > bottom_db[:, None])
    edges = np.flatnonzero(np.diff(falls.ravel().astype(np.int8)))
    begins, ends = edges[::2], edges[1::2] + 1  # of the levels: one more than of their differences
    begins, ends = begins - begins // falls.shape[1], ends - begins // falls.shape[1]
    level = level_db.astype(np.float64).ravel()
    long = (ends - begins >= _LEAST_FRAMES) & (level[begins] - level[ends - 1] >= _LEAST_FALL_DB)
    begins, ends = begins[long], ends[long]
    place = np.tile(np.arange(level_db.shape[1], dtype=np.float64), len(level_db))
    sums, moments = (np.concatenate([[0.0], np.cumsum(each)]) for each in (level, place * level))
    count = (ends - begins).astype(np.float64)
    middle = (place[begins] + place[ends - 1]) / 2
    products = moments[ends] - moments[begins] - middle * (sums[ends] - sums[begins])
    rates: NDArray[np.float64] = -12 * products / (count**3 - count)  # of a step
    return rates * RATE_HZ / _HOP
