"""Servers that are stopped, killed and started anew, and tokens that expire in the call."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hardships.messages import Greeter
from hardships.model import Round, Wrong, client_of
from spike_engine.server import ConversationServer

SERVER = """
import asyncio, sys
from hardships.model import NumberingBot
async def main():
    async with NumberingBot(int(sys.argv[1]) or None, 100) as bot:
        print(bot.url, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
START_LIMIT_S = 60.0
BACK = ["connected", "disconnected, network, will_reconnect=True", "connected"]


@asynccontextmanager
async def program(source: str, *arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """A program in a process of its own, and the first line that it prints. Killed at the end."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, *arguments, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout
    try:
        yield process, (await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S)).decode().strip()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stopped_server(round_: Round) -> None:
    """A server that is stopped for half a second is waited for; one that is for five seconds is reconnected to."""
    pause_s = round_.chance.choice([0.5, 5.0])
    async with program(SERVER, "0") as (process, url):
        client, model = client_of(url)
        async with client:
            await model.until(lambda: model.numbers == 100)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(pause_s)
            process.send_signal(signal.SIGCONT)
            if pause_s > 4:
                await model.until(lambda: model.lifecycle == BACK and model.numbers == 100)
            else:
                await client.wait_for("stats", timeout=20)
                if model.lifecycle != BACK[:1]:
                    raise Wrong(f"{model.lifecycle} after {pause_s} s")
    model.check()


async def restarted_server(round_: Round) -> None:
    """A server is killed, and another takes its port: the client comes back by itself."""
    async with program(SERVER, "0") as (process, url):
        client, model = client_of(url)
        await client.join()
        try:
            if round_.chance.random() < 0.7:
                await model.until(lambda: model.numbers == 100)
            process.kill()
            await process.wait()
            await asyncio.sleep(2 * round_.chance.random())
            port = url.rpartition(":")[2].partition("/")[0]
            async with program(SERVER, port):
                await model.until(lambda: model.lifecycle == BACK and model.numbers == 100)
        finally:
            await client.leave()
    model.check()


async def token_expiring(round_: Round) -> None:
    """A token that expires in the call does no harm until the next connection, which says what is wrong."""
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        token = server.tokens.issue(invitation.conversation_id, lifetime_s=4)
        client, model = client_of(invitation.conversation_url, token.text)
        async with client:
            await asyncio.sleep(max(0.0, token.expires_at - time.time()) + 0.1)
            await model.turn(client, "hello")
            await model.expire(client)
    model.check()
    if model.lifecycle != ["connected", "disconnected, error, will_reconnect=False"]:
        raise Wrong(f"{model.lifecycle} with an expired token")
