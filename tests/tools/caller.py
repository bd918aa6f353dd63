"""A user's client of plain aiortc: the server is tested against the wire, not against our own client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Self

import aiohttp
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

RATE_HZ = 16_000
FRAME_SAMPLES = RATE_HZ // 50


class Microphone(MediaStreamTrack):
    """Silence, and what `say` queues, in 20 ms frames."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pending = np.zeros(0, np.int16)
        self._frames = 0
        self._start_s: float | None = None

    def say(self, pcm: np.ndarray) -> None:
        self._pending = np.concatenate([self._pending, pcm])

    async def recv(self) -> av.AudioFrame:
        now_s = asyncio.get_running_loop().time()
        self._start_s = now_s if self._start_s is None else self._start_s
        await asyncio.sleep(max(0.0, self._start_s + self._frames * 0.02 - now_s))
        spoken, self._pending = self._pending[:FRAME_SAMPLES], self._pending[FRAME_SAMPLES:]
        block = np.zeros((1, FRAME_SAMPLES), np.int16)
        block[0, : len(spoken)] = spoken
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._frames * FRAME_SAMPLES, Fraction(1, RATE_HZ)
        self._frames += 1
        return frame


class Caller:
    """One peer connection to a conversation; collects the messages, the sound and the pictures that arrive."""

    def __init__(self, invitation: Any, *, video: bool | MediaStreamTrack = False) -> None:
        self.invitation = invitation
        self.microphone = Microphone()
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.sound: list[tuple[float, np.ndarray]] = []
        self.signals: list[str] = []
        self.pictures: list[av.VideoFrame] = []
        self.peer_id: str | None = None
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.addTransceiver(self.microphone, direction="sendrecv")
        if isinstance(video, MediaStreamTrack):
            self.pc.addTransceiver(video, direction="sendrecv")
        elif video:
            self.pc.addTransceiver("video", direction="recvonly")
        self.channel = self.pc.createDataChannel("chat")
        self.channel.on("open", self._on_open)
        self.channel.on("message", self._on_message)
        self.channel.on("close", self.closed.set)
        self.pc.on("track", lambda track: self._spawn(self._collect(track)))

    async def join(self, **fields: Any) -> None:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        body = {"sdp": self.pc.localDescription.sdp, "type": "offer", **fields}
        status, answer = await self.request("POST", "/api/offer", body)
        assert status == 200, answer
        self.peer_id = answer.pop("pc_id")
        await self.pc.setRemoteDescription(RTCSessionDescription(**answer))

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.invitation.token}"}
        url = self.invitation.conversation_url + path
        async with aiohttp.ClientSession() as http, http.request(method, url, json=body, headers=headers) as response:
            return response.status, json.loads(await response.text() or "null")

    def send(self, kind: str, data: Any = None) -> None:
        self.channel.send(json.dumps({"label": "rtvi-ai", "type": kind, "id": "1", "data": data}))

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for _, message in self.messages]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message["data"] for _, message in self.messages if message["type"] == kind]

    async def until(self, kind: str, *, count: int = 1, timeout: float = 40) -> dict[str, Any]:
        """Wait for the message number `count` of a kind and return its data."""
        await self.until_true(lambda: len(self.of(kind)) >= count, timeout=timeout)
        return self.of(kind)[count - 1]

    async def until_true(self, condition: Callable[[], bool], *, timeout: float = 40) -> None:
        """Wait until a message, a picture or some sound makes `condition` true."""
        async with asyncio.timeout(timeout), self._arrived:
            await self._arrived.wait_for(condition)

    def stop_pings(self) -> None:
        for task in self._tasks:
            if task.get_name() == "ping":
                task.cancel()

    def vanish(self) -> None:
        """From now on nothing leaves; what comes is still heard."""

        async def dropped(data: bytes) -> None: ...

        self.pc.sctp.transport.transport._send = dropped  # all is bundled on this one

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pc.close()

    async def __aenter__(self) -> Self:
        try:
            await self.join()
            await self.get_ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get_ready(self) -> None:
        await asyncio.wait_for(self.opened.wait(), 10)
        self.send("client-ready", {"version": "2.2.0", "about": {"library": "test"}})
        await self.until("bot-ready")

    def _spawn(self, work: Any, name: str | None = None) -> None:
        task = asyncio.create_task(work, name=name or work.__name__.strip("_"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_open(self) -> None:
        self.opened.set()
        self._spawn(self._ping(), "ping")

    def _on_message(self, text: str) -> None:
        message = json.loads(text)
        if message.get("type") == "signalling":
            self.signals.append(message["message"]["type"])
        else:
            self.messages.append((time.monotonic(), message))
        self._spawn(self._notify())

    async def _notify(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def _ping(self) -> None:
        while True:
            self.channel.send(f"ping: {time.time_ns() // 1_000_000}")
            await asyncio.sleep(1)

    async def _collect(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if track.kind == "audio":
                    self.sound.append((time.monotonic(), frame.to_ndarray()[0, ::2]))
                else:
                    self.pictures.append(frame)
                await self._notify()
