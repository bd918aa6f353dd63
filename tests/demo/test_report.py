"""What the demo measures, writes and prints."""

from __future__ import annotations

import asyncio
import io
import json
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from spike_engine import (
    AIIdle,
    AISpeaking,
    AIThinking,
    ClientStats,
    Connected,
    ConnectionFailed,
    Disconnected,
    DisconnectReason,
    Perception,
    UserStartedSpeaking,
    UserTranscript,
)
from spike_engine.demo import script
from spike_engine.demo.recorder import Recorder, TurnRecord
from spike_engine.demo.report import write_report
from spike_engine.demo.runner import take_in
from spike_engine.demo.screen import Screen, print_summary
from spike_engine.demo.script import TURNS, has_recordings, load_recording, trimmed
from spike_engine.demo.summary import CpuMeter, Summary
from spike_engine.dsp import CapturePipeline

RATE_HZ = 48000


async def a_recording() -> Recorder:
    """Two seconds: the AI talks, the user talks over it."""
    recorder = Recorder()
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE_HZ) / RATE_HZ).astype(np.float32)
    for at in range(0, 2 * RATE_HZ, 960):
        recorder.started_at = asyncio.get_running_loop().time() - (at + 960) / RATE_HZ
        block = tone[at : at + 960]
        recorder.tap("ai", block)
        recorder.tap("microphone", 0.5 * block)
        recorder.tap("processed", 0.005 * block)
    recorder.turns.append(TurnRecord("Hello.", 1.5, 1.7, interrupted=True, answered_at=1.9, heard_as="hello"))
    events = [
        (0.0, "connected", Connected()),
        (0.1, "ai-thinking", AIThinking()),
        (0.2, "ai-speaking", AISpeaking("Good", 0.2)),
        (0.4, "ai-speaking", AISpeaking("Good day to you, and to all who are with you there", 0.2)),
        (1.6, "ai-idle", AIIdle(interrupted=True)),
        (1.8, "ai-speaking", AISpeaking("Yes?", 0.2)),
    ]
    recorder.events.extend(events)
    recorder.picture = np.zeros((36, 64, 3), np.uint8)
    return recorder


