"""The bands that the network hears and answers in: bins of 33.3 Hz at every sample rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BIN_HZ = 100 / 3
LOW_BANDS, HIGH_BANDS = 32, 8
BANDS = LOW_BANDS + HIGH_BANDS
SPLIT_BIN = 240  # 8 kHz: below, the bands that 16 kHz has; above, what 48 kHz adds
BINS = 721
LOW_BINS = 120  # 0 to 4 kHz: heard and refined bin by bin


def edges_bins() -> NDArray[np.int32]:
    """BANDS + 1 edges, in bins: steps of equal ERB rate (Glasberg and Moore 1990) of at least two bins up to 8 kHz."""
    top = 21.4 * np.log10(1 + 0.00437 * SPLIT_BIN * BIN_HZ)
    low_hz = (10 ** (np.linspace(0, top, LOW_BANDS + 1) / 21.4) - 1) / 0.00437
    low = np.round(low_hz / BIN_HZ).astype(np.int32)
    for i in range(1, LOW_BANDS):
        low[i] = max(low[i], low[i - 1] + 2)
    low[-1] = SPLIT_BIN
    high = np.round(np.geomspace(SPLIT_BIN, BINS - 1, HIGH_BANDS + 1)).astype(np.int32)
    return np.concatenate([low, high[1:]])


def filterbank() -> NDArray[np.float32]:
    """(BINS, BANDS): each bin's share in the two bands around it; the shares of a bin sum to 1.

    No bin below the split has a share in a band above it, so 16 kHz gives the same low bands as 48 kHz.
    """
    edges = edges_bins()
    centres = (edges[:-1] + edges[1:]) / 2
    shares = np.zeros((BINS, BANDS), np.float32)
    for k in range(BINS):
        first, last = (0, LOW_BANDS - 1) if k < SPLIT_BIN else (LOW_BANDS, BANDS - 1)
        at = float(np.interp(k, centres[first : last + 1], np.arange(first, last + 1)))
        below = min(int(at), last)
        shares[k, below] += 1 - (at - below)
        if below < last:
            shares[k, below + 1] += at - below
    return shares
