"""What a program may hear of a conversation, and in which order; whatever else it hears is noted as a fault."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot import Bot
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import ClientStats, Disconnected, Message, Reconnecting, SpikeClient, TokenExpired
from spike_engine.events import EVENT_TYPES, name_of
from spike_engine.protocols.rtvi import encode

MOST_ROUND_TRIP_MS = 60_000
JOIN_TIMEOUT_S = 20.0


class Wrong(Exception):
    """What the program heard is not what the server said."""


@dataclass(slots=True)
class Round:
    """What a round is given: chance, a folder of its own, and the figures of the whole ordeal."""

    chance: random.Random
    folder: Path
    figures: Counter[str] = field(default_factory=Counter)

    def note_most(self, name: str, value: float) -> None:
        self.figures[name] = max(self.figures[name], round(value))


class NumberingBot(Bot):
    """Numbers what it says, from 0 on in each connection."""

    def __init__(self, port: int | None = None, to_say_when_ready: int = 0) -> None:
        super().__init__(port=port, on_ready=self._begin)
        self.connection = 0
        self.said = 0
        self._to_say_when_ready = to_say_when_ready

    def _begin(self) -> None:
        self.connection, self.said = time.monotonic_ns(), 0
        self.say_more(self._to_say_when_ready)

    def text(self) -> str:
        """The next message, as if it were sent."""
        self.said += 1
        return encode("server-message", {"connection": self.connection, "number": self.said - 1})

    def say_more(self, count: int) -> None:
        for _ in range(count):
            self.say(self.text())

    async def talk(self, seconds: float, interval_s: float = 0.01) -> None:
        """Go on saying numbers; what the connection does not take is not counted as said."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.say_more(1)
            await asyncio.sleep(interval_s)


class Model:
    """Follows a client's events and holds them against what a conversation can be.

    ``connected``, then what was said, then ``disconnected``; between two connections ``reconnecting``, counted from 1;
    after the last ``disconnected`` nothing. Numbered messages come once and in order. A turn of the AI's ends before
    the next begins.
    """

    def __init__(self, client: SpikeClient) -> None:
        self.faults: list[str] = []
        self.log: list[str] = []
        self.lifecycle: list[str] = []  # of the log what is not said: connected, disconnected
        self.numbers = 0
        self.turns = 0  # of the AI's that are over
        self._connection = 0
        self._attempt = 0
        self._busy = False  # the AI thinks or speaks
        self._status = "new"
        self._changed = asyncio.Condition()
        self._waking: set[asyncio.Task[None]] = set()
        for name in EVENT_TYPES.keys() - {"devices-changed", "user-audio-level"}:  # devices are there without a call
            client.on(name, self._take)

    async def until(self, condition: Callable[[], bool], limit_s: float = 60.0) -> None:
        """Wait until what the client hears makes `condition` true."""
        async with asyncio.timeout(limit_s), self._changed:
            await self._changed.wait_for(condition)

    async def heard_all(self, bot: NumberingBot, limit_s: float = 60.0) -> None:
        """Wait until all has been heard that the bot said on its last connection."""
        await self.until(lambda: (self._connection, self.numbers) == (bot.connection, bot.said), limit_s)

    async def turn(self, client: SpikeClient, word: str) -> None:
        """Ask an AI that repeats what it hears, when it is silent: it answers in one turn, with these words."""
        await self.until(lambda: self.turns > 0 and not self._busy)
        before = self.turns
        client.send_text(word)
        await self.until(lambda: self.turns > before)
        if client.state.ai_transcript != f"You said {word}.":
            self.faults.append(f"the AI answered {client.state.ai_transcript!r} to {word!r}")

    async def expire(self, client: SpikeClient) -> None:
        """Connect again with a token that has expired, which must be refused."""
        try:
            await client.reconnect()
        except TokenExpired:
            return
        raise Wrong("a connection with a token that had expired")

    def check(self) -> None:
        """Raise what was noted."""
        if self.faults:
            raise Wrong("; ".join(self.faults[:5]))

    def _expect(self, condition: bool, what: str) -> None:
        if not condition:
            self.faults.append(f"{what}, after {self.log[-6:]}")

    def _take(self, event: Any) -> None:
        name = name_of(event)
        match event:
            case Disconnected():
                self._expect(self._status != "over", "disconnected twice")
                self._status = "away" if event.will_reconnect else "over"
                name = f"disconnected, {event.reason}, will_reconnect={event.will_reconnect}"
                self._busy = False
            case Reconnecting():
                self._expect(self._status in ("away", "connected"), "reconnecting where nothing was lost")
                self._attempt = 1 if self._status == "connected" or self._attempt == 0 else self._attempt + 1
                self._expect(event.attempt == self._attempt, f"attempt {event.attempt}, not {self._attempt}")
                self._status, self._busy = "away", False
            case _ if name == "connected":
                self._expect(self._status in ("new", "away"), f"connected while {self._status}")
                self._status, self._attempt = "connected", 0
            case _ if name == "error":
                self._expect(self._status != "over", f"{event!r} when all was over")
            case _:
                self._expect(self._status == "connected", f"{name} while {self._status}")
                self._take_words(name, event)
        self.log = [*self.log[-200:], name]
        if name.startswith(("connected", "disconnected")):
            self.lifecycle.append(name)
        task = asyncio.ensure_future(self._wake())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    def _take_words(self, name: str, event: Any) -> None:
        match event:
            case Message(data={"connection": int(connection), "number": int(number)}):
                if connection != self._connection:
                    self._expect(connection > self._connection, "a message of a connection before")
                    self._connection, self.numbers = connection, 0
                self._expect(number == self.numbers, f"message {number} where {self.numbers} was due")
                self.numbers = number + 1
            case ClientStats():
                round_trip_ms = event.network.round_trip_time_ms or 0.0
                self._expect(0 <= round_trip_ms < MOST_ROUND_TRIP_MS, f"a round trip of {round_trip_ms} ms")
            case _ if name == "ai-idle":
                self._expect(self._busy, "ai-idle of an AI that did nothing")
                self._busy = False
                self.turns += 1
            case _ if name in ("ai-thinking", "ai-speaking"):
                self._busy = True

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def client_of(url: str, token: str = "t", **options: Any) -> tuple[SpikeClient, Model]:
    """A client and its model, with handlers that are slow and that raise."""
    devices: dict[str, Any] = {
        "audio_source": ArrayMicrophone(),
        "audio_output": RecordingLoudspeaker(),
        "video": False,
    }
    client = SpikeClient(conversation_url=url, token=token, join_timeout_s=JOIN_TIMEOUT_S, **(devices | options))

    def raising(_: Message) -> None:
        raise ValueError("a handler of the program's")

    async def slow(_: Message) -> None:
        await asyncio.sleep(0.01)

    client.on("message", raising)
    client.on("message", slow)
    return client, Model(client)
