"""What the numbers of a server may be."""

from __future__ import annotations

from spike_engine.dsp.settings import MOST_WHOLE, whole


def check_number(name: str, value: object, least: int, most: int = MOST_WHOLE) -> None:
    """Raise a TypeError or a ValueError unless `value` is a whole number from `least` to `most`."""
    if not least <= whole(name, value) <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {value}")


def check_ports(ports: object) -> None:
    """Raise a TypeError or a ValueError unless `ports` are the first and the last of a range of ports."""
    pair = ports if isinstance(ports, tuple | list) else ()
    if len(pair) != 2 or not 1 <= whole("a port", pair[0]) <= whole("a port", pair[1]) <= 65535:
        raise ValueError(f"udp_ports are the first and the last of a range from 1 to 65535, not {ports!r}")
