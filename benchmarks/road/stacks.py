"""Receives what peer.py plays by one of three stacks, sends the same voice, and keeps each block: ``heard.npz``."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from recording import FRAME_SAMPLES, RATE_HZ, recording

Heard = list[tuple[float, np.ndarray]]


async def answer_of(url: str, sdp: str) -> str:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/api/offer", json={"sdp": sdp, "type": "offer"}) as response,
    ):
        answer: str = (await response.json())["sdp"]
        return answer


async def spike_engine(url: str, voice: np.ndarray, heard: Heard, seconds: float) -> None:
    import spike_engine as se  # noqa: PLC0415 (only this stack's interpreter needs it)

    class Ear:
        sample_rate_hz = RATE_HZ

        async def start(self) -> None: ...

        async def close(self) -> None: ...

        def write(self, samples: np.ndarray) -> None:
            if len(samples):
                heard.append((time.monotonic(), samples.copy()))

        def played(self, samples: int) -> np.ndarray:
            return np.zeros(samples, np.float32)

        def flush(self) -> None: ...

    client = se.SpikeClient(
        conversation_url=url, token="none", audio=True, video=False, audio_source=voice, audio_output=Ear(),
        join_timeout_s=20, echo_cancellation=False, noise_suppression=False,
    )  # fmt: skip
    async with client:
        await asyncio.sleep(seconds)


async def aiortc(url: str, voice: np.ndarray, heard: Heard, seconds: float) -> None:
    from aiortc import RTCPeerConnection, RTCSessionDescription  # noqa: PLC0415
    from aiortc.mediastreams import MediaStreamError, MediaStreamTrack  # noqa: PLC0415
    from av import AudioFrame  # noqa: PLC0415

    class Voice(MediaStreamTrack):
        kind = "audio"
        at, began_s = 0, time.monotonic()

        async def recv(self) -> AudioFrame:
            await asyncio.sleep(max(0.0, self.began_s + self.at / RATE_HZ - time.monotonic()))
            frame = AudioFrame.from_ndarray(voice[None, self.at : self.at + FRAME_SAMPLES], "s16", "mono")
            frame.sample_rate, frame.pts = RATE_HZ, self.at
            self.at += FRAME_SAMPLES
            return frame

    pc = RTCPeerConnection()
    pc.addTrack(Voice())
    pc.createDataChannel("chat")

    async def listen(track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
            heard.append((time.monotonic(), samples.astype(np.float32) / 32768))

    tasks: list[Any] = []
    pc.on("track", lambda track: tasks.append(asyncio.ensure_future(listen(track))))
    await pc.setLocalDescription(await pc.createOffer())
    await pc.setRemoteDescription(RTCSessionDescription(await answer_of(url, pc.localDescription.sdp), "answer"))
    await asyncio.sleep(seconds)


async def wrtc(url: str, voice: np.ndarray, heard: Heard, seconds: float) -> None:
    import webrtc  # noqa: PLC0415

    pc, source = webrtc.RTCPeerConnection(), webrtc.MediaStreamTrackGenerator("audio")
    pc.add_track(source)
    kept: list[Any] = [pc.create_data_channel("chat")]

    async def listen(frames: Any) -> None:
        async for frame in frames.readable:
            samples = bytearray(2 * frame.number_of_frames)
            frame.copy_to(samples, webrtc.AudioDataCopyToOptions(plane_index=0, format="s16-planar"))
            heard.append((time.monotonic(), np.frombuffer(samples, np.int16).astype(np.float32) / 32768))
            frame.close()

    def on_track(event: Any) -> None:
        frames = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(event.track, 50))
        kept.extend([frames, asyncio.ensure_future(listen(frames))])

    async def play() -> None:
        writer = source.writable.get_writer() if hasattr(source.writable, "get_writer") else source.writable.getWriter()
        began_s = time.monotonic()
        for at in range(0, len(voice) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            await asyncio.sleep(max(0.0, began_s + at / RATE_HZ - time.monotonic()))
            sound = webrtc.AudioDataInit(
                format="s16", sample_rate=RATE_HZ, number_of_frames=FRAME_SAMPLES, number_of_channels=1,
                timestamp=round(at / RATE_HZ * 1e6), data=voice[at : at + FRAME_SAMPLES].tobytes(),
            )  # fmt: skip
            await writer.write(webrtc.AudioData(sound))

    pc.on("track", on_track)
    await pc.set_local_description(await pc.create_offer())
    while not str(pc.ice_gathering_state).endswith("complete"):  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(0.02)
    answer = await answer_of(url, pc.local_description.sdp)
    await pc.set_remote_description(webrtc.RTCSessionDescriptionInit(type="answer", sdp=answer))
    kept.append(asyncio.ensure_future(play()))
    await asyncio.sleep(seconds)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", choices=["spike_engine", "aiortc", "wrtc"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    heard: Heard = []
    stack = {"spike_engine": spike_engine, "aiortc": aiortc, "wrtc": wrtc}[options.stack]
    await stack(options.url, recording(options.voice, options.seconds + 10), heard, options.seconds)
    times, blocks = zip(*heard, strict=True) if heard else ((), ())
    np.savez(
        options.keep / "heard.npz",
        times_s=np.array(times),
        lengths=np.array([len(block) for block in blocks]),
        samples=np.concatenate([np.zeros(0, np.float32), *blocks]),
    )
    os._exit(0)  # libwebrtc's threads do not always end


asyncio.run(main())
