"""A Ray cluster: the one of an address, or one that lives on this machine as long as the program."""

from __future__ import annotations

from typing import Any

from spike_engine.errors import ConnectionFailed
from spike_engine.extras import require


def connect(address: str, purpose: str) -> Any:
    """The module ``ray``, connected.

    Args:
        address: ``"local"`` for this machine's processors, or what ``ray.init`` takes: ``ray://host:10001``, ``auto``.
        purpose: What it is for, for the error that says that Ray is missing.

    Raises:
        MissingExtra: Ray is not installed.
        ConnectionFailed: There is no cluster at `address`.
    """
    require("ray", purpose, extra="ray")
    import ray  # noqa: PLC0415 (an extra)

    if not ray.is_initialized():
        where = {"include_dashboard": False} if address == "local" else {"address": address}
        try:
            ray.init(log_to_driver=False, configure_logging=False, **where)
        except Exception as error:  # ray raises whatever its own connection makes it stumble over
            raise ConnectionFailed(
                f"there is no Ray cluster at {address!r}: {error or type(error).__name__}"
            ) from error
    return ray
