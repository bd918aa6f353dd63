"""Messages without end, messages of nonsense, and programs that come and go between them."""

from __future__ import annotations

import asyncio
import contextlib
import time

from hardships.model import Model, NumberingBot, Round, Wrong, client_of
from spike_engine.protocols.rtvi import encode_signalling
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.server.app import Invitation, TooManyConversations

NONSENSE: list[str | bytes] = ["[" * 5000, "null", b"\xff", "{", '{"label":"rtvi-ai","type":null}', "\0", "NaN"]


class Greeter(HummingPersona):
    """Says a few words."""

    greeting = "Hello and welcome."
    seconds_per_letter = 0.03


async def flood(round_: Round) -> None:
    """As many messages as aiortc's data channel carries, then ten thousand behind it."""
    over_the_wire, behind_it = 500, 10_000
    async with NumberingBot() as bot:
        client, model = client_of(bot.url)
        async with client:
            began = time.monotonic()
            bot.say_more(over_the_wire)
            await model.heard_all(bot)
            round_.note_most("messages a second over the wire", over_the_wire / (time.monotonic() - began))
            began = time.monotonic()
            for _ in range(behind_it):
                client._transport.on_message(bot.text())  # type: ignore[union-attr]
            round_.note_most("messages a second behind it", behind_it / (time.monotonic() - began))
            await model.heard_all(bot)
    model.check()


async def nonsense(round_: Round) -> None:
    """Every message right, and between them what is none."""
    chance = round_.chance
    async with NumberingBot() as bot:
        client, model = client_of(bot.url)
        async with client:
            for _ in range(300):
                for _ in range(chance.randrange(4)):
                    bot.say(chance.choice(NONSENSE))
                if chance.random() < 0.02:
                    bot.say(encode_signalling("renegotiate"))
                bot.say_more(1)
            await model.heard_all(bot)
    model.check()


async def left_in_between(round_: Round) -> None:
    async with NumberingBot() as bot:
        client, model = client_of(bot.url)
        await client.join()
        bot.say_more(500)
        await asyncio.sleep(round_.chance.random() / 5)
        await client.leave()
    _expect(model, ["connected", "disconnected, left, will_reconnect=False"])


async def given_up(round_: Round) -> None:
    """join() is cancelled, or leave() comes into it."""
    chance = round_.chance
    async with NumberingBot() as bot:
        client, model = client_of(bot.url)
        joining = asyncio.create_task(client.join())
        await asyncio.sleep(chance.random() / 4)
        joining.cancel() if chance.random() < 0.5 else await client.leave()
        await asyncio.gather(joining, return_exceptions=True)
        await client.leave()
    model.check()
    if client.state.status != "disconnected":
        raise Wrong(f"{client.state.status} after leaving")


async def hung_up(round_: Round) -> None:
    async with NumberingBot() as bot:
        client, model = client_of(bot.url)
        await client.join()
        bot.say_more(50)
        bot.say(encode_signalling("peerLeft"))
        await model.until(lambda: len(model.lifecycle) == 2, limit_s=20)
        if model.numbers != 50:
            raise Wrong(f"heard {model.numbers} of 50 before the end")
    _expect(model, ["connected", "disconnected, ended, will_reconnect=False"])


async def coming_and_going(round_: Round) -> None:
    """Twenty-five conversations, five at a time, each joined, perhaps spoken in, and left."""
    at_once, times = 5, 5
    async with ConversationServer(persona=Greeter, max_conversations=at_once) as server:

        async def admitted() -> Invitation:
            """A machine that is busy admits fewer at once."""
            while True:
                with contextlib.suppress(TooManyConversations):
                    return server.create_conversation()
                await asyncio.sleep(0.1)

        async def one() -> None:
            invitation = await admitted()
            client, model = client_of(invitation.conversation_url, invitation.token)
            async with client:
                if round_.chance.random() < 0.3:
                    client.send_text("hello")
                await asyncio.sleep(round_.chance.random() / 5)
            await server.end_conversation(invitation.conversation_id)
            _expect(model, ["connected", "disconnected, left, will_reconnect=False"])
            round_.figures["conversations joined and left"] += 1

        for _ in range(times):
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(one())
        if server._pool.ids:
            raise Wrong(f"{list(server._pool.ids)} left on the server")


def _expect(model: Model, lifecycle: list[str]) -> None:
    model.check()
    if model.lifecycle != lifecycle:
        raise Wrong(f"{model.lifecycle} where {lifecycle} was due")
