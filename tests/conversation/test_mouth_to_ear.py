"""The delay from mouth to ear that the client tells, beside the one that is measured by the sound itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from rooms import FAR, NEAR, Samples, speech
from scipy.signal import correlate

from spike_engine import ClientStats, SpikeClient
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.server.persona import Speech
from spike_engine.server.tracks import VoiceTrack
from spike_engine.webrtc.remote_voice import RemoteVoice

RATE_HZ = 48000
AI_S, USER_S = 6.0, 3.0  # the AI still speaks when a report has come: that may take three seconds
MOST_WRONG_MS = 20.0
MOST_LATE_S = 0.05


class Place:
    """What sounds somewhere, and when: blocks that follow each other without a gap."""

    def __init__(self) -> None:
        self._blocks: list[Samples] = []
        self._begins: list[float] = []
        self._samples = 0

    def sounds(self, block: Samples, at_s: float) -> None:
        """`block` begins at `at_s`."""
        self._begins.append(at_s - self._samples / RATE_HZ)
        self._blocks.append(np.array(block, np.float32))
        self._samples += len(block)

    @property
    def late_s(self) -> float:
        """By how much the latest block was later than the quickest."""
        return max(self._begins) - min(self._begins)

    @property
    def whole(self) -> tuple[Samples, float]:
        """All of it, and when it began: what is late is never early."""
        return np.concatenate(self._blocks), min(self._begins)


def delay_ms(mouth: Place, ear: Place) -> tuple[float, float]:
    """By which the last two seconds of what the mouth says come to the ear, and when they begin."""
    said, said_s = mouth.whole
    heard, heard_s = ear.whole
    end = np.flatnonzero(np.abs(said) > 0.01)[-1]
    begin = end - 2 * RATE_HZ
    at = int(np.argmax(correlate(heard, said[begin:end], mode="valid")))
    begin_s = said_s + begin / RATE_HZ
    return 1000 * (heard_s + at / RATE_HZ - begin_s), begin_s


class Microphone(ArrayMicrophone):
    def __init__(self, samples: Samples, place: Place) -> None:
        super().__init__(samples)
        self._place = place

    async def read(self, samples: int) -> Samples:
        block = await super().read(samples)
        self._place.sounds(block, time.monotonic() - samples / RATE_HZ)
        return block


class Loudspeaker(RecordingLoudspeaker):
    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def write(self, samples: Samples) -> None:
        self._place.sounds(samples, time.monotonic())


class Reader(HummingPersona):
    greeting = "Welcome."

    async def speak(self, text: str) -> Speech:
        return Speech(speech(FAR, RATE_HZ, AI_S), RATE_HZ)

    async def think(self, heard: str) -> AsyncIterator[str]:
        return
        yield


async def test_both_ways_are_told_as_they_are_measured_by_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    users_mouth, users_ear, ais_mouth, ais_ear = Place(), Place(), Place(), Place()
    beat, push = RemoteVoice._beat, VoiceTrack.push

    def hearing(voice: RemoteVoice) -> None:
        beat(voice)
        ais_ear.sounds(voice._blocks[-1], time.monotonic())

    def speaking(track: VoiceTrack, block: Samples) -> None:
        ais_mouth.sounds(block, time.monotonic())
        push(track, block)

    monkeypatch.setattr(RemoteVoice, "_beat", hearing)
    monkeypatch.setattr(VoiceTrack, "push", speaking)
    silence = np.zeros(round((AI_S + 1) * RATE_HZ), np.float32)
    told: list[tuple[float, ClientStats]] = []
    async with ConversationServer(persona=Reader) as server:
        invitation = server.create_conversation()
        client = SpikeClient(
            conversation_url=invitation.conversation_url,
            token=invitation.token,
            audio_source=Microphone(np.concatenate([silence, speech(NEAR, RATE_HZ, USER_S)]), users_mouth),
            audio_output=Loudspeaker(users_ear),
            auto_gain_control=False,
            video=False,
            join_timeout_s=20.0,
        )
        async with client:
            assert (await client.get_stats()).user_to_ai_ms is None
            client.on("stats", lambda stats: told.append((time.monotonic(), stats)))
            await client.wait_for("ai-idle", timeout=40)
            await client.wait_for("user-stopped-speaking", timeout=40)

    if max(place.late_s for place in (users_mouth, users_ear, ais_mouth, ais_ear)) > MOST_LATE_S:
        pytest.skip("the machine is too busy: its sound stands still meanwhile")
    for mouth, ear, figure in ((ais_mouth, users_ear, "ai_to_user_ms"), (users_mouth, ais_ear, "user_to_ai_ms")):
        measured_ms, begin_s = delay_ms(mouth, ear)
        figures = [getattr(stats, figure) for at_s, stats in told if begin_s < at_s < begin_s + 2.5]
        meanwhile = [figure_ms for figure_ms in figures if figure_ms is not None]  # None before the first report
        assert len(meanwhile) >= 2, figures
        assert np.median(meanwhile) == pytest.approx(measured_ms, abs=MOST_WRONG_MS)
    assert told[-1][1].network.voice_kept_ms is not None
