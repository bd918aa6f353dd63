"""A voice to the network: encoded natively, as well protected as the receiver's reports ask for."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any
from weakref import WeakSet

import av
from aiortc.mediastreams import convert_timebase
from numpy.typing import NDArray

from spike_engine import _core, frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.webrtc.red import RedPacker

FRAME_SAMPLES = 960
FIRST_BITRATE_BPS = 48_000
# The first packet that is lost comes before the report that tells of it; what error correction takes, the voice lacks.
LEAST_EXPECTED_LOSS, LEAST_EXPECTED_LOSS_ALONE = 0.02, 0.05  # with and without redundancy to fall back on
RED_FROM_LOSS, RED_TWICE_FROM_LOSS = 0.01, 0.12
# So many in one process get the best of the encoder; more of them half of the time each, and a crowd still less.
FEW_VOICES, MANY_VOICES = 4, 40
COMPLEXITY, COMPLEXITY_OF_MANY, COMPLEXITY_OF_A_CROWD = 9, 5, 3
CROWD_CORRECTS_FROM_LOSS = 0.005  # its error correction, a fifth of the encoder's time, waits for a report
RED_LEAST_BITRATE_BPS = 24_000  # where the network gives less, copies would crowd out the voice itself
_DTX_BYTES = 2  # a packet of so few bytes need not be sent (RFC 6716 section 2.1.9)
_TIME_BASE = Fraction(1, ENGINE_RATE_HZ)


class VoiceSender:
    """Encodes what a track gives, in place of an aiortc sender's own encoder.

    Attributes:
        loss: Share of packets that get lost, as the receiver reports it, 0 to 1: rises at once and falls slowly.
        kept_ms: How long the receiver keeps the voice before it plays it, by its last word; None where it says nothing.
    """

    def __init__(self) -> None:
        self.loss = 0.0
        self.kept_ms: float | None = None
        self._reported = False
        self._crowded = False
        self._payload_type = 0
        self._red: int | None = None
        self._packer = RedPacker(0)
        self._encoder = _core.OpusEncoder(
            ENGINE_RATE_HZ, bitrate_bps=FIRST_BITRATE_BPS, fec=True, expected_loss=LEAST_EXPECTED_LOSS_ALONE
        )
        self._resampler: av.AudioResampler | None = None
        self._pending: deque[NDArray[Any]] = deque()
        self._timestamp = 0

    def negotiated(self, payload_type: int, *, red: int | None, dtx: bool = False) -> None:
        """Send Opus as `payload_type` and, where the receiver takes it, redundant audio as `red`.

        With `dtx` next to nothing is sent while the voice is silent (RFC 7587 section 3.1.3): for a receiver that asks.
        """
        self._payload_type, self._red = payload_type, red
        self._packer = RedPacker(payload_type)
        self._encoder.dtx = dtx
        _speaking.add(self)
        for voice in _speaking:
            voice.share(len(_speaking))

    def share(self, voices: int) -> None:
        """Take as much time as there is for each of so many voices."""
        self._crowded = voices > MANY_VOICES
        if self._crowded:
            self.complexity = COMPLEXITY_OF_A_CROWD
        else:
            self.complexity = COMPLEXITY if voices <= FEW_VOICES else COMPLEXITY_OF_MANY
        self._expect()

    @property
    def bitrate_bps(self) -> int:
        """Of one copy of the voice."""
        return self._encoder.bitrate_bps

    @bitrate_bps.setter
    def bitrate_bps(self, bitrate_bps: int) -> None:
        self._encoder.bitrate_bps = max(6_000, min(bitrate_bps, 510_000))

    @property
    def complexity(self) -> int:
        """How much time the encoder takes for a better voice, 0 to 10."""
        return self._encoder.complexity

    @complexity.setter
    def complexity(self, complexity: int) -> None:
        self._encoder.complexity = complexity

    @property
    def copies(self) -> int:
        """How many frames each packet carries besides its own."""
        if self._red is None or self.bitrate_bps < RED_LEAST_BITRATE_BPS:
            return 0
        if self.loss < RED_FROM_LOSS:
            return 0 if self._reported else 1  # nobody knows yet
        return 1 if self.loss < RED_TWICE_FROM_LOSS else 2

    def report(self, fraction_lost: float) -> None:
        """Take in what a receiver's report says of the packets since the one before."""
        rises = fraction_lost > self.loss
        self.loss += (0.6 if rises else 0.15) * (fraction_lost - self.loss)
        self._reported = True
        self._expect()

    @property
    def corrects(self) -> bool:
        """Whether each packet carries a coarse copy of the frame before it."""
        return self._encoder.fec

    def _expect(self) -> None:
        """Have the encoder spend on error correction what the network asks for."""
        self._encoder.fec = not self._crowded or self.loss >= CROWD_CORRECTS_FROM_LOSS
        least = LEAST_EXPECTED_LOSS_ALONE if self._red is None else LEAST_EXPECTED_LOSS
        # More than a quarter takes from the voice what it gives to the gaps.
        self._encoder.expected_loss = round(max(least, min(self.loss, 0.25)), 2)

    async def next_payload(self, track: Any) -> tuple[int, bytes, int] | None:
        """Payload type, payload and timestamp of the track's next 20 ms; None where nothing has to be sent.

        Raises:
            MediaStreamError: The track has ended.
        """
        if not self._pending:
            data = await track.recv()
            if isinstance(data, av.Packet):  # encoded by the program itself
                pts, time_base = data.pts or 0, data.time_base or _TIME_BASE
                return self._payload_type, bytes(data), convert_timebase(pts, time_base, _TIME_BASE)
            self._pending.extend(self._blocks_of(data))
            if not self._pending:
                return None
        return self.payload_of(self._pending.popleft())

    def payload_of(self, block: NDArray[Any]) -> tuple[int, bytes, int] | None:
        """The same for a block of 20 ms, mono at 48 kHz, float32 or int16."""
        timestamp, self._timestamp = self._timestamp, self._timestamp + len(block)
        frame = self._encoder.encode(block)
        if len(frame) <= _DTX_BYTES:
            return None
        if copies := self.copies:
            assert self._red is not None
            return self._red, self._packer.pack(frame, timestamp, copies), timestamp
        if self._red is not None:
            self._packer.remember(frame, timestamp)
        return self._payload_type, frame, timestamp

    def _blocks_of(self, data: Any) -> list[NDArray[Any]]:
        """Mono blocks of 20 ms at 48 kHz of whatever sound a track gives."""
        if data.sample_rate == ENGINE_RATE_HZ and data.samples == FRAME_SAMPLES and self._resampler is None:
            return [frames.audio_to_ndarray(data, dtype="int16", channels=1)]
        if self._resampler is None:
            self._resampler = av.AudioResampler("s16", "mono", ENGINE_RATE_HZ, FRAME_SAMPLES)
        data.pts = None  # the resampler would fill gaps, which the clock of the packets already tells
        return [frame.to_ndarray()[0] for frame in self._resampler.resample(data)]


_speaking: WeakSet[VoiceSender] = WeakSet()
