"""Watches a connection: its figures, how good it is, and what may be sent over it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from spike_engine.conversation.adaptation import Adaptation, Report, Rung
from spike_engine.conversation.listener import ConversationListener
from spike_engine.events import ClientStats, NetworkQuality, TransportStats
from spike_engine.lifetime import cancelled
from spike_engine.media.local import LocalMedia
from spike_engine.options import ClientOptions
from spike_engine.transports.base import Transport

if TYPE_CHECKING:
    from spike_engine.media.remote import RemoteMedia

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
FAIR_LOSS, POOR_LOSS = 0.02, 0.08
FAIR_ROUND_TRIP_MS, POOR_ROUND_TRIP_MS = 200.0, 500.0
ENCODER_MS = 6.5  # what Opus looks ahead at 48 kHz

Level = Literal["good", "fair", "poor"]


class Monitor:
    """Samples a connection once a second, tells ``stats`` and ``network-quality``, and adapts what is sent.

    Args:
        options: The video quality that is the most to send.
        transport: The connection.
        media: What is sent.
        remote: What is received.
        listener: Hears the events.
        reconnections: How many connections there were before this one.
    """

    def __init__(
        self,
        options: ClientOptions,
        transport: Transport,
        media: LocalMedia,
        remote: RemoteMedia,
        listener: ConversationListener,
        *,
        reconnections: int = 0,
    ) -> None:
        self._transport = transport
        self._media = media
        self._remote = remote
        self._listener = listener
        self._reconnections = reconnections
        self._adaptation = Adaptation(options.quality, video=media.filming is not None)
        self._dropped_before: dict[str, int] = {}  # the tracks were there before anybody could take frames
        self._before: _Sample | None = None
        self._rates = ClientStats()
        self._quality: Level | None = None
        self._seen: Level | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the connection is open."""
        self._dropped_before = {kind: reading.dropped for kind, reading in self._media.readings.items()}
        self._apply(self._adaptation.rung)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        await cancelled(self._task)

    async def stats(self) -> ClientStats:
        """The conversation in figures, as of now."""
        rung, network = self._adaptation.rung, await self._transport.get_stats()
        user_to_ai_ms, ai_to_user_ms = self._mouth_to_ear_ms(network)
        stats = replace(
            self._rates,
            network=network,
            user_to_ai_ms=user_to_ai_ms,
            ai_to_user_ms=ai_to_user_ms,
            reconnections=self._reconnections,
            video_width=rung.width,
            video_height=rung.height,
            video_bps=rung.video_bps,
            audio_bps=rung.audio_bps if self._media.capture else 0,
            audio_frames_dropped=self._dropped("audio"),
            video_frames_dropped=self._dropped("video"),
            loudspeaker_lost_ms=getattr(self._media.playback.device, "lost_ms", 0.0),
            loudspeaker_idle_ms=getattr(self._media.playback.device, "idle_ms", 0.0),
        )
        if self._media.capture is None:
            return stats
        audio, catch_up = self._media.capture.front_end.pipeline.stats, self._media.capture.catch_up
        return replace(
            stats,
            echo_reduction_db=audio.erle_db,
            echo_delay_ms=audio.delay_ms,
            speech_probability=audio.speech_probability,
            input_level_dbfs=audio.input_level_dbfs,
            output_level_dbfs=audio.output_level_dbfs,
            microphone_lost_ms=getattr(self._media.capture.device, "lost_ms", 0.0),
            voice_caught_up_ms=catch_up.caught_up_ms if catch_up else 0.0,
            voice_behind_ms=catch_up.behind_ms if catch_up else 0.0,
            voice_lost_ms=catch_up.lost_ms if catch_up else 0.0,
        )

    def _mouth_to_ear_ms(self, network: TransportStats) -> tuple[float | None, float | None]:
        """From the user to the AI, and back."""
        if network.round_trip_time_ms is None:
            return None, None
        on_the_way_ms = ENCODER_MS + network.round_trip_time_ms / 2
        capture, arrived_ms = self._media.capture, self._remote.latency_ms
        return (
            capture.latency_ms + on_the_way_ms + (network.voice_kept_ms or 0.0) if capture else None,
            arrived_ms + on_the_way_ms if arrived_ms is not None else None,
        )

    def _dropped(self, kind: str) -> int:
        reading = self._media.readings.get(kind)
        return reading.dropped - self._dropped_before.get(kind, 0) if reading else 0

    async def _run(self) -> None:
        told = False
        while True:
            try:
                await self._sample()
            except Exception:  # of a transport of the program's own: the figures stand still, the call goes on
                if not told:
                    logger.exception("the connection's figures cannot be taken; more of the same is not logged")
                told = True
            await asyncio.sleep(INTERVAL_S)

    async def _sample(self) -> None:
        network, filming = await self._transport.get_stats(), self._media.filming
        time_s = asyncio.get_running_loop().time()
        now = _Sample(time_s, network, filming.pictures if filming else 0, self._remote.pictures)
        before, self._before = self._before, now
        if before:
            self._take_in(before, now)
            self._listener.emit(await self.stats())

    def _take_in(self, before: _Sample, now: _Sample) -> None:
        self._rates = now.rates_since(before)
        self._tell_quality(now.network)
        report = Report(
            now.time_s,
            loss=now.network.outbound_loss,
            round_trip_time_ms=now.network.round_trip_time_ms,
            sent_bps=self._rates.send_bps,
            estimate_bps=now.network.estimate_bps,
        )
        self._apply(self._adaptation.update(report))

    def _apply(self, rung: Rung) -> None:
        if self._media.filming:
            self._media.filming.size = rung.width, rung.height
            self._media.filming.fps = rung.fps
        self._transport.set_limits(audio_bps=rung.audio_bps, video_bps=rung.video_bps, loss=self._adaptation.loss)

    def _tell_quality(self, network: TransportStats) -> None:
        """Tell a level that was seen twice, so that one bad second does not make a program blink."""
        loss, rtt_ms = max(network.outbound_loss, self._rates.inbound_loss), network.round_trip_time_ms
        if rtt_ms is None and not loss:
            return  # nothing has been reported yet
        level = quality_of(loss, rtt_ms)
        if level == self._seen and level != self._quality:
            self._quality = level
            self._listener.emit(NetworkQuality(level, rtt_ms, loss))
        self._seen = level


