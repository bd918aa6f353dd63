"""One line that makes any aiortc connection hear and speak through a network that loses packets."""

from __future__ import annotations

import logging
from typing import Any, Literal

from aiortc import RTCPeerConnection, RTCSessionDescription

from spike_engine.webrtc import seam
from spike_engine.webrtc.descriptions import RED_PAYLOAD_TYPE, ask_for_resilience, asks_for_dtx, red_payload_type
from spike_engine.webrtc.handshake import Doubled, Flights, hurry_association, repeat_checks
from spike_engine.webrtc.steady import bound_reports, measure_steadily
from spike_engine.webrtc.voice_sender import RED_FROM_LOSS, VoiceSender

logger = logging.getLogger(__name__)

_IMPROVEMENT = "_spike_improvement"


def improve(pc: RTCPeerConnection, *, copies: Literal["always", "on loss"] = "always") -> RTCPeerConnection:
    """Give `pc`, which has not begun to negotiate, a voice that survives a real network; returns it.

    Voices that it receives pass a native jitter buffer, which reorders, conceals what is lost, and plays as early as
    the network allows. Voices that it sends are encoded natively, with error correction and, where the other side takes
    it, redundancy (RFC 2198) that follow its reports. Connecting takes less time where packets get lost. Everything
    else, the tracks and their ``recv`` included, is used as before: a remote voice gives mono frames of 20 ms at
    48 kHz, without gaps.

    On a version of aiortc whose insides are not known, a warning is logged and `pc` stays as it is.

    Args:
        pc: The connection.
        copies: When the other side is to send each piece of its voice twice. Browsers know only always and never:
            ``"on loss"`` is never for them, and saves half of what a voice takes on networks that lose nothing.
    """
    if improvement_of(pc) is None:
        if reason := seam.unknown():
            logger.warning("aiortc goes on as before: %s", reason)
        else:
            measure_steadily()
            setattr(pc, _IMPROVEMENT, Improvement(pc, copies))
    return pc


def improvement_of(pc: RTCPeerConnection) -> Improvement | None:
    """What :func:`improve` has done to `pc`; None where it did nothing."""
    return getattr(pc, _IMPROVEMENT, None)


class Improvement:
    """Follows the negotiation of one connection and does its part at each step.

    Attributes:
        senders: What encodes the voices that are sent, by aiortc's sender.
    """

    def __init__(self, pc: Any, copies: Literal["always", "on loss"]) -> None:
        self.senders: dict[Any, VoiceSender] = {}
        self._pc = pc
        self._steadied: set[Any] = set()
        self._timed: set[Any] = set()  # what sends pictures
        self._doubled: set[Any] = set()
        self._create_offer, self._create_answer = pc.createOffer, pc.createAnswer
        self._set_local, self._set_remote = pc.setLocalDescription, pc.setRemoteDescription
        self._always = copies == "always"
        self._red: int | None = None  # what the other side names
        self._dtx = False  # what it prefers
        pc.createOffer, pc.createAnswer = self._offer, self._answer
        pc.setLocalDescription, pc.setRemoteDescription = self._use_local, self._use_remote
        pc.on("track", lambda _: self._take_hold())

    def limit_voices(self, bitrate_bps: int) -> None:
        """Encode each voice that is sent with this bit rate."""
        for voice in self.senders.values():
            voice.bitrate_bps = bitrate_bps

    @property
    def kept_ms(self) -> float | None:
        """How long the other side keeps our voice before it plays it; None where it says nothing."""
        return max((voice.kept_ms for voice in self.senders.values() if voice.kept_ms is not None), default=None)

    async def _offer(self) -> RTCSessionDescription:
        offer = await self._create_offer()
        red = self._red or RED_PAYLOAD_TYPE
        return RTCSessionDescription(ask_for_resilience(offer.sdp, red=red, always=self._always), offer.type)

    async def _answer(self) -> RTCSessionDescription:
        answer = await self._create_answer()
        return RTCSessionDescription(ask_for_resilience(answer.sdp, red=self._red, always=self._always), answer.type)

    async def _use_local(self, description: RTCSessionDescription | None = None) -> None:
        if description is None:
            answers = self._pc.signalingState == "have-remote-offer"
            description = await (self._answer() if answers else self._offer())
        self._take_hold()
        await self._set_local(description)
        self._take_hold()

    async def _use_remote(self, description: RTCSessionDescription) -> None:
        self._red, self._dtx = red_payload_type(description.sdp), asks_for_dtx(description.sdp)
        await self._set_remote(description)
        self._take_hold()

    def _take_hold(self) -> None:
        """Do what is to be done to the parts that are there by now, before they begin."""
        transports = {transceiver.receiver.transport for transceiver in self._pc.getTransceivers()}
        for transceiver in self._pc.getTransceivers():
            if transceiver.receiver not in self._steadied:
                self._steadied.add(transceiver.receiver)
                bound_reports(transceiver.receiver)
            if transceiver.kind == "audio":
                self._take_voice(transceiver)
            else:
                self._take_pictures(transceiver)
        if sctp := self._pc.sctp:
            transports.add(sctp.transport)
            if sctp not in self._steadied:
                self._steadied.add(sctp)
                hurry_association(sctp)
            if sctp.transport not in self._doubled:
                self._doubled.add(sctp.transport)
                Doubled(sctp.transport, self._loses)
        for transport in transports:
            repeat_checks(transport.transport._connection)
            if transport not in self._steadied:
                self._steadied.add(transport)
                Flights(transport)

    def _loses(self) -> bool:
        return any(voice.loss >= RED_FROM_LOSS for voice in self.senders.values())

    def _take_voice(self, transceiver: Any) -> None:
        if transceiver.receiver.track:
            seam.hear(transceiver.receiver, lambda: self._red)
        if transceiver.sender not in self.senders:
            self.senders[transceiver.sender] = seam.speak(
                transceiver.sender, transceiver.receiver, lambda: self._red, lambda: self._dtx
            )

    def _take_pictures(self, transceiver: Any) -> None:
        if transceiver.receiver.track:
            seam.see(transceiver.receiver)
        if transceiver.sender not in self._timed:
            self._timed.add(transceiver.sender)
            seam.tell_time(transceiver.sender)
