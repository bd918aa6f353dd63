"""What strangers wrote, for a person to read."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` without what steers a terminal: a server, a file or a device may have given it."""
    return "".join(character if character.isprintable() else " " for character in text)
