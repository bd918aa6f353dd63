"""What strangers wrote, for a person to read."""

from __future__ import annotations

import os


def printable(text: str) -> str:
    """`text` without what steers a terminal: a server, a file or a device may have given it."""
    return "".join(character if character.isprintable() else " " for character in text)


def reason_of(error: OSError) -> str:
    """Why the system refused, in its own words: asyncio and aiohttp put sentences of theirs in the place of them."""
    number = error.errno or 0  # below 0 it is the resolver's, which has words of its own
    return os.strerror(number) if number > 0 else error.strerror or str(error)