async def test_the_report_holds_what_it_says(tmp_path: Path) -> None:
    files = dict(write_report(await a_recording(), tmp_path / "out"))

    names = {path.name for path in files}
    assert names == {
        "microphone-raw.wav",
        "microphone-processed.wav",
        "ai-audio.wav",
        "ai-frame.png",
        "conversation.png",
    }
    with wave.open(str(tmp_path / "out/microphone-raw.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(samples) == pytest.approx(2 * RATE_HZ, rel=0.1)
    assert np.abs(samples).max() == pytest.approx(0.15 * 32767, rel=0.01)
    header = (tmp_path / "out/conversation.png").read_bytes()[:24]
    assert struct.unpack(">II", header[16:24]) == (1600, 1000)


async def test_an_empty_recording_still_makes_a_report(tmp_path: Path) -> None:
    assert len(write_report(Recorder(), tmp_path)) == 4


async def test_echo_reduction_is_measured_where_only_the_ai_talks() -> None:
    assert (await a_recording()).echo_reduction_db(0) == pytest.approx(40.0, abs=0.5)
    assert Recorder().echo_reduction_db(0) is None


async def test_what_was_sent_is_compared_with_what_was_captured_at_the_same_moment() -> None:
    late = CapturePipeline().latency_samples
    recorder = Recorder()
    loop, random = asyncio.get_running_loop(), np.random.default_rng(1)
    captured = random.standard_normal(3 * RATE_HZ).astype(np.float32) * (np.arange(3 * RATE_HZ) % 9600 < 4800) * 0.1
    for at in range(0, len(captured), 960):
        recorder.started_at = loop.time() - (at + 960) / RATE_HZ
        recorder.tap("ai", np.full(960, 0.3, np.float32))
        recorder.tap("microphone", captured[at : at + 960])
        recorder.tap("processed", 0.01 * np.roll(captured, late)[at : at + 960])
    recorder.turns.append(TurnRecord("Hello.", 1.0, 1.05))

    assert recorder.echo_reduction_db(late) == pytest.approx(40.0, abs=0.2)
    summary = Summary()
    take_in(summary, recorder, ClientStats())
    assert summary.echo_reduction_db == recorder.echo_reduction_db(late)


async def test_the_first_sound_of_the_ai_is_found() -> None:
    recorder = await a_recording()

    assert await recorder.ai_sound_after(1.0) == pytest.approx(1.0, abs=0.05)
    assert await recorder.ai_sound_after(60.0, timeout_s=0.01) is None


async def test_a_stretch_after_a_gap_is_put_where_it_began() -> None:
    recorder = Recorder()
    loop = asyncio.get_running_loop()
    for time_s in (0.02, 1.02):
        recorder.started_at = loop.time() - time_s
        recorder.tap("ai", np.full(960, 0.5, np.float32))
    loud = np.flatnonzero(recorder.track("ai"))

    assert loud[0] < 100
    assert abs(loud[960] - RATE_HZ) < 500


async def test_what_comes_late_in_a_burst_is_drawn_where_it_sounded() -> None:
    """The loop is held up for 0.7 s at the start: thirty-five blocks come at once, and then each in its time."""
    recorder = Recorder()
    loop = asyncio.get_running_loop()
    for number in range(100):
        recorder.started_at = loop.time() - max(0.7, (number + 1) * 0.02)
        block = np.zeros(960, np.float32)
        block[0] = number + 1
        recorder.tap("ai", block)
    track = recorder.track("ai")

    marks = np.flatnonzero(track)
    np.testing.assert_array_equal(np.diff(marks), 960)
    assert marks[0] < 0.005 * RATE_HZ


def test_figures_of_the_network_stand_in_the_status_line_and_not_between_the_events() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    with Screen(console, 1) as screen:
        screen.show(0.1, "connected", Connected())
        screen.show(1.1, "stats", ClientStats())

    assert console.file.getvalue().count(" s  ") == 1  # type: ignore[attr-defined]


def a_summary() -> Summary:
    turns = [TurnRecord("Hello.", 1.0, 2.0, answered_at=2.8), TurnRecord("Bye.", 4.0, 5.0)]
    return Summary(turns, 100, 1, 31.5, 0.4, 0.25, None, [(Path("a.wav"), "a sound")])


def test_a_summary_says_what_was_measured_and_what_was_not() -> None:
    rows = dict(a_summary().rows())

    assert rows["turns"] == "2 said, 1 answered"
    assert rows["end of speech to first AI sound"] == "0.80 s median (0.80, -)"
    assert rows["echo reduction"].startswith("31.5 dB")
    assert rows["CPU"] == "client 25%, server -"
    assert Summary().response_s is None


def test_a_summary_for_machines() -> None:
    values = json.loads(a_summary().to_json())

    assert values["response_s"] == pytest.approx(0.8)
    assert values["turns"][0]["response_s"] == pytest.approx(0.8)
    assert values["files"] == {"a.wav": "a sound"}


def test_cpu_is_measured_for_this_process_and_another() -> None:
    mine, other, none = CpuMeter(), CpuMeter(os.getpid()), CpuMeter(2**22 + 1)
    sum(range(1_000_000))

    assert (mine.share() or 0) > 0
    assert other.share() is None or other.share() >= 0
    assert none.share() in (None, 0.0)


def test_the_screen_tells_each_event_once() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    with Screen(console, 2) as screen:
        screen.step("the AI greets")
        screen.show(0.1, "connected", Connected())
        screen.show(0.2, "ai-speaking", AISpeaking("Good", 0.2))
        screen.show(0.3, "ai-speaking", AISpeaking("Good day", 0.1))
        screen.say(0.5, "the user says: hello")
        screen.show(0.6, "user-started-speaking", UserStartedSpeaking())
        screen.show(0.6, "user-transcript", UserTranscript("hel", final=False))
        screen.show(0.7, "user-transcript", UserTranscript("hello"))
        screen.show(0.8, "ai-idle", AIIdle(interrupted=True))
        screen.show(0.8, "perception", Perception("happy", "wave"))
        screen.show(0.9, "error", ConnectionFailed("gone"))
        screen.show(1.0, "disconnected", Disconnected(DisconnectReason.LEFT))
        screen.step("done", done=True)
    print_summary(console, a_summary())
    text = console.file.getvalue()  # type: ignore[attr-defined]

    assert text.count("“Good day”") == 1
    assert "“hel”" not in text
    for expected in ("interrupted", "happy, wave", "CONNECTION_FAILED: gone", "left", "31.5 dB", "a.wav"):
        assert expected in text


def test_recordings_are_loaded_without_silence() -> None:
    if not has_recordings():
        pytest.skip("the recorded speech is not installed (Debian: apt install asterisk-core-sounds-en-g722)")
    for turn in TURNS:
        speech = load_recording(turn.recording)
        assert 0.3 * RATE_HZ < len(speech) < 10 * RATE_HZ
        assert np.abs(speech).max() == pytest.approx(0.5, abs=0.01)
        assert np.abs(speech[0]) > 0.005


def test_silence_is_left_as_it_is() -> None:
    assert len(trimmed(np.zeros(100, np.float32))) == 100


async def test_where_the_recordings_are_missing_a_voice_stands_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from spike_engine.demo import runner

    monkeypatch.setattr(script, "RECORDINGS", tmp_path)
    speech = await runner._speech_of(TURNS[:1])

    assert len(speech[0]) > 0.2 * RATE_HZ
    assert np.abs(speech[0]).max() == pytest.approx(0.5, abs=0.01)
