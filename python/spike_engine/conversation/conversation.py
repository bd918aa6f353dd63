"""One conversation from join to its end: connected, and connected again when the network broke."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spike_engine.conversation.button import Button
from spike_engine.conversation.connection import Connection, Loss
from spike_engine.conversation.listener import ConversationListener
from spike_engine.conversation.token import check_token
from spike_engine.devices.watch import DeviceWatch
from spike_engine.errors import ConnectionFailed, InvalidState, MediaError, SpikeError
from spike_engine.events import ClientStats, DevicesChanged, Disconnected, DisconnectReason, Reconnecting
from spike_engine.lifetime import Lifetime, cancelled
from spike_engine.media.local import LocalMedia
from spike_engine.media.taps import TapKind
from spike_engine.options import ClientOptions
from spike_engine.transports.base import Transport

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
SOON_S, SOON_DELAY_S = 15.0, 1.0  # most cuts are over by then, and the user may be waiting for an answer
RECONNECT_LIMIT_S = 60.0  # a server keeps a conversation that nobody is connected to for about as long

logger = logging.getLogger(__name__)


class Conversation:
    """Opens devices and a connection, replaces a connection that broke, and closes everything. It is used once.

    One task, :meth:`_live`, does all of it in order; what a program calls only tells that task what it wishes.

    Args:
        options: The client's options.
        transport: The way to the server.
        listener: Hears what happens. A :class:`~spike_engine.media.listener.MediaListener` for the devices is this.

    Attributes:
        connection: The one that there is; None before the first and between two.
        media: The devices.
    """

    def __init__(self, options: ClientOptions, transport: Transport, listener: ConversationListener) -> None:
        from spike_engine.media.remote import RemoteMedia  # noqa: PLC0415 (aiortc loads at first use)

        if not transport.carries_video:
            options = replace(options, video=False)
        self.connection: Connection | None = None
        self._options = options
        self._transport = transport
        self._listener = listener
        self.media = LocalMedia(options, self)
        self._remote = RemoteMedia(self.media.playback, self)
        self._watch = DeviceWatch(lambda devices: listener.emit(DevicesChanged(devices)))
        self._lifetime = Lifetime()
        for part in (self._watch, self.media, self._remote):
            self._lifetime.add(part.close)
        self._life: asyncio.Task[None] | None = None
        self._work: asyncio.Task[None] | None = None
        self._leaving = self._over = False
        self._failure: SpikeError | None = None
        self._settled = asyncio.Event()  # the AI is ready, or the conversation is over
        self._hurry = asyncio.Event()
        self._button = Button()
        self._reconnections = 0

    # --- what a program wishes ----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the devices, connect, and return when the AI is ready; a failure is told and raised."""
        self._life = asyncio.create_task(self._live())
        try:
            await self._until_settled("join")
        except asyncio.CancelledError:
            await self.leave()
            self._tell_end(DisconnectReason.LEFT)  # its life may have been cancelled before it began
            raise

    async def reconnect(self) -> None:
        """Replace the connection, or hasten the reconnection that is under way; returns when the AI is ready.

        Raises:
            ConnectionFailed, TokenExpired, ConversationEnded: There is no way back; the conversation is over.
            InvalidState: It was left meanwhile.
        """
        if self.connection and self._settled.is_set():
            self._settled.clear()
            self.connection.give_up()
        else:
            self._hurry.set()
        await self._until_settled("reconnect")

    async def leave(self) -> None:
        """End the conversation, whatever is under way; returns when everything is closed."""
        if self._work and not self._leaving:
            self._work.cancel()
        self._leaving = True
        await self.ended()

    async def ended(self) -> None:
        """Return when everything is closed; who waits may be cancelled."""
        if self._life:
            await asyncio.wait({self._life})

    @property
    def is_ending(self) -> bool:
        """Nothing can be wished for any more."""
        return self._lifetime.over or self._leaving

    def watch_devices(self) -> None:
        """Tell from now on when devices come and go."""
        if not self.is_ending:
            self._watch.start()

    def talk(self, *, pressed: bool) -> None:
        """The user presses the button to talk, or lets go; doing so twice is no error.

        Raises:
            InvalidState: Turns are told otherwise.
        """
        if self._options.turn_detection != "push-to-talk":
            raise InvalidState('talking by a button needs turn_detection="push-to-talk"')
        if pressed != self._button.down:
            self._button.press(pressed)
            if self.connection and self._listener.state.is_connected:
                self.connection.talk(pressed=pressed)

    def set_track_enabled(self, kind: str, *, enabled: bool) -> None:
        """Tell the server that a source that there is was muted or not."""
        if kind in self.media.readings:
            self.media.when_sent(kind, partial(self._transport.set_track_enabled, kind, enabled=enabled))

    async def get_stats(self) -> ClientStats:
        """The conversation in figures."""
        return await self.connection.stats() if self.connection else ClientStats()

    async def _until_settled(self, what: str) -> None:
        await self._settled.wait()
        if self._over:
            raise self._failure or InvalidState(f"leave() was called before {what}() was done")

    # --- its life -----------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        reason, self._failure = await self._outcome()
        try:
            await self._lifetime.close()
        finally:
            self._tell_end(reason)

    def _tell_end(self, reason: DisconnectReason) -> None:
        if not self._over:
            self._over = True
            self._listener.on_over()
            if self._failure:
                self._listener.emit(self._failure)
            self._listener.emit(Disconnected(reason))
            self._settled.set()

    async def _outcome(self) -> tuple[DisconnectReason, SpikeError | None]:
        """Converse, and say how it ended. Never raises."""
        self._work = asyncio.create_task(self._converse())
        if self._leaving:
            self._work.cancel()
        while not self._work.done():
            try:
                await asyncio.wait({self._work})
            except asyncio.CancelledError:  # the event loop ends: everything is closed all the same
                self._work.cancel()
        if self._work.cancelled():
            return DisconnectReason.LEFT, None
        match self._work.exception():
            case _Lost(loss):
                return loss
            case SpikeError() as error:
                return DisconnectReason.ERROR, error
            case error:
                logger.error("the conversation failed", exc_info=error)
                return DisconnectReason.ERROR, ConnectionFailed(f"the conversation failed: {error!r}")

    async def _converse(self) -> None:
        """Connect, and again and again when the connection is lost or given up. Ends only by raising."""
        check_token(self._options.token, time.time())
        devices = asyncio.create_task(self.media.open())
        try:
            connection = await self._connect(devices)
        finally:
            await cancelled(devices)
        while True:
            self._hurry.clear()
            self._settled.set()
            loss = await connection.over
            self._settled.clear()
            await self._disconnect()
            self._reconnections += 1
            connection = await (self._recover(loss) if loss else self._replace())

    async def _connect(self, devices: asyncio.Task[None] | None = None) -> Connection:
        connection = self.connection = Connection(
            self._transport,
            self.media,
            self._remote,
            self._listener,
            self._options,
            self._button,
            reconnections=self._reconnections,
        )
        self._lifetime.add(connection.close)
        try:
            await connection.open(devices)
        except BaseException:
            await self._disconnect()
            raise
        return connection

    async def _disconnect(self) -> None:
        connection, self.connection = self.connection, None
        if connection:
            self._lifetime.drop(connection.close)
            await self._lifetime.settled()

    async def _replace(self) -> Connection:
        self._listener.emit(Reconnecting(attempt=1, delay_s=0.0))
        return await self._connect()

    async def _recover(self, loss: Loss) -> Connection:
        """Connect again and again, later and later, until it works, cannot work, or has taken too long."""
        if loss.reason != DisconnectReason.NETWORK or not self._options.auto_reconnect:
            raise _Lost(loss)
        loop = asyncio.get_running_loop()
        began_s, took_s = loop.time(), 0.0
        self._listener.emit(loss.error)
        self._listener.emit(Disconnected(DisconnectReason.NETWORK, will_reconnect=True))
        for attempt, wanted_s in enumerate(_delays(lambda: loop.time() - began_s < SOON_S), start=1):
            delay_s = max(0.0, wanted_s - took_s)  # an attempt that nobody answered has been a delay already
            self._listener.emit(Reconnecting(attempt, delay_s))
            await self._pause(delay_s)
            tried_s = loop.time()
            try:
                return await self._connect()
            except SpikeError as failure:
                took_s = loop.time() - tried_s
                if not _can_retry(failure) or loop.time() + delay_s > began_s + RECONNECT_LIMIT_S:
                    raise
        raise AssertionError  # there is always another delay

    async def _pause(self, delay_s: float) -> None:
        """Wait, unless the program asks for it now."""
        try:
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    # --- what the media tell ------------------------------------------------------------------------------------------

    def is_enabled(self, kind: str) -> bool:
        """See :class:`~spike_engine.media.listener.MediaListener`."""
        state = self._listener.state
        if kind == "video":
            return state.video_enabled
        return state.audio_enabled and (self._button.down or self._options.turn_detection != "push-to-talk")

    def on_error(self, error: MediaError) -> None:
        """See :class:`~spike_engine.media.listener.MediaListener`."""
        self._listener.emit(error)

    def on_audio(self, kind: TapKind, samples: NDArray[np.float32]) -> None:
        """See :class:`~spike_engine.media.listener.MediaListener`."""
        self._listener.on_audio(kind, samples)

    def on_voice(self, voice: NDArray[np.float32], *, active: bool, suspected: bool) -> None:
        """See :class:`~spike_engine.media.listener.MediaListener`."""
        if self.connection:
            self.connection.on_voice(voice, active=active, suspected=suspected)

    def on_user_level(self, level: float) -> None:
        """See :class:`~spike_engine.media.listener.MediaListener`."""
        if self.connection:
            self.connection.on_user_level(level)

    def on_level(self, level: float) -> None:
        """See :class:`~spike_engine.media.listener.MediaListener`."""
        if self.connection:
            self.connection.on_level(level)


class _Lost(Exception):
    """The connection is gone for good."""

    __match_args__ = ("loss",)

    def __init__(self, loss: Loss) -> None:
        super().__init__(loss)
        self.loss = loss


def _delays(is_soon: Callable[[], bool]) -> Iterator[float]:
    """At once, then twice as long each time, with some chance in it: a server that restarts has many clients.

    As long as it is soon after the loss, no delay is long.
    """
    yield 0.0
    delay_s = FIRST_DELAY_S
    while True:
        yield delay_s * random.uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)
        delay_s = min(2 * delay_s, SOON_DELAY_S if is_soon() else LONGEST_DELAY_S)


def _can_retry(failure: SpikeError) -> bool:
    return isinstance(failure, ConnectionFailed) and failure.can_retry
