"""What every transport over aiortc shares: one peer connection, its data channel, its watchdog and its figures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.stats import RTCInboundRtpStreamStats, RTCRemoteInboundRtpStreamStats, RTCTransportStats

from spike_engine.errors import ConnectionFailed, ConversationEnded, InvalidOption, SpikeError
from spike_engine.events import DisconnectReason, TransportStats
from spike_engine.options import ClientOptions, IceServer
from spike_engine.transports.base import LocalTracks, TransportListener
from spike_engine.webrtc.closing import close, step
from spike_engine.webrtc.encoders import PictureEncoder, install
from spike_engine.webrtc.gathering import Gathering
from spike_engine.webrtc.improving import improve, improvement_of
from spike_engine.webrtc.probe import answering
from spike_engine.webrtc.silence import SILENCE_LIMIT_S, until_silent
from spike_engine.webrtc.strangers import checked, outlive_nonsense, why_unusable

CLOSE_TIMEOUT_S = 2.0
FIRST_VIDEO_BPS = 500_000  # before anybody has said what the network can take


class Peer:
    """One peer connection, from offer to close. It is used once.

    Args:
        listener: Takes messages, tracks and the end of the connection.
        channel: The label of the data channel; None for a connection without one.
        receives: Take tracks from the server; False only sends.
        configuration: Of aiortc's.
    """

    @classmethod
    async def create(
        cls,
        options: ClientOptions,
        listener: TransportListener,
        *,
        channel: str | None,
        ice_servers: Sequence[IceServer] = (),
        receives: bool = True,
    ) -> Peer:
        """One with those ICE servers that answer, of the options' and of those that the conversation's server named.

        Raises:
            ConnectionFailed: An address of theirs is none.
        """
        servers = [*(IceServer.of(server) for server in options.ice_servers), *ice_servers]
        try:
            configuration = _configuration(await answering(servers), options.ice_transport_policy)
        except ValueError as error:
            raise ConnectionFailed(f"the ICE servers are not usable: {error}") from error
        return cls(listener, channel=channel, receives=receives, configuration=configuration)

    def __init__(
        self, listener: TransportListener, *, channel: str | None, receives: bool, configuration: RTCConfiguration
    ) -> None:
        self._relay_only = configuration.iceTransportPolicy == RTCIceTransportPolicy.RELAY
        self._receives = receives
        self._listener = listener
        self._label = channel
        self._pc = improve(RTCPeerConnection(configuration))
        self._gathering = Gathering(self._pc)
        self._channel: RTCDataChannel | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watch: asyncio.Task[None] | None = None
        self._encoders: dict[Any, PictureEncoder | None] = {}
        self._trickles = False
        self._closing = False
        if receives:  # aiortc has a remote track for a sendonly one, too
            self._pc.on("track", listener.on_track)
        self._pc.on("connectionstatechange", self._on_state)

    async def create_offer(self, media: LocalTracks) -> RTCSessionDescription:
        """The offer that sends and receives `media`; what it lacks of candidates, :meth:`late_candidates` gives later.

        Raises:
            ConnectionFailed: There is no address to be reached by.
        """
        self.add_transceiver("audio", media.audio)
        if media.wants_video:
            self.add_transceiver("video", media.video)
        if self._label is not None:  # last: aiortc's bundle needs a transceiver to carry it
            self._channel = self._pc.createDataChannel(self._label, ordered=True)
            self._channel.on("open", self._on_open)
            self._channel.on("close", self._on_lost)
            self._channel.on("message", self._on_message)
            outlive_nonsense(self._pc.sctp)
        try:
            self._trickles = not await self._gathering.start()
        except (OSError, ValueError) as error:
            raise ConnectionFailed(f"the ICE servers are not usable: {error}") from error
        offer = await self.renew_offer()
        if not self._trickles:
            self._check_candidates()
        return offer

    async def late_candidates(self) -> Gathering | None:
        """All candidates, when the last has been found; None where the offer had them all.

        Raises:
            ConnectionFailed: There is no address to be reached by.
        """
        if not self._trickles:
            return None
        try:
            await self._gathering.finish()
        except (OSError, ValueError) as error:
            raise ConnectionFailed(f"the ICE servers are not usable: {error}") from error
        self._check_candidates()
        return self._gathering

    async def create_answer(self, offer: str) -> RTCSessionDescription:
        """The answer to a server that makes the offer itself; nothing is sent. Then wait for :meth:`opened`.

        Raises:
            ConnectionFailed: The offer is not usable.
        """
        try:
            await step(self._pc, self._pc.setRemoteDescription(RTCSessionDescription(sdp=checked(offer), type="offer")))
            await step(self._pc, self._pc.setLocalDescription(await self._pc.createAnswer()))
        except Exception as error:  # aiortc's parser raises whatever the text makes it stumble over
            raise ConnectionFailed(f"the server's offer is not usable: {why_unusable(error)}") from error
        return self._pc.localDescription

    async def opened(self) -> None:
        """Return when messages, or at least media, can flow.

        Raises:
            ConnectionFailed: There is no path to the server.
        """
        await self._opened

    async def renew_offer(self) -> RTCSessionDescription:
        """An offer for the connection as it is, also in the middle of it (JSEP, RFC 8829)."""
        await step(self._pc, self._pc.setLocalDescription(await self._pc.createOffer()))
        return self._pc.localDescription

    def _check_candidates(self) -> None:
        if not self._gathering.candidates():  # aioice leaves loopback out
            raise ConnectionFailed(
                "no TURN server gave an address, and ice_transport_policy is 'relay'"
                if self._relay_only
                else "this machine has no network address besides loopback, which ICE does not use"
            )

    async def accept(self, sdp: str) -> None:
        """Apply the server's answer, a first or a later one, and wait until messages, or at least media, can flow.

        Raises:
            ConnectionFailed: The answer is not usable, or there is no path to the server.
        """
        try:
            answer = RTCSessionDescription(sdp=checked(sdp, self._pc.localDescription.sdp), type="answer")
            await step(self._pc, self._pc.setRemoteDescription(answer))
        except SpikeError:
            raise
        except Exception as error:  # aiortc's parser raises whatever the text makes it stumble over
            raise ConnectionFailed(f"the server's answer is not usable: {why_unusable(error)}") from error
        for transceiver in self._pc.getTransceivers():
            if transceiver not in self._encoders and transceiver.sender.track:
                self._encoders[transceiver] = install(transceiver, video_bps=FIRST_VIDEO_BPS)
        await self._opened

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None:
        """See :meth:`~spike_engine.transports.base.Transport.set_limits`."""
        for encoder in self._encoders.values():
            if encoder:
                encoder.limit(video_bps)
        if improvement := improvement_of(self._pc):
            improvement.limit_voices(audio_bps)

    def add_transceiver(self, kind: str, track: Any) -> None:
        """Send `track` and receive its kind; without a track only receive."""
        if track or self._receives:
            direction = "recvonly" if not track else "sendrecv" if self._receives else "sendonly"
            self._pc.addTransceiver(track or kind, direction=direction)

    def send(self, text: str) -> None:
        """Send `text` on the data channel; without an open one it is dropped.

        Raises:
            InvalidOption: It is longer than the server takes.
        """
        if self._channel and self._channel.readyState == "open":
            try:
                self._channel.send(text)
            except ValueError as error:
                raise InvalidOption(f"the message is longer than the server takes: {error}") from error

    async def get_stats(self) -> TransportStats:
        """The connection in figures."""
        totals: dict[str, Any] = {}
        lost, jitter_ms, round_trip_s, outbound_loss = 0, None, None, 0.0
        for stats in (await self._pc.getStats()).values():
            if isinstance(stats, RTCTransportStats):
                totals = {
                    "packets_received": stats.packetsReceived,
                    "packets_sent": stats.packetsSent,
                    "bytes_received": stats.bytesReceived,
                    "bytes_sent": stats.bytesSent,
                }
            elif isinstance(stats, RTCInboundRtpStreamStats):
                lost += stats.packetsLost
                if stats.kind == "audio":
                    jitter_ms = stats.jitter / 48.0  # in samples of Opus's 48 kHz clock
            elif isinstance(stats, RTCRemoteInboundRtpStreamStats):
                outbound_loss = max(outbound_loss, stats.fractionLost / 256)  # RFC 3550: an eighth-bit fraction
                if stats.roundTripTime is not None:
                    round_trip_s = max(round_trip_s or 0.0, stats.roundTripTime)
        improvement = improvement_of(self._pc)
        return TransportStats(
            **totals,
            packets_lost=lost,
            jitter_ms=jitter_ms,
            round_trip_time_ms=None if round_trip_s is None else round_trip_s * 1000,
            outbound_loss=outbound_loss,
            path=self._path(),
            voice_kept_ms=improvement.kept_ms if improvement else None,
            estimate_bps=self._estimate_bps(),
        )

    def _estimate_bps(self) -> int | None:
        pictures = (encoder for encoder in self._encoders.values() if encoder)
        return next((encoder.estimate_bps for encoder in pictures), None)

    def _path(self) -> str | None:
        """The type of our candidate in the pair that ICE has chosen; aiortc has no call for it."""
        for transceiver in self._pc.getTransceivers():
            ice = transceiver.receiver.transport.transport
            for pair in getattr(ice._connection, "_nominated", {}).values():
                return str(pair.local_candidate.type)
        return None

    async def close(self) -> None:
        """Free everything. Never raises, and may be called twice."""
        self._closing = True
        await self._gathering.close()
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if not self._opened.cancel() and not self._opened.cancelled():
            self._opened.exception()  # who waited has heard it, or has heard of a fault before it
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await close(self._pc)

    def _on_open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)
            self._watch = asyncio.create_task(self._watch_over())

    def _on_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._listener.on_message(message)

    def _on_state(self) -> None:
        match self._pc.connectionState:
            case "connected" if self._label is None:
                self._on_open()
            case "failed":
                self._on_failed(DisconnectReason.NETWORK, ConnectionFailed(self._why_failed()))
            case "closed":
                self._on_lost()

    def _why_failed(self) -> str:
        if self._pc.iceConnectionState == "failed":
            return "no path to the server (ICE failed)"
        return "the server is reached, but no encrypted connection could be made with it (DTLS failed)"

    def _on_lost(self) -> None:
        """The server said good-bye on DTLS or SCTP: it is alive, and has ended the call."""
        self._on_failed(DisconnectReason.ENDED, ConversationEnded("the server closed the connection"))

    def _on_failed(self, reason: DisconnectReason, error: SpikeError) -> None:
        if self._closing:
            return
        if not self._opened.done():
            self._opened.set_exception(error)
        else:
            self._closing = True
            self._listener.on_closed(reason, error)

    async def _watch_over(self) -> None:
        await until_silent(self._pc, lambda: SILENCE_LIMIT_S)
        self._on_failed(DisconnectReason.NETWORK, ConnectionFailed(f"the server was silent for {SILENCE_LIMIT_S:g} s"))


def _configuration(servers: Sequence[IceServer], policy: str) -> RTCConfiguration:
    return RTCConfiguration(
        iceServers=[
            RTCIceServer(list(server.all_urls), username=server.username, credential=server.credential)
            for server in servers
        ],
        iceTransportPolicy=RTCIceTransportPolicy(policy),
    )
