"""What a setting may be, said in words where it is something else."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

MOST_WHOLE = 2**31 - 1  # what the native stages take; each has its own, lower bounds


def whole(name: str, value: Any) -> int:
    """`value` as an int: a whole number of any type, 44100.0 too.

    Raises:
        TypeError: It is no number.
        ValueError: It is not whole, or far too large.
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a whole number, not {_shown(value)}")
    if not isinstance(value, Integral) and not float(value).is_integer():  # what is not finite neither
        raise ValueError(f"{name} must be a whole number, not {_shown(value)}")
    number: int = int(value)  # type: ignore[call-overload]
    if abs(number) > MOST_WHOLE:
        raise ValueError(f"{name} is out of range: {_shown(value)}")
    return number


def real(name: str, value: Any) -> float:
    """`value` as a float: the native stages know their bounds.

    Raises:
        TypeError: It is no number.
        ValueError: It is larger than any float.
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a number, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is out of range: {_shown(value)}") from None


def flag(name: str, value: Any) -> bool:
    """`value` as a bool; TypeError for anything that is none."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {_shown(value)}")
    return bool(value)


def choice(name: str, value: Any, *accepted: str) -> str:
    """`value`, which is one of the words `accepted`; ValueError for anything else."""
    if not isinstance(value, str) or value not in accepted:
        *first, last = (repr(word) for word in accepted)
        raise ValueError(f"{name} must be {', '.join(first)} or {last}, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, int) and value.bit_length() > 128:  # Python writes none of more than 4300 digits
        return f"a number of {value.bit_length()} bits"
    return repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
