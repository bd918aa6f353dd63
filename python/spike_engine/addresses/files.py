"""Names of files, for FFmpeg."""

from __future__ import annotations

from pathlib import Path

# What is in a file cannot make FFmpeg open other files or the network, as a playlist would.
NO_OTHER_FILES = {"protocol_whitelist": "file"}


def file_address(path: Path) -> str:
    """`path` as an address: in a bare name, FFmpeg takes what is before a colon (``12:30.wav``) for a protocol."""
    return f"file:{path}"
