"""The delay from mouth to ear that the client tells, beside the one that is measured by the sound itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

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
AI_S, USER_S = 4.0, 4.0
MOST_WRONG_MS = 20.0


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
    def whole(self) -> tuple[Samples, float]:
        """All of it, and when it began: what is late is never early."""
        return np.concatenate(self._blocks), min(self._begins)


def delay_ms(mouth: Place, ear: Place) -> float:
    """By which the last two seconds of what the mouth says come to the ear."""
    said, said_s = mouth.whole
    heard, heard_s = ear.whole
    end = np.flatnonzero(np.abs(said) > 0.01)[-1]
    begin = end - 2 * RATE_HZ
    at = int(np.argmax(correlate(heard, said[begin:end], mode="valid")))
    return 1000 * (heard_s + at / RATE_HZ - said_s - begin / RATE_HZ)


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
    silence = np.zeros(round((AI_S + 2) * RATE_HZ), np.float32)
    told: list[ClientStats] = []
    async with ConversationServer(persona=Reader) as server:
        invitation = server.create_conversation()
        client = SpikeClient(
            conversation_url=invitation.conversation_url,
            token=invitation.token,
            audio_source=Microphone(np.concatenate([silence, speech(NEAR, RATE_HZ, USER_S)]), users_mouth),
            audio_output=Loudspeaker(users_ear),
            auto_gain_control=False,
            video=False,
        )
        async with client:
            assert (await client.get_stats()).user_to_ai_ms is None
            client.on("stats", told.append)
            await client.wait_for("ai-idle", timeout=20)
            heard_told = told.copy()
            await client.wait_for("user-stopped-speaking", timeout=20)

    assert median([stats.ai_to_user_ms for stats in heard_told[2:]]) == pytest.approx(
        delay_ms(ais_mouth, users_ear), abs=MOST_WRONG_MS
    )
    assert median([stats.user_to_ai_ms for stats in told[-3:]]) == pytest.approx(
        delay_ms(users_mouth, ais_ear), abs=MOST_WRONG_MS
    )
    assert told[-1].network.voice_kept_ms is not None


def median(figures: list[Any]) -> float:
    return float(np.median([figure for figure in figures if figure is not None]))
