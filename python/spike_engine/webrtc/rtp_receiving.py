"""RTP of a voice (RFC 3550) from the socket to its receiver in one go: no task wakes up for a packet."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any, NamedTuple

import pylibsrtp

from spike_engine.webrtc.remote_voice import RemoteVoice
from spike_engine.webrtc.shared_reading import running_reading

_HEADER = struct.Struct("!BBHLL")
_PADDING, _EXTENSION, _MOST_SOURCES = 0x20, 0x10, 0x0F
_MOST_BYTES = 1500  # pylibsrtp raises for more, which would end the connection
_RTP = range(128, 192)  # by its first byte (RFC 7983)
_RTCP = range(192, 224)  # by its second byte (RFC 5761 section 4)


class VoicePacket(NamedTuple):
    """One packet, with as much of its header as a receiver of voice needs."""

    sequence_number: int
    timestamp: int
    ssrc: int
    payload_type: int
    marker: int
    payload: bytes


def parsed(packet: bytes) -> VoicePacket | None:
    """The packet without its contributing sources, extension and padding; None where those do not fit into it."""
    first, second, sequence_number, timestamp, ssrc = _HEADER.unpack_from(packet)
    begin = _HEADER.size + 4 * (first & _MOST_SOURCES)
    if first & _EXTENSION:
        begin += 4 + 4 * int.from_bytes(packet[begin + 2 : begin + 4], "big")
    padding = packet[-1] if first & _PADDING else 0
    end = len(packet) - padding
    if begin > end or (first & _PADDING and not padding):
        return None
    return VoicePacket(sequence_number, timestamp, ssrc, second & 0x7F, second >> 7, packet[begin:end])


class RtpReceiving:
    """Takes the packets of one voice out of a connection's, before aiortc queues them for a task.

    Whose they are aiortc finds out by the first packet of a source, which goes the old way. Everything else does so
    too: RTCP, pictures, codecs that aiortc decodes.

    Args:
        receiver: aiortc's, which has begun.
        voice: Takes the packets.
    """

    def __init__(self, receiver: Any, voice: RemoteVoice) -> None:
        self._receiver = receiver
        self._voice = voice
        self._dtls = receiver.transport
        connection = self._dtls.transport._connection
        self._otherwise = connection.data_received
        connection.data_received = self.data_received
        for protocol in connection._protocols:
            running_reading().add(protocol)

    def data_received(self, data: bytes, component: int) -> None:
        """A datagram came that is none of ICE's own (aioice's `data_received`)."""
        if len(data) > _MOST_BYTES and data[0] in _RTP:
            return
        if not self._is_ours(data):
            self._otherwise(data, component)
            return
        dtls, receiver = self._dtls, self._receiver
        dtls._RTCDtlsTransport__rx_bytes += len(data)
        dtls._RTCDtlsTransport__rx_packets += 1
        try:
            packet = parsed(dtls._rx_srtp.unprotect(data))
        except pylibsrtp.Error:  # repeated, or not from who it says
            return
        if packet is None or not receiver._enabled:
            return
        receiver._RTCRtpReceiver__active_ssrc[packet.ssrc] = dt.datetime.now(dt.UTC)
        receiver._RTCRtpReceiver__remote_streams[packet.ssrc].add(packet)
        self._voice.add(packet)

    def _is_ours(self, data: bytes) -> bool:
        if len(data) < _HEADER.size or data[0] not in _RTP or data[1] in _RTCP:
            return False
        ssrc = int.from_bytes(data[8:12], "big")
        return (
            self._dtls._rtp_router.ssrc_table.get(ssrc) is self._receiver
            and ssrc in self._receiver._RTCRtpReceiver__remote_streams
            and self._voice.takes(data[1] & 0x7F)
            and self._dtls._task is not None
        )
