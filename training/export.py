"""Writes a checkpoint as the file that the core reads, and a reference run beside it for the tests.

python training/export.py --checkpoint DIR/checkpoint.pt --out python/spike_engine/weights/noise.spkw \
    --reference tests/dsp/data/noise_reference.npz

The file's layout stands in `cpp/dsp/neural/weights.hpp`. `write_weights` takes the state of any network made of
`torch.nn.Linear` and single-layer `torch.nn.GRU` modules; `quantized` gives the weights as the core will have them.
"""

from __future__ import annotations

import argparse
import struct
import zlib
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy.signal
import torch
from bands import edges_bins
from network import FRAMES, Suppressor
from numpy.typing import NDArray

MAGIC, VERSION = b"SPKWGT\0\0", 1
FLOATS, MATRIX = 0, 1
ALIGNMENT, BLOCK_ROWS, MOST_COLUMNS = 64, 16, 512
Arrays = dict[str, NDArray[np.float32]]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def rounded(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The matrix as int8, and what 1 stands for in each row."""
    scales = np.maximum(np.abs(matrix).max(1), 1e-12).astype(np.float32) / np.float32(127)
    return np.clip(np.round(matrix / scales[:, None]), -127, 127).astype(np.int8), scales


def packed(matrix: NDArray[np.float32]) -> bytes:
    """Blocks of 16 rows, in a block pairs of columns, in a pair the rows; then the rows' scales."""
    rows, columns = matrix.shape
    if columns > MOST_COLUMNS:
        raise ValueError(f"a matrix may have {MOST_COLUMNS} columns, not {columns}")
    weights, scales = rounded(matrix)
    whole = np.zeros((-(-rows // BLOCK_ROWS) * BLOCK_ROWS, columns + columns % 2), np.int8)
    whole[:rows, :columns] = weights
    blocks = whole.reshape(-1, BLOCK_ROWS, whole.shape[1] // 2, 2).transpose(0, 2, 1, 3)
    return padded(np.ascontiguousarray(blocks).tobytes()) + scales.tobytes()


def tensors_of(network: torch.nn.Module) -> Arrays:
    """Weights and biases by the names that the core's layers look for."""
    state = {name.replace("_l0", ""): value.numpy().astype(np.float32) for name, value in network.state_dict().items()}
    return {name: value if value.ndim == 2 else value[None] for name, value in state.items()}


def write_weights(path: Path, tensors: Arrays) -> None:
    """`tensors` of two dimensions; names that hold ".weight" become int8 matrices, all others stay float32."""
    data_begin = -(-(20 + 48 * len(tensors)) // ALIGNMENT) * ALIGNMENT
    table, data = b"", b""
    for name, value in tensors.items():
        kind = MATRIX if ".weight" in name else FLOATS
        table += name.encode().ljust(32, b"\0")
        table += struct.pack("<4I", kind, *value.shape, data_begin + len(data))
        data += padded(packed(value) if kind == MATRIX else value.astype("<f4").tobytes())
    checked = (struct.pack("<I", len(tensors)) + table).ljust(data_begin - 16, b"\0") + data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MAGIC + struct.pack("<2I", VERSION, zlib.crc32(checked)) + checked)


Network = TypeVar("Network", bound=torch.nn.Module)


def quantized(network: torch.nn.Module) -> torch.nn.Module:
    """The network with its weights as the file holds them."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if ".weight" in name:
                weights, scales = rounded(value.numpy())
                value.copy_(torch.from_numpy(weights * scales[:, None]))
    return network


def averaged(network: Network, checkpoints: list[Path]) -> Network:
    """With the averaged weights of a checkpoint, or the mean of several (Wortsman et al. 2022), ready to run."""
    states = [torch.load(checkpoint, weights_only=True)["averaged"] for checkpoint in checkpoints]
    means = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0] if "." in name}
    network.load_state_dict({name.removeprefix("module."): value for name, value in means.items()})
    return network.eval()


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
