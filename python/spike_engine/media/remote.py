"""What comes from the AI: its voice and its picture, as tracks that outlive the connection that brings them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from fractions import Fraction
from typing import Any

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from spike_engine import dsp, frames
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.lifetime import cancelled
from spike_engine.media.lip_sync import LipSync, PicturesInStep
from spike_engine.media.listener import MediaListener
from spike_engine.media.playback import Playback
from spike_engine.webrtc.fed_track import FedTrack
from spike_engine.webrtc.remote_voice import RemoteVoice
from spike_engine.webrtc.seam import pictures_of, voice_of

# What a program that reads slowly may still catch up with: half a second of voice, and of pictures only the newest.
_QUEUED_FRAMES = {"audio": 25, "video": 1}


class AITrack(FedTrack):
    """The AI's voice or picture for the program: one track from join to the end, across reconnections.

    While there is no connection, ``recv`` waits. Timestamps go on from one connection to the next.
    """

    def __init__(self, kind: str, lip_sync: LipSync) -> None:
        super().__init__(kind, _QUEUED_FRAMES[kind])
        self._lip_sync = lip_sync
        self._in_step: list[PicturesInStep] = []
        self._offset = Fraction(0)
        self._end = Fraction(0)
        self._joined = True

    def begin(self) -> None:
        """A new connection brings frames from now on, whose time starts anew."""
        self._joined = True

    def show(self, frame: Any, sent_at_s: float | None) -> None:
        """A picture has come, which was taken at `sent_at_s` on the sender's clock."""
        for pictures in self._in_step:
            pictures.push(frame, sent_at_s)
        self.push(frame)

    async def in_step(self) -> AsyncGenerator[Any, None]:
        """Pictures, each handed over when its sound is heard, until the track ends."""
        pictures = PicturesInStep(self._lip_sync)
        self._in_step.append(pictures)
        try:
            if self.readyState != "live":
                return
            async for frame in pictures.frames():
                yield frame
        finally:
            self._in_step.remove(pictures)
            if not self._in_step:
                self._lip_sync.let_go()

    def stop(self) -> None:
        """End the track; who waits for a frame waits no more."""
        super().stop()
        for pictures in self._in_step:
            pictures.end()

    def prepare(self, item: Any) -> Any:
        """The frame, or a frame around samples and their position, at its time in the conversation."""
        if isinstance(item, tuple):
            samples, position = item
            item = frames.audio_from_ndarray(samples, format="s16", sample_rate_hz=ENGINE_RATE_HZ)
            item.pts, item.time_base = position, Fraction(1, ENGINE_RATE_HZ)
        if item.pts is not None and item.time_base is not None:
            self._set_time(item)
        return item

    def _set_time(self, frame: Any) -> None:
        """Make time go on where the connection before left it."""
        at = frame.pts * frame.time_base
        if self._joined:
            self._joined, self._offset = False, self._end - at
        frame.pts += round(self._offset / frame.time_base)
        last = Fraction(frame.samples, frame.sample_rate) if self.kind == "audio" else Fraction(1, 30)
        self._end = frame.pts * frame.time_base + last


class RemoteMedia:
    """Receives the AI's tracks: plays its voice, knows how loud it is, and hands every frame to the program's tracks.

    Args:
        playback: The loudspeaker.
        listener: Hears each block of voice and how loud it is.
    """

    def __init__(self, playback: Playback, listener: MediaListener) -> None:
        self.tracks: dict[str, AITrack] = {}
        self.pictures = 0
        self._playback = playback
        self._lip_sync = LipSync(playback)
        self._pipeline = dsp.RenderPipeline(ENGINE_RATE_HZ)
        self._to_engine = RateConverter()
        self._listener = listener
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._voice: RemoteVoice | None = None

    def attach(self, incoming: MediaStreamTrack) -> AITrack:
        """Receive `incoming` from now on, in place of the track of its kind before; returns the program's track."""
        kind = incoming.kind
        if before := self._readers.get(kind):
            before.cancel()
        track = self.tracks.setdefault(kind, AITrack(kind, self._lip_sync))
        track.begin()
        if voice := voice_of(incoming):
            self._follow(voice, track)
        else:
            self._readers[kind] = asyncio.create_task(self._read(incoming, track))
        return track

    async def detach(self) -> None:
        """Stop receiving; the program's tracks wait for the next connection."""
        self._voice = None
        self._playback.unfollow()
        self._lip_sync.follow(None)
        readers, self._readers = self._readers, {}
        await cancelled(*readers.values())

    async def close(self) -> None:
        """Stop receiving and end the program's tracks."""
        await self.detach()
        for track in self.tracks.values():
            track.stop()

    @property
    def latency_ms(self) -> float | None:
        """From the arrival of a packet of the AI's voice to its sound; None for a voice that comes decoded."""
        if self._voice is None:
            return None
        return self._voice.receiver.stats.delay_ms + 1000.0 * self._playback.latency_s

    def _follow(self, incoming: RemoteVoice, track: AITrack) -> None:
        """Have the voice played, and tell what was heard of it."""
        position = 0

        def on_played(voice: NDArray[np.float32]) -> None:
            nonlocal position
            track.push((voice, position))
            position += len(voice)
            self._listener.on_audio("ai", voice)
            self._listener.on_level(incoming.receiver.level)

        self._voice = incoming
        self._playback.follow(incoming, on_played)
        self._lip_sync.follow(incoming)

    async def _read(self, incoming: MediaStreamTrack, track: AITrack) -> None:
        pictures = pictures_of(incoming)
        while True:
            try:
                frame: Any = await incoming.recv()
            except MediaStreamError:
                return
            if track.kind == "audio":
                self._play(frame)
                track.push(frame)
            else:
                self.pictures += 1
                track.show(frame, pictures.sent_at_s(frame) if pictures else None)

    def _play(self, frame: Any) -> None:
        samples = frames.audio_to_ndarray(frame, dtype="float32", channels=1)
        self._pipeline.gain = self._playback.volume
        voice = self._pipeline.process(self._to_engine(samples, frame.sample_rate))
        self._playback.write(voice)
        self._listener.on_audio("ai", voice)
        self._listener.on_level(self._pipeline.level)
