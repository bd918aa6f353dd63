"""The echo canceller outside the laboratory: headphones, mute switches, devices that move. Thresholds leave some 4 dB.

All scenarios, beside WebRTC's canceller: `python benchmarks/echo_world.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import world_scenarios
from echo_scenarios import drifted
from rooms import FAR, Samples, echo_of, gain_db, impulse_response, level_db, speech
from world_scenarios import Heard, Span, World, build

from spike_engine.dsp import CapturePipeline, EchoCanceller

pytestmark = pytest.mark.quality
WORLDS = {world.name: world for world in world_scenarios.ALL}


class Made(NamedTuple):
    """The output, in time with the microphone, and frame by frame whether somebody talks."""

    heard: Heard
    out: Samples
    talks: list[bool]

    def down_db(self, span: Span) -> float:
        return level_db(self.heard.part(self.heard.microphone, span)) - level_db(self.heard.part(self.out, span))

    def frames_db(self, span: Span) -> Samples:
        """By how much the frames of 20 ms in which somebody clearly talks are louder in the output."""
        size = self.heard.rate_hz // 50
        near, out = (
            np.array([level_db(x) for x in np.split(y[: len(y) // size * size], len(y) // size)])
            for y in (self.heard.part(self.heard.near, span), self.heard.part(self.out, span))
        )
        clearly = near > near.max() - 25.0
        return (out - near)[clearly]

    def worst_frame_db(self, span: Span) -> float:
        return float(self.frames_db(span).min())

    def lost_share(self, span: Span) -> float:
        """How many of these frames are more than 3 dB down."""
        return float(np.mean(self.frames_db(span) < -3.0))

    def noticed_ms(self, span: Span) -> float:
        """From the first loud sample of somebody who talks until that is noticed."""
        near = np.abs(self.heard.part(self.heard.near, span))
        begin = int(100 * span[0]) + int(np.flatnonzero(near > 0.1 * near.max())[0]) * 100 // self.heard.rate_hz
        return 10.0 * self.talks[begin:].index(True) if any(self.talks[begin:]) else float("inf")


def made(world: World, rate_hz: int = 16000, *, pipeline: bool = False) -> Made:
    heard = build(world, rate_hz)
    far_channels = heard.far.shape[1] if heard.far.ndim == 2 else 1
    stage = (CapturePipeline if pipeline else EchoCanceller)(rate_hz, far_channels=far_channels)
    size, out, talks = rate_hz // 100, [], []
    for at in range(0, len(heard.microphone) - size + 1, size):
        out.append(stage.process(heard.microphone[at : at + size], heard.far[at : at + size]))
        talks.append(stage.stats.voice_active if isinstance(stage, CapturePipeline) else stage.stats.near_end > 0.5)
    late = stage.latency_samples
    return Made(heard, np.concatenate([*out, np.zeros(late, np.float32)])[late:], talks)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("name", ["headphones", "headphones, noise", "an echo 40 dB down"])
def test_without_an_echo_who_talks_is_left_as_he_is(name: str, rate_hz: int) -> None:
    world = WORLDS[name]
    result = made(world, rate_hz)

    for span in world.together:
        assert result.worst_frame_db(span) >= -3.0


@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize("name", ["headphones", "an echo 40 dB down", "headphones plugged in"])
def test_without_an_echo_who_talks_is_noticed_at_once(name: str, rate_hz: int) -> None:
    world = WORLDS[name]
    result = made(world, rate_hz, pipeline=True)

    for span in world.together:
        assert not any(result.talks[int(100 * span[0]) - 80 : int(100 * span[0])])
        assert result.noticed_ms(span) <= 200


@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize(
    ("name", "most_ms", "least_db"),
    [
        ("headphones, cold start", 200, -0.5),
        ("headphones, interrupted early", 250, -0.5),
        ("an echo 40 dB down, interrupted early", 200, -0.5),
    ],
)
def test_who_interrupts_before_the_path_is_known_is_noticed_soon_and_kept(
    name: str, most_ms: float, least_db: float, rate_hz: int
) -> None:
    world = WORLDS[name]
    begin, end = world.together[0]
    result = made(world, rate_hz)

    near = result.heard.part(result.heard.near, (begin + 0.4, end))
    assert gain_db(result.heard.part(result.out, (begin + 0.4, end)), near) >= least_db
    assert made(world, rate_hz, pipeline=True).noticed_ms(world.together[0]) <= most_ms


@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize(
    ("far", "near", "begin_s"), [("italian", "allison", 0.3), ("russian", "italian", 0.3), ("allison", "russian", 0.2)]
)
def test_what_was_not_played_is_no_echo_even_while_nothing_is_known(
    far: str, near: str, begin_s: float, rate_hz: int
) -> None:
    span = (begin_s, begin_s + 1.6)
    world = World("both begin", 731, 4.0, far=far, near=near, echo_db=None, near_spans=(span,), together=(span,))

    assert made(world, rate_hz).lost_share(span) <= 0.2
    assert made(world, rate_hz, pipeline=True).noticed_ms(span) <= 200


@pytest.mark.parametrize("residual", ["spectral", "neural"])
def test_either_residual_stage_passes_who_wears_headphones(residual: str) -> None:
    heard = build(WORLDS["headphones"])
    out = EchoCanceller(16000, residual=residual).process(heard.microphone, heard.far)[160:]  # type: ignore[arg-type]

    for span in heard.world.together:
        near = heard.part(heard.near, span)
        assert gain_db(heard.part(out, span)[: len(near)], near) == pytest.approx(0.0, abs=0.3)


def test_an_echo_that_appears_goes_within_a_second() -> None:
    assert made(WORLDS["headphones pulled out"]).down_db((7.0, 12.0)) >= 35


@pytest.mark.parametrize(
    ("name", "begin_s"),
    [
        ("mute switch, 20 s", 28), ("mute switch, 5 s", 13), ("muted at the start", 6), ("turned down 60 dB", 28),
        ("turned down 40 dB", 18), ("a repeated block", 18), ("device restarts", 8.5),
    ],
)  # fmt: skip
def test_after_a_mute_the_echo_goes_within_a_second(name: str, begin_s: float) -> None:
    assert made(WORLDS[name]).down_db((begin_s + 1.0, begin_s + 3.0)) >= 35


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_a_mute_leaves_no_trace_in_the_pipeline(rate_hz: int) -> None:
    result = made(WORLDS["mute switch, 5 s"], rate_hz, pipeline=True)

    assert not any(result.talks[1350:])
    assert result.down_db((14.0, 19.0)) >= 40


@pytest.mark.parametrize(
    ("name", "least_db"),
    [
        ("noise gate", 40), ("sample slips", 25), ("a device that moves", 32), ("music", 50), ("a song", 35),
        ("a film", 40), ("hiss and long silence", 50), ("Bluetooth, 400 ms", 40), ("RT60 1 s", 32), ("rattles", 32),
        ("quiet smart speaker", 35), ("a canceller in the device", 14), ("a hand over the microphone", 45),
        ("a lid that is shut", 45),
    ],
)  # fmt: skip
def test_the_echo_of_the_world_goes(name: str, least_db: float) -> None:
    world = WORLDS[name]
    result = made(world)

    assert min(result.down_db(span) for span in world.alone) >= least_db


def test_a_telephones_hybrid_is_a_path_like_another() -> None:
    world = WORLDS["a telephone's hybrid"]
    result = made(world, 8000)

    assert min(result.down_db(span) for span in world.alone) >= 33
    for span in world.together:
        near = result.heard.part(result.heard.near, span)
        assert gain_db(result.heard.part(result.out, span), near) >= -3.0


@pytest.mark.parametrize(
    "name",
    [
        "cold start, user louder",
        "two people",
        "a child",
        "a device that moves",
        "a film",
        "rattles",
        "a lid that is shut",
    ],
)
def test_who_talks_over_the_echo_of_the_world_is_kept_and_noticed(name: str) -> None:
    world = WORLDS[name]
    result = made(world)

    for span in world.together:
        near = result.heard.part(result.heard.near, span)
        assert gain_db(result.heard.part(result.out, span), near) >= -3.0
    assert made(world, pipeline=True).noticed_ms(world.together[0]) <= 250


@pytest.mark.parametrize("rate_hz", [16000, 48000])
@pytest.mark.parametrize(("ppm", "delay_ms"), [(1000.0, 120), (-1000.0, 20), (600.0, 60)])
def test_clocks_far_apart_are_measured_within_seconds_where_many_reflections_are_loud(
    ppm: float, delay_ms: float, rate_hz: int
) -> None:
    far = 0.7 * speech(FAR, rate_hz, 9.0)
    response = impulse_response(rate_hz, 0.25, delay_ms, -6.0, seed=3)
    canceller = EchoCanceller(rate_hz)
    canceller.process(drifted(echo_of(far, response), ppm), far)

    assert canceller.stats.drift_ppm == pytest.approx(ppm, abs=0.1 * abs(ppm))
