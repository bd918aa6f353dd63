"""What the ordeal takes for a leak."""

from __future__ import annotations

import random

from ordeal import FAULTS, MOST_GROWTH_KB, growth_kb

KINDS = [fault.__name__ for fault in FAULTS]


def hour(leak_kb: int = 0, leaking: str = "", rounds: int = 600) -> list[tuple[str, int]]:
    """Rounds of chance with an allocator that keeps up to 40 MB, more in the first rounds and now and then again."""
    chance, kept, leaked, memory = random.Random(3), 250_000.0, 0, []
    for _ in range(rounds):
        kind = chance.choice(KINDS)
        kept += 0.1 * (chance.uniform(250_000, 290_000) - kept)
        leaked += leak_kb if kind == leaking or not leaking else 0
        memory.append((kind, round(kept + leaked + chance.uniform(0, 12_000))))
    return memory


def test_what_an_allocator_keeps_is_no_leak() -> None:
    assert abs(growth_kb(hour())) < MOST_GROWTH_KB / 3


def test_a_leak_of_one_kind_of_round_is_found() -> None:
    assert growth_kb(hour(leak_kb=10_000, leaking="stopped_server")) > MOST_GROWTH_KB


def test_a_small_leak_of_every_round_is_found() -> None:
    assert growth_kb(hour(leak_kb=200)) > MOST_GROWTH_KB


def test_too_few_rounds_tell_nothing() -> None:
    assert growth_kb([(kind, 1000 * n) for n, kind in enumerate(KINDS)]) == 0
