"""One connection to a conversation: its handshake, its events, and the AI's tracks while it lasts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spike_engine.conversation.barge_in import BargeIn
from spike_engine.conversation.button import Button
from spike_engine.conversation.calls import FunctionCalls
from spike_engine.conversation.listener import ConversationListener
from spike_engine.conversation.monitor import Monitor
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.duplex.turn_taking import Floor, TurnTaking
from spike_engine.duplex.turns import AITurns, StuckAI
from spike_engine.duplex.voice_shape import RATE_HZ as JUDGED_RATE_HZ
from spike_engine.errors import ConnectionFailed, ConversationEnded, SpikeError
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    ClientStats,
    Connected,
    DisconnectReason,
    Event,
    FunctionCall,
    UserAudioLevel,
    UserStartedSpeaking,
    UserStoppedSpeaking,
)
from spike_engine.lifetime import Lifetime, cancelled
from spike_engine.media.local import LocalMedia
from spike_engine.options import ClientOptions
from spike_engine.transports.base import LocalTracks, Transport

if TYPE_CHECKING:
    from spike_engine.media.remote import RemoteMedia

# How often a speaking AI's level is told: enough for a moving meter, few enough for a terminal.
LEVEL_INTERVAL_S = 0.1
CLOSE_LIMIT_S = 10.0  # a transport that takes longer to say good-bye is left to itself
LONGEST_CONNECT = 4  # times join_timeout_s, while something comes from the server
LOOK_FOR_NEWS_S = 0.25

logger = logging.getLogger(__name__)


class Loss(NamedTuple):
    """Why a connection is gone."""

    reason: DisconnectReason
    error: SpikeError


class Connection:
    """Connects a transport to the local media and turns what it brings into events. It is used once.

    Args:
        transport: The way to the server.
        media: The devices.
        remote: Receives the AI's tracks.
        listener: Hears the conversation's events.
        options: The client's.
        button: The user's.
        reconnections: How many connections there were before this one.

    Attributes:
        over: Done when the connection is of no use any more: why it was lost, or None where it was given up.
    """

    def __init__(
        self,
        transport: Transport,
        media: LocalMedia,
        remote: RemoteMedia,
        listener: ConversationListener,
        options: ClientOptions,
        button: Button,
        *,
        reconnections: int = 0,
    ) -> None:
        self.protocol = transport.create_protocol()
        self.over: asyncio.Future[Loss | None] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._media = media
        self._remote = remote
        self._listener = listener
        self._options = options
        self._button = button
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._early: list[Event] = []  # what a server tells before it is ready comes after Connected
        self._level_told_at = 0.0
        self._ai_turns, self._stuck_ai = AITurns(), StuckAI()
        self._user_turns = TurnTaking()
        self._to_judges = RateConverter(JUDGED_RATE_HZ)
        self._user_level_told_at = 0.0
        self._tells_user = options.turn_detection != "server" or not self.protocol.tells_turns
        self._push_to_talk = options.turn_detection == "push-to-talk"
        self._calls = FunctionCalls(listener.functions, self._answer)
        self._barge_in = BargeIn(media.playback, holds=self._tells_user)
        self._monitor = Monitor(options, transport, media, remote, listener, reconnections=reconnections)
        self._lifetime = Lifetime(CLOSE_LIMIT_S)

    async def open(self, devices: Awaitable[None] | None = None) -> None:
        """Connect, and return when the AI is ready. Where that fails, :meth:`close` is still to be called.

        Args:
            devices: Done when the devices are open: the server is greeted only then, so that its first words are heard.

        Raises:
            ConnectionFailed, TokenExpired, ConversationEnded: Why there is no conversation.
        """
        loop, timeout_s = asyncio.get_running_loop(), self._options.join_timeout_s
        began_s = loop.time()
        try:
            async with asyncio.timeout(timeout_s) as limit:
                news = asyncio.create_task(self._prolong(limit))
                try:
                    await self._connect()
                finally:
                    await cancelled(news)
                limit.reschedule(loop.time() + timeout_s)
                if devices:
                    await _outside(limit, devices)
                self._greet()
                await self._until_ready()
        except TimeoutError as error:
            raise ConnectionFailed(f"no conversation within {loop.time() - began_s:.2g} s") from error
        self._monitor.start()
        self._lifetime.add(self._monitor.close)

    async def close(self) -> None:
        """Leave the server; the devices stay open. May be called twice."""
        self.give_up()
        if self._ready.done():
            self._media.away()
            self._button.lose()
        self._barge_in.end()
        await self._lifetime.close()

    def give_up(self) -> None:
        """Take nothing more from the server: it is to be closed."""
        if not self.over.done():
            self.over.set_result(None)

    def interrupt(self) -> None:
        """Silence the AI at once, and ask the server to stop it."""
        self.send(self.protocol.interrupt())
        self._barge_in.silence()

    def talk(self, *, pressed: bool) -> None:
        """The user has pressed the button to talk, or let go."""
        self._media.when_sent("audio", lambda: self.send(self.protocol.talk(pressed=pressed)))
        self._handle(UserStartedSpeaking() if pressed else UserStoppedSpeaking())

    def _take_up_button(self) -> None:
        """The server hears of a button that was down while it heard nothing, and then what was said meanwhile."""
        if self._button.was_down:
            self.send(self.protocol.talk(pressed=True))
            self._handle(UserStartedSpeaking())
            if not self._button.down:
                self.talk(pressed=False)

    def tell_session(self, *, changed: bool = False) -> None:
        """Tell the server what it must know of the program; with `changed`, because its functions have changed."""
        declared = [each for each in self._listener.functions.values() if each.declared]
        functions = declared if declared or changed else None
        self.send(self.protocol.session(functions, push_to_talk=self._push_to_talk and not changed))

    def _answer(self, call: FunctionCall, result: Any) -> None:
        self.send(self.protocol.function_result(call, result))

    def send(self, texts: list[str]) -> None:
        """Send messages of the protocol's."""
        for text in texts:
            self._transport.send(text)

    async def stats(self) -> ClientStats:
        """The conversation in figures."""
        return await self._monitor.stats()

    # --- opening ------------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        tracks = self._media.tracks()
        self._lifetime.add(lambda: _stop(tracks))
        self._lifetime.add(self._calls.close)
        self._lifetime.add(self._remote.detach)
        self._lifetime.add(self._transport.close)
        try:
            await self._transport.connect(tracks, self)
        except (SpikeError, TimeoutError):
            raise
        except Exception as error:
            logger.exception("%r raised while it connected", self._transport)
            raise ConnectionFailed(f"the transport failed: {error!r}") from error

    async def _prolong(self, limit: asyncio.Timeout) -> None:
        """Give a network that loses packets time, for as long as some of the server's get through."""
        loop, timeout_s, received = asyncio.get_running_loop(), self._options.join_timeout_s, 0
        longest_s = loop.time() + LONGEST_CONNECT * timeout_s
        while True:
            await asyncio.sleep(min(LOOK_FOR_NEWS_S, timeout_s / 4))
            now_received = (await self._transport.get_stats()).packets_received
            if now_received > received:
                received = now_received
                with contextlib.suppress(RuntimeError):  # it has just run out
                    limit.reschedule(min(loop.time() + timeout_s, longest_s))

    def _greet(self) -> None:
        self.send(self.protocol.greeting())
        if not self.protocol.waits_for_ready:
            self._handle(Connected())

    async def _until_ready(self) -> None:
        either: set[asyncio.Future[Any]] = {self._ready, self.over}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done() and (loss := self.over.result()):
            raise loss.error

    def _tell_muted_tracks(self) -> None:
        """A new connection does not know what was muted before."""
        for kind in self._media.muted():
            self._media.when_sent(kind, partial(self._transport.set_track_enabled, kind, enabled=False))

    # --- what the transport reports -----------------------------------------------------------------------------------

    def on_message(self, text: str) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        if self.over.done():
            return
        for event in self.protocol.receive(text):
            if self._tells_user and isinstance(event, UserStartedSpeaking | UserStoppedSpeaking):
                continue
            if self._ready.done() or isinstance(event, Connected | SpikeError):
                self._handle(event)
            else:
                self._early.append(event)

    def on_track(self, track: Any) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        if not self.over.done():
            self._listener.on_track(self._remote.attach(track))

    def on_closed(self, reason: DisconnectReason, error: SpikeError) -> None:
        """See :class:`~spike_engine.transports.base.TransportListener`."""
        if not self.over.done():
            self.over.set_result(Loss(reason, error))

    # --- what the media report ----------------------------------------------------------------------------------------

    def on_voice(self, voice: NDArray[np.float32], *, active: bool, suspected: bool) -> None:
        """See :meth:`~spike_engine.media.listener.MediaListener.on_voice`."""
        if not self._tells_user or self._push_to_talk or not self._ready.done():
            return
        voice, ai_heard = self._to_judges(voice, ENGINE_RATE_HZ), self._listener.state.is_ai_speaking
        for outcome in self._user_turns.on_frame(voice, active=active, suspected=suspected, ai_heard=ai_heard):
            if isinstance(outcome, Floor):
                self._barge_in.suspect(outcome is Floor.HOLD)
            else:
                self._handle(outcome)

    def on_user_level(self, level: float) -> None:
        """Tell how loud the user is, to whom wants to know."""
        now = asyncio.get_running_loop().time()
        if self._listener.watches_user_level and now - self._user_level_told_at >= LEVEL_INTERVAL_S:
            self._user_level_told_at = now
            self._tell(UserAudioLevel(level))

    def on_level(self, level: float) -> None:
        """Tell how loud a speaking AI is, now and then."""
        if not self.protocol.tells_turns:
            for event in self._ai_turns.on_level(level):
                self._handle(event)
        elif self._stuck_ai.on_level(level, speaks=self._listener.state.is_ai_speaking):
            self._handle(AIIdle())
        now, state = asyncio.get_running_loop().time(), self._listener.state
        if state.is_ai_speaking and not self._barge_in.held and now - self._level_told_at >= LEVEL_INTERVAL_S:
            self._level_told_at = now
            self._tell(AISpeaking(state.ai_transcript, level))

    # --- events -------------------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        match event:
            case Connected():
                if not self._ready.done():
                    self._ready.set_result(None)
                    self._media.back()
                    self._tell_muted_tracks()
                    self.tell_session()
                    # At once, not when join() gets its turn: the AI's first words may come in the same packet.
                    self._tell(event)
                    self._take_up_button()
                    while self._early:
                        self._handle(self._early.pop(0))
                return
            case ConversationEnded():
                self.on_closed(DisconnectReason.ENDED, event)
                return
            case AISpeaking() if self._barge_in.held:
                return  # nobody hears it: the transcript stays at what was heard
            case AISpeaking():
                event = replace(event, audio_level=self._listener.state.audio_level)
            case AIIdle(interrupted):
                self._barge_in.end()
                if interrupted:
                    self._barge_in.silence()
            case UserStartedSpeaking() if self._listener.state.is_ai_speaking:
                self._barge_in.begin()
            case UserStartedSpeaking():  # the AI has ended while it was not sure that it is the user
                self._barge_in.suspect(False)
            case UserStoppedSpeaking():
                self._barge_in.end()
            case FunctionCall():
                self._calls.on_call(event)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if not self.over.done():  # what comes late is not of this conversation any more
            self._listener.emit(event)


async def _outside(limit: asyncio.Timeout, waited_for: Awaitable[None]) -> None:
    """Wait for something that `limit` does not limit."""
    loop, until = asyncio.get_running_loop(), limit.when()
    began = loop.time()
    limit.reschedule(None)
    await waited_for
    limit.reschedule(None if until is None else until + loop.time() - began)


async def _stop(tracks: LocalTracks) -> None:
    for track in (tracks.audio, tracks.video):
        if track:
            track.stop()
