"""What transports share that need one peer connection and no more."""

from __future__ import annotations

from spike_engine.events import TransportStats
from spike_engine.options import ClientOptions
from spike_engine.transports.peer import Peer


class SinglePeer:
    """Passes on to its peer connection, while there is one."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._peer: Peer | None = None

    def send(self, text: str) -> None:
        """See :meth:`Transport.send`."""
        if self._peer:
            self._peer.send(text)

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None:
        """See :meth:`Transport.set_limits`."""
        if self._peer:
            self._peer.set_limits(audio_bps=audio_bps, video_bps=video_bps, loss=loss)

    async def get_stats(self) -> TransportStats:
        """See :meth:`Transport.get_stats`."""
        return await self._peer.get_stats() if self._peer else TransportStats()

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        if peer := self._peer:
            await peer.close()
            self._peer = None if self._peer is peer else self._peer
