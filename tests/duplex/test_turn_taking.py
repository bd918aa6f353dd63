"""Whose turn it is, frame by frame: the detectors' words are the test's, the sounds that are judged are recorded."""

from __future__ import annotations

import threading
import time
from itertools import product
from typing import Any

import numpy as np
import pytest
from rooms import NEAR, RECORDINGS, recording, speech

from spike_engine import dsp
from spike_engine.duplex import voice_shape
from spike_engine.duplex.turn_taking import SURE, SURE_AFTER_S, SURE_WHEN_OVER, Floor, TurnTaking
from spike_engine.events import UserStartedSpeaking, UserStoppedSpeaking

FRAME = np.full(160, 0.1, np.float32)  # 10 ms
STARTED, STOPPED = UserStartedSpeaking(), UserStoppedSpeaking()


def told(turns: TurnTaking, *sounds: tuple[bool, int], ai_heard: bool = True) -> list[tuple[int, Any]]:
    """What is told, and after how many ms, of sounds and silences of so many ms."""
    outcomes, at_ms = [], 0
    for sounding, length_ms in sounds:
        for _ in range(length_ms // 10):
            at_ms += 10
            found = turns.on_frame(FRAME, active=sounding, suspected=sounding, ai_heard=ai_heard)
            outcomes += [(at_ms, outcome) for outcome in found]
    return outcomes


def judge(answer: float) -> Any:
    return lambda _: answer


def test_a_short_sound_holds_the_loudspeaker_and_lets_it_go_on() -> None:
    turns = TurnTaking(takes_floor=judge(0.0))

    assert told(turns, (False, 100), (True, 300), (False, 400)) == [(140, Floor.HOLD), (580, Floor.RESUME)]


def test_a_click_does_nothing() -> None:
    assert told(TurnTaking(), (True, 30), (False, 500)) == []


def test_what_is_surely_the_user_is_a_turn_within_a_fifth_of_a_second() -> None:
    turns = TurnTaking(takes_floor=judge(1.0))

    assert told(turns, (True, 700), (False, 700)) == [(40, Floor.HOLD), (200, STARTED), (1400, STOPPED)]


def test_what_is_less_sure_is_a_turn_within_half_a_second() -> None:
    assert told(TurnTaking(takes_floor=judge(0.8)), (True, 700)) == [(40, Floor.HOLD), (500, STARTED)]


def test_a_short_word_is_a_turn_when_it_is_over() -> None:
    short_word = told(TurnTaking(takes_floor=judge(0.7)), (True, 200), (False, 300))

    assert short_word == [(40, Floor.HOLD), (380, STARTED)]


def test_a_nod_lets_it_go_on_and_a_voice_that_does_not_end_is_no_nod() -> None:
    nod = told(TurnTaking(takes_floor=judge(0.0)), (True, 700), (False, 700))
    insistence = told(TurnTaking(takes_floor=judge(0.3)), (True, 2100))
    whatever_is_said = told(TurnTaking(takes_floor=judge(0.0)), (True, 3200))

    assert nod == [(40, Floor.HOLD), (500, Floor.RESUME)]
    assert insistence == [(40, Floor.HOLD), (500, Floor.RESUME), (1940, Floor.HOLD), (1940, STARTED)]
    assert whatever_is_said == [(40, Floor.HOLD), (500, Floor.RESUME), (3020, Floor.HOLD), (3020, STARTED)]


def test_two_words_are_judged_together() -> None:
    heard: list[int] = []

    def words(voice: np.ndarray) -> float:
        heard.append(len(voice))
        return float(len(voice) > 16000)

    turns = TurnTaking(takes_floor=words)
    outcomes = told(turns, (False, 300), (True, 300), (False, 300), (True, 300))

    assert [outcome for _, outcome in outcomes] == [Floor.HOLD, Floor.RESUME, Floor.HOLD, STARTED]
    assert heard[-1] == round((0.25 + 0.8) * 16000)


def test_while_the_ai_is_silent_or_where_nothing_is_held_every_voice_is_a_turn_at_once() -> None:
    assert told(TurnTaking(), (True, 100), ai_heard=False) == [(60, STARTED)]
    assert told(TurnTaking(holds=False), (True, 100)) == [(60, STARTED)]


def test_a_judge_that_raises_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def broken(voice: np.ndarray) -> float:
        raise RuntimeError("no")

    assert told(TurnTaking(takes_floor=broken), (True, 600)) == [(40, Floor.HOLD), (200, STARTED)]
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


def begun(sound: np.ndarray, length_s: float) -> np.ndarray:
    """The beginning of a sound as a judge gets it: a quarter of a second before it, and so much of it."""
    begin = np.flatnonzero(np.abs(sound) > 0.1 * np.abs(sound).max())[0]
    sound = 0.3 * sound[begin:][: round(16000 * length_s)] / np.abs(sound).max()
    return np.concatenate([np.zeros(4000), sound]).astype(np.float32)


def test_recorded_sentences_take_the_floor() -> None:
    names = [path.stem for path in sorted(RECORDINGS.glob("*.g722"))[::5] if path.stat().st_size > 12000][:40]
    judged = [voice_shape.is_interruption(begun(recording(name), 0.8)) for name in names]

    assert len(judged) == 40
    assert np.mean(np.array(judged) > 0.5) >= 0.95, sorted(judged)


def test_a_recorded_hello_takes_the_floor_within_half_a_second() -> None:
    hello = recording("hello")

    assert voice_shape.is_interruption(begun(hello, 0.5)) > np.interp(0.5, SURE_AFTER_S, SURE)
    assert voice_shape.is_interruption(np.pad(begun(hello, 0.58), (0, 2900))) > SURE_WHEN_OVER


def knock(random: np.random.Generator, time_s: np.ndarray) -> np.ndarray:
    """Wood or metal that is struck: some tones that fade."""
    tones = [(random.uniform(150, 2500), random.uniform(15, 60)) for _ in range(6)]
    return sum(np.exp(-decay * time_s) * np.sin(2 * np.pi * hz * time_s) for hz, decay in tones)


def test_a_hum_a_hiss_and_knocks_do_not() -> None:
    random, time_s = np.random.default_rng(1), np.arange(8000) / 16000
    hum = sum(1 / n * np.sin(2 * np.pi * 120 * n * time_s) for n in range(1, 5)) * np.sin(np.pi * time_s / 0.5)
    hiss = random.standard_normal(8000) * np.exp(-4 * time_s)
    knocks = [np.tile(knock(random, time_s[:2600]), 3) for _ in range(20)]
    judged = [voice_shape.is_interruption(begun(sound, 0.5)) for sound in (hum, hiss, *knocks)]

    assert np.mean(np.array(judged) > 0.5) <= 0.05, judged
    assert voice_shape.is_interruption(np.zeros(8000, np.float32)) == 0
    assert voice_shape.is_interruption(hiss[:100].astype(np.float32)) == 0


def judged_when_spoken(texts: dict[str, tuple[str, ...]]) -> dict[tuple[str, str, int], float]:
    """What the judge says of 0.6 s of each, in voices of espeak-ng that it has not learned from."""
    espeak = pytest.importorskip("spike_engine.server.local.children.espeak").Worker()
    judged = {}
    for voice, text, pitch in [(voice, *each) for voice, said in texts.items() for each in product(said, (40, 65))]:
        request = {"text": text, "voice": voice, "words_per_minute": 175, "pitch": pitch}
        about, pcm = espeak.handle(request, b"")
        spoken = dsp.resample(np.frombuffer(pcm, np.int16) / np.float32(32768), about["sample_rate_hz"], 16000)
        judged[voice, text, pitch] = voice_shape.is_interruption(begun(spoken, 0.6))
    return judged


def test_nods_do_not() -> None:
    english = ("hmm", "uh-huh", "yeah", "okay", "right")
    others = {"es": ("sí", "vale", "claro", "ajá"), "de": ("ja", "genau", "gut"), "it": ("sì", "certo", "va bene")}
    judged = judged_when_spoken({"en": english, "en-us": english, **others})

    assert np.mean(np.array(list(judged.values())) > 0.5) <= 0.1, judged


def test_short_interruptions_do() -> None:
    english = ("thank you", "stop", "wait", "no", "hello", "hold on", "what")
    others = {
        "fr": ("non", "attends", "arrête", "bonjour", "pardon"),
        "es": ("no", "espera", "para", "perdona", "hola"),
    }
    judged = judged_when_spoken({"en": english, "en-us": english[:4], **others})

    assert np.mean(np.array(list(judged.values())) > 0.5) >= 0.94, judged


def test_a_judgement_takes_little_of_the_sounds_thread() -> None:
    words = speech(NEAR, 16000, 0.58)
    voice_shape.is_interruption(words)
    began = time.thread_time()
    for _ in range(10):
        voice_shape.is_interruption(words)

    assert (time.thread_time() - began) / 10 < 0.005
