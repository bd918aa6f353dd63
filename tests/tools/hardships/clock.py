"""A wall clock that jumps.

It is the clock that Python, aiortc and PyJWT read in this process: to step the machine's own takes root, and would step
it for everybody. Waiting is by the monotonic clock, which nobody can step.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import aiortc.clock
import jwt.api_jwt

from hardships.messages import Greeter
from hardships.model import NumberingBot, Round, Wrong, client_of
from spike_engine.server import ConversationServer

STEPS_S = (-86_400 * 365, -3600, -2, 2, 3600, 86_400 * 365)


@contextmanager
def stepping_clock() -> Iterator[Callable[[float], None]]:
    """Yields what sets the wall clock of this process ahead by so many seconds, or back."""
    now_s, now_ns, now_date = time.time, time.time_ns, aiortc.clock.current_datetime
    offset_s = 0.0

    class Date(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return super().now(tz) + dt.timedelta(seconds=offset_s)

    def step(by_s: float) -> None:
        nonlocal offset_s
        offset_s += by_s

    time.time = lambda: now_s() + offset_s
    time.time_ns = lambda: now_ns() + round(offset_s * 1e9)
    aiortc.clock.current_datetime = lambda: now_date() + dt.timedelta(seconds=offset_s)
    jwt.api_jwt.datetime = Date
    try:
        yield step
    finally:
        jwt.api_jwt.datetime = dt.datetime
        time.time, time.time_ns, aiortc.clock.current_datetime = now_s, now_ns, now_date


async def stepped_clock(round_: Round) -> None:
    """Jumps in the middle of a call are not noticed."""
    async with NumberingBot() as bot:
        with stepping_clock() as step:
            client, model = client_of(bot.url)
            async with client:
                for _ in range(5):
                    step(round_.chance.choice(STEPS_S))
                    await bot.talk(0.8)
                await model.heard_all(bot)
    model.check()
    if model.lifecycle[:-1] != ["connected"]:
        raise Wrong(f"{model.lifecycle} while the clock jumped")


async def stepped_tokens(round_: Round) -> None:
    """A clock set back does not shut out who was invited before; set ahead, it ends what lasts by the clock."""
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        client, model = client_of(invitation.conversation_url, invitation.token)
        with stepping_clock() as step:
            async with client:
                step(round_.chance.choice([-2, -3600, -86_400]))
                await client.reconnect()
                await model.until(lambda: model.lifecycle == ["connected", "connected"])
                step(86_400 * 2)
                await model.expire(client)
    model.check()
