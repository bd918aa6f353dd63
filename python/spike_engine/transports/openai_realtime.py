"""OpenAI Realtime over WebRTC: voice only; one HTTP request, and the data channel ``oai-events``."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from spike_engine.options import ClientOptions
from spike_engine.protocols.openai import OpenAIProtocol
from spike_engine.transports.base import LocalTracks, TransportListener
from spike_engine.transports.http import Http
from spike_engine.transports.peer import Peer
from spike_engine.transports.single import SinglePeer


class OpenAIRealtimeTransport(SinglePeer):
    """One Realtime call. Implements :class:`~spike_engine.transports.base.Transport`.

    The API keeps no call whose connection broke: connecting again begins another, with the same token.

    Attributes:
        call_id: What the server calls this call; None before it is connected.
    """

    carries_video = False

    def __init__(self, options: ClientOptions) -> None:
        super().__init__(options)
        self.call_id: str | None = None
        self._url = calls_url(options.conversation_url)
        self._http = Http.of(options)

    def create_protocol(self) -> OpenAIProtocol:
        """See :meth:`Transport.create_protocol`."""
        return OpenAIProtocol()

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        """See :meth:`Transport.connect`; pictures are neither sent nor received."""
        await self.close()
        peer = self._peer = await Peer.create(self._options, listener, channel="oai-events")
        try:
            offer = await peer.create_offer(LocalTracks(audio=media.audio, wants_video=False))
            headers = {"Content-Type": "application/sdp"}
            answer = await self._http.request("POST", self._url, accept=(200, 201), headers=headers, data=offer.sdp)
            self.call_id = answer.headers.get("location", "").rstrip("/").rpartition("/")[2] or None
            await peer.late_candidates()  # the API takes none: it sees where we are from our own checks
            await peer.accept(answer.text)
        except BaseException:
            await self.close()
            raise

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """See :meth:`Transport.set_track_enabled`: the API has no word for it, a muted microphone sends silence."""


def calls_url(conversation_url: str) -> str:
    """Where calls are made: ``https://api.openai.com`` and ``https://api.openai.com/v1`` are enough to name it."""
    parts = urlsplit(conversation_url)
    path = parts.path.rstrip("/")
    if not path.endswith("/realtime/calls"):
        path = f"{path or '/v1'}/realtime/calls"
    return urlunsplit(parts._replace(path=path))
