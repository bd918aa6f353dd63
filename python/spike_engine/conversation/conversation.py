"""One conversation from join to its end: connected, and connected again when the network broke."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spike_engine.conversation.connection import Connection
from spike_engine.conversation.monitor import Monitor
from spike_engine.conversation.token import check_token
from spike_engine.devices.watch import DeviceWatch
from spike_engine.errors import ConnectionFailed, InvalidState, SpikeError
from spike_engine.events import (
    ClientStats,
    Connected,
    DevicesChanged,
    Disconnected,
    DisconnectReason,
    Event,
    Reconnecting,
)
from spike_engine.media.local import LocalMedia
from spike_engine.media.taps import AudioTap
from spike_engine.options import ClientOptions
from spike_engine.transports.base import Transport

if TYPE_CHECKING:
    from spike_engine.media.remote import RemoteMedia

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
RECONNECT_LIMIT_S = 60.0  # a server keeps a conversation that nobody is connected to for about as long


class Conversation:
    """Opens devices and a connection, replaces a connection that broke, and closes everything. It is used once.

    Args:
        options: The client's options.
        transport: The way to the server.
        emit: Takes each event.
        on_track: Takes the AI's tracks as the program may see them.
        on_over: Called once, when everything is closed and before the event that says so.
        tap: Takes every block of audio that passes.
    """

    def __init__(
        self,
        options: ClientOptions,
        transport: Transport,
        *,
        emit: Callable[[Event], None],
        on_track: Callable[[Any], None],
        on_over: Callable[[], None],
        tap: AudioTap,
    ) -> None:
        if not transport.carries_video:
            options = replace(options, video=False)
        self.transport = transport
        self.media = LocalMedia(options, emit=emit, tap=tap)
        self.connection: Connection | None = None
        self.reconnections = 0
        self.ending: asyncio.Task[None] | None = None
        self._options = options
        self._emit = emit
        self._on_track = on_track
        self._on_over = on_over
        self._tap = tap
        self._remote: RemoteMedia | None = None
        self._monitor: Monitor | None = None
        self._opening: asyncio.Task[None] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._watch = DeviceWatch(lambda devices: emit(DevicesChanged(devices)))

    async def open(self, *, audio_enabled: bool, video_enabled: bool) -> None:
        """Open the devices, connect, and return when the AI is ready; a failure is told and raised."""
        try:
            check_token(self._options.token, time.time())
            await self._run(self._open(audio_enabled=audio_enabled, video_enabled=video_enabled))
        except InvalidState:  # leave() has been called
            await self._end(DisconnectReason.LEFT)
            raise
        except SpikeError as error:
            await self._end(DisconnectReason.ERROR, error)
            raise
        except BaseException:
            await self._end(DisconnectReason.LEFT)
            raise

    async def reconnect(self) -> None:
        """Replace the connection, or hasten the reconnection that is under way; returns when the AI is ready.

        Raises:
            ConnectionFailed, TokenExpired, ConversationEnded: There is no way back; the conversation is over.
        """
        if self._recovery is None:
            self._recovery = asyncio.create_task(self._replace_connection())
            self._recovery.add_done_callback(_failure_has_been_told)
        else:
            self._hurry.set()
        await asyncio.shield(self._recovery)

    async def leave(self) -> None:
        """End the conversation, whatever is under way."""
        if self.ending is None:
            for task in (self._opening, self._recovery):
                if task:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
        await self._end(DisconnectReason.LEFT)

    def watch_devices(self) -> None:
        """Tell from now on when devices come and go."""
        self._watch.start()

    async def get_stats(self) -> ClientStats:
        """The conversation in figures."""
        return await self._monitor.stats(self.reconnections) if self._monitor else ClientStats()

    # --- opening ------------------------------------------------------------------------------------------------------

    async def _open(self, *, audio_enabled: bool, video_enabled: bool) -> None:
        from spike_engine.media.remote import RemoteMedia  # noqa: PLC0415 (aiortc loads at first use)

        await self.media.open(audio_enabled=audio_enabled, video_enabled=video_enabled)
        self._remote = RemoteMedia(
            self.media.playback, on_level=self._on_level, tap=lambda voice: self._tap("ai", voice)
        )
        await self._open_connection()

    async def _run(self, opening: Any) -> None:
        """`opening` in a task of its own, so that `leave` can end it without cancelling the program's."""
        self._opening = asyncio.create_task(opening)
        try:
            await self._opening
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller and caller.cancelling():
                self._opening.cancel()
                raise
            raise InvalidState("leave() was called before join() was done") from None
        finally:
            self._opening = None

    async def _open_connection(self) -> None:
        assert self._remote is not None

        def on_ready() -> None:
            # At once, not when join() gets its turn: the AI's first words may come in the same packet.
            self._emit(Connected())

        self.connection = Connection(
            self.transport,
            self.media,
            self._remote,
            emit=self._emit,
            on_track=self._on_track,
            on_ready=on_ready,
            on_lost=self._on_lost,
            local_turns=self._options.turn_detection == "local",
        )
        await self.connection.open(self._options.join_timeout_s)
        self._monitor = Monitor(self._options, self.transport, self.media, self._remote, emit=self._emit)
        self._monitor.start()

    async def _close_connection(self) -> None:
        connection, self.connection = self.connection, None
        monitor, self._monitor = self._monitor, None
        if monitor:
            await monitor.close()
        if connection:
            await connection.close()

    def _on_level(self, level: float) -> None:
        if self.connection:
            self.connection.on_level(level)

    # --- when it breaks -----------------------------------------------------------------------------------------------

    def _on_lost(self, reason: DisconnectReason, error: SpikeError) -> None:
        if reason == DisconnectReason.NETWORK and self._options.auto_reconnect:
            self._recovery = asyncio.create_task(self._recover(error))
            self._recovery.add_done_callback(_failure_has_been_told)
        else:
            self.ending = asyncio.create_task(self._close(reason, error))

    async def _recover(self, error: SpikeError) -> None:
        """Connect again and again, later and later, until it works, cannot work, or has taken too long."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + RECONNECT_LIMIT_S
        await self._close_connection()
        self._emit(error)
        self._emit(Disconnected(DisconnectReason.NETWORK, will_reconnect=True))
        for attempt, delay_s in enumerate(_delays(), start=1):
            self._emit(Reconnecting(attempt, delay_s))
            await self._pause(delay_s)
            try:
                await self._open_connection()
                break
            except SpikeError as failure:
                self.connection = None
                if not _can_retry(failure) or loop.time() + delay_s > give_up_at:
                    await self._end(DisconnectReason.ERROR, failure)
                    raise
        self.reconnections += 1
        self._recovery = None

    async def _replace_connection(self) -> None:
        await self._close_connection()
        self._emit(Reconnecting(attempt=1, delay_s=0.0))
        try:
            await self._open_connection()
        except SpikeError as error:
            await self._end(DisconnectReason.ERROR, error)
            raise
        self.reconnections += 1
        self._recovery = None

    async def _pause(self, delay_s: float) -> None:
        """Wait, unless the program asks for it now."""
        try:
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    async def _end(self, reason: DisconnectReason, error: SpikeError | None = None) -> None:
        """Close everything and say so, once; whoever waits for it may be cancelled."""
        if self.ending is None:
            self.ending = asyncio.create_task(self._close(reason, error))
        await asyncio.shield(self.ending)

    async def _close(self, reason: DisconnectReason, error: SpikeError | None) -> None:
        await self._close_connection()
        if self._remote:
            await self._remote.close()
        await self.media.close()
        await self._watch.close()
        self._on_over()
        if error:
            self._emit(error)
        self._emit(Disconnected(reason))


def _delays() -> Iterator[float]:
    """At once, then twice as long each time, with some chance in it: a server that restarts has many clients."""
    yield 0.0
    delay_s = FIRST_DELAY_S
    while True:
        yield delay_s * random.uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)
        delay_s = min(2 * delay_s, LONGEST_DELAY_S)


def _can_retry(failure: SpikeError) -> bool:
    return isinstance(failure, ConnectionFailed) and failure.can_retry


def _failure_has_been_told(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # handlers have heard it: asyncio need not log it as well
