"""How sound travels in a room: impulse responses by images, and their convolution with a stream."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEED_OF_SOUND_M_S = 343.0
_SINC_HALF_WIDTH = 16

Point = tuple[float, float, float]
Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shoebox:
    """A room with six walls that reflect alike.

    Attributes:
        size_m: Length, width and height.
        rt60_s: The time in which sound decays by 60 dB.
    """

    size_m: Point = (4.2, 3.4, 2.5)
    rt60_s: float = 0.2

    @property
    def reflection(self) -> float:
        """Share of the pressure that a wall gives back (Sabine 1922)."""
        length, width, height = self.size_m
        volume = length * width * height
        surface = 2 * (length * width + length * height + width * height)
        absorption = 24 * np.log(10) * volume / (SPEED_OF_SOUND_M_S * surface * self.rt60_s)
        return float(np.sqrt(1 - min(absorption, 0.99)))

    def impulse_response(self, source_m: Point, microphone_m: Point, sample_rate_hz: int) -> Samples:
        """The path from `source_m` to `microphone_m`, with 1 / distance for the direct sound.

        Method: J. Allen and D. Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65 (1979),
        with each image at its fractional delay.
        """
        length_samples = round(self.rt60_s * sample_rate_hz)
        distance_m, gain = self._images(np.array(source_m), np.array(microphone_m), self.rt60_s)
        delay = distance_m * sample_rate_hz / SPEED_OF_SOUND_M_S
        whole = np.floor(delay).astype(int)
        response = np.zeros(length_samples + 2 * _SINC_HALF_WIDTH)
        for tap in range(-_SINC_HALF_WIDTH + 1, _SINC_HALF_WIDTH + 1):
            time = tap - (delay - whole)
            weight = gain * np.sinc(time) * (0.5 + 0.5 * np.cos(np.pi * time / (_SINC_HALF_WIDTH + 1)))
            at = whole + tap
            inside = (at >= 0) & (at < len(response))
            response += np.bincount(at[inside], weight[inside], len(response))
        return response[:length_samples].astype(np.float32)

    def _images(
        self, source_m: NDArray[np.float64], microphone_m: NDArray[np.float64], reach_s: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distance and gain of every image of the source that is heard within `reach_s`."""
        offsets, bounces = [], []
        for axis, size in enumerate(self.size_m):
            most = int(np.ceil(reach_s * SPEED_OF_SOUND_M_S / (2 * size)))
            order = np.arange(-most, most + 1)
            mirrored = np.concatenate([2 * order * size + source_m[axis], 2 * order * size - source_m[axis]])
            offsets.append(mirrored - microphone_m[axis])
            bounces.append(np.concatenate([np.abs(2 * order), np.abs(2 * order - 1)]))
        x, y, z = np.meshgrid(*(offset**2 for offset in offsets), indexing="ij", sparse=True)
        distance_m = np.sqrt(x + y + z).ravel()
        i, j, k = np.meshgrid(*bounces, indexing="ij", sparse=True)
        gain = self.reflection ** (i + j + k).ravel() / np.maximum(distance_m, 0.05)
        heard = distance_m < reach_s * SPEED_OF_SOUND_M_S
        return distance_m[heard], gain[heard]


class StreamingConvolution:
    """Several paths that end in one microphone, block by block (overlap-add), whatever the length of the paths.

    Args:
        responses: One impulse response a path.
        block_samples: Length of the blocks.
    """

    def __init__(self, responses: list[Samples], block_samples: int) -> None:
        longest = max(len(response) for response in responses)
        self._block = block_samples
        self._size = 1 << (block_samples + longest - 2).bit_length()
        self._spectra = [np.fft.rfft(response, self._size) for response in responses]
        self._tail = np.zeros(self._size)

    def process(self, *blocks: Samples) -> Samples:
        """The microphone's block for one block of each path, shape ``(block_samples,)``."""
        spectrum = sum(
            (np.fft.rfft(block, self._size) * response for block, response in zip(blocks, self._spectra, strict=True)),
            start=np.zeros(self._size // 2 + 1, complex),
        )
        self._tail += np.fft.irfft(spectrum, self._size)
        heard = self._tail[: self._block].astype(np.float32)
        self._tail = np.concatenate([self._tail[self._block :], np.zeros(self._block)])
        return heard
