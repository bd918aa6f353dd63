"""Blocks of a stream through stages that are late, in time all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from spike_engine import dsp
from spike_engine.clean.audio_file import Block


def in_time(
    blocks: Iterator[Block],
    process: Callable[[Block], Block],
    latency_samples: int,
    from_hz: int = 1,
    to_hz: int = 1,
) -> Iterator[Block]:
    """What `process` makes of `blocks`, without its delay, and ``round(n * to_hz / from_hz)`` samples for n.

    At the end, silence pushes the rest out of the delay.
    """
    taken = made = 0
    silence = np.zeros((0, 1), np.float32)

    def due(block: Block, most: int | None = None) -> Block:
        nonlocal made, latency_samples
        out = process(block)
        early = min(latency_samples, len(out))
        latency_samples -= early
        out = out[early:] if most is None else out[early : early + most]
        made += len(out)
        return out

    for block in blocks:
        taken += len(block)
        silence = np.zeros((4800, block.shape[1]), np.float32)
        out = due(block)
        if len(out):
            yield out
    total = (2 * taken * to_hz + from_hz) // (2 * from_hz)
    while made < total:
        out = due(silence, total - made)
        if len(out):
            yield out


def resampled(blocks: Iterator[Block], from_hz: int, to_hz: int, channels: int) -> Iterator[Block]:
    """`blocks` at another rate, in time."""
    if from_hz == to_hz:
        return blocks
    resampler = dsp.Resampler(from_hz, to_hz, channels=channels)

    def process(block: Block) -> Block:
        return resampler.process(np.ascontiguousarray(block)).reshape(-1, channels)

    return in_time(blocks, process, resampler.latency_samples, from_hz, to_hz)


def cut(blocks: Iterator[Block], length: Callable[[], int], channels: int) -> Iterator[Block]:
    """`blocks`, and silence or nothing where they do not have `length()` samples, which is known at their end."""
    held = np.zeros((0, channels), np.float32)  # one block late, so that the end can be cut
    made = 0
    for block in blocks:
        if len(held):
            yield held
        made += len(held)
        held = block
    left = length() - made
    if left > 0:
        yield held[:left]
    if left > len(held):
        yield np.zeros((left - len(held), channels), np.float32)


class Playhead:
    """Takes any number of samples at a time from a stream, silence behind its end."""

    def __init__(self, blocks: Iterator[Block], channels: int) -> None:
        self._blocks = blocks
        self._kept = np.zeros((0, channels), np.float32)
        self.ended = False

    def take(self, samples: int) -> Block:
        """The next `samples` samples, shape ``(samples, channels)``."""
        parts = [self._kept]
        held = len(self._kept)
        while held < samples:
            block = next(self._blocks, None)
            if block is None:
                self.ended = True
                block = np.zeros((samples - held, self._kept.shape[1]), np.float32)
            parts.append(block)
            held += len(block)
        whole = np.concatenate(parts)
        self._kept = whole[samples:]
        return whole[:samples]
