"""Writes a checkpoint as the file that the core reads, and a reference run beside it for the tests.

python -m training.noise.export --checkpoint DIR/checkpoint.pt --out python/spike_engine/weights/noise.spkw \
    --reference tests/dsp/data/noise_reference.npz

`quantized` gives the weights as the core will have them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scipy.signal
import torch
from training.noise.bands import edges_bins
from training.noise.network import FRAMES, Suppressor
from training.shared.checkpoint import averaged, quantized
from training.shared.weights_file import tensors_of, write_weights


def write_reference(path: Path, network: Suppressor, frames: int = 150) -> None:
    """Vowels in noise, as heard and as cleaned: pulses through three formants, in syllables."""
    random, t = np.random.default_rng(5), np.arange(frames * FRAMES.hop) / 48000
    pulses = np.diff(np.floor(np.cumsum(140 + 25 * np.sin(2 * np.pi * 0.9 * t)) / 48000), prepend=0.0)
    for formant_hz, bandwidth_hz in ((600, 90), (1300, 110), (2500, 160)):
        decay = np.exp(-np.pi * bandwidth_hz / 48000)
        turn = np.cos(2 * np.pi * formant_hz / 48000)
        pulses = scipy.signal.lfilter([1 - decay], [1, -2 * decay * turn, decay**2], pulses)
    vowels = pulses * np.sin(np.pi * np.minimum((3 * t) % 1.4, 1)) ** 2
    heard = 12000 * vowels / np.abs(vowels).max() + 2400 * random.standard_normal(len(t))
    samples = np.round(heard).astype(np.int16)
    with torch.no_grad():
        cleaned, voice = network(FRAMES.analyse(torch.from_numpy(samples / np.float32(32768))[None]))
        cleaned = FRAMES.synthesise(cleaned)
    path.parent.mkdir(parents=True, exist_ok=True)
    voice = torch.sigmoid(voice)
    np.savez_compressed(path, samples=samples, cleaned=cleaned[0].numpy(), voice=voice[0].numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, type=Path, nargs="+")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    network = averaged(Suppressor(), options.checkpoint)
    write_weights(options.out, {**tensors_of(network), "bands.edges": edges_bins().astype(np.float32)[None]})
    if options.reference:
        write_reference(options.reference, quantized(network))


if __name__ == "__main__":
    main()
