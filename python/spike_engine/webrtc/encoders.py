"""aiortc's encoder of pictures with what it leaves out: a bit rate that follows the network."""

from __future__ import annotations

import logging

from aiortc import RTCRtpTransceiver
from aiortc.codecs.vpx import Vp8Encoder

logger = logging.getLogger(__name__)

LEAST_VIDEO_BPS = 30_000
_ENCODER = "_RTCRtpSender__encoder"


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


def install(transceiver: RTCRtpTransceiver, *, video_bps: int) -> PictureEncoder | None:
    """Give a sender that has not begun one of these, where it has agreed on VP8; None where it has not.

    aiortc makes its encoder at the first frame, and offers no hook. Where it does not keep it in the attribute that we
    know, it goes on with its own: then only the size and the rate of pictures adapt.
    """
    codecs = getattr(transceiver, "_codecs", [])
    if not codecs or codecs[0].mimeType.lower() != "video/vp8":
        return None
    if not hasattr(transceiver.sender, _ENCODER):
        logger.warning("this aiortc keeps its encoders elsewhere: bit rates do not adapt to the network")
        return None
    encoder = PictureEncoder(video_bps)
    setattr(transceiver.sender, _ENCODER, encoder)
    return encoder
