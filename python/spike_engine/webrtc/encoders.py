"""aiortc's encoders with what it leaves out: a bit rate that follows the network, and Opus's error correction."""

from __future__ import annotations

import logging
from typing import Any

from aiortc import RTCRtpTransceiver
from aiortc.codecs.opus import SAMPLE_RATE, SAMPLES_PER_FRAME, TIME_BASE, OpusEncoder
from aiortc.codecs.vpx import Vp8Encoder
from av import AudioResampler, CodecContext

logger = logging.getLogger(__name__)

LEAST_VIDEO_BPS = 30_000
FEC_FROM_LOSS = 0.02  # below, its bits are better spent on the voice
_ENCODER = "_RTCRtpSender__encoder"


class VoiceEncoder(OpusEncoder):
    """Opus in mono; its settings can change between two frames.

    ffmpeg takes libopus's bit rate and error correction (RFC 6716 section 2.1.7) only when it opens the codec, so a
    change opens another that goes on with the numbering.
    """

    def __init__(self, bit_rate_bps: int, loss_percent: int = 0) -> None:
        super().__init__()
        self.settings = bit_rate_bps, loss_percent
        self.resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE, frame_size=SAMPLES_PER_FRAME)
        self._open()

    def configure(self, bit_rate_bps: int, loss: float) -> None:
        """Use `bit_rate_bps`, and error correction where a share of `loss` packets is lost, from the next frame on."""
        loss_percent = 5 * round(20 * min(loss, 0.5)) if loss >= FEC_FROM_LOSS else 0
        if (bit_rate_bps, loss_percent) != self.settings:
            self.settings = bit_rate_bps, loss_percent
            self._stale = True

    def encode(self, frame: Any, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """See aiortc's Encoder."""
        if self._stale:
            self._open()
        return super().encode(frame, force_keyframe)

    def _open(self) -> None:
        bit_rate_bps, loss_percent = self.settings
        codec = CodecContext.create("libopus", "w")
        codec.bit_rate = bit_rate_bps
        codec.format, codec.layout = "s16", "mono"
        codec.sample_rate, codec.time_base = SAMPLE_RATE, TIME_BASE
        codec.options = {"application": "voip", "fec": str(int(loss_percent > 0)), "packet_loss": str(loss_percent)}
        self.codec, self._stale = codec, False


class PictureEncoder(Vp8Encoder):
    """VP8 within a limit of our own, besides what the receiver estimates.

    Attributes:
        estimate_bps: The receiver's last estimate (REMB); None before the first.
    """

    def __init__(self, limit_bps: int) -> None:
        super().__init__()
        self._Vp8Encoder__target_bitrate: int
        self.estimate_bps: int | None = None
        self._limit_bps = limit_bps
        self._set(limit_bps)

    @property
    def target_bitrate(self) -> int:
        """Bits per second."""
        return self._Vp8Encoder__target_bitrate

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self.estimate_bps = bitrate
        self._set(min(bitrate, self._limit_bps))

    def limit(self, limit_bps: int) -> None:
        """Use no more than this."""
        self._limit_bps = limit_bps
        self._set(min(limit_bps, self.estimate_bps or limit_bps))

    def _set(self, bitrate_bps: int) -> None:
        # Not by the base's property: it accepts nothing below 250 kbit/s, which is more than a bad network gives.
        self._Vp8Encoder__target_bitrate = max(LEAST_VIDEO_BPS, bitrate_bps)


def install(transceiver: RTCRtpTransceiver, *, audio_bps: int, video_bps: int) -> VoiceEncoder | PictureEncoder | None:
    """Give a sender that has not begun one of these, where it has agreed on their codec; None where it has not.

    aiortc makes its encoder at the first frame, and offers no hook. Where it does not keep it in the attribute that we
    know, it goes on with its own: then only the size and the rate of pictures adapt.
    """
    codecs = getattr(transceiver, "_codecs", [])
    mime = codecs[0].mimeType.lower() if codecs else ""
    encoder: VoiceEncoder | PictureEncoder
    if mime == "audio/opus":
        encoder = VoiceEncoder(audio_bps)
    elif mime == "video/vp8":
        encoder = PictureEncoder(video_bps)
    else:
        return None
    if not hasattr(transceiver.sender, _ENCODER):
        logger.warning("this aiortc keeps its encoders elsewhere: bit rates do not adapt to the network")
        return None
    setattr(transceiver.sender, _ENCODER, encoder)
    return encoder
