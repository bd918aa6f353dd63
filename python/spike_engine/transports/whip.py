"""WHIP and WHEP: media out and media in, each by one HTTP request; no messages (RFC 9725, draft-ietf-wish-whep)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import urljoin, urlsplit

from spike_engine.addresses.web import checked, shown
from spike_engine.errors import ConnectionFailed, SpikeError
from spike_engine.events import DisconnectReason
from spike_engine.options import ClientOptions
from spike_engine.protocols.media_only import MediaOnlyProtocol
from spike_engine.transports.base import LocalTracks, TransportListener, TransportStats
from spike_engine.transports.http import Answer, Http
from spike_engine.transports.peer import Peer

GOODBYE_TIMEOUT_S = 1.0


class WhipTransport:
    """Publishes to a WHIP endpoint, plays from a WHEP one. Implements :class:`~spike_engine.transports.base.Transport`.

    Args:
        options: `conversation_url` is the WHIP endpoint.
        play_url: The WHEP endpoint; by default the same address with ``whep`` for ``whip``.
    """

    carries_video = True

    def __init__(self, options: ClientOptions, play_url: str | None = None) -> None:
        self._options = options
        self._publish_url = options.conversation_url
        self._play_url = play_url or _sibling(options.conversation_url)
        self._http = Http.of(options, self._play_url)
        self._peers: list[tuple[Peer, str | None]] = []
        self._reported = False

    def create_protocol(self) -> MediaOnlyProtocol:
        """See :meth:`Transport.create_protocol`: who speaks is told from the sound."""
        return MediaOnlyProtocol()

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        """See :meth:`Transport.connect`."""
        await self.close()
        self._reported = False
        both = _Both(listener, self._on_closed_once)
        try:
            if media.audio or media.video:
                out = LocalTracks(media.audio, media.video, wants_video=media.video is not None)
                await self._open(self._publish_url, out, both, receives=False)
            await self._open(self._play_url, LocalTracks(wants_video=media.wants_video), both, receives=True)
        except BaseException:
            await self.close()
            raise

    def send(self, text: str) -> None:
        """See :meth:`Transport.send`: there is no channel to send it on."""

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """See :meth:`Transport.set_track_enabled`: muted, silence and black pictures are sent."""

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None:
        """See :meth:`Transport.set_limits`."""
        for peer, _ in self._peers:
            peer.set_limits(audio_bps=audio_bps, video_bps=video_bps, loss=loss)

    async def get_stats(self) -> TransportStats:
        """See :meth:`Transport.get_stats`: counts of both connections, round trip and loss of the one that sends."""
        stats = [await peer.get_stats() for peer, _ in self._peers]
        if not stats:
            return TransportStats()
        first, last = stats[0], stats[-1]
        return TransportStats(
            packets_received=sum(one.packets_received for one in stats),
            packets_lost=sum(one.packets_lost for one in stats),
            packets_sent=sum(one.packets_sent for one in stats),
            bytes_received=sum(one.bytes_received for one in stats),
            bytes_sent=sum(one.bytes_sent for one in stats),
            round_trip_time_ms=first.round_trip_time_ms,
            jitter_ms=last.jitter_ms,
            outbound_loss=first.outbound_loss,
            path=first.path,
            estimate_bps=first.estimate_bps,
        )

    async def close(self) -> None:
        """See :meth:`Transport.close`; the server is told by DELETE, as RFC 9725 section 4.2 has it."""
        while self._peers:
            peer, resource = self._peers[0]
            if resource:
                with contextlib.suppress(SpikeError, TimeoutError):
                    async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                        await self._http.request("DELETE", resource, accept=(200, 202, 204))
            await peer.close()
            self._peers = [left for left in self._peers if left[0] is not peer]

    async def _open(self, url: str, media: LocalTracks, listener: TransportListener, *, receives: bool) -> None:
        peer = await Peer.create(self._options, listener, channel=None, receives=receives)
        self._peers.append((peer, None))
        offer = await peer.create_offer(media)
        accept = (201, 406) if receives else (201,)
        answer = await self._send_sdp("POST", url, offer.sdp, accept)
        resource = _resource_of(answer)
        self._peers[-1] = peer, resource
        if answer.status == 201:
            await self._trickle(peer, resource, answer.headers.get("etag"))
            await peer.accept(answer.text)
        else:
            await self._accept_offer(answer.text, resource, listener)

    async def _trickle(self, peer: Peer, resource: str, etag: str | None) -> None:
        """Send the candidates that the offer did not have yet (RFC 9725 section 4.3); a server need not take them.

        One that does not, whatever it answers, will see where we are from our own checks.
        """
        if gathering := await peer.late_candidates():
            headers = {"Content-Type": "application/trickle-ice-sdpfrag"} | ({"If-Match": etag} if etag else {})
            with contextlib.suppress(SpikeError):
                await self._http.request(
                    "PATCH", resource, accept=(200, 204), headers=headers, data=gathering.fragment()
                )

    async def _accept_offer(self, offer: str, resource: str, listener: TransportListener) -> None:
        """A WHEP server may refuse the offer and make one itself, which is answered by PATCH."""
        await self._peers[-1][0].close()
        peer = await Peer.create(self._options, listener, channel=None)
        self._peers[-1] = peer, resource
        answer = await peer.create_answer(offer)
        await self._send_sdp("PATCH", resource, answer.sdp, (200, 204))
        await peer.opened()

    async def _send_sdp(self, method: str, url: str, sdp: str, accept: tuple[int, ...]) -> Answer:
        headers = {"Content-Type": "application/sdp"}
        return await self._http.request(method, url, accept=accept, headers=headers, data=sdp)

    def _on_closed_once(self) -> bool:
        before, self._reported = self._reported, True
        return not before


class _Both:
    """Listens to two connections as if they were one."""

    def __init__(self, listener: TransportListener, is_first: Any) -> None:
        self._listener = listener
        self._is_first = is_first

    def on_message(self, text: str) -> None:
        self._listener.on_message(text)

    def on_track(self, track: Any) -> None:
        self._listener.on_track(track)

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None:
        if self._is_first():
            self._listener.on_closed(reason, error)


def _resource_of(answer: Answer) -> str:
    """Where the session is, to be changed and ended."""
    try:
        return checked(urljoin(answer.url, answer.headers["location"]), "Location")
    except (KeyError, ValueError) as error:
        raise ConnectionFailed(f"{shown(answer.url)} names no resource for the session (Location)") from error


def _sibling(publish_url: str) -> str:
    parts = urlsplit(publish_url)
    head, found, tail = parts.path.rpartition("whip")
    return parts._replace(path=f"{head}whep{tail}").geturl() if found else publish_url
