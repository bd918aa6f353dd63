"""What the engine does to aiortc, for the client, the server and any other program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spike_engine.webrtc.improving import improve

__all__ = ["improve"]


def __getattr__(name: str) -> Any:
    if name == "improve":
        from spike_engine.webrtc.improving import improve  # noqa: PLC0415 (aiortc loads at first use)

        return improve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
