"""The client: join a conversation, hear its events, manage its media."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices import AudioSink, AudioSource, Devices, VideoSource, list_devices
from spike_engine.emitter import EventEmitter
from spike_engine.errors import InvalidState, SpikeError
from spike_engine.events import AnyHandler, Connected, Disconnected, DisconnectReason, Event
from spike_engine.options import ClientOptions
from spike_engine.session import Session, check_token
from spike_engine.state import ConversationState, after
from spike_engine.transports.base import Transport, TransportStats
from spike_engine.transports.registry import create_transport

if TYPE_CHECKING:
    from spike_engine.tracks import AudioTap


@dataclass(frozen=True, slots=True)
class ClientStats:
    """A conversation in figures.

    Attributes:
        network: Packets, bytes, round trip and jitter of the connection.
        echo_reduction_db: How much quieter the echo leaves the engine than it entered (ERLE), in dB.
        echo_delay_ms: From loudspeaker to microphone.
        speech_probability: Whether the cleaned microphone holds speech now, 0 to 1.
    """

    network: TransportStats = field(default_factory=TransportStats)
    echo_reduction_db: float = 0.0
    echo_delay_ms: float = 0.0
    speech_probability: float = 0.0


class SpikeClient(EventEmitter):
    """A conversation with an AI over WebRTC.

    ::

        async with SpikeClient(conversation_url=url, token=token) as client:
            async for event in client.events("ai-speaking"):
                print(event.transcript)

    Args: see :class:`~spike_engine.ClientOptions`, which also says what raises :class:`~spike_engine.InvalidOption`.

    A client is used from one event loop. Handlers run on that loop.
    """

    def __init__(
        self,
        *,
        conversation_url: str,
        token: str,
        audio: bool = True,
        video: bool = True,
        audio_source: str | AudioSource = "default",
        video_source: str | VideoSource = "default",
        audio_output: str | AudioSink | None = "default",
        echo_cancellation: bool = True,
        noise_suppression: bool = True,
        video_quality: Literal["low", "medium", "high"] = "high",
        on_connected: AnyHandler | None = None,
        on_disconnected: AnyHandler | None = None,
        on_error: AnyHandler | None = None,
        transport: Any = None,
        join_timeout_s: float = 4.5,
    ) -> None:
        super().__init__()
        self.options = ClientOptions(
            conversation_url=conversation_url,
            token=token,
            audio=audio,
            video=video,
            audio_source=audio_source,
            video_source=video_source,
            audio_output=audio_output,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            video_quality=video_quality,
            on_connected=on_connected,
            on_disconnected=on_disconnected,
            on_error=on_error,
            transport=transport,
            join_timeout_s=join_timeout_s,
        )
        if on_connected:
            self.on("connected", on_connected)
        if on_disconnected:
            self.on("disconnected", on_disconnected)
        if on_error:
            self.on("error", on_error)
        self._state = ConversationState(audio_enabled=audio, video_enabled=video)
        self._state_changed = asyncio.Event()
        self._session: Session | None = None
        self._transport: Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._taps: list[AudioTap] = []

    async def __aenter__(self) -> Self:
        await self.join()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.leave()

    # --- the connection -----------------------------------------------------------------------------------------------

    async def join(self) -> None:
        """Connect and return when the AI is ready. What goes wrong is raised, and delivered to ``error`` handlers too.

        A microphone, camera or loudspeaker that cannot be opened is an ``error`` event only: the conversation goes on
        without it.

        Raises:
            InvalidState: The client has joined already.
            TokenExpired: The token has expired or the server does not accept it.
            ConversationEnded: The server does not have this conversation any more.
            ConnectionFailed: Anything else that keeps the server out of reach.
        """
        if self._state.status != "disconnected":
            raise InvalidState(f"join() needs a client that is disconnected; this one is {self._state.status}")
        self._transport = create_transport(self.options)
        await self._connect(self._transport)

    async def leave(self) -> None:
        """Leave the conversation and free everything; ``disconnected`` follows with reason ``left``.

        A ``join()`` that is under way raises :class:`~spike_engine.InvalidState`.
        Without a conversation nothing happens.
        """
        if self._opening:
            self._opening.cancel()
        if self._ending:
            await asyncio.shield(self._ending)
        session, self._session = self._session, None
        if session:
            await session.close()
            self.emit(Disconnected(DisconnectReason.LEFT))

    async def reconnect(self) -> None:
        """Connect again to the same conversation, after ``disconnected`` or to replace a bad connection.

        Handlers and mute state stay. Raises as `join` does.

        Raises:
            InvalidState: The client has never joined, or is joining now.
        """
        if self._transport is None or self._state.status == "connecting":
            raise InvalidState("reconnect() needs a client that has joined before and is not joining now")
        if self._ending:
            await asyncio.shield(self._ending)
        session, self._session = self._session, None
        if session:
            await session.close()
        await self._connect(self._transport)

    async def _connect(self, transport: Transport) -> None:
        self._set_state(replace(self._state, status="connecting", error=None))

        def on_ready() -> None:
            # At once, not when join() gets its turn: the AI's first words may come in the same packet.
            self._session = session
            self.emit(Connected())

        session = Session(
            self.options,
            transport,
            emit=self.emit,
            on_track=self._on_track,
            on_ready=on_ready,
            on_lost=self._on_lost,
            tap=self._tap,
        )
        try:
            check_token(self.options.token, time.time())
            await self._open(session)
        except SpikeError as error:
            self.emit(error)
            self.emit(Disconnected(DisconnectReason.ERROR))
            raise
        except BaseException:
            self.emit(Disconnected(DisconnectReason.LEFT))
            raise

    async def _open(self, session: Session) -> None:
        """Open `session` in a task of its own, so that `leave` can end it without cancelling the program's."""
        state = self._state
        opening = self._opening = asyncio.create_task(
            session.open(audio_enabled=state.audio_enabled, video_enabled=state.video_enabled)
        )
        try:
            await opening
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller and caller.cancelling():
                raise
            raise InvalidState("leave() was called before join() was done") from None
        finally:
            self._opening = None

    def _on_lost(self, reason: DisconnectReason, error: SpikeError) -> None:
        self._ending = asyncio.create_task(self._end(reason, error))

    async def _end(self, reason: DisconnectReason, error: SpikeError) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()
        self._ending = None
        self.emit(error)
        self.emit(Disconnected(reason))

    # --- events and state ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConversationState:
        """Everything a user interface shows, as it is now."""
        return self._state

    async def observe(self) -> AsyncIterator[ConversationState]:
        """The state now and after each change. A slow reader gets the newest, not every one between."""
        seen: ConversationState | None = None
        while True:
            if self._state is not seen:
                seen = self._state
                yield seen
            else:
                await self._state_changed.wait()

    def emit(self, event: Event) -> None:
        """Update the state, then deliver `event` to its handlers."""
        self._set_state(after(self._state, event))
        super().emit(event)

    def _set_state(self, state: ConversationState) -> None:
        self._state = state
        changed, self._state_changed = self._state_changed, asyncio.Event()
        changed.set()

    # --- media --------------------------------------------------------------------------------------------------------

    def set_audio_enabled(self, enabled: bool) -> None:
        """Mute (False) or unmute (True) the microphone, now or for the next join."""
        self._set_state(replace(self._state, audio_enabled=bool(enabled)))
        if self._session and self._session.capture:
            self._session.capture.enabled = bool(enabled)
            self._session.transport.set_track_enabled("audio", enabled=bool(enabled))

    def set_video_enabled(self, enabled: bool) -> None:
        """Switch the camera off (False: black pictures) or on (True), now or for the next join."""
        self._set_state(replace(self._state, video_enabled=bool(enabled)))
        if self._session and self._session.camera:
            self._session.camera.enabled = bool(enabled)
            self._session.transport.set_track_enabled("video", enabled=bool(enabled))

    async def set_audio_device(self, device: str | AudioSource) -> None:
        """Capture from another microphone, in a running conversation or from the next join on.

        Raises:
            MediaError: It cannot be opened; the one before stays in use.
        """
        options = replace(self.options, audio_source=device)
        if self._session:
            await self._session.set_audio_source(device)
        self.options = options

    async def set_video_device(self, device: str | VideoSource) -> None:
        """Send another camera's pictures, in a running conversation or from the next join on.

        Raises:
            MediaError: It cannot be opened; the one before stays in use.
        """
        options = replace(self.options, video_source=device)
        if self._session:
            await self._session.set_video_source(device)
        self.options = options

    async def get_devices(self) -> Devices:
        """The microphones (``.audio``), cameras (``.video``) and loudspeakers (``.audio_output``) of this machine."""
        return await asyncio.to_thread(list_devices)

    def get_ai_audio_track(self) -> Any:
        """The AI's voice as an aiortc track, or None while there is none."""
        return self._state.ai_audio_track

    def get_ai_video_track(self) -> Any:
        """The AI's picture as an aiortc track, or None while there is none."""
        return self._state.ai_video_track

    async def get_stats(self) -> ClientStats:
        """The conversation in figures, zeros while there is none."""
        session = self._session
        if session is None:
            return ClientStats()
        network = await session.transport.get_stats()
        if session.capture is None:
            return ClientStats(network)
        audio = session.capture.pipeline.stats
        return ClientStats(network, audio.erle_db, audio.delay_ms, audio.speech_probability)

    def add_audio_tap(self, tap: AudioTap) -> None:
        """Call ``tap(kind, samples)`` with every block of audio, mono float32 at 48 kHz, on the event loop.

        `kind` is ``"microphone"`` (as captured), ``"processed"`` (as sent) or ``"ai"`` (as played). For recordings and
        meters: it must be quick and must not change `samples`.
        """
        self._taps.append(tap)

    def _tap(self, kind: Literal["microphone", "processed", "ai"], samples: NDArray[np.float32]) -> None:
        for tap in self._taps:
            tap(kind, samples)

    def _on_track(self, track: Any) -> None:
        name = "ai_audio_track" if track.kind == "audio" else "ai_video_track"
        self._set_state(replace(self._state, **{name: track}))
