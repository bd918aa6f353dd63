"""Faults from a seed, one round after the other, and figures at the end: ``nox -s ordeal -- --minutes 60``.

Each round joins, suffers and leaves. What the server said is compared with what the program heard, event by event:
nothing lost, doubled or out of order while the connection lasts. Memory, threads and descriptors stay where they were.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bot import Bot
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import Disconnected, Message, SpikeClient, SpikeError
from spike_engine.protocols.rtvi import encode, encode_signalling

SERVER = """
import asyncio, json
from host import Host
from spike_engine.server import ConversationServer
async def main():
    async with ConversationServer(persona=Host) as server:
        invitation = server.create_conversation()
        print(json.dumps([invitation.conversation_url, invitation.token]), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
NONSENSE: list[str | bytes] = ["[" * 5000, "null", b"\xff", "{", '{"label":"rtvi-ai","type":null}', "\0", "NaN"]
MOST_GROWTH_KB = 30_000
WARM_UP_ROUNDS = 8


class Wrong(Exception):
    """What the program heard is not what the server said."""


def numbered(number: int) -> str:
    return encode("server-message", {"number": number})


def client_of(url: str, token: str = "t", **options: Any) -> tuple[SpikeClient, list[int]]:
    """A client with handlers that are slow, raise, and note the numbers that they hear."""
    devices: dict[str, Any] = {
        "audio_source": ArrayMicrophone(),
        "audio_output": RecordingLoudspeaker(),
        "video": False,
    }
    client = SpikeClient(conversation_url=url, token=token, join_timeout_s=20.0, **(devices | options))
    heard: list[int] = []

    def raising(_: Message) -> None:
        raise ValueError("a handler of the program's")

    async def slow(_: Message) -> None:
        await asyncio.sleep(0.01)

    def noting(message: Message) -> None:
        if isinstance(message.data, dict) and "number" in message.data:
            heard.append(message.data["number"])

    for handler in (raising, slow, noting):
        client.on("message", handler)
    return client, heard


async def heard_all(heard: list[int], count: int, limit_s: float = 60.0) -> None:
    """Every number once and in order."""
    async with asyncio.timeout(limit_s):
        while len(heard) < count:
            await asyncio.sleep(0.02)
    if heard != list(range(count)):
        raise Wrong(f"heard {heard[:20]}... of {count}")


def note_most(figures: Counter[str], name: str, count: int, began: float) -> None:
    figures[name] = max(figures[name], round(count / (time.monotonic() - began)))


async def flood(chance: random.Random, figures: Counter[str]) -> None:
    """As many messages as aiortc's data channel carries, then ten thousand behind it."""
    over_the_wire, behind_it = 500, 10_000
    async with Bot() as bot:
        client, heard = client_of(bot.url)
        async with client:
            began = time.monotonic()
            for number in range(over_the_wire):
                bot.say(numbered(number))
            await heard_all(heard, over_the_wire)
            note_most(figures, "messages a second over the wire", over_the_wire, began)
            began = time.monotonic()
            for number in range(over_the_wire, over_the_wire + behind_it):
                client._transport.on_message(numbered(number))  # type: ignore[union-attr]
            note_most(figures, "messages a second behind it", behind_it, began)
            await heard_all(heard, over_the_wire + behind_it)


async def nonsense(chance: random.Random, figures: Counter[str]) -> None:
    async with Bot() as bot:
        client, heard = client_of(bot.url)
        async with client:
            for number in range(300):
                for _ in range(chance.randrange(4)):
                    bot.say(chance.choice(NONSENSE))
                if chance.random() < 0.02:
                    bot.say(encode_signalling("renegotiate"))
                bot.say(numbered(number))
            await heard_all(heard, 300)


async def left_in_between(chance: random.Random, figures: Counter[str]) -> None:
    async with Bot() as bot:
        client, heard = client_of(bot.url)
        await client.join()
        for number in range(500):
            bot.say(numbered(number))
        await asyncio.sleep(chance.random() / 5)
        await client.leave()
        if heard != list(range(len(heard))):
            raise Wrong(f"heard {heard[:20]}... before leaving")


async def given_up(chance: random.Random, figures: Counter[str]) -> None:
    """join() is cancelled, or leave() comes into it."""
    async with Bot() as bot:
        client, _ = client_of(bot.url)
        joining = asyncio.create_task(client.join())
        await asyncio.sleep(chance.random() / 4)
        joining.cancel() if chance.random() < 0.5 else await client.leave()
        await asyncio.gather(joining, return_exceptions=True)
        await client.leave()


async def hung_up(chance: random.Random, figures: Counter[str]) -> None:
    async with Bot() as bot:
        client, heard = client_of(bot.url)
        over: asyncio.Future[Disconnected] = asyncio.get_running_loop().create_future()
        client.on("disconnected", lambda event: over.done() or over.set_result(event))
        await client.join()
        for number in range(50):
            bot.say(numbered(number))
        bot.say(encode_signalling("peerLeft"))
        async with asyncio.timeout(20):
            await over
        if heard != list(range(50)):
            raise Wrong(f"heard {heard} before the end")


async def stopped_server(chance: random.Random, figures: Counter[str]) -> None:
    """A server in a process of its own is stopped and continued, or killed."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout
    try:
        url, token = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        client, _ = client_of(url, token)
        seen: list[str] = []
        client.on("disconnected", lambda event: seen.append(f"disconnected, will_reconnect={event.will_reconnect}"))
        client.on("connected", lambda _: seen.append("connected"))
        async with client:
            if chance.random() < 0.3:
                process.kill()
                await client.wait_for("reconnecting", timeout=20)
                return
            pause_s = chance.choice([0.5, 5.0])
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(pause_s)
            process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(40):
                while not client.state.is_connected or (pause_s > 4 and len(seen) < 3):
                    await asyncio.sleep(0.05)
            expected = ["connected"] if pause_s < 1 else ["connected", "disconnected, will_reconnect=True", "connected"]
            if seen != expected:
                raise Wrong(f"{seen} where {expected} was due")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


FAULTS: list[Callable[[random.Random, Counter[str]], Awaitable[None]]] = [
    flood,
    nonsense,
    left_in_between,
    given_up,
    hung_up,
    stopped_server,
]


def measured() -> dict[str, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory_kB": pages * resource.getpagesize() // 1024,
        "threads": sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
    }


async def settled(first: dict[str, int]) -> dict[str, int]:
    """What is left when sockets have had their time to close."""
    now = measured()
    for _ in range(20):
        if all(now[name] <= first[name] for name in ("threads", "descriptors", "tasks")):
            break
        await asyncio.sleep(0.1)
        now = measured()
    return now


async def suffer(minutes: float, seed: int) -> bool:
    chance, figures, faults = random.Random(seed), Counter[str](), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(str(context)))
    until = time.monotonic() + 60 * minutes
    rounds, first = 0, measured()
    while time.monotonic() < until or rounds < len(FAULTS):
        fault = FAULTS[rounds % len(FAULTS)] if rounds < len(FAULTS) else chance.choice(FAULTS)
        try:
            await fault(chance, figures)
        except (Wrong, SpikeError, TimeoutError) as error:
            faults.append(f"round {rounds}, {fault.__name__}: {error!r}")
        figures[f"rounds of {fault.__name__}"] += 1
        rounds += 1
        if rounds == WARM_UP_ROUNDS:
            first = await settled(dict.fromkeys(first, 0))
    last = await settled(first)
    for name, count in sorted(figures.items()):
        print(f"{name}: {count}")
    for name in first:
        print(f"{name}: {first[name]} after {WARM_UP_ROUNDS} rounds, {last[name]} after {rounds}")
        if last[name] > first[name] + (MOST_GROWTH_KB if name == "memory_kB" else 0):
            faults.append(f"{name} grew: {asyncio.all_tasks()}" if name == "tasks" else f"{name} grew")
    print(*(faults or ["nothing lost, doubled or out of order; nothing left behind"]), sep="\n")
    return not faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable()
    return 0 if asyncio.run(suffer(options.minutes, options.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
