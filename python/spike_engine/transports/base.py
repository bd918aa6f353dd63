"""What every transport does, and what it tells its client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from spike_engine.errors import SpikeError
from spike_engine.events import DisconnectReason, TransportStats
from spike_engine.protocols.base import WireProtocol

__all__ = ["LocalTracks", "Transport", "TransportListener", "TransportStats"]


@dataclass(frozen=True, slots=True)
class LocalTracks:
    """What the client sends. None for an audio track still receives the AI's voice.

    Attributes:
        audio: The processed microphone, an aiortc track.
        video: The camera, an aiortc track.
        wants_video: Receive the AI's picture.
    """

    audio: Any = None
    video: Any = None
    wants_video: bool = True


class TransportListener(Protocol):
    """What a transport reports to its client, always on the loop that connected it."""

    def on_message(self, text: str) -> None:
        """A text of the server's."""

    def on_track(self, track: Any) -> None:
        """A remote track, an aiortc track with its ``kind``, exists from now on."""

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None:
        """The connection is gone, though nobody called :meth:`Transport.close`."""


class Transport(Protocol):
    """One connection to a conversation. After :meth:`close` it can connect again.

    Attributes:
        carries_video: False where pictures go neither way, so that no camera needs to be opened.
    """

    carries_video: bool

    def create_protocol(self) -> WireProtocol:
        """What the server's messages mean, for one connection."""

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        """Return when media and messages can flow.

        A second call after a lost connection takes up the same conversation where the server can.

        Raises:
            ConnectionFailed: The server is unreachable, refuses, or answers something that makes no connection.
            TokenExpired: The server does not accept the token.
            ConversationEnded: The server does not have this conversation any more.
        """

    def send(self, text: str) -> None:
        """Send a text to the server; without a connection it is dropped."""

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """Tell the server that the local ``"audio"`` or ``"video"`` is muted or not."""

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None:
        """Send no more than these bit rates from now on, and protect the voice where a share of `loss` is lost."""

    async def get_stats(self) -> TransportStats:
        """The connection in figures; zeros without one."""

    async def close(self) -> None:
        """Leave the conversation and free everything. Never raises, and may be called twice."""
