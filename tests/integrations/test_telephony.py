"""A telephone on loudspeaker, over mu-law at 8 kHz both ways: recorded speech, a room, a network's delay."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from rooms import FAR, NEAR, Samples, echo_of, impulse_response, level_db, speech

from spike_engine.events import UserStartedSpeaking, UserStoppedSpeaking
from spike_engine.integrations.far_end import FarEnd
from spike_engine.integrations.telephony import RATE_HZ, PhoneCall, from_mulaw, to_mulaw

BLOCK = RATE_HZ // 50
DELAY_MS = 180.0


def narrow(names: tuple[str, ...], seconds: float, peak: float) -> Samples:
    voice = speech(names, RATE_HZ, seconds)
    return (peak * voice / np.abs(voice).max()).astype(np.float32)


def pcm(samples: Samples) -> np.ndarray:
    return np.clip(np.round(32767 * samples), -32768, 32767).astype(np.int16)


def test_mu_law_is_g711s() -> None:
    codes = bytes(range(256))

    assert to_mulaw(from_mulaw(codes))[:127] == codes[:127]
    assert to_mulaw(from_mulaw(codes))[128:] == codes[128:]
    assert from_mulaw(b"\xff\x7f").tolist() == [0, 0]  # both zeros
    assert from_mulaw(b"\x80\x00").tolist() == [32124, -32124]
    ramp = np.arange(-32768, 32768, 7, dtype=np.int16)
    error = np.abs(from_mulaw(to_mulaw(ramp)).astype(int) - ramp)
    assert (error <= np.maximum(8, np.abs(ramp.astype(int)) / 16 + 8))[np.abs(ramp.astype(int)) < 32124].all()


@pytest.mark.parametrize("samples", [np.zeros(4, np.float32), np.zeros((4, 2), np.int16), b"0000", None])
def test_what_is_no_telephone_sound_is_refused_and_not_taken_for_silence(samples: Any) -> None:
    with pytest.raises(TypeError, match="must be an array of int16"):
        to_mulaw(samples)


def test_a_bot_that_speaks_after_a_day_on_hold_takes_no_memory_for_it() -> None:
    day_s = 86_400.0
    far_end = FarEnd(48_000)
    far_end.take(480, 0.0)
    tracemalloc.start()
    far_end.append(np.ones(960, np.int16), 48_000, 1, day_s)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10_000_000
    assert far_end.take(4 * 48_000, day_s)[-960:].all()


def held_call(caller: Samples, bot: Samples, phone: PhoneCall, clock: list[float]) -> tuple[Samples, list[Any]]:
    """Both talk; what the bot says comes back from the telephone's room."""
    echo = echo_of(bot, impulse_response(RATE_HZ, 0.25, DELAY_MS, -8.0, 2))
    line = pcm(caller + echo + 1e-3 * np.random.default_rng(1).standard_normal(len(caller)).astype(np.float32))
    heard, told = [], []
    for at in range(0, len(line) - BLOCK + 1, BLOCK):
        clock[0] = at / RATE_HZ
        phone.say(to_mulaw(pcm(bot[at : at + BLOCK])))
        clock[0] += 0.02
        heard.append(phone.hear(to_mulaw(line[at : at + BLOCK])))
        told += [(at / RATE_HZ, event) for event in phone.events()]
    return np.concatenate(heard).astype(np.float32) / 32768, told


def call_of(**options: Any) -> tuple[PhoneCall, list[float]]:
    clock = [0.0]
    return PhoneCall(clock=lambda: clock[0], **options), clock


def test_the_bot_does_not_hear_itself_on_a_telephone_with_a_loudspeaker() -> None:
    bot = narrow(FAR, 12.0, 0.5)
    silent = np.zeros_like(bot)
    heard, told = held_call(silent, bot, *call_of())
    as_it_was, interrupted = held_call(silent, bot, *call_of(echo_cancellation=False, holds=False))
    last = slice(6 * RATE_HZ, 11 * RATE_HZ)

    assert level_db(heard[last]) < level_db(as_it_was[last]) - 25
    assert not told
    assert interrupted  # it would interrupt itself


def test_a_caller_who_talks_over_the_bot_is_noticed_and_heard() -> None:
    bot = narrow(FAR, 12.0, 0.4)
    caller = np.zeros_like(bot)
    words = narrow(NEAR, 3.0, 0.5)
    caller[6 * RATE_HZ : 9 * RATE_HZ] = words
    phone, clock = call_of()
    heard, told = held_call(caller, bot, phone, clock)
    starts = [at_s for at_s, event in told if isinstance(event, UserStartedSpeaking)]
    stops = [at_s for at_s, event in told if isinstance(event, UserStoppedSpeaking)]

    assert 6.0 < starts[0] < 7.3
    assert stops
    assert level_db(heard[6 * RATE_HZ : 9 * RATE_HZ]) > -35
    assert phone.stats.erle_db > 5


def test_a_quiet_caller_is_raised() -> None:
    caller = narrow(NEAR, 10.0, 0.03)
    heard, _ = held_call(caller, np.zeros_like(caller), *call_of())
    last = slice(6 * RATE_HZ, 10 * RATE_HZ)

    assert level_db(heard[last]) > level_db(caller[last]) + 10


def test_what_is_cleared_is_not_expected_any_more() -> None:
    phone, clock = call_of()
    phone.hear(bytes([0xFF]) * BLOCK)
    phone.say(to_mulaw(pcm(narrow(FAR, 3.0, 0.5))))
    assert phone.is_speaking
    phone.clear()
    assert not phone.is_speaking
    assert len(phone.hear(b"")) == 0
    assert clock == [0.0]
