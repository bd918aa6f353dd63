"""Daily rooms, through Daily's own client (the ``daily`` extra): voice, pictures, and RTVI as app messages.

daily-python calls back from threads of its own; here everything goes on on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any

import av
import daily
import numpy as np
from aiortc.mediastreams import MediaStreamError

from spike_engine import frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.errors import ConnectionFailed, ConversationEnded, SpikeError, TokenExpired
from spike_engine.events import DisconnectReason
from spike_engine.lifetime import Lifetime, cancelled
from spike_engine.lifetime.threads import in_thread
from spike_engine.options import ClientOptions
from spike_engine.protocols.rtvi import RTVIProtocol
from spike_engine.protocols.strict_json import object_of
from spike_engine.transports.base import LocalTracks, TransportListener, TransportStats
from spike_engine.webrtc.fed_track import FedTrack

LEAVE_TIMEOUT_S = 2.0
_TOKEN_REFUSED = ("exp-token", "nbf-token", "token", "unauthorized")
_OVER = ("ejected", "exp-room", "no-room", "does not exist", "meeting has ended")
_initialised = False


class DailyTransport:
    """One participant of a Daily room. Implements :class:`~spike_engine.transports.base.Transport`."""

    carries_video = True

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._room: _Room | None = None

    def create_protocol(self) -> RTVIProtocol:
        """See :meth:`Transport.create_protocol`: RTVI."""
        return RTVIProtocol()

    async def connect(self, media: LocalTracks, listener: TransportListener) -> None:
        """See :meth:`Transport.connect`."""
        await self.close()
        room = self._room = _Room(self._options, media, listener)
        try:
            await room.join()
        except BaseException:
            await self.close()
            raise

    def send(self, text: str) -> None:
        """See :meth:`Transport.send`."""
        if self._room and not self._room.over:
            self._room.call.send_app_message(json.loads(text))

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """See :meth:`Transport.set_track_enabled`."""
        if self._room and not self._room.over:
            self._room.call.update_inputs({{"audio": "microphone", "video": "camera"}[kind]: enabled})

    def set_limits(self, *, audio_bps: int, video_bps: int, loss: float) -> None:
        """See :meth:`Transport.set_limits`: Daily's own client adapts by itself."""

    async def get_stats(self) -> TransportStats:
        """See :meth:`Transport.get_stats`; what Daily does not count stays zero."""
        if not self._room or self._room.over:
            return TransportStats()
        return stats_of(self._room.call.get_network_stats())

    async def close(self) -> None:
        """See :meth:`Transport.close`."""
        if room := self._room:
            await room.leave()
            self._room = None if self._room is room else self._room


