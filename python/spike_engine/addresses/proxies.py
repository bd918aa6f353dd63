"""Which proxy the environment names for an address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies_environment

from spike_engine.addresses.hosts import is_on_this_machine
from spike_engine.errors import InvalidOption


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``.

    What is on this machine is asked directly. ``NO_PROXY`` holds hosts with all that is below them, with or without a
    port, and networks such as ``10.0.0.0/8``.

    Raises:
        InvalidOption: It is no HTTP proxy. The message does not repeat it: it may hold a password.
    """
    parts = urlsplit(url)
    proxies = getproxies_environment()
    proxy = (proxies.get(parts.scheme) or proxies.get("all") or "").strip()
    if not proxy or is_on_this_machine(url) or _is_left_out(parts, proxies.get("no", "")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        named = urlsplit(proxy)
        usable = named.scheme in ("http", "https") and bool(named.hostname) and named.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidOption(
            f"the proxy that the environment names for {parts.scheme}:// must be an http:// or https:// address; "
            "SOCKS is not supported"
        )
    return proxy


def _is_left_out(parts: SplitResult, exceptions: str) -> bool:
    host = (parts.hostname or "").rstrip(".")
    return any(_matches(host, parts.port, exception) for exception in _entries(exceptions))


def _entries(exceptions: str) -> Iterator[str]:
    for entry in exceptions.lower().split(","):
        if stripped := entry.strip():
            yield stripped


def _matches(host: str, port: int | None, exception: str) -> bool:
    if exception == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(exception.strip("[]"), strict=False)
    except (ValueError, TypeError):  # one of them is a name
        pass
    name, colon, wanted = exception.partition(":")
    if colon and wanted != str(port):
        return False
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
