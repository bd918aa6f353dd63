"""One device for both directions, on devices that are not there; examples use those of PulseAudio."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import numpy as np
import pytest
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from rooms import NEAR, cough, speech

from spike_engine import DeviceNotFound, DevicesChanged, InvalidOption, InvalidState
from spike_engine.devices import watch
from spike_engine.devices.output import Output
from spike_engine.duplex import DuplexAudio
from spike_engine.duplex.player import Player

NONE, HEADSET = '{"audio": []}', '{"audio": [{"id": "Headset", "name": "Headset"}]}'
VOICE = speech(NEAR, 48000, 3.0)


class Broken(ArrayMicrophone):
    """A microphone that is pulled out after 100 ms."""

    reads = 0

    async def read(self, samples: int) -> Any:
        self.reads += 1
        if self.reads > 10:
            raise DeviceNotFound("it is gone")
        return await super().read(samples)


def duplex(**options: Any) -> DuplexAudio:
    return DuplexAudio(**{"microphone": ArrayMicrophone(), "loudspeaker": RecordingLoudspeaker(), **options})


@pytest.mark.usefixtures("nothing_left_open")
async def test_blocks_come_as_they_were_asked_for() -> None:
    async with duplex(sample_rate_hz=24000, dtype="int16", block_samples=777) as audio:
        blocks = [block async for _, block in _first(audio, 15)]

    for block in blocks:
        assert (block.shape, block.dtype) == ((777,), np.int16)
        assert len(block.tobytes()) == 2 * 777
        assert 0 <= block.level <= 1
    times = [block.captured_at for block in blocks]
    assert np.median(np.diff(times)) == pytest.approx(777 / 24000, abs=0.01)  # one of them may be held up
    assert audio.latency_ms == pytest.approx(30 + 1000 * 777 / 24000, abs=1)


@pytest.mark.usefixtures("nothing_left_open")
async def test_the_user_is_noticed_and_can_silence_the_loudspeaker() -> None:
    loudspeaker = RecordingLoudspeaker()
    async with duplex(microphone=ArrayMicrophone(VOICE), loudspeaker=loudspeaker) as audio:
        audio.on("user-started-speaking", audio.flush)
        audio.play(np.full(48000 * 20, 0.01, np.float32), utterance="answer")
        await audio.wait_for("user-started-speaking", timeout=40)
        await _until(lambda: audio.queued_ms == 0)
        heard_ms = audio.played_ms_of("answer")

    assert 0 < heard_ms < 5000
    assert audio.played_ms_of("answer") == heard_ms


RAMP = np.arange(48000 * 20, dtype=np.float32) / 48000 / 40  # each sample says which it is


def after_half_a_second(sound: np.ndarray) -> ArrayMicrophone:
    return ArrayMicrophone(np.concatenate([np.zeros(24000, np.float32), sound]))


async def test_a_sound_that_is_no_turn_holds_the_loudspeaker_which_goes_on_with_the_next_sample() -> None:
    loudspeaker = RecordingLoudspeaker()
    audio = duplex(microphone=after_half_a_second(cough(48000)), loudspeaker=loudspeaker)
    begun: list[Any] = []
    async with audio:
        audio.on("user-started-speaking", begun.append)
        audio.play(RAMP)
        await _until(lambda: audio.held)
        await _until(lambda: not audio.held)
        after = len(loudspeaker.samples)
        await _until(lambda: len(loudspeaker.samples) > after + 9600)

    heard = loudspeaker.samples
    still = np.flatnonzero(heard[4800:] == 0) + 4800
    fades_at = still[0] // 480 * 480
    assert 0.1 < len(still) / 48000 < 0.8
    assert round(heard[still[-1] + 1] / RAMP[1]) == pytest.approx(fades_at, abs=2)  # not one sample is missing
    assert not begun


async def test_an_interruption_holds_it_until_the_program_flushes() -> None:
    loudspeaker = RecordingLoudspeaker()
    audio = duplex(microphone=after_half_a_second(VOICE), loudspeaker=loudspeaker)
    async with audio:
        audio.play(np.full(48000 * 20, 0.1, np.float32))
        await audio.wait_for("user-started-speaking", timeout=40)
        held = audio.held
        audio.flush()
        flushed = audio.held
        audio.play(np.full(4800, 0.2, np.float32))
        await _until(lambda: bool(len(loudspeaker.blocks) and loudspeaker.samples.max() > 0.15))

    assert (held, flushed) == (True, False)


async def test_a_flush_reaches_what_a_loudspeaker_of_the_programs_has_queued() -> None:
    loudspeaker = RecordingLoudspeaker()
    async with duplex(loudspeaker=loudspeaker) as audio:
        audio.play(np.full(48000, 0.1, np.float32))
        await _until(lambda: bool(len(loudspeaker.samples)))
        before = loudspeaker.flushed
        audio.flush()
        await _until(lambda: loudspeaker.flushed > before)

    assert (before, loudspeaker.flushed) == (0, 1)


class PulledOut(RecordingLoudspeaker):
    """A loudspeaker of the engine's kind that takes its sound by itself, until it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.takes: list[Any] = []
        self.gone = False

    def play_from(self, take: Any) -> bool:
        self.takes.append(take)
        return True

    def write(self, samples: np.ndarray) -> None:
        if self.gone:
            raise DeviceNotFound("it is gone")