class _Room(daily.EventHandler):
    """One stay in a room. Its ``on_`` methods come from threads of Daily's."""

    def __new__(cls, *_: Any) -> Any:
        return super().__new__(cls)

    def __init__(self, options: ClientOptions, media: LocalTracks, listener: TransportListener) -> None:
        _initialise()
        self._options = options
        self._media = media
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._hears = self._ended = False
        self._name = uuid.uuid4().hex[:8]
        self._lifetime = Lifetime(LEAVE_TIMEOUT_S)
        self.call = daily.CallClient(event_handler=self)
        self._lifetime.add(self._release)

    async def join(self) -> None:
        self._lifetime.add(self._hang_up)
        inputs: dict[str, Any] = {"camera": False, "microphone": False}
        if self._media.audio:
            microphone = daily.Daily.create_microphone_device(
                f"microphone-{self._name}", sample_rate=ENGINE_RATE_HZ, channels=1, non_blocking=True
            )
            inputs["microphone"] = {"isEnabled": True, "settings": {"deviceId": f"microphone-{self._name}"}}
            self._spawn(self._send_voice(microphone))
        if self._media.video:
            size = self._options.quality.width, self._options.quality.height
            camera = daily.Daily.create_camera_device(f"camera-{self._name}", *size, color_format="RGB")
            inputs["camera"] = {"isEnabled": True, "settings": {"deviceId": f"camera-{self._name}"}}
            self._spawn(self._send_pictures(camera, size))
        sees = "subscribed" if self._media.wants_video else "unsubscribed"
        self.call.update_subscription_profiles({"base": {"microphone": "subscribed", "camera": sees}})
        joined: asyncio.Future[Any] = self._loop.create_future()
        self.call.join(
            self._options.conversation_url,
            self._options.token,
            client_settings={"inputs": inputs},
            completion=lambda _, error: self._on_loop(_settle, joined, error),
        )
        if error := await joined:
            raise error_of(str(error))
        for name, participant in self.call.participants().items():
            if name != "local":
                self._receive(participant)

    @property
    def over(self) -> bool:
        """It is being left: Daily's client, asked anything now, would hold up the whole program."""
        return self._lifetime.over

    async def leave(self) -> None:
        """Leave the room and free everything. Never raises."""
        await self._lifetime.close()

    async def _hang_up(self) -> None:
        gone: asyncio.Future[Any] = self._loop.create_future()
        self.call.leave(completion=lambda error: self._on_loop(_settle, gone, error))
        await gone

    async def _release(self) -> None:
        # Where the room cannot be reached, this takes as long as Daily tries: nobody waits for it.
        await asyncio.wrap_future(in_thread(self.call.release, name="leaving a room of Daily's"))

    # --- what Daily reports, on its threads ---------------------------------------------------------------------------

    def on_app_message(self, message: Any, sender: str) -> None:
        self._on_loop(self._listener.on_message, json.dumps(message))

    def on_participant_joined(self, participant: Any) -> None:
        self._on_loop(self._receive, participant)

    def on_error(self, message: str) -> None:
        self._on_loop(self._fail, error_of(message))

    def on_call_state_updated(self, state: str) -> None:
        if state == "left":
            self._on_loop(self._fail, ConversationEnded("the server ended the call"))

    def _on_loop(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closing
            self._loop.call_soon_threadsafe(function, *arguments)

    def _fail(self, error: SpikeError) -> None:
        if not self._ended and not self._lifetime.over:
            self._ended = True
            ended = isinstance(error, ConversationEnded)
            self._listener.on_closed(DisconnectReason.ENDED if ended else DisconnectReason.NETWORK, error)

    # --- media --------------------------------------------------------------------------------------------------------

    def _receive(self, participant: dict[str, Any]) -> None:
        """Hear and see the first participant who comes: the AI."""
        if self._hears or self._ended or self._lifetime.over:
            return
        self._hears = True
        voice = self._track("audio")
        self.call.set_audio_renderer(
            participant["id"],
            lambda _id, data, _source: self._on_loop(voice.push, _sound_of(data)),
            sample_rate=ENGINE_RATE_HZ,
        )
        self._listener.on_track(voice)
        if self._media.wants_video:
            picture = self._track("video")
            self.call.set_video_renderer(
                participant["id"],
                lambda _id, frame, _source: self._on_loop(picture.push, _picture_of(frame)),
                color_format="RGB",
            )
            self._listener.on_track(picture)

    async def _send_voice(self, microphone: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await self._media.audio.recv()
                microphone.write_frames(frames.audio_to_ndarray(frame, dtype="int16", channels=1).tobytes())

    async def _send_pictures(self, camera: Any, size: tuple[int, int]) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await self._media.video.recv()
                picture = frames.to_ndarray(frame, "rgb24", width=size[0], height=size[1])
                camera.write_frame(picture.tobytes())

    def _track(self, kind: str) -> _ParticipantTrack:
        track = _ParticipantTrack(kind)

        async def stop() -> None:
            track.stop()

        self._lifetime.add(stop)
        return track

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._lifetime.add(lambda: cancelled(task))


class _ParticipantTrack(FedTrack):
    """Frames of a participant's, as an aiortc track."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, {"audio": 25, "video": 1}[kind])
        self._samples = 0

    def prepare(self, item: Any) -> Any:
        """The frame; Daily does not number sound."""
        if isinstance(item, av.AudioFrame):
            item.pts, item.time_base = self._samples, Fraction(1, ENGINE_RATE_HZ)
            self._samples += item.samples
        return item


def stats_of(network: Any) -> TransportStats:
    """What Daily's network statistics say in our words."""
    latest = object_of(object_of(object_of(network).get("stats")).get("latest"))
    rtt_s, loss = latest.get("networkRoundTripTime"), latest.get("totalSendPacketLoss")
    return TransportStats(
        round_trip_time_ms=1000 * float(rtt_s) if isinstance(rtt_s, int | float) else None,
        outbound_loss=float(loss) if isinstance(loss, int | float) else 0.0,
    )


def error_of(text: str) -> SpikeError:
    """What an error of Daily's means for a conversation."""
    lowered = text.lower()
    if any(sign in lowered for sign in _OVER):
        return ConversationEnded(text)
    return TokenExpired(text) if any(sign in lowered for sign in _TOKEN_REFUSED) else ConnectionFailed(text)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _sound_of(data: Any) -> Any:
    samples = np.frombuffer(data.audio_frames, np.int16).reshape(-1, data.num_channels)[:, 0]
    return frames.audio_from_ndarray(np.ascontiguousarray(samples), format="s16", sample_rate_hz=data.sample_rate)


def _picture_of(frame: Any) -> Any:
    picture = np.frombuffer(frame.buffer, np.uint8).reshape(frame.height, frame.width, 3)
    made = frames.from_ndarray(picture, "rgb24", to="yuv420p")
    made.pts, made.time_base = frame.timestamp_us, Fraction(1, 1_000_000)
    return made


def _initialise() -> None:
    """Once in a process: Daily's client does not begin twice."""
    global _initialised  # noqa: PLW0603 (so is Daily's own state)
    if not _initialised:
        daily.Daily.init()
        _initialised = True
