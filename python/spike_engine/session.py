"""One joined conversation: its transport, its protocol and its media, opened and closed as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spike_engine import devices
from spike_engine.devices import AudioSink, AudioSource, Silence, VideoSource
from spike_engine.errors import ConnectionFailed, ConversationEnded, MediaError, SpikeError, TokenExpired
from spike_engine.events import AIIdle, AISpeaking, Connected, DisconnectReason, Event, UserStartedSpeaking
from spike_engine.options import ClientOptions
from spike_engine.protocol import ConversationProtocol, token_expiry
from spike_engine.transports.base import LocalMedia, Transport

if TYPE_CHECKING:
    from spike_engine.tracks import AudioTap, CameraTrack, Capture, RemoteAudio, RemoteVideo

# How often a speaking AI's level is told: enough for a moving meter, few enough for a terminal.
LEVEL_INTERVAL_S = 0.1


class Session:
    """Opens and closes everything that one conversation needs. It is used once.

    Args:
        options: The client's options.
        transport: The way to the server.
        emit: Takes each event of the conversation.
        on_track: Takes the AI's tracks as the program may see them.
        on_ready: Called once, when the AI is ready and before any other event.
        on_lost: Called once if the conversation ends without :meth:`close`.
        tap: Takes every block of audio that passes.
    """

    def __init__(
        self,
        options: ClientOptions,
        transport: Transport,
        *,
        emit: Callable[[Event], None],
        on_track: Callable[[Any], None],
        on_ready: Callable[[], None],
        on_lost: Callable[[DisconnectReason, SpikeError], None],
        tap: AudioTap,
    ) -> None:
        self.capture: Capture | None = None
        self.camera: CameraTrack | None = None
        self.transport = transport
        self._options = options
        self._emit = emit
        self._report_track = on_track
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._tap = tap
        self._protocol = ConversationProtocol()
        self._sink: AudioSink = Silence()
        self._remote: list[RemoteAudio | RemoteVideo] = []
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._speaking: AISpeaking | None = None
        self._level_told_at = 0.0
        self._lost = False

    async def open(self, *, audio_enabled: bool, video_enabled: bool) -> None:
        """Open devices, connect, and return when the AI is ready. On an error everything is closed again.

        Raises:
            ConnectionFailed, TokenExpired, ConversationEnded: Why there is no conversation.
        """
        try:
            await self._open_media(audio_enabled=audio_enabled, video_enabled=video_enabled)
            async with asyncio.timeout(self._options.join_timeout_s):
                await self.transport.connect(self._local_media(), self)
                self.transport.send(self._protocol.client_ready())
                await self._ready
            self._tell_muted_tracks(audio_enabled=audio_enabled, video_enabled=video_enabled)
        except TimeoutError as error:
            await self.close()
            raise ConnectionFailed(f"no conversation within {self._options.join_timeout_s:g} s") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Leave the conversation and close every device."""
        self._lost = True
        self._ready.cancel()
        await self.transport.close()
        for remote in self._remote:
            await remote.close()
        if self.camera:
            await self.camera.close()
        if self.capture:
            await self.capture.close()
        await self._sink.close()

    async def set_audio_source(self, source: AudioSource | str) -> None:
        """Capture from `source` from now on."""
        if self.capture:
            opened = source_of(source)
            await opened.start()
            await self.capture.replace_source(opened)

    async def set_video_source(self, source: VideoSource | str) -> None:
        """Send the pictures of `source` from now on."""
        if self.camera:
            opened = self._camera_of(source)
            await opened.start()
            await self.camera.replace_source(opened)

    # --- what the transport reports -----------------------------------------------------------------------------------

    def on_message(self, text: str) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        for event in self._protocol.receive(text):
            self._handle(event)

    def on_track(self, track: Any) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        from spike_engine.tracks import RemoteAudio, RemoteVideo  # noqa: PLC0415 (aiortc loads at first use)

        remote: RemoteAudio | RemoteVideo
        if track.kind == "audio":
            remote = RemoteAudio(track, self._sink, on_level=self._on_level, tap=self._tap)
        else:
            remote = RemoteVideo(track)
        self._remote.append(remote)
        self._report_track(remote.track)

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        if self._lost:
            return
        self._lost = True
        if self._ready.done():
            self._on_lost(reason, error)
        else:
            self._ready.set_exception(error)

    # --- events -------------------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        match event:
            case Connected():
                if not self._ready.done():
                    self._ready.set_result(None)
                    self._on_ready()
                return
            case ConversationEnded():
                self.on_closed(DisconnectReason.ENDED, event)
                return
            case AISpeaking():
                event = self._speaking = replace(
                    event, audio_level=self._speaking.audio_level if self._speaking else 0.0
                )
            case AIIdle(interrupted):
                self._speaking = None
                if interrupted:
                    self._sink.flush()
            case UserStartedSpeaking() if self._speaking:
                self._sink.flush()  # barge-in: do not talk over the user while the server makes up its mind
        self._emit(event)

    def _on_level(self, level: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._speaking is None or now - self._level_told_at < LEVEL_INTERVAL_S:
            return
        self._level_told_at = now
        self._speaking = replace(self._speaking, audio_level=level)
        self._emit(self._speaking)

    # --- media --------------------------------------------------------------------------------------------------------

    async def _open_media(self, *, audio_enabled: bool, video_enabled: bool) -> None:
        from spike_engine.tracks import CameraTrack, Capture  # noqa: PLC0415 (aiortc loads at first use)

        options = self._options
        if options.audio_output is not None:
            self._sink = await self._started(sink_of(options.audio_output)) or Silence()
        if options.audio:
            source = await self._started(source_of(options.audio_source)) or Silence()
            self.capture = Capture(
                source,
                self._sink,
                echo_cancellation=options.echo_cancellation,
                noise_suppression=options.noise_suppression,
                on_error=self._emit,
                tap=self._tap,
            )
            self.capture.enabled = audio_enabled
            self.capture.start()
        if options.video and (camera := await self._started(self._camera_of(options.video_source))):
            quality = options.quality
            self.camera = CameraTrack(
                camera, width=quality.width, height=quality.height, fps=quality.fps, on_error=self._emit
            )
            self.camera.enabled = video_enabled

    async def _started(self, device: Any) -> Any:
        """`device` once it is open; None and an ``error`` event where it cannot be: the call goes on without."""
        try:
            await device.start()
        except MediaError as error:
            self._emit(error)
            return None
        return device

    def _camera_of(self, source: VideoSource | str) -> VideoSource:
        quality = self._options.quality
        if isinstance(source, str):
            return devices.Camera(source, quality.width, quality.height, quality.fps)
        return source

    def _local_media(self) -> LocalMedia:
        audio = self.capture.create_track() if self.capture else None
        return LocalMedia(audio=audio, video=self.camera, wants_video=self._options.video)

    def _tell_muted_tracks(self, *, audio_enabled: bool, video_enabled: bool) -> None:
        if self.capture and not audio_enabled:
            self.transport.set_track_enabled("audio", enabled=False)
        if self.camera and not video_enabled:
            self.transport.set_track_enabled("video", enabled=False)


def source_of(source: AudioSource | str) -> AudioSource:
    """A microphone by its id, or `source` itself."""
    return devices.Microphone(source) if isinstance(source, str) else source


def sink_of(sink: AudioSink | str) -> AudioSink:
    """A loudspeaker by its id, or `sink` itself."""
    return devices.Loudspeaker(sink) if isinstance(sink, str) else sink


def check_token(token: str, now_s: float) -> None:
    """Spare the server a token that says itself that it has expired.

    Raises:
        TokenExpired: Its ``exp`` claim lies before `now_s`, seconds of the epoch.
    """
    expiry_s = token_expiry(token)
    if expiry_s is not None and expiry_s <= now_s:
        raise TokenExpired(f"the token expired {now_s - expiry_s:.0f} s ago: fetch a new one")
