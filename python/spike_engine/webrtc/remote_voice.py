"""A voice from the network: packets in as they come, sound out as it is played."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import RTCRtpCodecParameters
from numpy.typing import NDArray

from spike_engine import _core, frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.webrtc.clock import running_clock
from spike_engine.webrtc.sender_reports import SenderClock

FRAME_SAMPLES = 960
CODECS = {"opus": "opus", "pcmu": "pcmu", "pcma": "pcma", "l16": "l16"}  # by the names of SDP
_COMPANDED = ("pcmu", "pcma")
_COMFORT_NOISE = 13  # of telephones (RFC 3551 section 6): some send it to who has not asked
_BEATS_A_FRAME = 2
_QUEUED_BLOCKS = 25  # half a second, for a program that reads slowly
_TIME_BASE = Fraction(1, ENGINE_RATE_HZ)


def decodes(codec: RTCRtpCodecParameters) -> bool:
    """Whether the native receiver takes packets of this codec."""
    return codec.name.lower() in CODECS


class RemoteVoice:
    """Takes the packets of a voice and gives its sound, mono at 48 kHz, to whoever plays it.

    To aiortc's receiver it is the jitter buffer and the queue of its track. One of two pulls `receiver`: what plays it
    as its own clock says, from any thread, or the process's clock, once the track is read or :meth:`blocks` is.

    Args:
        otherwise: aiortc's own jitter buffer, for packets of a codec that is decoded by aiortc.

    Attributes:
        receiver: Reorders, waits, decodes and conceals (``_core.VoiceReceiver``).
        reports: The sender's.
        ended: Whether the connection is closed.
        pulled_by_clock: Whether the process's clock pulls: a packet that waited as long as the clock did is not late.
    """

    def __init__(self, otherwise: Any) -> None:
        self.receiver = _core.VoiceReceiver(ENGINE_RATE_HZ)
        self.reports = SenderClock()
        self.ended = False
        self.pulled_by_clock = True
        self._clock = running_clock()
        self._otherwise = otherwise
        self._decoded = 0
        self._source: tuple[int, int] | None = None  # who speaks, and the clock rate of the codec
        self._codecs: Sequence[RTCRtpCodecParameters] = ()
        self._known: dict[int, dict[str, Any]] = {}
        self._red: dict[int, dict[str, Any] | None] = {}
        self._listens = False
        self._position = 0
        self._blocks: deque[NDArray[np.float32]] = deque(maxlen=_QUEUED_BLOCKS)
        self._waiting: asyncio.Future[None] | None = None

    @property
    def codecs(self) -> Sequence[RTCRtpCodecParameters]:
        """What has been agreed on."""
        return self._codecs

    @codecs.setter
    def codecs(self, codecs: Sequence[RTCRtpCodecParameters]) -> None:
        self._codecs = codecs
        self._known = {codec.payloadType or 0: _arguments(codec) for codec in codecs if decodes(codec)}
        if any(known["codec"] in _COMPANDED for known in self._known.values()):
            self._known.setdefault(_COMFORT_NOISE, {"codec": "cn", "clock_rate_hz": 8000})
        self._red = {
            codec.payloadType or 0: _carried(codec, self._known) for codec in codecs if codec.name.lower() == "red"
        }

    def takes(self, payload_type: int) -> bool:
        """Whether packets of this type are for the native receiver, so that :meth:`add` gives aiortc nothing to do."""
        return payload_type in self._known or payload_type in self._red

    def _now_ms(self) -> float:
        return self._clock.now_ms() if self.pulled_by_clock else 1000.0 * time.monotonic()

    # --- what aiortc calls ------------------------------------------------------------------------------------------

    def add(self, packet: Any) -> tuple[bool, Any]:
        """A packet came (aiortc's jitter buffer): whether to ask for a picture, and what aiortc has to decode."""
        arrival_ms = self._now_ms()
        at = packet.sequence_number, packet.timestamp, arrival_ms
        if known := self._known.get(packet.payload_type):
            self._source = packet.ssrc, known["clock_rate_hz"]
            self.receiver.push(packet.payload, *at, ssrc=packet.ssrc, marker=bool(packet.marker), **known)
        elif carried := self._red.get(packet.payload_type):
            self._source = packet.ssrc, carried["clock_rate_hz"]
            self.receiver.push_red(packet.payload, *at, ssrc=packet.ssrc, marker=bool(packet.marker), **carried)
        elif packet.payload_type not in self._red:
            return self._otherwise.add(packet)  # type: ignore[no-any-return]
        return False, None

    async def put(self, item: Any) -> None:
        """What aiortc has decoded, None for the end (its queue)."""
        if item is None:
            self.end()
            return
        samples = frames.audio_to_ndarray(item, dtype="int16", channels=1)
        at = self._decoded & 0xFFFF, item.pts & 0xFFFFFFFF, self._now_ms()
        self._decoded += 1
        self.receiver.push(samples.astype(">i2").tobytes(), *at, codec="l16", clock_rate_hz=item.sample_rate)

    async def get(self) -> av.AudioFrame | None:
        """The next 20 ms, when their time has come; None at the end (aiortc's queue)."""
        block = await self._next()
        if block is None:
            return None
        frame = frames.audio_from_ndarray(block, format="s16", sample_rate_hz=ENGINE_RATE_HZ)
        frame.pts, frame.time_base = self._position, _TIME_BASE
        self._position += FRAME_SAMPLES
        return frame

    def playing_sent_at_s(self) -> float | None:
        """When what plays now was spoken, on the sender's clock; None where it was not sent, or nothing tells."""
        timestamp = self.receiver.playing_timestamp
        if timestamp is None or self._source is None:
            return None
        ssrc, clock_rate_hz = self._source
        return self.reports.time_s(ssrc, timestamp, clock_rate_hz)

    @property
    def source(self) -> int | None:
        """Who speaks, by RTP's number (SSRC); None before the first packet."""
        return self._source[0] if self._source else None

    # --- who listens ------------------------------------------------------------------------------------------------

    async def blocks(self) -> AsyncIterator[NDArray[np.float32]]:
        """Each 20 ms, shape ``(960,)``, as the process's clock beats, until the voice ends."""
        while (block := await self._next()) is not None:
            yield block

    async def _next(self) -> NDArray[np.float32] | None:
        if not self._listens and not self.ended:
            self._listens = True
            self._clock.listen(self._beat, every=_BEATS_A_FRAME)
        while not self._blocks:
            if self.ended:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._blocks.popleft()

    def end(self) -> None:
        """The connection is closed."""
        self.ended = True
        if self._listens:
            self._clock.leave(self._beat)
        self._wake()

    def _beat(self) -> None:
        block = np.empty(FRAME_SAMPLES, np.float32)
        self.receiver.pull(block)
        if len(self._blocks) == _QUEUED_BLOCKS:  # whoever listens is too slow
            self._position += FRAME_SAMPLES
        self._blocks.append(block)
        self._wake()

    def _wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)


def _arguments(codec: RTCRtpCodecParameters) -> dict[str, Any]:
    return {
        "codec": CODECS[codec.name.lower()],
        "clock_rate_hz": codec.clockRate,
        "channels": codec.channels or 1,
    }


def _carried(red: RTCRtpCodecParameters, known: dict[int, dict[str, Any]]) -> dict[str, Any] | None:
    """What a redundant payload carries; None where that is no codec of ours (RFC 2198 section 5: ``fmtp 96/96``)."""
    for payload_types in red.parameters:
        first = str(payload_types).split("/")[0]
        if first.isdigit() and int(first) in known:
            return known[int(first)]
    return None
