"""What is queued, what is heard, and what stops at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spike_engine.duplex.player import Player

BLOCK = 480


def ramp(samples: int, begins: int = 1) -> NDArray[np.float32]:
    """Samples that say which they are; small, so that nothing limits them."""
    return (np.arange(begins, begins + samples) / 1e6).astype(np.float32)


def pulled(player: Player, samples: int = BLOCK) -> NDArray[np.float32]:
    out = np.empty(samples, np.float32)
    player.pull(out)
    return out


def test_what_is_queued_is_heard_in_order_however_it_is_cut() -> None:
    player = Player()
    whole = ramp(4000)
    for at in range(0, 4000, 333):
        player.play(whole[at : at + 333])

    np.testing.assert_allclose(np.concatenate([pulled(player, n) for n in (1, 479, 1000, 2520)]), whole, rtol=1e-5)
    assert not pulled(player)[300:].any()


def test_more_than_fits_before_the_loudspeaker_is_topped_up() -> None:
    player = Player()
    player.play(ramp(48000))
    heard = []
    for _ in range(100):
        heard.append(pulled(player))
        player.top_up()

    np.testing.assert_allclose(np.concatenate(heard), ramp(48000), rtol=1e-5)
    assert player.queued_samples == 0
    assert player.underruns == 0


def test_a_flush_silences_the_next_block_without_a_click() -> None:
    player = Player()
    player.play(np.full(48000, 0.5, np.float32))
    pulled(player)
    player.flush()
    block = pulled(player)

    assert not block[240:].any()
    assert np.abs(np.diff(block[:240])).max() < 0.01
    assert not pulled(player).any()
    assert player.queued_samples == 0


def test_a_pause_goes_on_with_the_next_sample() -> None:
    player = Player()
    player.play(ramp(3 * BLOCK))
    first = pulled(player)
    player.paused = True
    between = [pulled(player) for _ in range(3)]
    player.paused = False

    assert first[-1] > 0
    assert not between[1].any()
    np.testing.assert_allclose(pulled(player), ramp(BLOCK, BLOCK + 1), rtol=1e-5)


def test_each_utterance_says_how_much_of_it_was_heard() -> None:
    player = Player()
    player.play(ramp(2 * BLOCK), "first")
    player.play(ramp(3 * BLOCK), "second")
    for _ in range(3):
        pulled(player)

    assert player.heard_samples("first") == 2 * BLOCK
    assert player.heard_samples("second") == BLOCK
    assert player.heard_samples() == BLOCK
    assert player.heard_samples("second", latency_samples=200) == BLOCK - 200
    assert player.heard_samples("never said") == 0


def test_what_was_flushed_was_not_heard_and_what_follows_is_counted_anew() -> None:
    player = Player()
    player.play(ramp(10 * BLOCK), "cut")
    pulled(player)
    player.flush()
    player.play(ramp(2 * BLOCK), "next")  # before the loudspeaker has taken notice
    pulled(player)
    player.top_up()
    pulled(player)

    assert player.heard_samples("cut") == BLOCK
    assert player.heard_samples("next") == BLOCK
    assert player.queued_samples == BLOCK


def test_samples_without_a_name_belong_to_what_is_being_played() -> None:
    player = Player()
    first = player.play(ramp(BLOCK))
    assert player.play(ramp(BLOCK)) == first
    for _ in range(3):
        pulled(player)
    assert player.play(ramp(BLOCK)) != first


def test_the_volume_is_changed_without_a_click() -> None:
    player = Player()
    player.play(np.full(4 * BLOCK, 0.5, np.float32))
    pulled(player)
    player.volume = 0.0
    fading = pulled(player)

    assert np.abs(np.diff(fading)).max() < 0.01
    assert not pulled(player).any()
