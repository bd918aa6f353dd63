"""Signed tokens that let one client into one conversation until they expire."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import jwt

from spike_engine.dsp.settings import real

ALGORITHM = "HS256"
MOST_CHARS = 4096
MOST_LIFETIME_S = 10 * 365 * 86_400.0
CLOCK_SKEW_S = 60.0  # that the clock of another server with the same secret may be ahead
SECRET_BYTES = 32  # RFC 7518, section 3.2: a key for HS256 has at least the 256 bits of the hash


class TokenRejected(Exception):
    """The token does not open this conversation; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A JSON Web Token (RFC 7519) and when it expires, in seconds since the epoch."""

    text: str
    expires_at: float


class TokenIssuer:
    """Issues and verifies the tokens of one server.

    Without `secret` the server makes a random one, so that its tokens die with it.

    Raises:
        ValueError: `secret` is shorter than 32 bytes, or `lifetime_s` is not positive or longer than ten years.
        TypeError: One of them is of another type.
    """

    def __init__(self, secret: bytes | None = None, *, lifetime_s: float = 3600.0) -> None:
        if not isinstance(secret, bytes | None):
            raise TypeError(f"secret must be bytes, not {type(secret).__name__}")
        if secret is not None and len(secret) < SECRET_BYTES:
            raise ValueError(f"secret has {len(secret)} bytes; HS256 needs at least {SECRET_BYTES}")
        if not 0 < real("lifetime_s", lifetime_s) <= MOST_LIFETIME_S:
            raise ValueError(f"lifetime_s must be positive, and no more than ten years, not {lifetime_s}")
        self._secret = secret or secrets.token_bytes(SECRET_BYTES)
        self._lifetime_s = lifetime_s

    def issue(self, conversation_id: str, *, lifetime_s: float | None = None) -> Token:
        """A token for `conversation_id`; a `lifetime_s` of zero or less makes one that has expired, for tests."""
        now_s = time.time()
        expires_at = now_s + (self._lifetime_s if lifetime_s is None else lifetime_s)
        claims = {"sub": conversation_id, "iat": int(now_s), "exp": int(expires_at)}
        return Token(jwt.encode(claims, self._secret, ALGORITHM), float(int(expires_at)))

    def verify(self, text: str, conversation_id: str) -> None:
        """Raise `TokenRejected` unless `text` is a valid token of `conversation_id`."""
        if len(text) > MOST_CHARS or not text.isascii():  # PyJWT parses a header before it verifies it
            raise TokenRejected("the token is malformed")
        try:
            # When it was issued says nothing: a clock that was set back since would shut out everybody.
            options: jwt.types.Options = {"require": ["sub", "exp"], "verify_iat": False, "verify_nbf": False}
            claims = jwt.decode(text, self._secret, [ALGORITHM], options=options)
        except jwt.ExpiredSignatureError as error:
            raise TokenRejected("the token has expired") from error
        except (jwt.InvalidTokenError, RecursionError, ValueError) as error:
            raise TokenRejected("the token is malformed or was signed by another server") from error
        not_before = claims.get("nbf", 0)
        if not isinstance(not_before, int | float):
            raise TokenRejected("the token is malformed: its nbf is no time")
        if not not_before <= time.time() + CLOCK_SKEW_S:  # NaN is no time, either
            raise TokenRejected("the token is not valid yet: this clock, or that of whoever issued it, is wrong")
        if claims["sub"] != conversation_id:
            raise TokenRejected("the token belongs to another conversation")
