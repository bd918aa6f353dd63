"""The embedded server for the browser tests: takes orders as lines of JSON on stdin and answers on stdout."""

from __future__ import annotations

import asyncio
import json
import sys
import wave
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np

from spike_engine.server import ConversationServer, FrontDesk, HummingPersona
from spike_engine.server.persona import Perceived
from spike_engine.server.workers import load

RATE_HZ = 48_000

# The machine is busy with the browser, and conversations are left one after the other: nobody is to be turned away.
load.LATE_MS, load.BUSY_SHARE = 1e9, 1e9


class Host(HummingPersona):
    """Greets, hums its answers for some seconds, sees, and notes what it hears and sees."""

    greeting = "Welcome to the browser."
    seconds_per_letter = 0.05
    sees = True

    def __init__(self) -> None:
        self.heard: list[dict[str, float]] = []
        self.seen: list[float] = []
        self.said_texts: list[tuple[str, bool]] = []
        self.known: list[tuple[str, str]] = []

    async def hear(self, speech: AsyncIterator[np.ndarray]) -> AsyncIterator[str]:
        blocks = [block async for block in speech]
        sound = np.concatenate(blocks)
        self.heard.append({"seconds": len(sound) / 16_000, "rms": float(np.sqrt(np.mean(np.square(sound))))})
        yield "something"

    async def think(self, heard: str) -> AsyncIterator[str]:
        yield f"You said {heard}."
        if heard == "tell me a story":
            yield "Once upon a time there was a very small browser that wanted to talk. " * 5

    async def see(self, picture: np.ndarray) -> Perceived:
        self.seen.append(float(picture.std()))
        return Perceived("calm", "still")

    def know(self, text: str, role: str) -> None:
        self.known.append((text, role))

    def said(self, text: str, *, interrupted: bool) -> None:
        self.said_texts.append((text, interrupted))


class Rambler(FrontDesk):
    """The front desk, which has much to say about everything: there is always something to interrupt."""

    async def think(self, heard: str) -> AsyncIterator[str]:
        async for sentence in super().think("weasels"):
            yield sentence
        for _ in range(20):
            yield "And that is not all there is to say about weasels, as you will hear."


PERSONAS = {"host": Host, "front-desk": FrontDesk, "rambler": Rambler}


class Orders:
    """What a test may ask for; each method is one order."""

    def __init__(self, server: ConversationServer, personas: list[Host]) -> None:
        self._server = server
        self._personas = personas

    def create(self) -> dict[str, Any]:
        return asdict(self._server.create_conversation())

    def invite(self) -> dict[str, Any]:
        return {"page": self._server.invite()}

    def expired(self) -> dict[str, Any]:
        """A conversation whose token the server refuses, although the token does not say that it has expired."""
        return asdict(self._server.create_conversation()) | {"token": "stale"}

    async def end(self, conversation_id: str) -> dict[str, Any]:
        await self._server.end_conversation(conversation_id)
        return {}

    def report(self) -> dict[str, Any]:
        """What each persona has noted, in the order of their conversations."""
        fields = ("heard", "seen", "said_texts", "known")
        return {"personas": [{name: getattr(each, name, []) for name in fields} for each in self._personas]}

    def voice(self, path: str, names: list[str], pause_s: float) -> dict[str, Any]:
        """Write recorded prompts as a sound file for the browser's microphone, each followed by silence."""
        prompts = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
        silence = np.zeros(int(pause_s * RATE_HZ), np.int16)
        pieces = [silence]
        for name in names:
            pieces += [decoded(prompts / f"{name}.g722"), silence]
        sound = np.concatenate(pieces)
        with wave.open(path, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(sound.tobytes())
        return {"seconds": len(sound) / RATE_HZ}


def decoded(path: Path) -> np.ndarray:
    """Mono int16 at 48 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    with av.open(str(path), format="g722") as container:
        frames = [each for frame in container.decode(audio=0) for each in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames])


async def main(persona: str, port: int, origin: str, *, invite_only: bool) -> None:
    personas: list[Any] = []

    def create() -> Any:
        personas.append(PERSONAS[persona]())
        return personas[-1]

    async with ConversationServer(
        port=port, persona=create, max_conversations=64, invite_only=invite_only, allowed_origins=[origin]
    ) as server:
        orders = Orders(server, personas)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        print(json.dumps({"url": server.url}), flush=True)
        while line := await reader.readline():
            order = json.loads(line)
            answer = getattr(orders, order.pop("do"))(**order)
            print(json.dumps(await answer if asyncio.iscoroutine(answer) else answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], invite_only=len(sys.argv) > 4))
