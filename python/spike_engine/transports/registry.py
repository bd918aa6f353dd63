"""Which transport a conversation is reached by."""

from __future__ import annotations

from urllib.parse import urlsplit

from spike_engine.extras import MissingExtra
from spike_engine.options import ClientOptions
from spike_engine.transports.base import Transport

# Each is imported when it is chosen: aiortc loads at first use, daily-python may not be there at all.
# ruff: noqa: PLC0415


def create_transport(options: ClientOptions) -> Transport:
    """The transport that `options` ask for; by its address where they leave it open.

    Raises:
        MissingExtra: What the transport needs is not installed; the message says how to get it.
    """
    if callable(options.transport):
        transport: Transport = options.transport(options)
        return transport
    match options.transport or transport_of(options.conversation_url):
        case "openai":
            from spike_engine.transports.openai_realtime import OpenAIRealtimeTransport

            return OpenAIRealtimeTransport(options)
        case "whip":
            from spike_engine.transports.whip import WhipTransport

            return WhipTransport(options)
        case "daily":
            try:
                from spike_engine.transports.daily import DailyTransport
            except ImportError as error:
                message = 'Daily rooms need daily-python: pip install "spike-engine[daily]"'
                raise MissingExtra(message, name="daily") from error

            return DailyTransport(options)
        case _:
            from spike_engine.transports.smallwebrtc import SmallWebRTCTransport

            return SmallWebRTCTransport(options)


def transport_of(conversation_url: str) -> str:
    """The name of the transport that an address stands for."""
    parts = urlsplit(conversation_url)
    host, path = parts.hostname or "", parts.path.rstrip("/")
    if host == "daily.co" or host.endswith(".daily.co"):
        return "daily"
    if host == "api.openai.com" or path.endswith("/realtime/calls"):
        return "openai"
    if {"whip", "whep"} & set(path.split("/")):
        return "whip"
    return "smallwebrtc"
