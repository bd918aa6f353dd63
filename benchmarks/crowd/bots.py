"""One peer connection that speaks and hears, made by the engine, by aiortc alone and by libwebrtc (PyPI wrtc)."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from crowd.sound import BLOCK_SAMPLES, LOUD, RATE_HZ


class Bot(Protocol):
    """Gives an offer, takes the answer, and counts the blocks of 20 ms in which it hears somebody."""

    heard: float

    async def offer(self) -> str: ...
    async def accept(self, answer: str) -> None: ...
    async def close(self) -> None: ...


class _OfAiortc:
    """What the bots of aiortc share."""

    def __init__(self, voice: np.ndarray) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection  # noqa: PLC0415 (libwebrtc's process has none)

        self.heard = 0.0
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.voice = voice
        self.tasks: list[asyncio.Task[None]] = []
        self.pc.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.hear(track))))

    async def hear(self, track: Any) -> None:
        raise NotImplementedError

    async def offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return str(self.pc.localDescription.sdp)

    async def answer(self, offer: str) -> str:
        from aiortc import RTCSessionDescription  # noqa: PLC0415

        await self.pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        from aiortc import RTCSessionDescription  # noqa: PLC0415

        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.pc.close()


class SpikeBot(_OfAiortc):
    """The engine's: a voice that is queued second by second, as a model gives it, and ears at 16 kHz."""

    def __init__(self, voice: np.ndarray) -> None:
        super().__init__(voice)
        from spike_engine.server.tracks import VoiceTrack  # noqa: PLC0415
        from spike_engine.webrtc import improve  # noqa: PLC0415

        improve(self.pc)
        self.track = VoiceTrack()
        self.pc.addTrack(self.track)
        self.tasks.append(asyncio.ensure_future(self._speak()))

    async def _speak(self) -> None:
        for at in range(0, 10**9, RATE_HZ):
            begin = at % len(self.voice)
            end = self.track.play(self.voice[begin : begin + RATE_HZ]) + RATE_HZ
            await self.track.sent(end - RATE_HZ // 2)

    async def hear(self, track: Any) -> None:
        from spike_engine.server.tracks import mono_at  # noqa: PLC0415

        async for samples in mono_at(16000, track):
            self.heard += bool(samples.max() > LOUD)


class AiortcBot(_OfAiortc):
    """aiortc's, as its examples do it."""

    def __init__(self, voice: np.ndarray) -> None:
        super().__init__(voice)
        self.pc.addTrack(_paced(voice))

    async def hear(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError  # noqa: PLC0415

        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.heard += bool(frame.to_ndarray().max() > 32768 * LOUD)


def _paced(voice: np.ndarray) -> Any:
    import av  # noqa: PLC0415
    from aiortc import MediaStreamTrack  # noqa: PLC0415

    samples = (voice * 32767).astype(np.int16)

    class Paced(MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._at, self._began_s = 0, time.monotonic()

        async def recv(self) -> Any:
            await asyncio.sleep(max(0.0, self._began_s + self._at / RATE_HZ - time.monotonic()))
            begin = self._at % len(samples)
            frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + BLOCK_SAMPLES], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._at, Fraction(1, RATE_HZ)
            self._at += BLOCK_SAMPLES
            return frame

    return Paced()


class WrtcBot:
    """libwebrtc's, by PyPI's wrtc."""

    def __init__(self, voice: np.ndarray) -> None:
        import webrtc  # noqa: PLC0415

        self.heard = 0.0
        self._webrtc = webrtc
        self._samples = (voice * 32767).astype(np.int16)
        self._pc, self._source = webrtc.RTCPeerConnection(), webrtc.MediaStreamTrackGenerator("audio")
        self._pc.add_track(self._source)
        self._kept: list[Any] = []
        self._pc.on("track", self._on_track)

    async def offer(self) -> str:
        await self._pc.set_local_description(await self._pc.create_offer())
        while not str(self._pc.ice_gathering_state).endswith("complete"):  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.02)
        return str(self._pc.local_description.sdp)

    async def accept(self, answer: str) -> None:
        init = self._webrtc.RTCSessionDescriptionInit(type="answer", sdp=answer)
        await self._pc.set_remote_description(init)
        self._kept.append(asyncio.ensure_future(self._speak()))

    async def close(self) -> None:
        self._pc.close()

    def _on_track(self, event: Any) -> None:
        frames = self._webrtc.MediaStreamTrackProcessor(self._webrtc.MediaStreamTrackProcessorInit(event.track, 50))
        self._kept.extend([frames, asyncio.ensure_future(self._hear(frames))])

    async def _hear(self, frames: Any) -> None:
        options = self._webrtc.AudioDataCopyToOptions(plane_index=0, format="s16-planar")
        async for frame in frames.readable:
            samples = bytearray(2 * frame.number_of_frames)
            frame.copy_to(samples, options)
            length_s = frame.number_of_frames / frame.sample_rate
            self.heard += bool(np.frombuffer(samples, np.int16).max() > 32768 * LOUD) * 50 * length_s
            frame.close()

    async def _speak(self) -> None:
        writable = self._source.writable
        writer = writable.get_writer() if hasattr(writable, "get_writer") else writable.getWriter()
        began_s = time.monotonic()
        for at in range(0, 10**9, BLOCK_SAMPLES):
            await asyncio.sleep(max(0.0, began_s + at / RATE_HZ - time.monotonic()))
            begin = at % len(self._samples)
            sound = self._webrtc.AudioDataInit(
                format="s16", sample_rate=RATE_HZ, number_of_frames=BLOCK_SAMPLES, number_of_channels=1,
                timestamp=round(at / RATE_HZ * 1e6), data=self._samples[begin : begin + BLOCK_SAMPLES].tobytes(),
            )  # fmt: skip
            await writer.write(self._webrtc.AudioData(sound))
