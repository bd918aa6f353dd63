"""Each example, run as its user runs it."""

from __future__ import annotations

import asyncio
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from spike_engine.server import ConversationServer, HummingPersona

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the examples are not here: an installed package is tested"
)


class Greeter(HummingPersona):
    greeting = "Hello and welcome."
    greeted: ClassVar[asyncio.Event]

    def said(self, text: str, *, interrupted: bool) -> None:
        self.greeted.set()


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    Greeter.greeted = asyncio.Event()
    async with ConversationServer(persona=Greeter) as server:
        yield server


async def start(name: str, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(EXAMPLES / name), *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


async def output_of(process: asyncio.subprocess.Process) -> str:
    out, error = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, error.decode()
    return out.decode()


async def test_quickstart(server: ConversationServer) -> None:
    invitation = server.create_conversation()

    assert "AI: Hello and welcome." in await output_of(
        await start("quickstart.py", invitation.conversation_url, invitation.token)
    )


@pytest.mark.parametrize("name", ["voice_only.py", "terminal_ui.py"])
async def test_until_the_server_ends_the_conversation(server: ConversationServer, name: str) -> None:
    invitation = server.create_conversation()
    process = await start(name, invitation.conversation_url, invitation.token)
    await asyncio.wait_for(Greeter.greeted.wait(), 30)
    await asyncio.sleep(0.2)  # the last word's way to the other process
    await server.end_conversation(invitation.conversation_id)

    assert "AI:  Hello and welcome." in await output_of(process)


async def test_clean_recording(tmp_path: Path) -> None:
    far = (3000 * np.random.default_rng(1).standard_normal(48000)).astype(np.int16)
    echo = np.concatenate([np.zeros(640, np.int16), far[:-640] // 2])
    for name, samples in (("mic.wav", echo), ("far.wav", far)):
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(samples.tobytes())
    paths = [str(tmp_path / name) for name in ("mic.wav", "far.wav", "out.wav")]

    assert "dB down" in await output_of(await start("clean_recording.py", *paths))
    with wave.open(paths[2]) as file:
        clean = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert clean[24000:].std() < 0.1 * echo[24000:].std()


async def test_persona() -> None:
    process = await start("persona.py")
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    process.terminate()
    await process.communicate()

    assert line.decode().startswith("http://127.0.0.1:")
