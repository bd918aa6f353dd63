"""Types are tested like behaviour: mypy must accept this file as it stands (nox --session types)."""

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

from spike_engine import (
    AISpeaking,
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


samples = np.zeros(480, np.float32)
assert_type(dsp.EchoCanceller().process(samples, samples), NDArray[np.float32])
assert_type(dsp.resample(np.zeros(480, np.int16), 48000, 16000), NDArray[np.int16])
assert_type(frames.convert(np.zeros((2, 2, 3), np.uint8), "rgb24", "bgr24"), NDArray[np.uint8])
dsp.NoiseSuppressor(mode="magic")  # type: ignore[arg-type]
