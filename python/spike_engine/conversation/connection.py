"""One connection to a conversation: its handshake, its events, and the AI's tracks while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spike_engine.duplex.turns import LocalTurns
from spike_engine.errors import ConnectionFailed, ConversationEnded, SpikeError
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    Connected,
    DisconnectReason,
    Event,
    UserStartedSpeaking,
    UserStoppedSpeaking,
)
from spike_engine.media.local import LocalMedia
from spike_engine.transports.base import Transport

if TYPE_CHECKING:
    from spike_engine.media.remote import RemoteMedia

# How often a speaking AI's level is told: enough for a moving meter, few enough for a terminal.
LEVEL_INTERVAL_S = 0.1


class Connection:
    """Connects a transport to the local media and turns what it brings into events. It is used once.

    Args:
        transport: The way to the server.
        media: The devices, which are open.
        remote: Receives the AI's tracks.
        emit: Takes each event of the conversation.
        on_track: Takes the AI's tracks as the program may see them.
        on_ready: Called once, when the AI is ready and before any other event.
        on_lost: Called once if the connection ends without :meth:`close`.
        local_turns: Tell from the sound when the user speaks, whatever the server says.
    """

    def __init__(
        self,
        transport: Transport,
        media: LocalMedia,
        remote: RemoteMedia,
        *,
        emit: Callable[[Event], None],
        on_track: Callable[[Any], None],
        on_ready: Callable[[], None],
        on_lost: Callable[[DisconnectReason, SpikeError], None],
        local_turns: bool = False,
    ) -> None:
        self.protocol = transport.create_protocol()
        self.transport = transport
        self._media = media
        self._remote = remote
        self._emit = emit
        self._report_track = on_track
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._speaking: AISpeaking | None = None
        self._level_told_at = 0.0
        self._lost = False
        self._turns = LocalTurns()
        self._tells_user = local_turns or not self.protocol.tells_turns
        if media.capture:
            media.capture.on_voice = self._on_voice if self._tells_user else None

    async def open(self, timeout_s: float) -> None:
        """Connect, and return when the AI is ready. On an error the transport is closed again.

        Raises:
            ConnectionFailed, TokenExpired, ConversationEnded: Why there is no conversation.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self.transport.connect(self._media.tracks(), self)
                for text in self.protocol.greeting():
                    self.transport.send(text)
                if not self.protocol.waits_for_ready:
                    self._handle(Connected())
                await self._ready
            self._tell_muted_tracks()
        except TimeoutError as error:
            await self.close()
            raise ConnectionFailed(f"no conversation within {timeout_s:g} s") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Leave the server; the devices stay open."""
        self._lost = True
        self._media.playback.held = False
        if not self._ready.cancel() and not self._ready.cancelled():
            self._ready.exception()  # who waited has heard it, or has heard of a fault before it
        await self.transport.close()
        await self._remote.detach()

    def on_level(self, level: float) -> None:
        """Tell how loud a speaking AI is, now and then; take in a block of 20 ms."""
        if not self.protocol.tells_turns:
            for event in self._turns.on_ai_level(level):
                self._handle(event)
        now = asyncio.get_running_loop().time()
        if self._speaking is None or self._media.playback.held or now - self._level_told_at < LEVEL_INTERVAL_S:
            return
        self._level_told_at = now
        self._speaking = replace(self._speaking, audio_level=level)
        self._emit(self._speaking)

    # --- what the transport reports -----------------------------------------------------------------------------------

    def on_message(self, text: str) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        for event in self.protocol.receive(text):
            if not (self._tells_user and isinstance(event, UserStartedSpeaking | UserStoppedSpeaking)):
                self._handle(event)

    def on_track(self, track: Any) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        self._report_track(self._remote.attach(track))

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
            case AISpeaking() if self._media.playback.held:
                return  # nobody hears it: the transcript stays at what was heard
            case AISpeaking():
                event = self._speaking = replace(
                    event, audio_level=self._speaking.audio_level if self._speaking else 0.0
                )
            case AIIdle(interrupted):
                self._speaking = None
                self._media.playback.held = False
                if interrupted:
                    self._media.playback.flush()
            case UserStartedSpeaking() if self._speaking:
                self._media.playback.flush()  # barge-in: do not talk over the user while the server makes up its mind
                self._media.playback.held = self._tells_user  # the server may not have noticed the user yet
            case UserStoppedSpeaking():
                self._media.playback.held = False
        self._emit(event)

    def _on_voice(self, active: bool) -> None:
        if self._ready.done() and not self._lost:
            for event in self._turns.on_voice(active):
                self._handle(event)

    def _tell_muted_tracks(self) -> None:
        """A new connection does not know what was muted before."""
        if self._media.capture and not self._media.capture.enabled:
            self.transport.set_track_enabled("audio", enabled=False)
        if self._media.filming and not self._media.filming.enabled:
            self.transport.set_track_enabled("video", enabled=False)
