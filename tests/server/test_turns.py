from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_engine.server.turns import (
    WINDOW_SAMPLES,
    SpeechContinued,
    SpeechEnded,
    SpeechStarted,
    TurnConfig,
    TurnDetector,
    TurnEvent,
    Utterance,
)


def loudness(window: np.ndarray) -> float:
    """The voice probability of these tests: what the samples say."""
    return float(window.max())


def windows(*probabilities_and_counts: tuple[float, int]) -> np.ndarray:
    return np.concatenate(
        [np.full(count * WINDOW_SAMPLES, probability, np.float32) for probability, count in probabilities_and_counts]
    )


def detect(sound: np.ndarray, **config: float) -> list[TurnEvent]:
    return list(TurnDetector(loudness, TurnConfig(**config)).process(sound))


def test_a_turn_begins_after_enough_speech_and_ends_after_enough_silence() -> None:
    events = detect(windows((0, 20), (0.9, 30), (0, 30)))

    assert [type(event) for event in events] == [SpeechStarted, *[SpeechContinued] * 34, SpeechEnded]


def test_the_sound_before_the_first_word_belongs_to_the_turn() -> None:
    first = detect(windows((0.1, 20), (0.9, 10)))[0]

    assert isinstance(first, SpeechStarted)
    quiet = np.count_nonzero(first.samples < 0.5) / 16
    assert 560 <= quiet <= 610  # of 600 ms


def test_a_short_word_and_a_short_pause_before_the_first_speech_that_lasts_belong_to_the_turn() -> None:
    first = detect(windows((0, 20), (0.9, 5), (0, 5), (0.8, 10)))[0]

    assert isinstance(first, SpeechStarted)
    assert np.count_nonzero(first.samples == np.float32(0.9)) == 5 * WINDOW_SAMPLES


@pytest.mark.parametrize("speech_windows", [1, 6])
def test_a_short_sound_is_no_turn(speech_windows: int) -> None:
    assert detect(windows((0, 20), (0.9, speech_windows), (0, 30)) if speech_windows else windows((0, 1))) == []


def test_what_may_be_a_turn_is_suspected_soon() -> None:
    detector = TurnDetector(loudness, TurnConfig())
    seen = []
    for window in windows((0, 5), (0.9, 8), (0, 20)).reshape(-1, WINDOW_SAMPLES):
        list(detector.process(window))
        seen.append(detector.suspects)

    assert [index for index, suspects in enumerate(seen) if suspects] == [6, 7, 8, 9, 10]  # until the turn begins
    cough = TurnDetector(loudness, TurnConfig())
    list(cough.process(windows((0.9, 3), (0, 2))))
    assert cough.suspects
    list(cough.process(windows((0, 2))))
    assert not cough.suspects


def test_a_doubt_does_not_last() -> None:
    detector = TurnDetector(loudness, TurnConfig())
    list(detector.process(windows((0.9, 3), (0.45, 3))))
    assert detector.suspects
    list(detector.process(windows((0.45, 1))))
    assert not detector.suspects


def test_coughs_do_not_add_up() -> None:
    assert detect(np.tile(windows((0.9, 3), (0, 5)), 20)) == []


def test_the_gap_between_two_syllables_does_not_start_again() -> None:
    events = detect(windows((0.9, 4), (0, 2), (0.9, 4)))

    assert isinstance(events[0], SpeechStarted)


def test_a_pause_within_a_turn_does_not_end_it() -> None:
    events = detect(windows((0.9, 20), (0, 10), (0.9, 20)))

    assert sum(isinstance(event, SpeechStarted) for event in events) == 1
    assert not any(isinstance(event, SpeechEnded) for event in events)


def test_between_the_thresholds_nothing_changes() -> None:
    assert detect(windows((0.4, 100))) == []
    assert not any(isinstance(event, SpeechEnded) for event in detect(windows((0.9, 10), (0.4, 100))))


def test_the_end_silence_is_tunable() -> None:
    events = detect(windows((0.9, 10), (0, 7)), end_silence_ms=200)

    assert isinstance(events[-1], SpeechEnded)


def over_the_ai(sound: np.ndarray, sure: float) -> tuple[list[TurnEvent], list[bool]]:
    """What is told of `sound` while the AI speaks and a judge is that sure, and in which windows it is held."""
    detector, events, held = TurnDetector(loudness, takes_floor=lambda _: sure), [], []
    for window in sound.reshape(-1, WINDOW_SAMPLES):
        events += detector.process(window, ai_heard=True)
        held.append(detector.suspects)
    return events, held


def test_over_the_ai_a_cough_is_no_turn_however_long_it_lasts() -> None:
    events, held = over_the_ai(windows((0, 20), (0.9, 12), (0, 30)), sure=0.1)

    assert not events
    assert 0 < sum(held) <= 16  # half a second
    assert held[21]
    assert not held[-1]


def test_over_the_ai_words_are_a_turn_as_soon_as_that_is_sure() -> None:
    for sure, most_windows in ((0.99, 8), (0.8, 18)):
        events, held = over_the_ai(windows((0, 20), (0.9, 20)), sure)
        first = events[0]
        assert isinstance(first, SpeechStarted)
        assert 6 <= np.count_nonzero(first.samples > 0.5) / WINDOW_SAMPLES <= most_windows
        assert 560 <= np.count_nonzero(first.samples < 0.5) / 16 <= 640
        assert not held[-1]  # it has been answered


def test_over_the_ai_a_nod_and_the_words_that_follow_it_are_one_turn() -> None:
    answers = iter([0.1, 0.1, 0.1, *[0.99] * 20])
    detector = TurnDetector(loudness, takes_floor=lambda _: next(answers))
    first = next(detector.process(windows((0, 20), (0.8, 7), (0, 8), (0.9, 20)), ai_heard=True))

    assert isinstance(first, SpeechStarted)
    assert np.count_nonzero(first.samples == np.float32(0.8)) == 7 * WINDOW_SAMPLES


def test_after_a_turn_over_the_ai_the_next_one_is_judged_anew() -> None:
    sound = windows((0, 20), (0.9, 20), (0, 60))
    events, _ = over_the_ai(np.tile(sound, 2), sure=0.9)

    assert [type(event) for event in events if not isinstance(event, SpeechContinued)] == [
        SpeechStarted,
        SpeechEnded,
    ] * 2


def test_a_sound_that_outlasts_the_ai_is_a_turn() -> None:
    detector = TurnDetector(loudness, takes_floor=lambda _: 0.1)
    assert not list(detector.process(windows((0, 20), (0.9, 8)), ai_heard=True))

    assert isinstance(next(detector.process(windows((0.9, 2)))), SpeechStarted)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_blocks_of_any_length_give_the_same_events(lengths: list[int]) -> None:
    sound = windows((0, 10), (0.9, 20), (0, 20), (0.9, 10))
    detector = TurnDetector(loudness)
    edges = [0, *np.cumsum(lengths).tolist(), len(sound)]
    pieces = [detector.process(sound[start:end]) for start, end in pairwise(edges) if end > start]

    assert [type(event) for piece in pieces for event in piece] == [
        type(event) for event in TurnDetector(loudness).process(sound)
    ]


async def test_an_utterance_is_read_while_it_grows() -> None:
    utterance = Utterance(np.zeros(1, np.float32))
    assert len(await anext(utterance)) == 1
    utterance.put(np.zeros(2, np.float32))
    utterance.end()

    assert [len(block) async for block in utterance] == [2]
    assert [block async for block in utterance] == []
