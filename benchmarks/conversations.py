"""How many voices one process holds: bots that hear and speak, without echo or noise; CPU, lag of the loop, memory.

Each bot is a connection to another process on this machine and has a voice both ways, 20 ms Opus. That process does
the same work and is not counted. Beside the engine's connections, those of plain aiortc.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import time
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from spike_engine.server.tracks import VoiceTrack, mono_at
from spike_engine.webrtc import improve

SETTLE_S, MEASURED_S = 4.0, 10.0


def speech() -> np.ndarray:
    """A buzz whose level moves as syllables do, 60 s."""
    time_s = np.arange(48000 * 60) / 48000
    buzz = sum(np.sin(2 * np.pi * 140 * k * time_s + k * k) / k for k in range(1, 15))
    return (0.15 * buzz * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


class Paced(MediaStreamTrack):
    """The same for plain aiortc, as its examples do it: a task of its own that sleeps."""

    kind = "audio"

    def __init__(self, samples: np.ndarray) -> None:
        super().__init__()
        self._samples = (samples * 32767).astype(np.int16)
        self._at, self._began_s = 0, time.monotonic()

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self._began_s + self._at / 48000 - time.monotonic()))
        frame = av.AudioFrame.from_ndarray(self._samples[None, self._at : self._at + 960], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._at, Fraction(1, 48000)
        self._at += 960
        return frame


class Bot:
    """One connection that speaks and hears."""

    def __init__(self, stack: str, samples: np.ndarray) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.heard = 0
        self._tasks: list[asyncio.Task[None]] = []
        if stack == "spike_engine":
            improve(self.pc)
            voice = VoiceTrack()
            voice.play(samples)
            self.pc.addTrack(voice)
        else:
            self.pc.addTrack(Paced(samples))
        self.pc.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._hear(stack, track))))

    async def _hear(self, stack: str, track: Any) -> None:
        if stack == "spike_engine":
            async for samples in mono_at(16000, track):
                self.heard += bool(np.abs(samples).max() > 0.01)
            return
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.heard += bool(np.abs(frame.to_ndarray()).max() > 300)


async def lags_ms(seconds: float) -> np.ndarray:
    """How much later than asked for the loop comes back."""
    loop, found = asyncio.get_running_loop(), []
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        due_s = loop.time() + 0.005
        await asyncio.sleep(0.005)
        found.append(1000 * (loop.time() - due_s))
    return np.array(found)


async def hold(stack: str, count: int, pipe: Connection, *, offers: bool) -> dict[str, float]:
    """Connect `count` bots with those at the other end of `pipe`, and measure."""
    loop, samples = asyncio.get_running_loop(), speech()

    async def received() -> Any:
        return await loop.run_in_executor(None, pipe.recv)

    bots = []
    for _ in range(count):
        bot = Bot(stack, samples)
        bots.append(bot)
        if offers:
            await bot.pc.setLocalDescription(await bot.pc.createOffer())
            pipe.send(bot.pc.localDescription.sdp)
            await bot.pc.setRemoteDescription(RTCSessionDescription(await received(), "answer"))
        else:
            await bot.pc.setRemoteDescription(RTCSessionDescription(await received(), "offer"))
            await bot.pc.setLocalDescription(await bot.pc.createAnswer())
            pipe.send(bot.pc.localDescription.sdp)
    await asyncio.sleep(SETTLE_S)
    before, cpu_s, began_s = sum(bot.heard for bot in bots), time.process_time(), time.monotonic()
    lags = await lags_ms(MEASURED_S)
    took_s = time.monotonic() - began_s
    result = {
        "cpu_percent": 100 * (time.process_time() - cpu_s) / took_s,
        "lag_p99_ms": float(np.percentile(lags, 99)),
        "heard_percent": 100 * (sum(bot.heard for bot in bots) - before) / (count * took_s * 50),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    await asyncio.gather(*(bot.pc.close() for bot in bots))
    return result


def other_side(stack: str, count: int, pipe: Connection) -> None:
    asyncio.run(hold(stack, count, pipe, offers=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 10, 20, 40, 60])
    parser.add_argument("--stacks", nargs="+", default=["spike_engine", "aiortc"])
    options = parser.parse_args()
    print("| bots | stack | CPU % of a core | lag p99 ms | heard % | memory MB |\n|---|---|---|---|---|---|")
    for count in options.counts:
        for stack in options.stacks:
            here, there = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(target=other_side, args=(stack, count, there))
            process.start()
            result = asyncio.run(hold(stack, count, here, offers=True))
            process.join(20)
            print(
                f"| {count} | {stack} | " + " | ".join(f"{value:.0f}" for value in result.values()) + " |", flush=True
            )


if __name__ == "__main__":
    main()
