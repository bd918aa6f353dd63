"""What is sent, fitted to what the network gives: the rules with plain numbers, and the encoders that obey."""

from __future__ import annotations

from typing import Any

import pytest

from spike_engine.conversation.adaptation import FIRST_PATIENCE_S, LADDER, LONGEST_PATIENCE_S, Adaptation, Report, Rung
from spike_engine.conversation.monitor import quality_of
from spike_engine.options import VideoQuality
from spike_engine.webrtc.encoders import PictureEncoder

# --- the rules --------------------------------------------------------------------------------------------------------


class Network:
    """Feeds an adaptation one report a second."""

    def __init__(self, quality: str = "high", *, video: bool = True) -> None:
        self.adaptation = Adaptation(VideoQuality(quality), video=video)
        self.now_s = 0.0

    def seconds(self, count: int, **report: Any) -> list[Rung]:
        rungs = []
        for _ in range(count):
            self.now_s += 1
            rungs.append(self.adaptation.update(Report(self.now_s, **report)))
        return rungs


@pytest.mark.parametrize(("quality", "width", "fps"), [("low", 320, 15), ("medium", 640, 24), ("high", 1280, 30)])
def test_a_good_network_gets_what_the_option_says(quality: str, width: int, fps: int) -> None:
    rungs = Network(quality).seconds(30, round_trip_time_ms=20.0, sent_bps=1e6)

    assert {(rung.width, rung.fps) for rung in rungs} == {(width, fps)}


def test_a_narrow_network_is_met_in_a_few_seconds() -> None:
    network = Network()
    last = network.seconds(3, loss=0.75, sent_bps=1_300_000)[-1]

    assert last.total_bps <= 300_000


def test_a_queue_that_fills_is_noticed_before_anything_is_lost() -> None:
    network = Network()
    network.seconds(5, round_trip_time_ms=40.0)
    first, second = network.seconds(2, round_trip_time_ms=300.0)

    assert first == network.adaptation._rungs[0]  # one long round trip may be chance
    assert second.video_bps < first.video_bps


def test_a_long_way_is_no_queue() -> None:
    rungs = Network().seconds(20, round_trip_time_ms=400.0)

    assert len(set(rungs)) == 1


def test_a_receiver_that_allows_little_is_obeyed_where_it_is_the_limit() -> None:
    assert Network().seconds(5, estimate_bps=200_000, sent_bps=220_000)[-1].video_bps <= 200_000
    assert len(set(Network().seconds(5, estimate_bps=200_000, sent_bps=30_000))) == 1  # a picture that stands still


def test_the_voice_gives_way_last() -> None:
    network = Network("low")
    rungs = network.seconds(20, loss=0.5)
    voice = [rung.audio_bps for rung in rungs]

    assert voice == sorted(voice, reverse=True)
    assert all(rung.audio_bps >= 40_000 for rung in rungs if rung.video_bps > 120_000)
    assert rungs[-1] == LADDER[-1]


def test_without_a_picture_the_voice_adapts_alone() -> None:
    network = Network(video=False)

    assert network.adaptation.rung.audio_bps == 48_000
    assert network.seconds(10, loss=0.3, sent_bps=60_000)[-1].audio_bps == 48_000  # copies help, fewer bits do not
    assert network.seconds(10, loss=0.4)[-1].audio_bps == 16_000


def test_it_comes_back_with_patience_and_more_of_it_after_a_failure() -> None:
    network = Network()
    low = network.seconds(1, loss=0.5)[-1]
    calm = network.seconds(30)
    first_rise = next(second for second, rung in enumerate(calm) if rung != low)
    assert first_rise >= FIRST_PATIENCE_S
    assert calm[-1] == Network().adaptation.rung

    rises = []
    for _ in range(3):  # each rise fails at once
        network.seconds(1, loss=0.5)
        low = network.adaptation.rung
        waited = 0
        while network.seconds(1)[-1] == low:
            waited += 1
            assert waited < 100
        rises.append(waited)
    assert rises == sorted(rises)
    assert rises[-1] > rises[0]


def test_a_little_loss_neither_lowers_nor_raises() -> None:
    network = Network()
    network.seconds(2, loss=0.5)
    rungs = network.seconds(60, loss=0.06)

    assert len(set(rungs[5:])) == 1


@pytest.mark.parametrize(
    ("loss", "round_trip_time_ms", "level"),
    [(0, None, "good"), (0, 50, "good"), (0, 200, "fair"), (0.03, 50, "fair"), (0.1, 50, "poor"), (0, 600, "poor")],
)
def test_network_quality(loss: float, round_trip_time_ms: float | None, level: str) -> None:
    assert quality_of(loss, round_trip_time_ms) == level


# --- the encoders -----------------------------------------------------------------------------------------------------


def test_the_picture_keeps_its_limit_and_the_receivers() -> None:
    encoder = PictureEncoder(600_000)
    assert encoder.target_bitrate == 600_000
    encoder.target_bitrate = 1_200_000
    assert (encoder.target_bitrate, encoder.estimate_bps) == (600_000, 1_200_000)
    encoder.target_bitrate = 100_000
    encoder.limit(200_000)
    assert encoder.target_bitrate == 100_000
    encoder.target_bitrate = 1_200_000
    assert encoder.target_bitrate == 200_000
    encoder.limit(1)
    assert encoder.target_bitrate == 30_000


def test_patience_is_short_again_a_minute_after_a_climb_that_held() -> None:
    network = Network()
    network.seconds(3, loss=0.3, sent_bps=1e6)
    network.seconds(200, sent_bps=1e6)

    assert network.adaptation.rung == network.adaptation._rungs[0]
    network.seconds(int(LONGEST_PATIENCE_S) + 2, sent_bps=1e6)
    assert network.adaptation._patience_s == FIRST_PATIENCE_S
