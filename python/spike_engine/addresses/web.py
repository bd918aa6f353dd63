"""Addresses of conversations: what is accepted, who may have the token, and which proxy leads there."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from spike_engine.errors import InvalidOption

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PRIVATE_NETWORKS = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


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
        valid = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
        valid = valid and all(character.isprintable() for character in text)
        (parts.hostname or "").encode("idna")
    except ValueError:
        valid = False
    if not valid:
        raise InvalidOption(f"{option} must be an http:// or https:// address, not {url!r}")
    if "@" in parts.netloc:
        raise InvalidOption(f"{option} must hold no user name and no password: they go into token")
    return urlunsplit(parts._replace(fragment=""))


def extended(url: str, path: str) -> str:
    """`url` with `path` at the end of its path, and its query as it was."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454)."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``.

    What is on this machine is asked directly.
    """
    parts = urlsplit(url)
    if _is_here(parts):
        return None
    proxies = getproxies_environment()
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    if proxy_bypass_environment(host, proxies):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def is_in_the_clear(url: str) -> bool:
    """Whether strangers on the way can read what is sent to `url`.

    A program or a proxy on this machine is no such way; how the proxy goes on is its affair.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or _is_here(parts):
        return False
    proxy = proxy_for(url)
    return proxy is None or not _is_here(urlsplit(proxy))


def is_on_the_local_network(url: str) -> bool:
    """Whether `url` names a machine of a private network (RFC 1918, RFC 4193) by its address; names lead anywhere."""
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE_NETWORKS if network.version == address.version)


def is_on_this_machine(url: str) -> bool:
    """Whether `url` names this machine: ``localhost`` or a loopback address."""
    try:
        return _is_here(urlsplit(url))
    except ValueError:
        return False


def _is_here(parts: SplitResult) -> bool:
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified
