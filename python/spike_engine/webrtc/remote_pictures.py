"""Pictures from the network: handed on as soon as they are whole, and with the time at which they were taken."""

from __future__ import annotations

from typing import Any

from aiortc.jitterbuffer import JitterBuffer, JitterFrame

from spike_engine.webrtc.sender_reports import SenderClock

CLOCK_RATE_HZ = 90_000
_CAPACITY = 512  # packets, as aiortc has it


class RemotePictures(JitterBuffer):
    """aiortc's jitter buffer, which by itself takes a picture for whole when the next one begins.

    The marker of RTP tells a picture's last packet (RFC 7741, RFC 6184), so that none has to wait for the next.

    Attributes:
        reports: The sender's.
    """

    def __init__(self) -> None:
        super().__init__(capacity=_CAPACITY, is_video=True)
        self.reports = SenderClock()
        self._first: int | None = None  # timestamp of the first picture, from which aiortc counts
        self._ssrc: int | None = None

    def add(self, packet: Any) -> tuple[bool, JitterFrame | None]:
        """Take a packet: whether to ask for a whole picture, and the picture that is complete with it."""
        self._ssrc = packet.ssrc
        wants_picture, picture = super().add(packet)
        while picture and not picture.data:  # padding, behind a picture that was handed on
            picture = self._remove_frame(packet.sequence_number)
        picture = picture or self._marked()
        if picture and self._first is None:
            self._first = picture.timestamp
        return wants_picture, picture

    def sent_at_s(self, frame: Any) -> float | None:
        """When a decoded frame was taken, on the sender's clock; None before its first report."""
        if frame.pts is None or self._first is None:
            return None
        return self.reports.time_s(self._ssrc, self._first + frame.pts, CLOCK_RATE_HZ)

    def _marked(self) -> JitterFrame | None:
        """The oldest picture, if its last packet says that it is the last."""
        packets: list[Any] = []
        for count in range(self.capacity):
            packet = self._packets[((self._origin or 0) + count) % self.capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                return None
            packets.append(packet)
            if packet.marker:
                self.remove(len(packets))
                return JitterFrame(data=b"".join(each._data for each in packets), timestamp=packet.timestamp)
        return None
