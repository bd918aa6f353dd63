"""Names of files, for FFmpeg."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

# What is in a file cannot make FFmpeg open other files or the network, as a playlist would.
NO_OTHER_FILES = {"protocol_whitelist": "file"}


def file_address(path: Path) -> str:
    """`path` as an address: in a bare name, FFmpeg takes what is before a colon (``12:30.wav``) for a protocol."""
    return f"file:{path}"


def input_address(path: Path) -> str:
    """The `file_address` of a file that can be read from its beginning as often as one likes.

    Raises:
        OSError: It is not there, or it is a pipe or a device, which would be waited for.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.ESPIPE, "it is a pipe or a device: write it into a file first")
    return file_address(path)
