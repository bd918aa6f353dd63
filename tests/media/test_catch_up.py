"""A voice that waits while the network is cut: in virtual time, over a way of which everything is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from spoken_digits import DIGITS, heard_digits, lost_words, sentence, spoken

from spike_engine import dsp
from spike_engine.media.catch_up import BLOCK_SAMPLES, KEPT_BLOCKS, KEPT_S, CatchUp
from spike_engine.webrtc.network_path import CutWatch, Sight

RATE_HZ = 48000
Samples = NDArray[np.float32]


@dataclass
class Way:
    """A peer that sends a packet each 20 ms, and what becomes of them."""

    round_trip_s: float = 0.04
    came: int = 0
    lost: int = 0
    missing: int = 0  # since the last that came
    other: int = 0  # packets that are none of the voice

    @property
    def packets(self) -> int:
        return self.came + self.other

    @property
    def voice(self) -> tuple[int, int]:
        return self.came, self.lost

    def tick(self, *, cut: bool, holds_up: bool = False, sends: bool = True) -> None:
        if not sends:
            return
        if cut:
            self.missing += 1
        else:
            self.came += 1 + (self.missing if holds_up else 0)
            self.lost += 0 if holds_up else self.missing
            self.missing = 0


class Call:
    """Sends a voice by a :class:`CatchUp`, and keeps what gets through."""

    def __init__(self) -> None:
        self.catch_up = CatchUp()
        self.way = Way()
        self.heard: list[Samples] = []
        self.now_s = 100.0
        self.late: list[Samples] = []

    def say(self, voice: Samples, *, cut: bool = False, holds_up: bool = False, quiet: bool | None = None) -> None:
        """`holds_up`: what is cut off comes late, all at once."""
        for at in range(0, len(voice) - BLOCK_SAMPLES + 1, BLOCK_SAMPLES):
            block = voice[at : at + BLOCK_SAMPLES]
            self.now_s += 0.02
            self.way.tick(cut=cut, holds_up=holds_up)
            silent = not np.abs(block).max() > 0.005 if quiet is None else quiet
            sent = self.catch_up.next(block, quiet=silent, path=self.way, now_s=self.now_s)
            assert sent.shape == (BLOCK_SAMPLES,)
            assert sent.dtype == np.float32
            if not cut:
                self.heard += self.late if holds_up else []
                self.late = []
                self.heard.append(sent)
            else:
                self.late.append(sent)

    def silence(self, seconds: float, **how: bool) -> None:
        self.say(np.zeros(int(seconds * 50) * BLOCK_SAMPLES, np.float32), **how)

    def digits(self) -> list[str]:
        return heard_digits(dsp.resample(np.concatenate(self.heard), RATE_HZ, 16000))


def said(count: int, seed: int) -> tuple[list[str], Samples]:
    digits = [DIGITS[n] for n in np.random.default_rng(seed).integers(0, 10, count)]
    return digits, sentence(digits, RATE_HZ)


def split(voice: Samples, at_s: float, cut_s: float) -> tuple[Samples, Samples, Samples]:
    first, second = (round(50 * time_s) * BLOCK_SAMPLES for time_s in (at_s, at_s + cut_s))
    return voice[:first], voice[first:second], voice[second:]


@pytest.mark.parametrize("cut_s", [0.4, 0.7, 1.1, 2.5])
def test_no_word_is_lost_where_the_same_connection_goes_on(cut_s: float) -> None:
    pytest.importorskip("pocketsphinx")
    digits, voice = said(10, seed=round(10 * cut_s))
    before, during, after = split(voice, 2.0, cut_s)
    call = Call()
    call.say(before)
    call.say(during, cut=True)
    call.say(after)
    call.silence(4.0)
    heard = call.digits()
    assert lost_words(digits, heard)[0] == 0
    assert len(heard) <= len(digits) + 3  # the word in which the cut began is begun twice
    assert call.catch_up.caught_up_ms >= 1000 * cut_s
    assert call.catch_up.behind_ms == 0


@pytest.mark.parametrize("cut_s", [3.5, 6.0, 10.0])
def test_no_word_is_lost_where_a_new_connection_is_needed(cut_s: float) -> None:
    pytest.importorskip("pocketsphinx")
    digits, voice = said(18, seed=round(cut_s))
    before, during, after = split(voice, 1.5, cut_s)
    call = Call()
    call.say(before)
    call.say(during[: 150 * BLOCK_SAMPLES], cut=True)
    call.catch_up.away()
    call.say(during[150 * BLOCK_SAMPLES :], cut=True)
    call.way = Way()
    call.catch_up.back()
    call.say(after)
    call.silence(10.0)
    assert lost_words(digits, call.digits())[0] == 0
    assert call.catch_up.lost_ms == 0


def test_a_cut_in_the_middle_of_a_word_goes_back_to_its_beginning() -> None:
    pause = np.zeros(round(0.12 * RATE_HZ), np.float32)
    parts = [dsp.resample(spoken(digit), 16000, RATE_HZ) for digit in (*DIGITS, *DIGITS[::-1])]
    ends = np.cumsum([len(part) + len(pause) for part in parts])
    words = [(end - len(pause) - len(part), end - len(pause)) for part, end in zip(parts, ends, strict=True)]
    voice = np.concatenate([each for part in parts for each in (part, pause)])
    voice += 1e-4 * np.random.default_rng(1).standard_normal(len(voice)).astype(np.float32)
    for cut_at in range(75, len(voice) // BLOCK_SAMPLES - 20, 6):
        call = Call()
        call.say(voice[(cut_at - 75) * BLOCK_SAMPLES : cut_at * BLOCK_SAMPLES])
        call.say(voice[cut_at * BLOCK_SAMPLES : (cut_at + 20) * BLOCK_SAMPLES], cut=True)
        call.catch_up.away()
        again_from = (cut_at + 20 - round(call.catch_up.behind_ms / 20)) * BLOCK_SAMPLES
        inside = [(begin, end) for begin, end in words if begin + 2 * BLOCK_SAMPLES < again_from < end - BLOCK_SAMPLES]
        assert not inside, f"cut at {0.02 * cut_at:.2f} s: sent again from the middle of a word"
        assert call.catch_up.behind_ms < 400 + 1000


def test_a_network_that_only_holds_everything_up_makes_nobody_speak_twice() -> None:
    pytest.importorskip("pocketsphinx")
    digits, voice = said(8, seed=5)
    before, during, after = split(voice, 2.0, 0.8)
    call = Call()
    call.say(before)
    call.say(during, cut=True, holds_up=True)
    call.say(after[:BLOCK_SAMPLES], holds_up=True)
    call.say(after[BLOCK_SAMPLES:])
    call.silence(2.0)
    assert call.digits() == digits
    assert call.catch_up.behind_ms == 0


def test_without_a_cut_each_block_is_sent_as_it_is() -> None:
    _, voice = said(4, seed=2)
    call = Call()
    call.say(voice)
    assert np.array_equal(np.concatenate(call.heard), voice[: len(voice) // BLOCK_SAMPLES * BLOCK_SAMPLES])


def test_a_peer_that_is_silent_at_times_is_not_taken_for_cut_off() -> None:
    watch, way = CutWatch(), Way()
    sights = set()
    for tick in range(500):
        way.tick(cut=False, sends=tick % 100 < 10)
        sights.add(watch.look(way, 0.02 * tick))
    assert Sight.CUT not in sights
    assert Sight.LOST not in sights


def cut_off() -> tuple[CutWatch, Way]:
    """A way that has been cut for 0.8 s, and a packet that is none of the voice."""
    watch, way = CutWatch(), Way()
    for tick in range(100):
        way.tick(cut=tick >= 60)
        watch.look(way, 0.02 * tick)
    way.other += 1
    return watch, way


def test_a_report_that_comes_before_the_voice_does_not_judge() -> None:
    watch, way = cut_off()
    assert watch.look(way, 2.02) is Sight.CUT
    way.tick(cut=False)
    assert watch.look(way, 2.04) is Sight.LOST


def test_a_peer_that_comes_back_without_its_voice_has_heard_nothing() -> None:
    watch, way = cut_off()
    sights = [watch.look(way, 2.02 + 0.02 * tick) for tick in range(15)]
    assert sights[0] is Sight.CUT
    assert Sight.LOST in sights
    assert Sight.LATE not in sights


def test_a_program_that_was_held_up_does_not_take_the_network_for_cut() -> None:
    call = Call()
    call.silence(1.0)
    call.now_s += 2.0
    call.silence(0.1, cut=True)  # what has waited in the microphone's ring comes at once
    assert call.catch_up.behind_ms == 0


def test_pauses_are_shortened_and_what_is_muted_is_not_sent() -> None:
    tone = (0.3 * np.sin(0.05 * np.arange(50 * BLOCK_SAMPLES))).astype(np.float32)
    call = Call()
    call.silence(1.0)
    call.say(tone, cut=True)
    call.silence(4.0, cut=True)
    call.say(tone, cut=True)
    heard_before = len(call.heard)
    call.silence(4.0)
    blocks = np.abs(np.stack(call.heard[heard_before:])).max(axis=1) > 0.01
    times = np.flatnonzero(np.diff(blocks.astype(int)))
    assert len(times) == 4  # two tones
    assert 0.3 < 0.02 * (times[2] - times[1]) < 0.6
    assert 0.02 * times[3] < 2.5
    assert call.catch_up.behind_ms == 0


def test_the_delay_is_gone_after_the_first_pause() -> None:
    digits, voice = said(6, seed=8)
    before, during, after = split(voice, 1.0, 0.5)
    call = Call()
    call.say(before)
    call.say(during, cut=True)
    call.say(after)
    call.silence(3.0)
    assert len(digits) == 6
    call.heard.clear()
    call.say(voice)
    assert np.array_equal(call.heard[5], voice[5 * BLOCK_SAMPLES : 6 * BLOCK_SAMPLES])


def test_what_is_too_old_is_lost_and_counted() -> None:
    call = Call()
    call.silence(1.0)
    call.catch_up.away()
    call.say(np.full(round(KEPT_S + 2) * 50 * BLOCK_SAMPLES, 0.1, np.float32))
    assert call.catch_up.behind_ms == 20 * KEPT_BLOCKS
    assert call.catch_up.lost_ms == pytest.approx(2000, abs=20)
    assert not np.concatenate(call.heard).any()


def test_what_waits_for_the_voice_is_called_when_that_is_sent() -> None:
    call, called = Call(), []
    call.silence(1.0)
    call.catch_up.when_sent(lambda: called.append("at once"))
    assert called == ["at once"]
    call.silence(1.0, cut=True)
    call.catch_up.when_sent(called.clear)
    assert not called  # nobody has said anything
    call.catch_up.when_sent(lambda: called.append("at once"))
    call.say(np.full(50 * BLOCK_SAMPLES, 0.1, np.float32), cut=True)
    call.catch_up.when_sent(lambda: called.append("later"))
    call.say(np.full(30 * BLOCK_SAMPLES, 0.1, np.float32))
    assert called == ["at once"]
    call.silence(3.0)
    assert called == ["at once", "later"]
    call.say(np.full(50 * BLOCK_SAMPLES, 0.1, np.float32), cut=True)
    call.catch_up.when_sent(lambda: called.append("never"))
    call.catch_up.away()
    call.catch_up.back()
    call.silence(5.0)
    assert called == ["at once", "later"]


def test_a_voice_of_which_nothing_is_known_is_sent_as_it_comes() -> None:
    catch_up = CatchUp()
    block = np.full(BLOCK_SAMPLES, 0.1, np.float32)
    for tick in range(100):
        assert catch_up.next(block, quiet=False, path=None, now_s=0.02 * tick) is block
    catch_up.away()
    assert not catch_up.next(block, quiet=False, path=None, now_s=3.0).any()
    catch_up.back()
    assert catch_up.next(block, quiet=False, path=None, now_s=3.02).any()


@pytest.mark.parametrize(
    ("heard", "counted"),
    [("one two three", (0, 0)), ("one one two three", (0, 0)), ("one three", (1, 0)), ("one six three", (0, 1))],
)
def test_words_are_counted_by_the_fewest_differences(heard: str, counted: tuple[int, int]) -> None:
    assert lost_words(["one", "two", "three"], heard.split()) == counted
    assert lost_words(["zero", "six", "eight"], ["zero", "eight", "eight"]) == (0, 1)
    assert lost_words(["one", "two"], ["two", "one"]) == (1, 0)
