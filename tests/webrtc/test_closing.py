"""Connections are closed whole, whenever whoever closes them stops waiting."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection

from spike_engine.webrtc.closing import close, step

pytestmark = pytest.mark.usefixtures("nothing_left_open")


async def gathered() -> RTCPeerConnection:
    """A connection that has opened its sockets."""
    pc = RTCPeerConnection()
    pc.createDataChannel("chat")
    await step(pc, pc.setLocalDescription(await pc.createOffer()))
    return pc


@pytest.mark.parametrize("turns", range(8))
async def test_a_close_that_is_cancelled_comes_to_its_end(turns: int) -> None:
    pc = await gathered()
    closing = asyncio.create_task(close(pc))
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})

    async with asyncio.timeout(10):
        await close(pc)

    assert pc.sctp
    assert pc.sctp.transport.transport._connection._protocols == []
    assert pc.iceConnectionState == "closed"


async def test_a_step_that_takes_its_time_is_not_broken_off() -> None:
    pc = await gathered()
    done = asyncio.Event()
    slow = asyncio.create_task(step(pc, done.wait()))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await close(pc)
    assert not slow.done()

    done.set()
    await slow
    await close(pc)


WITHOUT_LEAVE = """
import asyncio
import numpy as np
from bot import Bot
from endpoints import ArrayMicrophone
from spike_engine import SpikeClient

async def main():
    bot = await Bot().__aenter__()
    options = {"video": False, "audio_output": None, "audio_source": ArrayMicrophone(), "join_timeout_s": 20.0}
    await SpikeClient(conversation_url=bot.url, token="t", **options).join()
    await asyncio.sleep(0.3)

asyncio.run(main())
"""


async def test_a_program_that_ends_without_leave_leaves_no_task_behind() -> None:
    tools = Path(__file__).parents[1] / "tools"
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT_LEAVE, cwd=tools, stderr=asyncio.subprocess.PIPE
    )
    _, said = await program.communicate()

    assert program.returncode == 0
    assert b"Task was destroyed" not in said
