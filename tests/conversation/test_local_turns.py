"""Turns that the client tells itself, in a whole client: recorded speech against the AI's voice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import AudioStreamTrack
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from rooms import NEAR, cough, recording
from rooms import speech as recorded_speech
from test_conversation_life import FrailTransport, until_true

from spike_engine import SpikeClient, UserStartedSpeaking, dsp
from spike_engine.duplex import turns
from spike_engine.sources import guarded

RECORDING = Path("/usr/share/asterisk/sounds/en_US_f_Allison/something-terribly-wrong.g722")

pytestmark = [
    pytest.mark.usefixtures("nothing_left_open"),
    pytest.mark.skipif(not RECORDING.exists(), reason="needs the recordings of Debian's asterisk-core-sounds-en-g722"),
]


@pytest.fixture
def speech() -> np.ndarray:
    with av.open(str(RECORDING), format="g722") as container:
        pcm = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    return dsp.resample((pcm / 32768).astype(np.float32), 16000, 48000)


def client_of(transport: FrailTransport, microphone: Any, loudspeaker: Any, **options: Any) -> SpikeClient:
    return SpikeClient(
        conversation_url="http://127.0.0.1:9/c",
        token="t",
        video=False,
        audio_source=microphone,
        audio_output=loudspeaker,
        transport=lambda _: transport,
        **options,
    )


async def test_a_user_who_begins_to_speak_silences_the_ai_here(
    speech: np.ndarray, heard: Callable[[SpikeClient], list]
) -> None:
    transport, loudspeaker = FrailTransport(), RecordingLoudspeaker()
    microphone = ArrayMicrophone(np.concatenate([np.zeros(48000, np.float32), speech]))
    client = client_of(transport, microphone, loudspeaker, turn_detection="local")
    events = heard(client)
    started = asyncio.ensure_future(client.wait_for("user-started-speaking", timeout=30))
    stopped = asyncio.ensure_future(client.wait_for("user-stopped-speaking", timeout=30))
    await asyncio.sleep(0)
    async with client:
        transport.say("bot-started-speaking")
        transport.say("user-started-speaking")  # the server's word does not count
        assert not [name for name, _ in events if name == "user-started-speaking"]
        transport.say("tts-raw-text", {"text": "As I was"})
        await started
        assert loudspeaker.flushed == 1
        assert client.state.is_user_speaking
        transport.say("tts-raw-text", {"text": "saying before"})  # the server has not noticed yet, and speaks on
        hum = AudioStreamTrack()
        client._conversation.connection.on_track(hum)
        assert (await asyncio.wait_for(client.get_ai_audio_track().recv(), 10)).samples
        assert not loudspeaker.blocks
        assert client.state.ai_transcript == "As I was"
        transport.say("bot-stopped-speaking")
        assert (await asyncio.wait_for(client.get_ai_audio_track().recv(), 10)).samples
        assert loudspeaker.blocks
        await stopped

    assert not client.state.is_user_speaking
    assert client.state.ai_transcript == "As I was"


async def test_a_short_sound_holds_the_ai_which_goes_on() -> None:
    transport, loudspeaker = FrailTransport(), RecordingLoudspeaker()
    microphone = ArrayMicrophone(np.concatenate([np.zeros(24000, np.float32), cough(48000)]))
    client = client_of(transport, microphone, loudspeaker, turn_detection="local")
    begun: list[UserStartedSpeaking] = []
    client.on("user-started-speaking", begun.append)
    async with client:
        transport.say("bot-started-speaking")
        client._conversation.connection.on_track(AudioStreamTrack())
        playback = client._conversation.media.playback
        await until_true(lambda: playback.paused)
        blocks = len(loudspeaker.blocks)
        await until_true(lambda: len(playback._waiting) > 5)
        assert len(loudspeaker.blocks) == blocks
        await until_true(lambda: not playback.paused)
        await until_true(lambda: len(loudspeaker.blocks) > blocks + 6)

    assert not begun
    assert loudspeaker.flushed == 0


async def test_an_ai_that_is_said_to_speak_and_is_not_heard_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "STUCK_AFTER_S", 0.4)
    transport, loudspeaker = FrailTransport(), RecordingLoudspeaker()
    client = client_of(transport, ArrayMicrophone(), loudspeaker)
    async with client:
        transport.say("bot-started-speaking")
        transport.say("tts-raw-text", {"text": "I was about to"})
        idle = asyncio.ensure_future(client.wait_for("ai-idle", timeout=30))
        client._conversation.connection.on_track(AudioStreamTrack())  # silence
        assert not (await idle).interrupted
        assert not client.state.is_ai_speaking
        assert len(loudspeaker.blocks) >= 20


async def test_playback_goes_on_where_the_server_does_not_mind_the_user(speech: np.ndarray) -> None:
    transport, loudspeaker = FrailTransport(), RecordingLoudspeaker()
    client = client_of(transport, ArrayMicrophone(speech), loudspeaker, turn_detection="local")
    stopped = asyncio.ensure_future(client.wait_for("user-stopped-speaking", timeout=30))
    await asyncio.sleep(0)
    async with client:
        transport.say("bot-started-speaking")
        client._conversation.connection.on_track(AudioStreamTrack())
        await stopped
        loudspeaker.blocks.clear()
        await until_true(lambda: bool(loudspeaker.blocks))


class UnhurriedMicrophone(ArrayMicrophone):
    """Gives its samples as fast as they are read: time is counted in samples."""

    async def read(self, samples: int) -> np.ndarray:
        await asyncio.sleep(0 if len(self._samples) else 0.02)
        head, self._samples = self._samples[:samples], self._samples[samples:]
        return np.pad(head, (0, samples - len(head)))


def onsets() -> tuple[np.ndarray, list[int]]:
    """Recordings from their first sound on, each after two seconds of a quiet room; where each begins."""
    random = np.random.default_rng(5)
    parts, begins, at = [], [], 0
    for path in sorted(RECORDING.parent.glob("*.g722"))[::18][:16]:
        voice = dsp.resample(recording(path.stem), 16000, 48000)
        loud = np.flatnonzero(np.abs(voice) > 0.1 * np.abs(voice).max())
        parts += [np.zeros(96000, np.float32), voice[loud[0] :][:72000]]
        begins.append(at + 96000)
        at = begins[-1] + len(parts[-1])
    whole = np.concatenate([*parts, np.zeros(96000, np.float32)])
    return whole + (10 ** (-65 / 20) * random.standard_normal(len(whole))).astype(np.float32), begins


async def test_the_user_is_noticed_within_200_ms_of_the_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "AHEAD_S", float("inf"))  # who does not wait is not held back
    sound, begins = onsets()
    client = client_of(
        FrailTransport(),
        UnhurriedMicrophone(sound),
        RecordingLoudspeaker(),
        turn_detection="local",
        auto_reconnect=False,
    )
    captured, starts = 0, []
    over = asyncio.Event()

    def tap(kind: str, block: np.ndarray) -> None:
        nonlocal captured
        captured += len(block) if kind == "microphone" else 0
        if captured >= len(sound):
            over.set()

    client.add_audio_tap(tap)
    client.on("user-started-speaking", lambda: starts.append(captured))
    async with client:
        await asyncio.wait_for(over.wait(), 60)
    first = [min((at for at in starts if at > begin), default=10**9) for begin in begins]
    late_ms = np.array([(at - begin) / 48 for at, begin in zip(first, begins, strict=True)])

    assert len(starts) >= len(begins)
    assert np.median(late_ms) <= 150
    assert (late_ms <= 200).mean() >= 0.9, sorted(late_ms)  # some begin with a hiss that is no voice yet


async def test_a_muted_microphone_starts_no_turn(speech: np.ndarray) -> None:
    client = client_of(FrailTransport(), ArrayMicrophone(speech), RecordingLoudspeaker(), turn_detection="local")
    client.set_audio_enabled(False)
    begun: list[UserStartedSpeaking] = []
    client.on("user-started-speaking", begun.append)
    played = asyncio.Event()
    blocks: list[float] = []

    def tap(kind: str, block: np.ndarray) -> None:
        blocks.append(float(np.abs(block).max()))
        if len(blocks) > 200:
            played.set()

    client.add_audio_tap(tap)
    async with client:
        await asyncio.wait_for(played.wait(), 30)

    assert max(blocks) > 0.1
    assert not begun


@pytest.mark.parametrize("suppressed", [True, False])
async def test_noise_is_taken_out_where_the_option_says_so(suppressed: bool) -> None:
    noise = (0.03 * np.random.default_rng(2).standard_normal(3 * 48000)).astype(np.float32)
    microphone = UnhurriedMicrophone(noise)
    client = client_of(FrailTransport(), microphone, RecordingLoudspeaker(), noise_suppression=suppressed)
    levels: dict[str, list[float]] = {"microphone": [], "processed": []}
    client.add_audio_tap(lambda kind, block: levels[kind].append(float(np.square(block).mean())))
    async with client:
        await until_true(lambda: len(levels["processed"]) >= 149)
    before, after = (np.sqrt(np.mean(levels[kind][100:149])) for kind in ("microphone", "processed"))

    assert (after < 0.3 * before) == suppressed


@pytest.mark.parametrize("levelled", [True, False])
async def test_a_quiet_voice_is_raised_where_the_option_says_so(levelled: bool) -> None:
    quiet = 0.02 * recorded_speech(NEAR, 48000, 4.0)
    microphone = UnhurriedMicrophone(quiet)
    client = client_of(FrailTransport(), microphone, RecordingLoudspeaker(), auto_gain_control=levelled)
    levels: dict[str, list[float]] = {"microphone": [], "processed": []}
    client.add_audio_tap(lambda kind, block: levels[kind].append(float(np.square(block).mean())))
    async with client:
        await until_true(lambda: len(levels["processed"]) >= 190)
    before, after = (np.sqrt(np.mean(levels[kind][120:190])) for kind in ("microphone", "processed"))

    assert (after > 4.0 * before) == levelled


class LeakingLoudspeaker(RecordingLoudspeaker):
    """What it plays comes back from the microphone, quieter and 20 ms later."""

    def __init__(self) -> None:
        super().__init__()
        self.air: list[np.ndarray] = [np.zeros(960, np.float32)]

    def played(self, samples: int) -> np.ndarray:
        block = self.blocks.pop(0) if self.blocks else np.zeros(samples, np.float32)
        self.air.append(0.3 * block)
        return block


class LeakedMicrophone(ArrayMicrophone):
    def __init__(self, loudspeaker: LeakingLoudspeaker) -> None:
        super().__init__()
        self._loudspeaker = loudspeaker

    async def read(self, samples: int) -> np.ndarray:
        quiet = await super().read(samples)
        return quiet + self._loudspeaker.air.pop(0) if self._loudspeaker.air else quiet


async def test_the_ais_own_voice_starts_no_turn_of_the_users(speech: np.ndarray) -> None:
    loudspeaker = LeakingLoudspeaker()
    client = client_of(FrailTransport(), LeakedMicrophone(loudspeaker), loudspeaker, turn_detection="local")
    begun: list[UserStartedSpeaking] = []
    client.on("user-started-speaking", begun.append)
    said = asyncio.Event()
    count = 0

    def tap(kind: str, block: np.ndarray) -> None:
        nonlocal count
        count += kind == "processed"
        if count * 960 > 2 * len(speech):
            said.set()

    client.add_audio_tap(tap)
    async with client:
        whole = np.concatenate([speech, speech])
        for block in whole[: len(whole) // 960 * 960].reshape(-1, 960):
            loudspeaker.write(block)
        await asyncio.wait_for(said.wait(), 60)

    assert not begun
