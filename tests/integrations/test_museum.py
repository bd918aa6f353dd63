"""The museum of issues: a bot that hears itself, in each framework of which a user has complained.

Every room is one test that is run twice: with the canceller, and without it, as the framework's own sample hears. What
the user, who is silent, seems to say to the cloud is the bot's voice then. The packages are the real ones; their clouds
are local servers that follow what is published of the wire.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import certificate
from clouds import Cloud, gemini_live, openai_realtime
from leaky_room import ECHO, bot_speech, comes_back_db, device, until_long_enough

from spike_engine.integrations import blocking, google_genai, openai_agents
from spike_engine.integrations import pyaudio as spike_pyaudio
from spike_engine.integrations import sounddevice as sd

BOTH = pytest.mark.parametrize("cancels", [True, False], ids=["with five lines", "as it was"])


def judge(heard: bytes, rate_hz: int, *, cancels: bool) -> None:
    level_db = comes_back_db(heard, rate_hz)
    if cancels:
        assert level_db < -35
    else:
        assert level_db > 20 * np.log10(ECHO) - 3


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side and a client's of a certificate that only they know."""
    shown = certificate(tmp_path, "localhost", "127.0.0.1")
    return shown.server(), ssl.create_default_context(cafile=str(shown.file))


@BOTH
async def test_openai_agents(cancels: bool) -> None:
    realtime = pytest.importorskip("agents.realtime")
    tracker = realtime.RealtimePlaybackTracker()
    runner = realtime.RealtimeRunner(realtime.RealtimeAgent(name="bot"))
    async with Cloud(openai_realtime) as cloud, device(24000, cancels=cancels) as audio:
        config = {"api_key": "sk", "url": cloud.url.replace("http", "ws"), "playback_tracker": tracker}
        async with await runner.run(model_config=config) as session:
            talking = asyncio.create_task(openai_agents.talk(session, audio, tracker=tracker))
            await until_long_enough(cloud.heard, 24000)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
        judge(bytes(cloud.heard), 24000, cancels=cancels)


@BOTH
async def test_google_genai(cancels: bool, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    genai = pytest.importorskip("google.genai")
    async with Cloud(gemini_live, tls[0]) as cloud, device(24000, cancels=cancels) as audio:
        options = {"base_url": cloud.url, "async_client_args": {"ssl": tls[1]}}
        client = genai.Client(api_key="k", http_options=options)
        async with client.aio.live.connect(model="gemini", config={"response_modalities": ["AUDIO"]}) as session:
            talking = asyncio.create_task(google_genai.talk(session, audio))
            await until_long_enough(cloud.heard, 24000)
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
        judge(bytes(cloud.heard), 24000, cancels=cancels)


@BOTH
async def test_pyaudio(cancels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the samples of Gemini and Nova use it: one stream records at 16 kHz, one plays at 24."""
    made = device(48000, cancels=cancels, block_samples=480)
    monkeypatch.setattr(blocking, "device", lambda: made)
    pya = spike_pyaudio.PyAudio()
    heard = bytearray()

    def record() -> None:
        mono = {"channels": 1, "format": spike_pyaudio.paInt16}
        microphone = pya.open(rate=16000, input=True, frames_per_buffer=1024, **mono)
        loudspeaker = pya.open(rate=24000, output=True, **mono)
        said = bot_speech(24000)
        while len(heard) < 2 * 4.3 * 16000:
            heard.extend(microphone.read(1024, exception_on_overflow=False))
            if said:
                loudspeaker.write(said[:3072])  # 64 ms, as long as what was read
                said = said[3072:]
        pya.terminate()

    await asyncio.to_thread(record)
    judge(bytes(heard), 16000, cancels=cancels)
    with pytest.raises(OSError, match="Not input"):
        spike_pyaudio.Stream(24000, 512, None, reads=False, writes=False).read(1)


@BOTH
async def test_sounddevice(cancels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the samples of openai-agents use it: one stream reads, another plays by its callback."""
    monkeypatch.setattr(blocking, "device", lambda: device(48000, cancels=cancels, block_samples=480))
    heard, said = bytearray(), bytearray(bot_speech(24000))

    def callback(outdata: Any, frames: int, time: Any, status: Any) -> None:
        assert not status
        part, said[: 2 * frames] = said[: 2 * frames], b""
        outdata[:] = part.ljust(2 * frames, b"\0")

    def talk() -> None:
        form: dict[str, Any] = {"samplerate": 24000, "channels": 1, "dtype": np.int16}
        with sd.InputStream(**form) as ears, sd.RawOutputStream(callback=callback, blocksize=480, **form):
            while len(heard) < 2 * 4.3 * 24000:
                block, overflowed = ears.read(ears.read_available or 240)
                assert not overflowed
                heard.extend(block.tobytes())

    await asyncio.to_thread(talk)
    judge(bytes(heard), 24000, cancels=cancels)


@BOTH
async def test_livekit_agents(cancels: bool) -> None:
    rtc = pytest.importorskip("livekit.rtc")
    pytest.importorskip("livekit.agents")
    from spike_engine.integrations.livekit_agents import DuplexInput, DuplexOutput

    async with device(24000, cancels=cancels) as audio:
        ears, mouth = DuplexInput(audio), DuplexOutput(audio)
        finished: list[Any] = []
        mouth.on("playback_finished", finished.append)
        said, heard = bot_speech(24000), bytearray()
        for at in range(0, len(said), 4800):
            chunk = said[at : at + 4800]
            await mouth.capture_frame(rtc.AudioFrame(chunk, 24000, 1, len(chunk) // 2))
        mouth.flush()
        async for frame in ears:
            heard += bytes(frame.data)
            if len(heard) > 2 * 4.3 * 24000 and finished:
                break
        judge(bytes(heard), 24000, cancels=cancels)
        assert finished[0].playback_position == pytest.approx(4.0, abs=0.1)
        await mouth.capture_frame(rtc.AudioFrame(said[:48000], 24000, 1, 24000))
        mouth.pause()
        mouth.resume()
        mouth.clear_buffer()
        assert finished[-1].interrupted
        assert (await mouth.wait_for_playout()).interrupted
        await mouth.aclose()


@BOTH
async def test_fastrtc(cancels: bool) -> None:
    fastrtc = pytest.importorskip("fastrtc")
    from spike_engine.integrations.fastrtc import CleanHandler

    heard, said = bytearray(), bot_speech(24000)

    class Bot(fastrtc.AsyncStreamHandler):
        def __init__(self) -> None:
            super().__init__(input_sample_rate=24000, output_sample_rate=24000)
            self.at = 0

        async def receive(self, frame: tuple[int, Any]) -> None:
            heard.extend(frame[1].tobytes())

        async def emit(self) -> Any:
            chunk = np.frombuffer(said[self.at : self.at + 960], np.int16)
            self.at += 960
            return (24000, chunk.reshape(1, -1)) if len(chunk) else None

        def copy(self) -> Any:
            return Bot()

    now = 0.0
    handler: Any = CleanHandler(Bot(), gain_control=False, clock=lambda: now).copy() if cancels else Bot()
    await handler.start_up()
    air = [np.zeros((1, 480), np.int16)] * 3
    for _ in range(215):
        now += 0.02
        spoken = await handler.emit()
        air.append(np.zeros((1, 480), np.int16) if spoken is None else (ECHO * spoken[1]).astype(np.int16))
        await handler.receive((24000, air.pop(0)))
    handler.shutdown()
    judge(bytes(heard), 24000, cancels=cancels)