async def test_an_output_keeps_its_state_from_one_loudspeaker_to_the_next_and_plays_on_in_silence() -> None:
    told: list[Any] = []
    output, player = Output(told.append, 1.0), Player()
    first, second = PulledOut(), RecordingLoudspeaker(16000)
    output.paused, output.volume = True, 0.5
    output.play_from(player)
    player.play(np.full(4800, 0.5, np.float32))
    await output.replace(first)
    output.feed(480)
    assert (player.paused, player.volume, first.takes) == (True, 0.5, [player.pull])
    assert player.queued_samples == 4800

    await output.replace(second)
    output.paused = False
    output.feed(480)
    assert (first.takes[-1], first.closed, player.queued_samples) == (None, 1, 4320)
    assert len(second.samples) == 160

    await output.replace(gone := PulledOut())
    gone.gone = True
    output.feed(480)
    output.feed(480)
    assert isinstance(told[0], DeviceNotFound)
    assert player.queued_samples == 3840
    await output.close()


async def test_a_microphone_of_a_low_rate_is_cleaned_at_that_rate() -> None:
    async with duplex(microphone=ArrayMicrophone(sample_rate_hz=16000)) as audio:
        blocks = [block async for _, block in _first(audio, 3)]

    assert [len(block) for block in blocks] == [960] * 3
    assert audio.latency_ms == pytest.approx(50, abs=20)


@pytest.mark.parametrize("levelled", [True, False])
async def test_a_quiet_voice_is_raised_where_the_option_says_so(levelled: bool) -> None:
    async with duplex(microphone=ArrayMicrophone(0.05 * VOICE), auto_gain_control=levelled) as audio:
        gains_db = [audio.stats.gain_db async for _ in _first(audio, 125)]

    assert (max(gains_db) > 6) == levelled


async def test_judges_of_the_program_are_asked() -> None:
    asked: list[str] = []

    def judge(name: str, answer: float) -> Any:
        def answers(voice: np.ndarray) -> float:
            asked.append(name)
            return answer

        return answers

    options = {"is_interruption": judge("begin", 1.0), "end_of_turn": judge("end", 1.0)}
    async with duplex(microphone=after_half_a_second(VOICE), **options) as audio:
        audio.play(RAMP)
        await audio.wait_for("user-started-speaking", timeout=40)
        await audio.wait_for("user-stopped-speaking", timeout=40)

    assert asked[:2] == ["begin", "end"]
    with pytest.raises(InvalidOption, match="end_of_turn must be callable"):
        duplex(end_of_turn=3)


