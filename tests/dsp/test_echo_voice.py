"""Who is taken for a voice by the capture pipeline: never the own loudspeaker, always who talks over it."""

from __future__ import annotations

import numpy as np
import pytest
from echo_scenarios import Plan, Scenario, build

from spike_engine.dsp import CapturePipeline

pytestmark = pytest.mark.quality
LOUDSPEAKERS = (
    Plan("a dry room", rt60_s=0.15, delay_ms=20, seed=51, seconds=8),
    Plan("a live room", rt60_s=0.5, delay_ms=150, seed=52, far_voice="italian", seconds=8),
    Plan("music", far_music=True, seed=53, seconds=8),
    Plan("a later echo", delay_ms=60, delay_after_ms=190, seed=6, seconds=8),
    Plan("an earlier echo", delay_ms=190, delay_after_ms=60, far_voice="italian", seed=58, seconds=8),
    Plan("another room", room_after=224, seed=207, far_voice="allison", seconds=8),
    Plan("clocks that drift", drift_ppm=500, seed=54, seconds=8),
)
INTERRUPTIONS = (
    Plan("a louder bot", "double", ser_db=-5, seed=55, seconds=6),
    Plan("an equal", "double", far_voice="russian", near_voice="allison", seed=56, seconds=6),
    Plan("a louder user", "double", ser_db=8, far_voice="italian", near_voice="russian", seed=57, seconds=6),
)


def voices(scenario: Scenario) -> tuple[list[bool], list[bool]]:
    """Whether a voice is active, and whether one is suspected, frame by frame."""
    pipeline = CapturePipeline(scenario.rate_hz)
    size, active, suspected = scenario.rate_hz // 100, [], []
    for at in range(0, len(scenario.microphone) - size + 1, size):
        pipeline.process(scenario.microphone[at : at + size], scenario.far[at : at + size])
        active.append(pipeline.stats.voice_active)
        suspected.append(pipeline.stats.voice_suspected)
    return active, suspected


@pytest.mark.parametrize("plan", LOUDSPEAKERS, ids=lambda plan: plan.name)
def test_the_own_loudspeaker_is_no_voice(plan: Plan) -> None:
    active, suspected = voices(build(plan))

    assert sum(active) == 0
    assert "xxxx" not in "".join("x" if each else "." for each in suspected)  # so long a one holds the loudspeaker


@pytest.mark.parametrize("plan", INTERRUPTIONS, ids=lambda plan: plan.name)
def test_who_talks_over_the_bot_is_noticed_at_once(plan: Plan) -> None:
    scenario = build(plan)
    begin = int(np.flatnonzero(np.abs(scenario.near) > 0.1 * np.abs(scenario.near).max())[0]) // 160
    active, suspected = voices(scenario)

    assert not any(active[: begin - 10])
    assert any(active[begin : begin + 20])
    assert any(suspected[begin : begin + 12])
