"""A peer of libwebrtc's (PyPI wrtc): speaks the least of SmallWebRTC and RTVI, plays a recording, keeps what it hears.

It writes ``down.json``, when it began to play, and at the end ``up.npy``, int16 at 48 kHz.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import webrtc
from aiohttp import web
from recording import FRAME_SAMPLES, RATE_HZ, recording


class Peer:
    def __init__(self, voice: np.ndarray, keep: Path) -> None:
        self.voice, self.keep = voice, keep
        self.kept: list[Any] = []  # what must not be collected
        self.heard: list[bytes] = []
        self.done = asyncio.Event()

    async def offer(self, request: web.Request) -> web.Response:
        offer = await request.json()
        pc, source = webrtc.RTCPeerConnection(), webrtc.MediaStreamTrackGenerator("audio")
        self.kept += [pc, source]
        pc.on("datachannel", self.on_channel)
        pc.on("track", self.on_track)
        await pc.set_remote_description(webrtc.RTCSessionDescriptionInit(type="offer", sdp=offer["sdp"]))
        pc.add_track(source)
        await pc.set_local_description(await pc.create_answer())
        while not str(pc.ice_gathering_state).endswith("complete"):  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.02)
        self.kept.append(asyncio.ensure_future(self.play(source)))
        return web.json_response({"sdp": pc.local_description.sdp, "type": "answer", "pc_id": "1"})

    def on_channel(self, event: Any) -> None:
        channel = event.channel
        self.kept.append(channel)

        def on_message(message: Any) -> None:
            if isinstance(message.data, str) and "client-ready" in message.data:
                ready = {"label": "rtvi-ai", "type": "bot-ready", "data": {"version": "2.2.0"}}
                channel.send(json.dumps(ready | {"id": json.loads(message.data).get("id")}))

        channel.on("message", on_message)

    def on_track(self, event: Any) -> None:
        if event.track.kind == "audio":
            frames = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(event.track, 50))
            self.kept += [frames, asyncio.ensure_future(self.listen(frames))]

    async def listen(self, frames: Any) -> None:
        async for frame in frames.readable:
            samples = bytearray(2 * frame.number_of_frames)
            frame.copy_to(samples, webrtc.AudioDataCopyToOptions(plane_index=0, format="s16-planar"))
            self.heard.append(bytes(samples))
            frame.close()

    async def play(self, source: Any) -> None:
        writer = source.writable.get_writer() if hasattr(source.writable, "get_writer") else source.writable.getWriter()
        await asyncio.sleep(1.0)
        began_s = time.monotonic()
        (self.keep / "down.json").write_text(json.dumps({"began_s": began_s}))
        for at in range(0, len(self.voice) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            await asyncio.sleep(max(0.0, began_s + at / RATE_HZ - time.monotonic()))
            samples = self.voice[at : at + FRAME_SAMPLES].tobytes()
            sound = webrtc.AudioDataInit(
                format="s16", sample_rate=RATE_HZ, number_of_frames=FRAME_SAMPLES, number_of_channels=1,
                timestamp=round(at / RATE_HZ * 1e6), data=samples,
            )  # fmt: skip
            await writer.write(webrtc.AudioData(sound))
        self.done.set()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    voice = recording(options.voice, options.seconds)
    np.save(options.keep / "sent.npy", voice)
    peer = Peer(voice, options.keep)
    app = web.Application()
    app.router.add_post("/api/offer", peer.offer)
    app.router.add_patch("/api/offer", lambda _: web.json_response({}))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, options.host, 7900).start()
    print("ready", flush=True)
    await peer.done.wait()
    await asyncio.sleep(1.0)
    partial = options.keep / "unfinished.npy"
    np.save(partial, np.frombuffer(b"".join(peer.heard), np.int16))
    partial.rename(options.keep / "up.npy")
    await asyncio.sleep(10.0)


asyncio.run(main())
