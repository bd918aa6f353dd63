"""Networks that lose, delay, reorder, fall silent and change under a conversation."""

from __future__ import annotations

import asyncio

from udp_relay import BadNetwork

from hardships.messages import Greeter
from hardships.model import NumberingBot, Round, Wrong, client_of
from hardships.servers import BACK
from spike_engine.server import ConversationServer


async def lossy_road(round_: Round) -> None:
    """Loss, jitter and reordering that change every second: messages come all the same, each once and in order."""
    chance = round_.chance
    async with NumberingBot() as bot, BadNetwork(bot.url) as network:
        network.seed(chance.randrange(1_000_000))
        client, model = client_of(network.url)
        async with client:
            for _ in range(5):
                network.delay_s, network.jitter_s = chance.choice([0.0, 0.05, 0.1]), chance.choice([0.0, 0.03, 0.1])
                network.loss, network.reorder = chance.choice([0.0, 0.02, 0.1, 0.2]), chance.choice([0.0, 0.1])
                await bot.talk(1.0, interval_s=0.02)
            network.loss = network.jitter_s = network.reorder = 0.0
            await model.heard_all(bot)
    model.check()
    if model.lifecycle[:-1] != ["connected"]:
        raise Wrong(f"{model.lifecycle} on a lossy road")


async def cut_road(round_: Round) -> None:
    """Nothing passes for a while: what is short loses nothing, what is long is reconnected."""
    cut_s = round_.chance.choice([0.3, 1.0, 1.8, 5.0])
    async with NumberingBot() as bot, BadNetwork(bot.url) as network:
        client, model = client_of(network.url)
        async with client:
            await bot.talk(0.5)
            network.cut = True
            await bot.talk(0.2)
            await asyncio.sleep(cut_s)
            network.cut = False
            if cut_s > 4:
                await model.until(lambda: model.lifecycle == BACK)
            await bot.talk(0.5)
            await model.heard_all(bot)
            if cut_s < 2 and model.lifecycle != BACK[:1]:
                raise Wrong(f"{model.lifecycle} after a cut of {cut_s} s")
    model.check()


async def other_address(round_: Round) -> None:
    """The client is heard from elsewhere, or its address leads nowhere any more: it comes back by itself."""
    async with NumberingBot() as bot, BadNetwork(bot.url) as network:
        client, model = client_of(network.url)
        async with client:
            await bot.talk(round_.chance.random())
            if round_.chance.random() < 0.5:
                network.lose_address()
            else:
                await network.change_address()
            await model.until(lambda: model.lifecycle == BACK)
            await bot.talk(0.5)
            await model.heard_all(bot)
    model.check()


async def lossy_turns(round_: Round) -> None:
    """Turns of an AI over a lossy road: each begins and ends once, with the words that were said."""
    chance = round_.chance
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        async with BadNetwork(invitation.conversation_url) as network:
            network.seed(chance.randrange(1_000_000))
            network.delay_s, network.jitter_s, network.loss = 0.03, 0.03, chance.choice([0.0, 0.05, 0.15])
            client, model = client_of(network.url, invitation.token)
            async with client:
                for word in ("one", "two", "three"):
                    await model.turn(client, word)
    model.check()
