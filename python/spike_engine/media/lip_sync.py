"""The AI's pictures handed over as their sound is heard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spike_engine.media.playback import Playback

if TYPE_CHECKING:
    from spike_engine.webrtc.remote_voice import RemoteVoice

MOST_WAIT_S = 1.0  # two clocks that differ by more are not one sender's
KEPT_S = 10.0  # for which a voice that has stopped still says when its pictures are due
LOOK_AGAIN_S = 0.02  # the voice's delay changes while a picture waits
MOST_HELD_MS = 200.0  # of the voice, for pictures that come after it: longer answers are felt
LEARN_S = 1.0
_IN_STEP_MS = 10.0  # a difference that is not worth changing the voice's delay for
_QUEUED_PICTURES = 32


class _Picture(NamedTuple):
    frame: Any
    sent_at_s: float | None  # on the sender's clock
    came_at_s: float


class LipSync:
    """Tells when a picture is due, and holds the voice back a little where pictures come later than their sound.

    Both know the sender's clock by its reports (RFC 3550 section 6.4.1). Without reports, without a voice, and for
    pictures of which the sound is further away than `MOST_WAIT_S`, a picture is due at once.

    Args:
        playback: Where the voice plays.
    """

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._voice: RemoteVoice | None = None
        self._offset_s: float | None = None  # of the sender's clock at what is heard, from the event loop's
        self._told_at_s = 0.0
        self._early_ms: list[float] = []
        self._learned_at_s = 0.0

    def follow(self, voice: RemoteVoice | None) -> None:
        """Pictures belong to this voice from now on; None for none."""
        self._voice, self._offset_s = voice, None

    def wait_s(self, sent_at_s: float | None) -> float:
        """How long to wait with a picture; 0 where it is due, and negative where it is late by so much."""
        now_s = asyncio.get_running_loop().time()
        self._observe(now_s)
        if sent_at_s is None or self._offset_s is None or now_s - self._told_at_s > KEPT_S:
            return 0.0
        wait_s = sent_at_s - self._offset_s - now_s
        return wait_s if abs(wait_s) <= MOST_WAIT_S else 0.0

    def learn(self, wait_s: float) -> None:
        """A picture came so much sooner than it was due: hold the voice back where most come later."""
        now_s = asyncio.get_running_loop().time()
        self._early_ms.append(1000.0 * wait_s)
        if now_s - self._learned_at_s < LEARN_S or self._voice is None:
            return
        early_ms, self._early_ms, self._learned_at_s = float(np.median(self._early_ms)), [], now_s
        receiver = self._voice.receiver
        if early_ms < -_IN_STEP_MS or (early_ms > _IN_STEP_MS and receiver.min_delay_ms > 0.0):
            receiver.min_delay_ms = min(max(receiver.stats.delay_ms - early_ms, 0.0), MOST_HELD_MS)

    def let_go(self) -> None:
        """Nobody looks any more: the voice has to wait for no picture."""
        self._early_ms = []
        if self._voice:
            self._voice.receiver.min_delay_ms = 0.0

    def _observe(self, now_s: float) -> None:
        playing_s = self._voice.playing_sent_at_s() if self._voice else None
        if playing_s is not None:
            self._offset_s, self._told_at_s = playing_s - self._playback.latency_s - now_s, now_s


class PicturesInStep:
    """The queue between what receives pictures and who shows them in step with their sound.

    Args:
        lip_sync: Knows when they are due.
    """

    def __init__(self, lip_sync: LipSync) -> None:
        self._lip_sync = lip_sync
        self._pictures: deque[_Picture] = deque(maxlen=_QUEUED_PICTURES)
        self._arrived = asyncio.Event()
        self._ended = False

    def push(self, frame: Any, sent_at_s: float | None) -> None:
        """A picture has come."""
        wait_s = self._lip_sync.wait_s(sent_at_s)
        if wait_s:
            self._lip_sync.learn(wait_s)
        self._pictures.append(_Picture(frame, sent_at_s, asyncio.get_running_loop().time()))
        self._arrived.set()

    def end(self) -> None:
        """No more come; those that wait are not shown."""
        self._ended = True
        self._arrived.set()

    async def frames(self) -> AsyncGenerator[Any, None]:
        """Each picture when it is due, without those of which a newer one is due as well."""
        while not self._ended:
            if not self._pictures:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            if (wait_s := self._wait_s(self._pictures[0])) > 0:
                await asyncio.sleep(min(wait_s, LOOK_AGAIN_S))
                continue
            picture = self._pictures.popleft()
            while self._pictures and self._wait_s(self._pictures[0]) <= 0:
                picture = self._pictures.popleft()
            yield picture.frame

    def _wait_s(self, picture: _Picture) -> float:
        waited_s = asyncio.get_running_loop().time() - picture.came_at_s
        return min(self._lip_sync.wait_s(picture.sent_at_s), MOST_WAIT_S - waited_s)
