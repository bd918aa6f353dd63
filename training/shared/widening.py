"""More hidden units for a network that has learned already, without changing what it answers.

Method: T. Chen, I. Goodfellow and J. Shlens, "Net2Net: accelerating learning via knowledge transfer", ICLR 2016. Some
units come twice, and who listens to both takes a part of its weight from each, not the same of both, so that the two
go different ways from then on.
"""

from __future__ import annotations

import numpy as np
from training.shared.weights_file import Arrays

RECURRENT, HEADS = ("first", "second"), ("gains", "filters", "voice")


def widened(tensors: Arrays, hidden: int, seed: int = 1) -> Arrays:
    """The tensors of a mask network with `hidden` units, at most twice as many as it has."""
    units = len(tensors["inputs.weight"])
    random = np.random.default_rng(seed)
    twice = random.choice(units, hidden - units, replace=False)
    source = np.concatenate([np.arange(units), twice])
    gates = np.concatenate([gate * units + source for gate in range(3)])
    share = np.ones(hidden, np.float32)
    share[units:] = random.uniform(0.3, 0.7, len(twice))
    share[twice] = 1 - share[units:]
    wide = dict(tensors)
    wide["inputs.weight"], wide["inputs.bias"] = tensors["inputs.weight"][source], tensors["inputs.bias"][:, source]
    for layer in RECURRENT:
        for side in ("ih", "hh"):
            wide[f"{layer}.weight_{side}"] = tensors[f"{layer}.weight_{side}"][gates][:, source] * share
            wide[f"{layer}.bias_{side}"] = tensors[f"{layer}.bias_{side}"][:, gates]
    for head in HEADS:
        wide[f"{head}.weight"] = tensors[f"{head}.weight"][:, source] * share
    return wide
