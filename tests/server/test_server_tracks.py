from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from spike_engine.server.persona import Viseme
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.picture.face import paint_face
from spike_engine.server.tracks import (
    FADE_SAMPLES,
    FRAME_SAMPLES,
    AvatarTrack,
    Pacer,
    VoiceTrack,
    at_opus_rate,
    glances,
    mono_at,
)


def samples_of(frame: av.AudioFrame) -> np.ndarray:
    return frame.to_ndarray().ravel().astype(np.float32) / 32768


def tone(seconds: float, rate_hz: int = 48_000) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


async def test_a_silent_voice_sends_silence_on_time() -> None:
    voice = VoiceTrack()
    loop = asyncio.get_running_loop()

    frames, times_s = [], []
    for _ in range(21):
        frames.append(await voice.recv())
        times_s.append(loop.time())

    assert times_s[-1] - times_s[0] > 0.39
    assert np.median(np.diff(times_s)) == pytest.approx(0.02, abs=0.005)
    assert [frame.pts for frame in frames] == [index * FRAME_SAMPLES for index in range(21)]
    assert {(frame.sample_rate, frame.samples, frame.time_base) for frame in frames} == {
        (48_000, FRAME_SAMPLES, Fraction(1, 48_000))
    }
    assert not any(samples_of(frame).any() for frame in frames)
    assert voice.mouth == "rest"


async def test_what_is_played_is_sent_in_order_and_counted() -> None:
    voice = VoiceTrack()
    sound = tone(0.05)
    assert voice.play(sound[:1000]) == 0
    assert voice.play(sound[1000:]) == 1000

    sent = np.concatenate([samples_of(await voice.recv()) for _ in range(3)])

    np.testing.assert_allclose(sent[: len(sound)], sound, atol=1e-4)
    assert not sent[len(sound) :].any()
    assert voice.position_samples == len(sound)


async def test_the_mouth_takes_the_shapes_of_the_sound_that_is_sent_and_rests_when_it_is_cut() -> None:
    voice = VoiceTrack()
    shapes = ["closed", "open", "teeth"]
    voice.play(tone(0.3), [Viseme(0.1 * index, shape) for index, shape in enumerate(shapes)])  # type: ignore[arg-type]
    voice.play(tone(0.3), [Viseme(0.0, "lip")])
    seen: list[str] = []
    for _ in range(18):
        await voice.recv()
        seen.append(voice.mouth)
    voice.cut()
    for _ in range(5):  # the clock may be a packet or two ahead of who reads
        await voice.recv()
    voice.stop()

    assert list(dict.fromkeys(seen)) == [*shapes, "lip"]
    assert all(3 <= seen.count(shape) <= 7 for shape in shapes)
    assert voice.mouth == "rest"


async def test_sent_waits_for_the_word() -> None:
    voice = VoiceTrack()
    start = voice.play(tone(0.05))
    waiting = asyncio.create_task(voice.sent(start + 1500))

    await voice.recv()
    await asyncio.sleep(0)
    assert not waiting.done()
    await voice.recv()
    await asyncio.wait_for(waiting, 1)


async def test_a_cut_fades_within_5_ms() -> None:
    voice = VoiceTrack()
    voice.play(tone(1))
    await voice.recv()

    voice.cut()
    last = samples_of(await voice.recv())

    assert np.abs(last[:FADE_SAMPLES]).max() > 0.1
    assert not last[FADE_SAMPLES:].any()
    assert abs(last[FADE_SAMPLES - 1]) < 0.01
    assert not samples_of(await voice.recv()).any()
    assert voice.play(tone(0.02)) == voice.position_samples  # what comes next begins at once


async def test_a_voice_that_is_held_is_silent_from_the_next_packet_on_and_goes_on_where_it_was() -> None:
    voice = VoiceTrack()
    speech = tone(0.2)
    voice.play(speech)
    blocks = []
    for index in range(20):  # the clock may be a packet or two ahead of who reads
        voice.held = 3 <= index < 8
        blocks.append(samples_of(await voice.recv()))
    voice.stop()

    sound = np.concatenate(blocks)
    silent = [index for index, block in enumerate(blocks) if not block.any()]
    assert {5, 6, 7} <= set(silent)
    assert np.abs(np.diff(sound)).max() < 0.05  # no click
    heard = np.concatenate([block for index, block in enumerate(blocks) if index not in silent])
    assert np.count_nonzero(np.abs(heard) > 1e-3) > 0.97 * np.count_nonzero(np.abs(speech) > 1e-3)


