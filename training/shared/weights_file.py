"""The file of weights that the core reads, whose layout stands in `cpp/dsp/neural/weights.hpp`.

`write_weights` takes the tensors of any network made of `torch.nn.Linear` and single-layer `torch.nn.GRU` modules.
Tests read files with this, too, so that it does without torch.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

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


def read_weights(path: Path) -> Arrays:
    """What `write_weights` wrote, matrices as the core has them."""
    file = path.read_bytes()
    if file[:8] != MAGIC or struct.unpack_from("<2I", file, 8) != (VERSION, zlib.crc32(file[16:])):
        raise ValueError(f"{path} is damaged, or of another version than {VERSION}")
    (count,) = struct.unpack_from("<I", file, 16)
    return dict(_tensor(file, 20 + 48 * i) for i in range(count))


def _tensor(file: bytes, entry: int) -> tuple[str, NDArray[np.float32]]:
    name = file[entry : entry + 32].rstrip(b"\0").decode()
    kind, rows, columns, begin = struct.unpack_from("<4I", file, entry + 32)
    if kind == FLOATS:
        return name, np.frombuffer(file, "<f4", rows * columns, begin).reshape(rows, columns)
    whole_rows, whole_columns = -(-rows // BLOCK_ROWS) * BLOCK_ROWS, columns + columns % 2
    blocks = np.frombuffer(file, np.int8, whole_rows * whole_columns, begin)
    blocks = blocks.reshape(-1, whole_columns // 2, BLOCK_ROWS, 2).transpose(0, 2, 1, 3)
    scales = np.frombuffer(file, "<f4", rows, begin + len(padded(blocks.tobytes())))
    return name, blocks.reshape(whole_rows, whole_columns)[:rows, :columns] * scales[:, None]
