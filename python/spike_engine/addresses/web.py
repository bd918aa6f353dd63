"""Addresses of conversations: what is accepted, how they are shown, and who may have the token."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

from spike_engine.addresses.hosts import is_on_this_machine
from spike_engine.addresses.proxies import proxy_for
from spike_engine.addresses.text import printable
from spike_engine.errors import InvalidOption

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(%(25)?[\w.~-]+)?\]|[\w.-]+)(:\d*)?")
_SHOWN = 200  # characters of an address in a message


def checked(url: object, option: str = "conversation_url") -> str:
    """`url` without blanks around it and without its fragment, which is never sent (RFC 9110 section 7.1).

    Raises:
        InvalidOption: It is no http:// or https:// address, or holds a user name or a password.
    """
    if not isinstance(url, str):
        raise InvalidOption(f"{option} must be a string, not {type(url).__name__}")
    text = url.strip()
    try:
        parts = urlsplit(text)
        if "@" in parts.netloc:
            raise InvalidOption(f"{option} must hold no user name and no password: they go into token")
        valid = parts.scheme in _DEFAULT_PORTS and bool(_HOST.fullmatch(parts.netloc)) and parts.port != 0
        valid = valid and all(character.isprintable() for character in text)
        (parts.hostname or "").encode("idna")
    except InvalidOption:
        raise
    except ValueError:
        valid = False
    if not valid:
        raise InvalidOption(f"{option} must be an http:// or https:// address, not {shown(url)!r}")
    netloc = parts.netloc.replace("%25", "%")  # how RFC 6874 writes what names a link-local address's network
    return urlunsplit(parts._replace(netloc=netloc, fragment=""))


def shown(url: str) -> str:
    """`url` for messages and logs: not longer than a line, and without what may be a secret, its query and password."""
    text = re.sub(r"//[^/?#]*@", "//...@", url)
    text = re.sub(r"\?.+", "?...", text, flags=re.DOTALL)
    return printable(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def extended(url: str, path: str) -> str:
    """`url` with `path` at the end of its path, and its query as it was."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def is_in_the_clear(url: str) -> bool:
    """Whether strangers on the way can read what is sent to `url`.

    A program or a proxy on this machine is no such way; how the proxy goes on is its affair.

    Raises:
        InvalidOption: The environment names a proxy that is none.
    """
    if urlsplit(url).scheme == "https" or is_on_this_machine(url):
        return False
    proxy = proxy_for(url)
    return proxy is None or not is_on_this_machine(proxy)
