"""The client: join a conversation, hear its events, manage its media."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spike_engine import frames
from spike_engine.conversation.connection import Connection
from spike_engine.conversation.conversation import Conversation
from spike_engine.conversation.messages import Messages
from spike_engine.devices import list_devices
from spike_engine.errors import InvalidOption, InvalidState
from spike_engine.events import ClientStats, Devices, Event, EventName, Turn
from spike_engine.events.emitter import EventEmitter
from spike_engine.events.history import History
from spike_engine.events.state import ConversationState, after
from spike_engine.media.taps import AudioTap, Taps
from spike_engine.options import AudioInput, AudioOutput, ClientOptions, VideoInput, built_from
from spike_engine.sources.stream import frames_of
from spike_engine.transports.base import Transport
from spike_engine.transports.registry import create_transport


class SpikeClient(Messages, EventEmitter):
    """A conversation with an AI over WebRTC.

    ::

        async with SpikeClient(conversation_url=url, token=token) as client:
            async for event in client.events("ai-speaking"):
                print(event.transcript)

    Args: see :class:`~spike_engine.ClientOptions`, which also says what raises :class:`~spike_engine.InvalidOption`.

    A client is used from one event loop. Handlers run on that loop.
    """

    @built_from(ClientOptions)
    def __init__(self, options: ClientOptions) -> None:
        Messages.__init__(self)
        EventEmitter.__init__(self)
        self._conversation: Conversation | None = None
        self._watches_devices = self._watches_level = False
        self._volume = 1.0
        self._history, self._joined_at = History(), 0.0
        self.options = options
        if options.on_connected:
            self.on("connected", options.on_connected)
        if options.on_disconnected:
            self.on("disconnected", options.on_disconnected)
        if options.on_error:
            self.on("error", options.on_error)
        self._state = ConversationState(audio_enabled=options.audio, video_enabled=options.video)
        self._state_changed = asyncio.Event()
        self._transport: Transport | None = None
        self._taps = Taps()

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
        self._history, self._joined_at = History(), time.monotonic()
        await self._connect(self._transport)

    async def leave(self) -> None:
        """Leave the conversation and free everything; ``disconnected`` follows with reason ``left``.

        A ``join()`` that is under way raises :class:`~spike_engine.InvalidState`.
        Without a conversation nothing happens.
        """
        if self._conversation:
            await self._conversation.leave()

    async def reconnect(self) -> None:
        """Connect again to the same conversation, after ``disconnected`` or to replace a bad connection.

        Where the client is reconnecting by itself, it tries at once and this waits for the outcome. Handlers, tracks,
        mute state and transcripts stay. Raises as `join` does.

        Raises:
            InvalidState: The client has never joined, or is joining now.
        """
        if self._transport is None or self._state.status == "connecting":
            raise InvalidState("reconnect() needs a client that has joined before and is not joining now")
        if self._conversation and self._conversation.is_ending:
            await self._conversation.ended()
        if self._conversation:
            await self._conversation.reconnect()
        else:
            await self._connect(self._transport)

    async def _connect(self, transport: Transport) -> None:
        self._conversation = Conversation(self.options, transport, _Program(self))
        self._conversation.media.playback.volume = self._volume
        self._set_state(replace(self._state, status="connecting", error=None))
        if self._watches_devices:
            self._conversation.watch_devices()
        await self._conversation.open()

    # --- events and state ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConversationState:
        """Everything a user interface shows, as it is now."""
        return self._state

    @property
    def history(self) -> tuple[Turn, ...]:
        """Who has said what since the last `join`, with the time of each word and what was heard of it.

        Times are seconds since `join` was called. The newest 1000 turns are kept.
        """
        return self._history.turns

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
        """Update the state and the history, then deliver `event` to its handlers."""
        self._set_state(after(self._state, event))
        connection = self._conversation.connection if self._conversation else None
        ahead = bool(connection and connection.protocol.words_run_ahead)
        self._history.add(event, time.monotonic() - self._joined_at, ahead=ahead)
        super().emit(event)

    def _set_state(self, state: ConversationState) -> None:
        self._state = state
        changed, self._state_changed = self._state_changed, asyncio.Event()
        changed.set()

    def _connection(self) -> Connection:
        if not self._conversation or not self._conversation.connection or not self._state.is_connected:
            raise InvalidState(f"messages need a connection; this client is {self._state.status}")
        return self._conversation.connection

    def _talk(self, *, pressed: bool) -> None:
        if not self._conversation or self._state.status not in ("connected", "reconnecting"):
            raise InvalidState(f"talking needs a conversation; this client is {self._state.status}")
        self._conversation.talk(pressed=pressed)

    def _functions_changed(self) -> None:
        if self._state.is_connected:
            self._connection().tell_session(changed=True)

    # --- media --------------------------------------------------------------------------------------------------------

    def set_audio_enabled(self, enabled: bool) -> None:
        """Mute (False) or unmute (True) the microphone, now or for the next join."""
        self._set_state(replace(self._state, audio_enabled=bool(enabled)))
        if self._conversation:
            self._conversation.set_track_enabled("audio", enabled=bool(enabled))

    def set_video_enabled(self, enabled: bool) -> None:
        """Switch the camera off (False: black pictures) or on (True), now or for the next join."""
        self._set_state(replace(self._state, video_enabled=bool(enabled)))
        if self._conversation:
            self._conversation.set_track_enabled("video", enabled=bool(enabled))

    @property
    def volume(self) -> float:
        """How loud the AI is played: 1 is as it came, 0 is silence; ``audio_level`` does not change with it."""
        return self._volume

    @volume.setter
    def volume(self, volume: float) -> None:
        if isinstance(volume, bool) or not isinstance(volume, int | float) or not 0 <= volume <= 1:
            raise InvalidOption(f"volume must be a number from 0 to 1, not {volume!r}")
        self._volume = float(volume)
        if self._conversation:
            self._conversation.media.playback.volume = self._volume

    async def set_audio_device(self, device: AudioInput) -> None:
        """Capture from another microphone, in a running conversation or from the next join on.

        Raises:
            MediaError: It cannot be opened; the one before stays in use.
        """
        options = replace(self.options, audio_source=device)
        if self._conversation:
            await self._conversation.media.set_audio_source(device)
        self.options = options

    async def set_video_device(self, device: VideoInput) -> None:
        """Send another camera's pictures, in a running conversation or from the next join on.

        Raises:
            MediaError: It cannot be opened; the one before stays in use.
        """
        options = replace(self.options, video_source=device)
        if self._conversation:
            await self._conversation.media.set_video_source(device)
        self.options = options

    async def set_output_device(self, device: AudioOutput) -> None:
        """Play the AI's voice on another loudspeaker, in a running conversation or from the next join on.

        Raises:
            MediaError: It cannot be opened; the one before stays in use.
        """
        options = replace(self.options, audio_output=device)
        if self._conversation:
            await self._conversation.media.set_audio_output(device)
        self.options = options

    def _subscribed(self, name: EventName) -> None:
        self._watches_devices |= name == "devices-changed"
        self._watches_level |= name == "user-audio-level"
        if self._conversation and self._watches_devices:
            self._conversation.watch_devices()

    async def get_devices(self) -> Devices:
        """The microphones (``.audio``), cameras (``.video``) and loudspeakers (``.audio_output``) of this machine."""
        return await asyncio.to_thread(list_devices)

    def get_ai_audio_track(self) -> Any:
        """The AI's voice as an aiortc track, or None while there is none."""
        return self._state.ai_audio_track

    async def ai_voice(self) -> AsyncIterator[NDArray[np.float32]]:
        """The AI's voice as blocks of mono float32 at 48 kHz, shape ``(n,)``, until the conversation ends.

        Takes its frames from the same track as ``get_ai_audio_track()``: read one of the two.
        """
        async for frame in frames_of(self.get_ai_audio_track()):
            yield frames.audio_to_ndarray(frame, dtype="float32", channels=1)

    async def ai_pictures(
        self,
        format: str = "rgb24",  # noqa: A002 (the name that PyAV uses)
        *,
        width: int | None = None,
        height: int | None = None,
        in_step: bool = False,
    ) -> AsyncIterator[NDArray[np.uint8]]:
        """The AI's pictures as arrays, always the newest, until the conversation ends.

        Without `in_step` it takes its frames from the same track as ``get_ai_video_track()``: read one of the two.

        Args:
            format: As for :func:`spike_engine.frames.to_ndarray`.
            width: To scale to; by default the picture's own.
            height: The same.
            in_step: Wait with each picture, at most a second, until its sound is heard, so that lips and voice go
                together. Where pictures come after their sound, the voice is held back by up to 0.2 s. Nothing waits
                where the sender does not report when it took both (RFC 3550 section 6.4.1) or where no voice plays.
        """
        track = self.get_ai_video_track()
        async with aclosing(track.in_step() if in_step and track else frames_of(track)) as pictures:
            async for frame in pictures:
                yield frames.to_ndarray(frame, format, width=width, height=height)

    def get_ai_video_track(self) -> Any:
        """The AI's picture as an aiortc track, or None while there is none."""
        return self._state.ai_video_track

    async def get_stats(self) -> ClientStats:
        """The conversation in figures, zeros while there is none."""
        return await self._conversation.get_stats() if self._conversation else ClientStats()

    def add_audio_tap(self, tap: AudioTap) -> None:
        """Call ``tap(kind, samples)`` with every block of audio, mono float32 at 48 kHz, on the event loop.

        `kind` is ``"microphone"`` (as captured), ``"processed"`` (as sent) or ``"ai"`` (as played). For recordings and
        meters: it must be quick and must not change `samples`. One that raises is logged by its name, and called on.

        Raises:
            InvalidOption: `tap` cannot be called with ``(kind, samples)``, or is ``async``.
        """
        self._taps.add(tap)

    def remove_audio_tap(self, tap: AudioTap) -> None:
        """Call `tap` no more; one that was never added is no error."""
        self._taps.remove(tap)

    def _on_track(self, track: Any) -> None:
        name = "ai_audio_track" if track.kind == "audio" else "ai_video_track"
        self._set_state(replace(self._state, **{name: track}))


class _Program:
    """The program's side of a conversation: a :class:`~spike_engine.conversation.listener.ConversationListener`."""

    def __init__(self, client: SpikeClient) -> None:
        self._client = client
        self.emit = client.emit
        self.functions = client._functions
        self.on_track = client._on_track
        self.on_audio = client._taps

    @property
    def state(self) -> ConversationState:
        return self._client._state

    @property
    def watches_user_level(self) -> bool:
        return self._client._watches_level

    def on_over(self) -> None:
        self._client._conversation = None