async def test_a_voice_that_is_cut_while_it_is_held_stays_silent() -> None:
    voice = VoiceTrack()
    voice.play(tone(1.0))
    await voice.recv()
    voice.held = True
    for _ in range(4):
        await voice.recv()
    voice.cut()
    voice.held = False
    assert not np.concatenate([samples_of(await voice.recv()) for _ in range(4)]).any()
    voice.stop()


async def test_a_pacer_skips_what_a_stall_has_missed() -> None:
    pacer = Pacer(0.001)
    await pacer.tick()
    await asyncio.sleep(0.3)

    assert await pacer.tick() > 250
    ticks = [await pacer.tick() for _ in range(3)]
    assert ticks == [ticks[0], ticks[0] + 1, ticks[0] + 2]


async def test_the_face_is_sent_as_video() -> None:
    track = AvatarTrack(Avatar(paint_face(320, 180), fps=30), VoiceTrack())

    frames = [await track.recv() for _ in range(3)]

    assert [(frame.pts, frame.time_base) for frame in frames] == [(n * 3000, Fraction(1, 90_000)) for n in range(3)]
    assert {(frame.format.name, frame.width, frame.height) for frame in frames} == {("yuv420p", 320, 180)}
    picture = frames[0].to_ndarray(format="rgb24")
    assert picture.std() > 20


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
def test_voices_of_any_rate_are_brought_to_the_rate_of_opus(rate_hz: int) -> None:
    sound = at_opus_rate(tone(1, rate_hz), rate_hz)

    assert len(sound) == pytest.approx(48_000, abs=50)
    assert np.argmax(np.abs(np.fft.rfft(sound[:48_000]))) == pytest.approx(440, abs=2)


class Remote(MediaStreamTrack):
    """Gives the queued frames, waits where there is none, and ends with None."""

    def __init__(self, kind: str, *frames: av.AudioFrame | av.VideoFrame | None) -> None:
        super().__init__()
        self.kind = kind
        self._frames = list(frames)

    async def recv(self) -> av.AudioFrame | av.VideoFrame:
        if not self._frames:
            await asyncio.Event().wait()
        if (frame := self._frames.pop(0)) is None:
            raise MediaStreamError
        return frame


def stereo_frame(value: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.full((1, 2 * FRAME_SAMPLES), value, np.int16), format="s16", layout="stereo")
    frame.sample_rate = 48_000
    return frame


async def test_the_user_is_heard_at_the_rate_of_the_recogniser() -> None:
    track = Remote("audio", *[stereo_frame(8192) for _ in range(50)], None)

    sound = np.concatenate([samples async for samples in mono_at(16_000, track)])

    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(16_000, abs=400)
    np.testing.assert_allclose(sound[4000:12_000], 0.25, atol=0.01)


async def test_a_caller_with_a_codec_of_8_khz_is_heard_at_the_right_speed() -> None:
    spoken = (8192 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)).astype(np.int16)
    frames = [av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono") for block in spoken.reshape(50, 160)]
    for frame in frames:
        frame.sample_rate = 8_000

    sound = np.concatenate([samples async for samples in mono_at(16_000, Remote("audio", *frames, None))])

    assert len(sound) == pytest.approx(16_000, abs=400)
    spectrum = np.abs(np.fft.rfft(sound[2000:14_000]))
    assert np.argmax(spectrum) * 16_000 / 12_000 == pytest.approx(440, abs=2)


async def test_where_nothing_arrives_there_is_silence() -> None:
    sound = mono_at(16_000, Remote("audio"))

    samples = await asyncio.wait_for(anext(sound), 1)

    assert len(samples) > 2000
    assert not samples.any()
    await sound.aclose()


async def test_glances_are_small_and_rare() -> None:
    frames: list[av.VideoFrame | None] = []
    for index in range(30):
        frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), index, np.uint8), format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 10)
        frames.append(frame)

    pictures = [picture async for picture in glances(Remote("video", *frames, None), 1.0)]

    assert len(pictures) == 3
    assert pictures[0].shape == (90, 160, 3)
