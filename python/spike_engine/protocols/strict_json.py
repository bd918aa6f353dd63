"""JSON (RFC 8259) as it crosses the wire, in both directions.

Python's own module takes and makes more than the standard has: NaN and Infinity, which no other side can read. And what
a stranger sends may be nested deeper than a program can walk through.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from spike_engine.errors import InvalidOption

MOST_CHARS = 1 << 20
DEEPEST = 100  # programs walk through messages, too, and with more stack than a parser


def parse(text: str | bytes) -> Any:
    """What `text` says.

    Raises:
        ValueError: It is no JSON, longer than `MOST_CHARS` or nested deeper than `DEEPEST`.
    """
    if len(text) > MOST_CHARS:
        raise ValueError(f"longer than {MOST_CHARS} characters")
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST}") from None
    _check_depth(value)
    return value


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The object that `text` says; None where it says something else, or nothing."""
    try:
        value = parse(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def write(value: Any) -> str:
    """`value` as a text of JSON.

    Raises:
        InvalidOption: JSON cannot hold it: NaN, infinity, half a surrogate pair, an object of another type.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidOption(f"a message holds what JSON cannot: {error}") from error
    return text


def text_or_none(value: object) -> str | None:
    """`value` where it is text that a person can be shown; None where it is anything else."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def text_of(value: object) -> str:
    """The same, and an empty text where there is none."""
    return text_or_none(value) or ""


def object_of(value: object) -> dict[str, Any]:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEEPEST}")
