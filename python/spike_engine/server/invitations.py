"""Codes that open one conversation each: what the page's address carries instead of a token."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict

LIFETIME_S = 24 * 3600.0
REMEMBERED = 1024


class InvitationCodes:
    """Gives out codes and takes each back once.

    Only hashes are kept: neither a look into the memory nor the time that looking one up takes gives a code away.
    """

    def __init__(self, lifetime_s: float = LIFETIME_S) -> None:
        self._lifetime_s = lifetime_s
        self._expiry: OrderedDict[bytes, float] = OrderedDict()

    def issue(self) -> str:
        """A new code, 128 bits of chance as text for an address; the oldest of very many is forgotten."""
        code = secrets.token_urlsafe(16)
        self._expiry[_digest(code)] = time.monotonic() + self._lifetime_s
        if len(self._expiry) > REMEMBERED:
            self._expiry.popitem(last=False)
        return code

    def redeem(self, code: str) -> bool:
        """Whether `code` was given out, has not expired and is used for the first time."""
        expiry_s = self._expiry.pop(_digest(code), 0.0)
        return time.monotonic() < expiry_s


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogateescape")).digest()
