"""Joins and leaves a thousand times: memory, threads, sockets, descriptors and tasks stay where they were.

python tests/tools/joins.py --joins 1000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import math
import os
import sys
import threading
import time
from typing import NamedTuple

import numpy as np
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker
from soak import give_back_free_memory, resident_kb

from spike_engine import SpikeClient, SpikeError
from spike_engine.server import ConversationServer, HummingPersona

REPORTS = 10
SETTLED = 2  # reports after which nothing may grow any more: caches and pools are filled by then
MOST_GROWTH_KB_A_JOIN = 4.0


class Held(NamedTuple):
    """What the process holds."""

    memory_kb: int
    threads: int
    descriptors: int
    tasks: int
    objects: int

    @classmethod
    def now(cls) -> Held:
        gc.collect()
        give_back_free_memory()
        return cls(
            resident_kb(),
            threading.active_count(),
            len(os.listdir("/proc/self/fd")),
            len(asyncio.all_tasks()),
            len(gc.get_objects()),
        )


async def join_and_leave(server: ConversationServer, *, pictures: bool) -> float:
    """One conversation of a client's with the server; returns how long joining took, in seconds."""
    invitation = server.create_conversation()
    client = SpikeClient(
        conversation_url=invitation.conversation_url,
        token=invitation.token,
        audio_source=ArrayMicrophone(),
        audio_output=RecordingLoudspeaker(),
        video_source=ColourCamera(),
        video=pictures,
        join_timeout_s=20.0,
    )
    began_s = time.monotonic()
    with contextlib.suppress(SpikeError):  # one that fails, on a busy machine, must not leave anything, too
        await client.join()
    took_s = time.monotonic() - began_s if client.state.is_connected else math.nan
    await client.leave()
    await server.end_conversation(invitation.conversation_id)
    return took_s


async def run(joins: int, at_once: int) -> bool:
    """Print a row for each tenth of the joins; whether nothing grew."""
    print("| joins | memory / kB | threads | descriptors | tasks | objects | join, median / ms | failed |")
    print("|---|---|---|---|---|---|---|---|")
    held: list[Held] = []
    async with ConversationServer(persona=HummingPersona) as server:
        for report in range(1, REPORTS + 1):
            took_s: list[float] = []
            while len(took_s) < joins // REPORTS:
                pictures = len(took_s) % 5 == 0
                took_s += await asyncio.gather(*(join_and_leave(server, pictures=pictures) for _ in range(at_once)))
            await asyncio.sleep(1.0)  # sockets close on the loop's next turns
            held.append(Held.now())
            cells = [report * joins // REPORTS, *held[-1], round(1000 * np.nanmedian(took_s)), np.isnan(took_s).sum()]
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    settled, last = held[SETTLED - 1], held[-1]
    since = joins * (REPORTS - SETTLED) / REPORTS
    before, after = held[SETTLED - 1 : REPORTS // 2], held[REPORTS // 2 :]  # of memory the least: it goes up and down
    growth_kb = (min(each.memory_kb for each in after) - min(each.memory_kb for each in before)) / (since / 2)
    print(f"grown by {growth_kb:.2f} kB and {(last.objects - settled.objects) / since:.1f} objects a join")
    same = all(getattr(last, name) <= getattr(settled, name) for name in ("threads", "descriptors", "tasks"))
    return same and growth_kb < MOST_GROWTH_KB_A_JOIN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--joins", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=1)
    options = parser.parse_args()
    return 0 if asyncio.run(run(options.joins, options.at_once)) else 1


if __name__ == "__main__":
    sys.exit(main())