def test_threads_use_it_with_with_and_for() -> None:
    with duplex(sample_rate_hz=16000) as audio:
        playing = threading.Thread(target=lambda: [audio.play(np.zeros(1600, np.float32)) for _ in range(10)])
        playing.start()
        for number, block in enumerate(audio):
            assert block.shape == (320,)
            if number == 3:
                break
        playing.join()
        audio.close()
        assert sum(1 for _ in audio) < 300  # what was captured meanwhile, and then the end

    with pytest.raises(InvalidState, match="opened once"):
        audio.__enter__()


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_microphone_that_is_gone_is_told_and_another_can_be_set() -> None:
    async with duplex(microphone=Broken()) as audio:
        error = await audio.wait_for("error", timeout=40)
        assert isinstance(error, DeviceNotFound)
        await audio.set_microphone(ArrayMicrophone(VOICE))
        await audio.wait_for("user-started-speaking", timeout=40)


@pytest.mark.usefixtures("nothing_left_open")
@pytest.mark.parametrize("early", [True, False])
async def test_devices_that_come_and_go_are_told(monkeypatch: pytest.MonkeyPatch, early: bool) -> None:
    program = f"import sys; print({NONE!r}, flush=True); print({HEADSET!r}, flush=True); sys.stdin.read()"
    monkeypatch.setattr(watch, "COMMAND", (sys.executable, "-c", program))
    audio, told = duplex(), asyncio.Queue[DevicesChanged]()
    if early:
        audio.on("devices-changed", told.put_nowait)
    async with audio:
        if not early:
            audio.on("devices-changed", told.put_nowait)
        ids: list[str] = []
        while ids != ["Headset"]:  # those of this machine may come before
            ids = [device.id for device in (await asyncio.wait_for(told.get(), 20)).devices.audio]


@pytest.mark.usefixtures("nothing_left_open")
async def test_no_device_is_an_error_that_says_so() -> None:
    class Missing(ArrayMicrophone):
        async def start(self) -> None:
            raise DeviceNotFound("there is no microphone")

    with pytest.raises(DeviceNotFound, match="no microphone"):
        async with duplex(microphone=Missing()):
            pass
    with pytest.raises(DeviceNotFound), duplex(microphone=Missing()):
        pass


async def test_a_slow_reader_loses_the_oldest_blocks_and_they_are_counted() -> None:
    audio = duplex()
    audio._most_blocks = 2
    async with audio:
        await _until(lambda: audio.dropped_blocks > 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sample_rate_hz": 4000}, "8000 to 48000"),
        ({"sample_rate_hz": 16000.5}, "whole number"),
        ({"dtype": "float64"}, "'float32' or 'int16'"),
        ({"block_samples": 0}, "from 1 to 48000"),
    ],
)
def test_options_that_are_refused_say_what_is_accepted(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidOption, match=says):
        duplex(**options)


def test_samples_that_are_refused_say_what_is_accepted() -> None:
    audio = duplex(dtype="int16")
    audio.play(bytes(320))
    for wrong in (np.zeros(10, np.float32), np.zeros((10, 2), np.int16)):
        with pytest.raises(InvalidOption, match=r"int16 of shape \(n,\)"):
            audio.play(wrong)


async def test_async_for_needs_async_with() -> None:
    with pytest.raises(InvalidState, match="async with"):
        async for _ in duplex():
            pass


async def _first(audio: DuplexAudio, count: int) -> Any:
    number = 0
    async for block in audio:
        yield number, block
        number += 1
        if number == count:
            return


async def _until(condition: Any) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("nothing_left_open")
async def test_an_object_of_the_programs_that_raises_anything_is_told_by_name() -> None:
    class Faulty(ArrayMicrophone):
        async def read(self, samples: int) -> Any:
            raise ZeroDivisionError("by zero")

    audio = duplex(microphone=Faulty())
    errors = audio.events("error")  # it may come while the devices are opened
    async with audio:
        error = await asyncio.wait_for(anext(errors), 5)
        blocks = [block async for _, block in _first(audio, 3)]

    assert "Faulty" in error.message
    assert len(blocks) == 3
