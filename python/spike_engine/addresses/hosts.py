"""Where the host of an address is: on this machine, on a private network, or anywhere."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_PRIVATE_NETWORKS = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


def is_on_this_machine(url: str) -> bool:
    """Whether `url` names this machine: ``localhost``, a name below it, or a loopback address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if is_local_name(host):
        return True
    address = _address_of(host.rstrip("."))
    if address is None:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def is_local_name(host: str) -> bool:
    """Whether `host` is ``localhost`` or a name below it: no name server is asked for those (RFC 6761 section 6.3)."""
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def is_on_the_local_network(url: str) -> bool:
    """Whether `url` names a machine of a private network (RFC 1918, RFC 4193) by its address; names lead anywhere."""
    try:
        address = _address_of(urlsplit(url).hostname or "")
    except ValueError:
        return False
    return address is not None and any(
        address in network for network in _PRIVATE_NETWORKS if network.version == address.version
    )


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
