"""Where the engine reaches into aiortc's receiver and sender, for each version that it knows.

aiortc decodes and encodes by itself and offers no hook for another codec path. What is used here of its insides was
read in the versions below; :func:`unknown` looks whether they are still there. Where they are not, nothing is touched.
What takes their place, in `rtp_receiving` and `rtp_sending`, keeps aiortc's counters.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import aiortc
from aioice import Connection
from aiortc import RTCDtlsTransport, RTCRtpCodecParameters, RTCRtpReceiver, RTCRtpSender, RTCSctpTransport
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters, RTCRtpSendParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, StreamStatistics
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import RtcpRrPacket, RtcpSrPacket

from spike_engine.webrtc.extended_reports import WithDelay, delays_in
from spike_engine.webrtc.remote_pictures import RemotePictures
from spike_engine.webrtc.remote_voice import RemoteVoice
from spike_engine.webrtc.rtp_receiving import RtpReceiving
from spike_engine.webrtc.rtp_sending import RtpSending
from spike_engine.webrtc.sender_reports import CaptureClock, SenderClock
from spike_engine.webrtc.voice_sender import VoiceSender

logger = logging.getLogger(__name__)

KNOWN_VERSIONS = ("1.14", "1.15", "1.16")
_JITTER_BUFFER = "_RTCRtpReceiver__jitter_buffer"
_LAST_REPORT = "_RTCRtpSender__lsr"

_pictures: WeakKeyDictionary[Any, RemotePictures] = WeakKeyDictionary()


def unknown() -> str | None:
    """Why this aiortc's insides are not those that we know; None where they are."""
    if not aiortc.__version__.startswith(tuple(f"{version}." for version in KNOWN_VERSIONS)):
        return f"aiortc {aiortc.__version__} is none of {', '.join(KNOWN_VERSIONS)}"
    expected: list[tuple[Any, str, list[str]]] = [
        (JitterBuffer, "add", ["self", "packet"]),
        (JitterBuffer, "_remove_frame", ["self", "sequence_number"]),
        (RTCRtpReceiver, "receive", ["self", "parameters"]),
        (RTCRtpReceiver, "_handle_rtcp_packet", ["self", "packet"]),
        (RTCRtpReceiver, "_send_rtcp", ["self", "packet"]),
        (RTCRtpSender, "send", ["self", "parameters"]),
        (RTCRtpSender, "_run_rtp", ["self", "codec"]),
        (RTCRtpSender, "_next_encoded_frame", ["self", "codec"]),
        (RTCRtpSender, "_handle_rtcp_packet", ["self", "packet"]),
        (RTCRtpSender, "_send_rtcp", ["self", "packets"]),
        (RTCDtlsTransport, "_send_rtp", ["self", "data"]),
        (RTCDtlsTransport, "_handle_rtcp_data", ["self", "data"]),
        (StreamStatistics, "add", ["self", "packet"]),
        (Connection, "data_received", ["self", "data", "component"]),
        (RTCSctpTransport, "_update_rto", ["self", "R"]),
    ]
    for owner, name, parameters in expected:
        method = getattr(owner, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            return f"{owner.__name__}.{name} is not what it was"
    return None


def hear(receiver: Any, red: Callable[[], int | None]) -> RemoteVoice | None:
    """Have `receiver`, which has a track and has not begun, give its packets to a :class:`RemoteVoice`.

    The track then gives its sound.

    Args:
        receiver: Of a voice.
        red: Gives the payload type of redundant audio; None where the sender does not name it.
    """
    if isinstance(voice := voice_of(receiver.track), RemoteVoice):
        return voice
    if not hasattr(receiver, _JITTER_BUFFER) or not isinstance(receiver.track, RemoteStreamTrack):
        logger.warning("this aiortc's receiver keeps its packets elsewhere: it decodes by itself")
        return None
    voice = RemoteVoice(otherwise=getattr(receiver, _JITTER_BUFFER))
    setattr(receiver, _JITTER_BUFFER, voice)
    receiver.track._queue = voice  # type: ignore[assignment]
    receive = receiver.receive
    shortened: list[RtpReceiving] = []

    async def receive_voice(parameters: RTCRtpReceiveParameters) -> None:
        if (payload_type := red()) is not None:
            parameters.codecs = [*parameters.codecs, _red_codec(payload_type, parameters.codecs)]
        voice.codecs = parameters.codecs
        await receive(parameters)
        if not shortened:  # aiortc calls this after each negotiation
            shortened.append(RtpReceiving(receiver, voice))

    receiver.receive = receive_voice
    _read_reports(receiver, voice.reports)
    _tell_delay(receiver, voice)
    return voice


def see(receiver: Any) -> RemotePictures | None:
    """Have `receiver`, which has a track of pictures and has not begun, hand each on as soon as it is whole."""
    if receiver.track in _pictures:
        return _pictures[receiver.track]
    if not hasattr(receiver, _JITTER_BUFFER):
        logger.warning("this aiortc's receiver keeps its packets elsewhere: pictures come one picture late")
        return None
    pictures = _pictures[receiver.track] = RemotePictures()
    setattr(receiver, _JITTER_BUFFER, pictures)
    _read_reports(receiver, pictures.reports)
    return pictures


def pictures_of(track: Any) -> RemotePictures | None:
    """What receives a remote track of pictures of a connection that was improved; None for any other."""
    return _pictures.get(track)


def _read_reports(receiver: Any, reports: SenderClock) -> None:
    handle = receiver._handle_rtcp_packet

    async def handle_rtcp_packet(packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
            reports.report(packet.ssrc, packet.sender_info.ntp_timestamp, packet.sender_info.rtp_timestamp)
        await handle(packet)

    receiver._handle_rtcp_packet = handle_rtcp_packet


def _tell_delay(receiver: Any, voice: RemoteVoice) -> None:
    """Have the reports of `receiver` tell how long it keeps its voice."""
    send_rtcp = receiver._send_rtcp

    async def send_rtcp_with_delay(packet: Any) -> None:
        if isinstance(packet, RtcpRrPacket) and voice.source is not None:
            packet = WithDelay(packet, voice.source, voice.receiver.stats.delay_ms)
        await send_rtcp(packet)

    receiver._send_rtcp = send_rtcp_with_delay


def _read_delay(sender: Any, voice: VoiceSender) -> None:
    """Take from the other side's reports how long it keeps the voice of `sender`; aiortc skips what tells it."""
    dtls = sender.transport
    handle = dtls._handle_rtcp_data

    async def handle_rtcp_data(data: bytes) -> None:
        for ssrc, kept_ms in delays_in(data):
            if ssrc == sender._ssrc:
                voice.kept_ms = kept_ms
        await handle(data)

    dtls._handle_rtcp_data = handle_rtcp_data


def tell_time(sender: Any) -> None:
    """Have the reports of `sender`, which has not begun, tell when what it sends was sampled."""
    clock, next_encoded = CaptureClock(), sender._next_encoded_frame

    async def next_encoded_frame(codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        frame: RTCEncodedFrame | None = await next_encoded(codec)
        if frame:
            clock.sent(frame.timestamp, codec.clockRate)
        return frame

    sender._next_encoded_frame = next_encoded_frame
    _report_by(clock, sender)


def _report_by(clock: CaptureClock, sender: Any) -> None:
    send_rtcp = sender._send_rtcp

    async def send_rtcp_in_time(packets: list[Any]) -> None:
        report = packets[0]
        if isinstance(report, RtcpSrPacket):
            if not clock.correct(report):
                return
            setattr(sender, _LAST_REPORT, (report.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF)
        await send_rtcp(packets)

    sender._send_rtcp = send_rtcp_in_time


def voice_of(track: Any) -> RemoteVoice | None:
    """What plays a remote track of a connection that was improved; None for any other."""
    queue = getattr(track, "_queue", None)
    return queue if isinstance(queue, RemoteVoice) else None


def speak(sender: Any, receiver: Any, red: Callable[[], int | None], dtx: Callable[[], bool]) -> VoiceSender:
    """Have `sender`, which has not begun, send what a :class:`VoiceSender` makes of its track.

    Where Opus has not been agreed on, or the receiver wants stereo, aiortc goes on as before.

    Args:
        sender: Of a voice.
        receiver: Of the voice that comes back.
        red: Gives the payload type of redundant audio; None where the receiver does not take it.
        dtx: Whether the receiver prefers to get next to nothing of a silent voice.
    """
    voice = VoiceSender()
    send = sender.send
    begun = False

    async def send_voice(parameters: RTCRtpSendParameters) -> None:
        nonlocal begun
        codec = parameters.codecs[0]
        natively = codec.name.lower() == "opus" and str(codec.parameters.get("stereo", "0")) != "1"
        if natively:
            voice.negotiated(codec.payloadType or 0, red=red(), dtx=dtx())
        if not begun:  # aiortc calls this after each negotiation
            begun = True
            if natively:
                _send_from(sender, voice, receiver)
            else:
                tell_time(sender)
        await send(parameters)

    sender.send = send_voice
    return voice


def _send_from(sender: Any, voice: VoiceSender, receiver: Any) -> None:
    handle = sender._handle_rtcp_packet

    async def handle_rtcp_packet(packet: Any) -> None:
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == sender._ssrc:
                    voice.report(report.fraction_lost / 256)  # RFC 3550 section 6.4.1: eight bits
        await handle(packet)

    sending = RtpSending(sender, voice, receiver)
    sender._run_rtp, sender._handle_rtcp_packet = sending.run, handle_rtcp_packet
    _report_by(sending.clock, sender)
    _read_delay(sender, voice)


def _red_codec(payload_type: int, codecs: list[RTCRtpCodecParameters]) -> RTCRtpCodecParameters:
    opus = next((codec for codec in codecs if codec.name.lower() == "opus"), codecs[0])
    return RTCRtpCodecParameters(
        mimeType="audio/red",
        clockRate=48000,
        channels=2,
        payloadType=payload_type,
        parameters={f"{opus.payloadType}/{opus.payloadType}": None},
    )
