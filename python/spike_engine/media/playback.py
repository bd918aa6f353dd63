"""The loudspeaker of a conversation, which plays the AI's voice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spike_engine import _core
from spike_engine.devices.output import Output
from spike_engine.devices.stand_ins import Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.media.listener import CLOSE_LIMIT_S, MediaListener
from spike_engine.webrtc.clock import running_clock

if TYPE_CHECKING:
    from spike_engine.webrtc.remote_voice import RemoteVoice

FRAME_SAMPLES = ENGINE_RATE_HZ // 50
_BEAT_SAMPLES = ENGINE_RATE_HZ // 100


class Playback(Output):
    """An output that follows a voice; the process's clock feeds a loudspeaker that does not pull by itself.

    Args:
        listener: Hears the error of a loudspeaker that is gone.
    """

    def __init__(self, listener: MediaListener) -> None:
        self._voice: RemoteVoice | None = None
        self._of_voice: _core.VoiceGate | None = None
        self._on_played: Callable[[NDArray[np.float32]], None] | None = None
        super().__init__(listener.on_error, CLOSE_LIMIT_S)

    def follow(self, voice: RemoteVoice, on_played: Callable[[NDArray[np.float32]], None]) -> None:
        """Play `voice` from now on, each 20 ms of it, once played, being handed to `on_played`."""
        self._voice, self._on_played = voice, on_played
        self._of_voice = _core.VoiceGate(voice.receiver, ENGINE_RATE_HZ)
        self.play_from(self._of_voice)

    def unfollow(self) -> None:
        """Pull no more."""
        self.play_from(None)
        self._of_voice = self._voice = self._on_played = None

    async def close(self) -> None:
        """Free the loudspeaker; may be called twice."""
        self.unfollow()
        await super().close()

    def _connect(self) -> None:
        super()._connect()
        if self._voice is None:
            return
        self._voice.pulled_by_clock = not self._pulls
        is_unheard = isinstance(self._sink, Silence)  # one that nobody hears has time
        running_clock().listen(self._on_beat, every=2 if self._pulls or is_unheard else 1)

    def _disconnect(self) -> None:
        if self._voice is not None:
            running_clock().leave(self._on_beat)
        super()._disconnect()

    def _on_beat(self) -> None:
        self.feed(FRAME_SAMPLES if isinstance(self._sink, Silence) else _BEAT_SAMPLES)
        self._collect()

    def _collect(self) -> None:
        """Tell what was played, by whoever pulled it."""
        gate, told = self._of_voice, self._on_played
        while gate and told and gate.played.available >= FRAME_SAMPLES:
            block = np.empty(FRAME_SAMPLES, np.float32)
            gate.played.pop(block)
            told(block)
