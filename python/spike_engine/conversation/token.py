"""What can be read in a conversation's token."""

from __future__ import annotations

import base64

from spike_engine.errors import TokenExpired
from spike_engine.protocols.strict_json import object_of, parse

# What clocks may differ by. A token that has expired for less may be alive by the server's clock: the server decides.
CLOCK_SKEW_S = 300.0


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
        TokenExpired: Its ``exp`` claim lies five minutes or more before `now_s`, seconds of the epoch.
    """
    expiry_s = token_expiry(token)
    if expiry_s is not None and expiry_s <= now_s - CLOCK_SKEW_S:
        ago_s = now_s - expiry_s
        raise TokenExpired(f"by this machine's clock the token expired {ago_s:.0f} s ago: fetch a new one")
