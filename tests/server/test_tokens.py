from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import jwt
import pytest

from spike_engine.server.tokens import TokenIssuer, TokenRejected

SECRET = bytes(range(32))


def test_a_token_opens_its_conversation() -> None:
    issuer = TokenIssuer()
    issuer.verify(issuer.issue("conv_a").text, "conv_a")


def test_a_token_says_when_it_expires() -> None:
    token = TokenIssuer(SECRET, lifetime_s=60).issue("conv_a")

    assert time.time() + 58 < token.expires_at <= time.time() + 60
    assert jwt.decode(token.text, SECRET, ["HS256"])["exp"] == token.expires_at


def test_a_server_with_the_same_secret_accepts_it() -> None:
    TokenIssuer(SECRET).verify(TokenIssuer(SECRET).issue("conv_a").text, "conv_a")


def test_an_expired_token_is_rejected() -> None:
    issuer = TokenIssuer()
    with pytest.raises(TokenRejected, match="expired"):
        issuer.verify(issuer.issue("conv_a", lifetime_s=-1).text, "conv_a")


def test_a_clock_that_was_set_back_since_shuts_nobody_out() -> None:
    claims = {"sub": "conv_a", "iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}

    TokenIssuer(SECRET).verify(jwt.encode(claims, SECRET, "HS256"), "conv_a")


@pytest.mark.parametrize(
    ("from_s", "says"), [(50, None), (120, "not valid yet"), ("soon", "malformed"), ([], "malformed")]
)
def test_the_clock_of_whoever_issued_it_may_be_a_minute_ahead(from_s: Any, says: str | None) -> None:
    not_before = time.time() + from_s if isinstance(from_s, int) else from_s
    token = jwt.encode({"sub": "conv_a", "nbf": not_before, "exp": int(time.time()) + 7200}, SECRET, "HS256")

    with pytest.raises(TokenRejected, match=says) if says else nullcontext():
        TokenIssuer(SECRET).verify(token, "conv_a")


def test_the_token_of_another_conversation_is_rejected() -> None:
    issuer = TokenIssuer()
    with pytest.raises(TokenRejected, match="another conversation"):
        issuer.verify(issuer.issue("conv_a").text, "conv_b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "a.b.c",
        TokenIssuer().issue("conv_a").text,  # of another server
        jwt.encode({"sub": "conv_a", "exp": time.time() + 60}, None, "none"),
        jwt.encode({"sub": "conv_a"}, SECRET, "HS256"),  # never expires
        jwt.encode({"exp": time.time() + 60}, SECRET, "HS256"),
    ],
    ids=["empty", "garbage", "dots", "foreign", "unsigned", "endless", "nobody's"],
)
def test_what_was_not_issued_here_is_rejected(text: str) -> None:
    with pytest.raises(TokenRejected, match="malformed"):
        TokenIssuer(SECRET).verify(text, "conv_a")


def test_a_weak_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        TokenIssuer(b"secret")


def test_a_lifetime_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        TokenIssuer(lifetime_s=0)
