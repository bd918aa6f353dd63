"""One of the two processes of a row: the one that is measured, or the one at the other end.

    process.py near|far KIND COUNT

They talk through their parent, in lines of JSON: offers and answers, or invitations to conversations; at the end the
one that is measured prints its figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from crowd.bots import AiortcBot, SpikeBot, WrtcBot
from crowd.sound import RATE_HZ, background, speech

SETTLE_S, MEASURED_S, PARTS_S = 2.0, 5.0, 2.5
AT_ONCE = 4  # conversations that begin together
BOTS: dict[str, Callable[[np.ndarray], Any]] = {"bots": SpikeBot, "aiortc": AiortcBot, "wrtc": WrtcBot}
CLIENTS_HZ = {"clients, nothing cleaned": 0, "clients, chain at 16 kHz": 16000, "clients, chain at 48 kHz": 48000}
SERVERS = {"server": False, "server with avatars": True}
KINDS = [*BOTS, *CLIENTS_HZ, *SERVERS]


def tell(message: dict[str, Any]) -> None:
    """Say something to the parent."""
    print(json.dumps(message), flush=True)


async def told() -> Callable[[], Awaitable[dict[str, Any]]]:
    """Gives a function that waits for the next thing that the parent says."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def line() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await reader.readline() or '{"over": true}')
        return found

    return line


async def call(kind: str, count: int, ask: Callable[[], Awaitable[dict[str, Any]]]) -> list[Any]:
    """Bots that make the offer."""
    voice, bots = speech(), []
    for _ in range(count):
        bot = BOTS[kind](voice)
        tell({"offer": await bot.offer()})
        await bot.accept((await ask())["answer"])
        bots.append(bot)
    return bots


async def answer(ask: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    """Bots that answer, for as long as there are offers."""
    voice, bots = speech(), []
    while "offer" in (message := await ask()):
        bots.append(SpikeBot(voice))
        tell({"answer": await bots[-1].answer(message["offer"])})


async def join(
    count: int,
    ask: Callable[[], Awaitable[dict[str, Any]]],
    voice: np.ndarray,
    *,
    chain_hz: int,
    video: bool = False,
) -> list[Any]:
    """Clients that have joined."""
    from crowd.conversations import Caller  # noqa: PLC0415 (libwebrtc's process has none)

    callers = [Caller(**(await ask()), chain_hz=chain_hz, voice=voice, video=video) for _ in range(count)]
    for at in range(0, count, AT_ONCE):
        await asyncio.gather(*(caller.join() for caller in callers[at : at + AT_ONCE]))
    return callers


async def serve(count: int) -> Any:
    """A server that has told of its conversations."""
    from crowd.conversations import server  # noqa: PLC0415

    running = server(count)
    await running.start()
    for _ in range(count):
        invitation = running.create_conversation()
        tell({"url": invitation.conversation_url, "token": invitation.token})
    return running


async def lags_ms(seconds: float) -> np.ndarray:
    """How much later than asked for the event loop comes back."""
    loop, found = asyncio.get_running_loop(), []
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        due_s = loop.time() + 0.005
        await asyncio.sleep(0.005)
        found.append(1000 * (loop.time() - due_s))
    return np.array(found)


def memory_mb() -> float:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


async def measure(parties: list[Any], count: int, *, parts: bool) -> dict[str, Any]:
    """The figures of the conversations that are under way."""
    heard, cpu_s, began_s = sum(party.heard for party in parties), time.process_time(), time.monotonic()
    lags = await lags_ms(MEASURED_S)
    took_s = time.monotonic() - began_s
    found = {
        "cpu": (time.process_time() - cpu_s) / took_s,
        "lag_p99_ms": float(np.percentile(lags, 99)),
        "heard": (sum(party.heard for party in parties) - heard) / (count * took_s * 50) if parties else None,
    }
    if parts:
        from crowd.parts import Parts  # noqa: PLC0415

        watched = Parts()
        await asyncio.sleep(PARTS_S)
        found["parts"] = watched.stop()
    return found


def loaded_mb(kind: str) -> float:
    """What the process holds with everything imported and without a conversation."""
    if kind == "wrtc":
        import webrtc  # noqa: F401, PLC0415
    else:
        import crowd.conversations  # noqa: F401, PLC0415

        import spike_engine.media.capture  # noqa: PLC0415
        import spike_engine.server.tracks  # noqa: PLC0415
        import spike_engine.transports.peer  # noqa: F401, PLC0415
    return memory_mb()


async def near(kind: str, count: int) -> None:
    ask, before_mb = await told(), loaded_mb(kind)
    parties: list[Any] = []
    if kind in SERVERS:
        running = await serve(count)
        await ask()  # everybody is there
    elif kind in CLIENTS_HZ:
        chain_hz = CLIENTS_HZ[kind]
        parties = await join(count, ask, speech(chain_hz or RATE_HZ), chain_hz=chain_hz)
    else:
        parties = await call(kind, count, ask)
    await asyncio.sleep(SETTLE_S)
    found = await measure(parties, count, parts=kind not in ("aiortc", "wrtc"))
    tell({"result": {**found, "memory_mb": (memory_mb() - before_mb) / count}})
    await asyncio.gather(*(party.close() for party in parties), return_exceptions=True)
    if kind in SERVERS:
        await running.stop()


async def far(kind: str, count: int) -> None:
    ask = await told()
    if kind in SERVERS:
        await join(count, ask, background(), chain_hz=0, video=SERVERS[kind])
        tell({"joined": count})
    elif kind in CLIENTS_HZ:
        await serve(count)
    else:
        await answer(ask)
    await ask()  # the parent has no more to say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=["near", "far"])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    asyncio.run((near if options.side == "near" else far)(options.kind, options.count))


if __name__ == "__main__":
    main()
