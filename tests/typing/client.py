"""Types are tested like behaviour: mypy must accept this file as it stands (nox --session types)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import assert_type

import numpy as np
from aiortc import MediaStreamTrack
from numpy.typing import NDArray

from spike_engine import (
    AISpeaking,
    ClientOptions,
    ConversationState,
    Devices,
    Disconnected,
    ErrorCode,
    Event,
    SpikeClient,
    SpikeError,
    dsp,
    frames,
)

client = SpikeClient(conversation_url="https://spike.example/c", token="t", video_quality="low")


@client.on("ai-speaking")
def on_speaking(event: AISpeaking) -> None:
    assert_type(event.transcript, str)
    assert_type(event.audio_level, float)


@client.on("disconnected")
async def on_disconnected(event: Disconnected) -> None:
    if event.reason == "network":
        await client.reconnect()


def on_error(error: SpikeError) -> None:
    assert_type(error.code, ErrorCode)


client.on("error", on_error)
client.once("connected", lambda: None)
client.on("ai-idle", lambda event: event.interrupted)

# What must not pass: mypy's strict mode reports an ignore that nothing needs.
client.on("ai-thinking", on_error)  # type: ignore[call-overload]
client.on("ai-talking", print)  # type: ignore[call-overload]
SpikeClient(conversation_url="https://spike.example/c", token="t", video_quality="ultra")  # type: ignore[arg-type]


async def use() -> None:
    assert_type(await client.wait_for("ai-speaking", timeout=1.0), AISpeaking)
    assert_type(await client.wait_for("error"), SpikeError)
    assert_type(await client.get_devices(), Devices)
    assert_type(client.state, ConversationState)
    async for speaking in client.events("ai-speaking"):
        assert_type(speaking, AISpeaking)
    async with client.events("error") as errors:
        assert_type(await anext(errors), SpikeError)
    async for event in client.events("ai-speaking", "ai-idle"):
        assert_type(event, Event)
        if isinstance(event, AISpeaking):
            assert_type(event.transcript, str)
    async for event in client.events():
        assert_type(event, Event)
    client.events("ai-talking")  # type: ignore[call-overload]
    await client.wait_for("ai-talking")  # type: ignore[call-overload]
    async for state in client.observe():
        assert_type(state, ConversationState)


async def blocks() -> AsyncIterator[NDArray[np.float32]]:
    yield np.zeros(480, np.float32)


class Whistle:
    sample_rate_hz = 16000

    async def start(self) -> None: ...

    async def read(self, samples: int) -> NDArray[np.float32]:
        return np.zeros(samples, np.float32)

    async def close(self) -> None: ...


def sources(track: MediaStreamTrack) -> None:
    url, token = "https://spike.example/c", "t"
    picture = np.zeros((90, 160, 3), np.uint8)
    SpikeClient(conversation_url=url, token=token, audio_source=Path("a.wav"), video_source=Path("a.mkv"))
    SpikeClient(conversation_url=url, token=token, audio_source=np.zeros(480, np.int16), video_source=picture)
    SpikeClient(conversation_url=url, token=token, audio_source=blocks(), audio_output=None)
    SpikeClient(conversation_url=url, token=token, audio_source=track, video_source=track)
    SpikeClient(conversation_url=url, token=token, audio_source=Whistle())
    ClientOptions(conversation_url=url, token=token, audio_source=list_sources)  # type: ignore[arg-type]
    SpikeClient(conversation_url=url, token=token, audio_source=5)  # type: ignore[arg-type]
    SpikeClient(conversation_url=url, token=token, audio_output=Whistle())  # type: ignore[arg-type]
    SpikeClient(conversation_url=url, token=token, speed=2)  # type: ignore[call-arg]
    SpikeClient(conversation_url=url)  # type: ignore[call-arg]


def list_sources() -> list[str]:
    return []


async def switch(track: MediaStreamTrack) -> None:
    await client.set_audio_device(blocks())
    await client.set_video_device(track)
    await client.set_output_device(None)
    await client.set_audio_device(5)  # type: ignore[arg-type]


samples = np.zeros(480, np.float32)
assert_type(dsp.EchoCanceller().process(samples, samples), NDArray[np.float32])
assert_type(dsp.resample(np.zeros(480, np.int16), 48000, 16000), NDArray[np.int16])
assert_type(frames.convert(np.zeros((2, 2, 3), np.uint8), "rgb24", "bgr24"), NDArray[np.uint8])
dsp.NoiseSuppressor(mode="magic")  # type: ignore[arg-type]
