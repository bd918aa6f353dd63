"""What can be read in a conversation's token."""

from __future__ import annotations

import base64

from spike_engine.errors import TokenExpired
from spike_engine.protocols.strict_json import object_of, parse


def token_expiry(token: str) -> float | None:
    """The ``exp`` claim of a JSON Web Token (RFC 7519) in seconds of the epoch; None where there is none to read."""
    try:
        payload = token.split(".")[1]
        claims = object_of(parse(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, OverflowError):
        return None


def check_token(token: str, now_s: float) -> None:
    """Spare the server a token that says itself that it has expired.

    Raises:
        TokenExpired: Its ``exp`` claim lies before `now_s`, seconds of the epoch.
    """
    expiry_s = token_expiry(token)
    if expiry_s is not None and expiry_s <= now_s:
        raise TokenExpired(f"the token expired {now_s - expiry_s:.0f} s ago: fetch a new one")
