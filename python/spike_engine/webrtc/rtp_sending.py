"""RTP of a voice (RFC 3550), in place of the loop of an aiortc sender: no task wakes up for a packet."""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
from aiortc import RTCRtpCodecParameters
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import HeaderExtensions
from numpy.typing import NDArray

from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.webrtc.fed_track import FedVoice
from spike_engine.webrtc.network_path import NetworkPath
from spike_engine.webrtc.sender_reports import CaptureClock
from spike_engine.webrtc.voice_sender import VoiceSender

logger = logging.getLogger(__name__)

_HEADER = struct.Struct("!BBHLL")
_VERSION_2, _EXTENSION, _MARKER = 0x80, 0x10, 0x80
_NO_TRACK_S = 0.02
_NTP_EPOCH_S = 2_208_988_800  # before that of Unix


class RtpSending:
    """Sends what a :class:`VoiceSender` makes of an aiortc sender's track, with the numbers that its reports need.

    A track that is fed has each block encoded and sent while it is pushed. Another one is read by the task that aiortc
    has for it.

    Args:
        sender: aiortc's.
        voice: Encodes.
        receiver: aiortc's, of the voice that comes back.

    Attributes:
        clock: Knows when what is sent was sampled.
    """

    def __init__(self, sender: Any, voice: VoiceSender, receiver: Any) -> None:
        self.clock = CaptureClock()
        self._path = NetworkPath(sender, receiver)
        self._sender = sender
        self._voice = voice
        self._sequence_number = secrets.randbelow(1 << 15)  # far from where it wraps (RFC 3711 section 3.3.1)
        self._first_timestamp = secrets.randbits(32)
        self._first_byte, self._extension = _VERSION_2, b""

    async def run(self, _codec: RTCRtpCodecParameters) -> None:
        """Send until the track or the connection ends, or the task is cancelled (aiortc's `_run_rtp`)."""
        sender = self._sender
        sender._RTCRtpSender__rtp_started.set()
        self._extend_header()
        try:
            while True:
                if sender.track is None:
                    await asyncio.sleep(_NO_TRACK_S)
                elif isinstance(sender.track, FedVoice):
                    await self._be_fed_by(sender.track)
                elif (payload := await self._voice.next_payload(sender.track)) and sender._enabled:
                    await sender.transport._send_rtp(self._packet(*payload))
        except (asyncio.CancelledError, ConnectionError, MediaStreamError):
            pass
        except Exception:
            logger.exception("a voice is not sent any more")
        if sender.track:
            sender.track.stop()
            sender._RTCRtpSender__track = None
        sender._RTCRtpSender__rtp_exited.set()

    def _extend_header(self) -> None:
        """Put what is the same in each packet into the header (RFC 8285)."""
        extensions = HeaderExtensions()
        extensions.mid = self._sender._RTCRtpSender__mid
        profile, value = self._sender._RTCRtpSender__rtp_header_extensions_map.set(extensions)
        if value:
            self._first_byte |= _EXTENSION
            self._extension = struct.pack("!HH", profile, len(value) >> 2) + value

    async def _be_fed_by(self, track: FedVoice) -> None:
        """Send what is pushed to `track`, until it ends or another is in its place."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take(block: NDArray[np.float32]) -> None:
            if over.done():
                return
            if self._sender.track is not track:
                over.set_result(None)
                return
            try:
                self._send(block)
            except Exception as error:
                over.set_exception(error)

        def end() -> None:
            if over.done():
                return
            if self._sender.track is track:
                over.set_exception(MediaStreamError())
            else:
                over.set_result(None)

        track.once("ended", end)
        try:
            track.feed(take)
            track.path = self._path
            await over
        finally:
            track.feed(None)
            track.path = None
            track.remove_listener("ended", end)

    def _send(self, block: NDArray[np.float32]) -> None:
        payload = self._voice.payload_of(block)
        if payload and self._sender._enabled:
            _send_at_once(self._sender.transport._send_rtp(self._packet(*payload)))

    def _packet(self, payload_type: int, payload: bytes, timestamp: int) -> bytes:
        sender = self._sender
        rtp_timestamp = (self._first_timestamp + timestamp) & 0xFFFFFFFF
        header = _HEADER.pack(
            self._first_byte, _MARKER | payload_type, self._sequence_number, rtp_timestamp, sender._ssrc
        )
        self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self.clock.sent(timestamp, ENGINE_RATE_HZ)
        sender._RTCRtpSender__ntp_timestamp = (_NTP_EPOCH_S << 32) + (time.time_ns() << 32) // 1_000_000_000
        sender._RTCRtpSender__rtp_timestamp = rtp_timestamp
        sender._RTCRtpSender__octet_count += len(payload)
        sender._RTCRtpSender__packet_count += 1
        return header + self._extension + payload


def _send_at_once(sending: Coroutine[Any, Any, None]) -> None:
    """Do what aiortc writes as a coroutine, though nothing in it waits.

    Raises:
        ConnectionError: The connection is gone.
        RuntimeError: It waits all the same.
    """
    try:
        sending.send(None)
    except StopIteration:
        return
    sending.close()
    raise RuntimeError("the transport waits before it sends: a voice cannot be sent while its sound is there")
