"""Which transport a conversation is reached by."""

from __future__ import annotations

from spike_engine.options import ClientOptions
from spike_engine.transports.base import Transport


def create_transport(options: ClientOptions) -> Transport:
    """The transport that `options` ask for; by its address where they leave it open."""
    if callable(options.transport):
        transport: Transport = options.transport(options)
        return transport
    from spike_engine.transports.smallwebrtc import SmallWebRTCTransport  # noqa: PLC0415 (aiortc loads at first use)

    return SmallWebRTCTransport(options)
