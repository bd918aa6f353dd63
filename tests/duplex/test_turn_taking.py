"""Whose turn it is, frame by frame: the detectors' words are the test's, the sounds that are judged are recorded."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from rooms import NEAR, RECORDINGS, recording, speech

from spike_engine.duplex import voice_shape
from spike_engine.duplex.turn_taking import Floor, TurnTaking
from spike_engine.events import UserStartedSpeaking, UserStoppedSpeaking

FRAME = np.full(160, 0.1, np.float32)  # 10 ms
STARTED, STOPPED = UserStartedSpeaking(), UserStoppedSpeaking()


def told(turns: TurnTaking, *sounds: tuple[bool, int], ai_heard: bool = True) -> list[tuple[int, Any]]:
    """What is told, and after how many ms, of sounds and silences of so many ms."""
    outcomes, at_ms = [], 0
    for sounding, length_ms in sounds:
        for _ in range(length_ms // 10):
            at_ms += 10
            found = turns.on_frame(FRAME, active=sounding, probability=0.9 * sounding, ai_heard=ai_heard)
            outcomes += [(at_ms, outcome) for outcome in found]
    return outcomes


def judge(answer: float) -> Any:
    return lambda _: answer


def test_a_short_sound_holds_the_loudspeaker_and_lets_it_go_on() -> None:
    assert told(TurnTaking(), (False, 100), (True, 300), (False, 400)) == [(160, Floor.HOLD), (580, Floor.RESUME)]


def test_a_click_does_nothing() -> None:
    assert told(TurnTaking(), (True, 50), (False, 500)) == []


def test_a_sound_that_lasts_is_judged_within_half_a_second_of_the_hold() -> None:
    turns = TurnTaking(takes_floor=judge(1.0))

    assert told(turns, (True, 700), (False, 700)) == [(60, Floor.HOLD), (550, STARTED), (1400, STOPPED)]


def test_a_nod_lets_it_go_on_and_a_voice_that_does_not_end_is_no_nod() -> None:
    nod = told(TurnTaking(takes_floor=judge(0.0)), (True, 700), (False, 700))
    insistence = told(TurnTaking(takes_floor=judge(0.0)), (True, 1200))

    assert nod == [(60, Floor.HOLD), (550, Floor.RESUME)]
    assert insistence == [(60, Floor.HOLD), (550, Floor.RESUME), (1000, Floor.HOLD), (1000, STARTED)]


def test_two_words_are_judged_together() -> None:
    heard: list[int] = []

    def words(voice: np.ndarray) -> float:
        heard.append(len(voice))
        return 1.0

    turns = TurnTaking(takes_floor=words)
    outcomes = told(turns, (True, 300), (False, 300), (True, 200), (False, 300))

    assert [outcome for _, outcome in outcomes] == [Floor.HOLD, Floor.RESUME, Floor.HOLD, STARTED]
    assert heard[0] > 0.9 * 16000


def test_while_the_ai_is_silent_or_where_nothing_is_held_every_voice_is_a_turn_at_once() -> None:
    assert told(TurnTaking(), (True, 100), ai_heard=False) == [(60, STARTED)]
    assert told(TurnTaking(holds=False), (True, 100)) == [(60, STARTED)]


def test_a_judge_that_raises_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def broken(voice: np.ndarray) -> float:
        raise RuntimeError("no")

    assert told(TurnTaking(takes_floor=broken), (True, 600)) == [(60, Floor.HOLD), (550, STARTED)]
    assert "broken" in caplog.text


class Listener:
    """Judges the end of a turn when it may."""

    def __init__(self, *answers: float | Exception) -> None:
        self.answers, self.heard, self.answered = list(answers), [], threading.Semaphore(0)

    def __call__(self, voice: np.ndarray) -> float:
        self.heard.append(len(voice))
        answer = self.answers.pop(0)
        self.answered.release()
        if isinstance(answer, Exception):
            raise answer
        return answer


def after_the_answer(turns: TurnTaking, listener: Listener) -> list[Any]:
    """What is told in the frame after the judge has answered in its thread."""
    assert listener.answered.acquire(timeout=5)
    deadline = time.monotonic() + 5
    while turns._asking and not turns._asking.done() and time.monotonic() < deadline:
        time.sleep(0.001)
    return [outcome for _, outcome in told(turns, (False, 10))]


def test_a_judge_says_when_the_turn_ends() -> None:
    listener = Listener(0.1, 0.9)
    turns = TurnTaking(end_of_turn=listener)

    assert told(turns, (True, 500), (False, 200), ai_heard=False) == [(60, STARTED)]
    assert after_the_answer(turns, listener) == []  # not yet
    outcomes = [outcome for _, outcome in told(turns, (True, 500), (False, 200))]
    assert outcomes + after_the_answer(turns, listener) == [STOPPED]
    assert listener.heard == [700 * 16, 1410 * 16]


@pytest.mark.parametrize("answer", [0.0, RuntimeError("no")])
def test_a_long_pause_ends_the_turn_whatever_the_judge_says(answer: float | Exception) -> None:
    turns = TurnTaking(end_of_turn=Listener(answer))

    assert told(turns, (True, 100), (False, 2100), ai_heard=False) == [(60, STARTED), (2100, STOPPED)]


def test_recorded_speech_takes_the_floor_and_a_hum_and_a_hiss_do_not() -> None:
    time_s = np.arange(8000) / 16000
    hum = sum(0.1 / n * np.sin(2 * np.pi * 120 * n * time_s) for n in range(1, 5))
    hiss = 0.1 * np.random.default_rng(1).standard_normal(8000) * np.exp(-4 * time_s)
    beginnings = []
    for path in sorted(RECORDINGS.glob("*.g722"))[::18][:16]:
        words = recording(path.stem)
        begin = np.flatnonzero(np.abs(words) > 0.1 * np.abs(words).max())[0]
        beginnings.append(voice_shape.is_interruption(words[begin:][:9280]))

    assert np.mean(np.array(beginnings) > 0.5) > 0.8, sorted(beginnings)
    assert voice_shape.is_interruption(hum.astype(np.float32)) < 0.5
    assert voice_shape.is_interruption(hiss.astype(np.float32)) < 0.5
    assert voice_shape.is_interruption(np.zeros(8000, np.float32)) == 0
    assert voice_shape.is_interruption(hiss[:100].astype(np.float32)) == 0


def test_a_judgement_takes_little_of_the_sounds_thread() -> None:
    words = speech(NEAR, 16000, 0.58)
    voice_shape.is_interruption(words)
    began = time.thread_time()
    for _ in range(10):
        voice_shape.is_interruption(words)

    assert (time.thread_time() - began) / 10 < 0.005