class _Sample:
    """Counters at one moment."""

    def __init__(self, time_s: float, network: TransportStats, sent: int, received: int) -> None:
        self.time_s = time_s
        self.network = network
        self._pictures = sent, received

    def rates_since(self, before: _Sample) -> ClientStats:
        """What happened in a second between the two."""
        took_s = max(self.time_s - before.time_s, 1e-3)
        lost = max(0, self.network.packets_lost - before.network.packets_lost)
        received = max(0, self.network.packets_received - before.network.packets_received)
        return ClientStats(
            send_bps=8 * max(0, self.network.bytes_sent - before.network.bytes_sent) / took_s,
            receive_bps=8 * max(0, self.network.bytes_received - before.network.bytes_received) / took_s,
            inbound_loss=lost / (lost + received) if lost else 0.0,
            sent_fps=(self._pictures[0] - before._pictures[0]) / took_s,
            received_fps=(self._pictures[1] - before._pictures[1]) / took_s,
        )


def quality_of(loss: float, round_trip_time_ms: float | None) -> Level:
    """How a person would find a connection with these figures; the specification recommends less than 200 ms."""
    rtt_ms = round_trip_time_ms or 0.0
    if loss >= POOR_LOSS or rtt_ms >= POOR_ROUND_TRIP_MS:
        return "poor"
    return "fair" if loss >= FAIR_LOSS or rtt_ms >= FAIR_ROUND_TRIP_MS else "good"
