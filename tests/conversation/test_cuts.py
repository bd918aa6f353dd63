"""What the user says while the network is cut: heard by the server all the same."""

from __future__ import annotations

import asyncio

import pytest
from cuts import cut_call

pytestmark = pytest.mark.usefixtures("nothing_left_open")

PLAIN = {"echo_cancellation": False, "noise_suppression": False, "auto_gain_control": False}


async def test_no_word_is_lost_in_a_cut() -> None:
    """Two that the connection outlives, and one that it does not."""
    pytest.importorskip("pocketsphinx")
    cuts = await asyncio.gather(*(cut_call(length_s, seed=3, **PLAIN) for length_s in (0.8, 2.0, 4.5)))
    for cut in cuts:
        assert cut.lost == 0, cut
        assert cut.misheard <= 1, cut  # by the recogniser, once in some hundred words
        assert cut.sent_late_ms > 700 * cut.length_s
    assert [cut.connected_s > 0 for cut in cuts] == [False, False, True]


async def test_what_is_said_in_a_cut_is_answered_and_without_the_option_it_is_lost() -> None:
    pytest.importorskip("pocketsphinx")
    caught_up, lost = await asyncio.gather(
        cut_call(2.5, seed=4, goes_on=False, **PLAIN), cut_call(2.5, seed=3, catch_up=False, **PLAIN)
    )
    assert caught_up.lost == 0
    assert caught_up.answered_s is not None
    assert lost.lost + lost.misheard >= 2
    assert lost.sent_late_ms == 0
