"""Microphone and loudspeaker of this machine for livekit-agents (``pip install "spike-engine[livekit-agents]"``).

::

    async with DuplexAudio(24000, dtype="int16", hold_interruptions=False) as audio:
        session = AgentSession(...)
        session.input.audio, session.output.audio = DuplexInput(audio), DuplexOutput(audio)
        await session.start(agent)
"""

from __future__ import annotations

import asyncio
import time

from livekit import rtc
from livekit.agents.voice import io

from spike_engine.duplex import DuplexAudio
from spike_engine.lifetime import cancelled

__all__ = ["DuplexInput", "DuplexOutput"]


class DuplexInput(io.AudioInput):
    """The cleaned microphone as an agent's ears. `audio` has ``dtype="int16"`` and is entered."""

    def __init__(self, audio: DuplexAudio) -> None:
        super().__init__(label="spike_engine")
        self._audio = audio
        self._blocks = aiter(audio)

    async def __anext__(self) -> rtc.AudioFrame:
        """The next block."""
        block = await anext(self._blocks)
        return rtc.AudioFrame(block.tobytes(), self._audio.sample_rate_hz, 1, len(block))


class DuplexOutput(io.AudioOutput):
    """The loudspeaker as an agent's mouth: it pauses, resumes from the same sample, and says what was heard."""

    def __init__(self, audio: DuplexAudio) -> None:
        super().__init__(
            label="spike_engine",
            capabilities=io.AudioOutputCapabilities(pause=True),
            sample_rate=audio.sample_rate_hz,
        )
        self._audio = audio
        self._segment = 0
        self._open = False
        self._playing: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Play a frame; the first of a segment begins it."""
        await super().capture_frame(frame)
        if not self._open:
            self._open, self._segment = True, self._segment + 1
            self.on_playback_started(created_at=time.time())
        self._audio.play(bytes(frame.data), utterance=self._segment)

    def flush(self) -> None:
        """The segment is whole: tell when it has been heard."""
        super().flush()
        if self._open:
            self._open = False
            self._playing = asyncio.create_task(self._until_heard(self._segment))

    def clear_buffer(self) -> None:
        """Fall silent, and tell how much was heard."""
        super().flush()
        waits = self._playing is not None and not self._playing.done()
        if self._open or waits:
            position_s = self._audio.played_ms_of(self._segment) / 1000
            self._audio.flush()
            if self._playing:
                self._playing.cancel()
            self._open, self._playing = False, None
            self.on_playback_finished(playback_position=position_s, interrupted=True)

    def pause(self) -> None:
        """Hold still."""
        self._audio.pause()

    def resume(self) -> None:
        """Go on with the next sample."""
        self._audio.resume()

    async def aclose(self) -> None:
        """Tell nothing more."""
        await cancelled(self._playing)

    async def _until_heard(self, segment: int) -> None:
        while (left_ms := self._audio.queued_ms) > 0:  # noqa: ASYNC110 (it may be paused meanwhile)
            await asyncio.sleep(left_ms / 1000 + 0.01)
        self.on_playback_finished(playback_position=self._audio.played_ms_of(segment) / 1000, interrupted=False)
