"""One WebRTC connection with the user's client: tracks, data channel and the watch over both."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp
from aiortc.stats import RTCInboundRtpStreamStats

from spike_engine.protocols.rtvi import encode_signalling
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.safety import Pace
from spike_engine.server.tracks import AvatarTrack, VoiceTrack
from spike_engine.webrtc import improve
from spike_engine.webrtc.closing import close, step
from spike_engine.webrtc.silence import SILENCE_LIMIT_S, until_silent
from spike_engine.webrtc.strangers import MOST_CANDIDATES, checked, outlive_nonsense

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 15.0
FLUSH_TIMEOUT_S = 0.3
MAX_MESSAGE_CHARS = 64 * 1024
MAX_MESSAGES_PER_S = 100  # what comes faster is dropped


class BadOffer(ValueError):
    """The client's offer or candidate makes no connection; the message says why."""


class PeerListener(Protocol):
    """Who wants to know what happens on a connection."""

    def on_message(self, peer: Peer, text: str) -> None:
        """A text arrived on the data channel, pings excluded."""

    def on_lost(self, peer: Peer) -> None:
        """The client hung up or has been silent for too long; called at most once, never after `close`."""


class Peer:
    """One peer connection, from offer to close. A conversation that is rejoined gets a new one.

    Attributes:
        voice: The track on which the AI speaks.
        tracks: The client's "audio" and "video", as far as it sends them.
    """

    def __init__(self, peer_id: str, avatar: Avatar, listener: PeerListener) -> None:
        self.id = peer_id
        self.voice = VoiceTrack()
        self.tracks: dict[str, MediaStreamTrack] = {}
        self._face = AvatarTrack(avatar, self.voice)
        self._listener = listener
        self._pc = improve(RTCPeerConnection(RTCConfiguration(iceServers=[])))
        self._pc.on("track", self._on_track)
        self._pc.on("datachannel", self._on_channel)
        self._pc.on("connectionstatechange", self._on_state)
        self._channel: RTCDataChannel | None = None
        self._watch: asyncio.Task[None] | None = None
        self._gone = False
        self._trickled = 0
        self._pace = Pace(MAX_MESSAGES_PER_S, time.monotonic)

    async def answer(self, sdp: str, sdp_type: str) -> RTCSessionDescription:
        """Accept the client's offer, the first or a later one, and return the answer with all candidates.

        Raises:
            BadOffer: It is no offer, or has no audio or no data channel.
        """
        # Browsers hide their addresses behind names of multicast DNS. Where nobody can look those up, aiortc would take
        # "no more candidates" for the end, before the client's own checks have arrived and told its address.
        sdp = sdp.replace("a=end-of-candidates\r\n", "")
        try:
            await step(self._pc, self._pc.setRemoteDescription(RTCSessionDescription(sdp=checked(sdp), type=sdp_type)))
        except Exception as error:  # aiortc's parser raises whatever the text makes it stumble over
            raise BadOffer(f"the offer cannot be read: {error!r}") from error
        outlive_nonsense(self._pc.sctp)
        self._attach_tracks()
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_over())
        await step(self._pc, self._pc.setLocalDescription(await self._pc.createAnswer()))
        return self._pc.localDescription

    async def add_candidates(self, candidates: Sequence[dict[str, Any]]) -> None:
        """Add what the client trickled: ``{candidate, sdp_mid, sdp_mline_index}`` each (RFC 8838)."""
        self._trickled += len(candidates)
        if self._trickled > MOST_CANDIDATES:
            raise BadOffer(f"a connection has at most {MOST_CANDIDATES} candidates")
        for fields in candidates:
            line = str(fields["candidate"]).removeprefix("candidate:")
            if not line:  # the end of the candidates
                continue
            try:
                candidate = candidate_from_sdp(line)
                candidate.sdpMid, candidate.sdpMLineIndex = fields.get("sdp_mid"), fields.get("sdp_mline_index")
                await self._pc.addIceCandidate(candidate)
            except Exception as error:  # aiortc's parser raises whatever the text makes it stumble over
                raise BadOffer(f"this is no ICE candidate: {line[:80]!r}") from error

    def send(self, text: str) -> None:
        """Send `text` on the data channel; without an open one it is lost, as on any broken connection."""
        if self._channel and self._channel.readyState == "open":
            self._channel.send(text)

    async def packets(self) -> tuple[int, int]:
        """How many packets of the client's sound and pictures were received, and how many lost."""
        streams = [each for each in (await self._pc.getStats()).values() if isinstance(each, RTCInboundRtpStreamStats)]
        return sum(each.packetsReceived for each in streams), sum(each.packetsLost for each in streams)

    async def close(self, *, say_goodbye: bool = False) -> None:
        """Close everything; with `say_goodbye` tell the client first that the conversation is over."""
        self._gone = True
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if say_goodbye:
            self.send(encode_signalling("peerLeft"))
            await self._flush()
        self.voice.stop()
        self._face.stop()
        await close(self._pc)

    def _attach_tracks(self) -> None:
        kinds = {transceiver.kind for transceiver in self._pc.getTransceivers()}
        if "audio" not in kinds or self._pc.sctp is None:
            raise BadOffer("the offer must contain audio and a data channel")
        attached = {sender.track for sender in self._pc.getSenders()}
        for track in (self.voice, self._face):
            if track.kind in kinds and track not in attached:
                self._pc.addTrack(track)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.tracks[track.kind] = track

    def _on_channel(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        channel.on("message", self._on_message)
        channel.on("close", self._lose)

    def _on_message(self, message: str | bytes) -> None:
        if not isinstance(message, str) or len(message) > MAX_MESSAGE_CHARS or message.startswith("ping"):
            return
        if self._pace.allows():
            self._listener.on_message(self, message)

    def _on_state(self) -> None:
        logger.debug("peer %s is %s", self.id, self._pc.connectionState)
        if self._pc.connectionState in {"failed", "closed"}:
            self._lose()

    def _lose(self) -> None:
        if not self._gone:
            self._gone = True
            self._listener.on_lost(self)

    async def _watch_over(self) -> None:
        def limit_s() -> float:
            return SILENCE_LIMIT_S if self._channel else CONNECT_TIMEOUT_S

        await until_silent(self._pc, limit_s)
        logger.info("peer %s has been silent for %g s", self.id, limit_s())
        self._lose()

    async def _flush(self) -> None:
        """Give the last message time to leave."""
        if not self._channel or self._channel.readyState != "open" or not self._channel.bufferedAmount:
            return
        sent = asyncio.Event()
        self._channel.once("bufferedamountlow", sent.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await sent.wait()
