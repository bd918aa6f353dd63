"""STUN and TURN servers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spike_engine.errors import InvalidOption

_ADDRESS = re.compile(r"(stuns?|turns?):(?P<host>[\w.-]+)(:(?P<port>\d{1,5}))?(\?transport=(udp|tcp))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 8489, RFC 8656).

    Attributes:
        urls: ``stun:host:port``, ``turn:host:port``, ``turn:host:port?transport=tcp`` or ``turns:host:port``; one or
            several.
        username: For TURN.
        credential: The password for TURN.
    """

    urls: str | tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, value: object) -> IceServer:
        """From an address, or a mapping of the form that browsers take.

        Raises:
            InvalidOption: It is neither.
        """
        if isinstance(value, str):
            return cls.of({"urls": value})
        if isinstance(value, cls):
            return cls.of({"urls": value.urls, "username": value.username, "credential": value.credential})
        fields = value if isinstance(value, Mapping) else {}
        urls, username, credential = fields.get("urls"), fields.get("username"), fields.get("credential")
        addresses = [urls] if isinstance(urls, str) else list(urls) if isinstance(urls, Sequence) else []
        if not addresses or not all(_is_address(address) for address in addresses):
            what = repr(urls) if fields else type(value).__name__  # a password stays out of messages and logs
            raise InvalidOption(
                "ice_servers must hold addresses that begin with stun:, turn: or turns:, such as "
                f'turn:host:3478?transport=tcp, or mappings {{"urls", "username", "credential"}}, not {what}'
            )
        for name, text in (("username", username), ("credential", credential)):
            if not isinstance(text, str | None):
                raise InvalidOption(f"the {name} of an ICE server must be text, not {type(text).__name__}")
        return cls(urls if isinstance(urls, str) else tuple(addresses), username, credential)

    @property
    def all_urls(self) -> tuple[str, ...]:
        """`urls` as a tuple."""
        return (self.urls,) if isinstance(self.urls, str) else self.urls


def _is_address(value: object) -> bool:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    return match is not None and 0 < int(match["port"] or 1) <= 65535 and not _names_way_of_stun(match)


def _names_way_of_stun(match: re.Match[str]) -> bool:
    return match[1].startswith("stun") and match[5] is not None  # RFC 7064 has none
