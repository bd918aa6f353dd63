"""Recordings of conversations that end well, on a full disk, or with the program killed: all can be played."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import numpy as np
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from full_disk import full_disk

from hardships.messages import Greeter
from hardships.model import Round, Wrong, client_of
from hardships.servers import program
from spike_engine import SpikeClient
from spike_engine.clean.audio_file import AudioReader
from spike_engine.cli.join import hold
from spike_engine.server import ConversationServer

RATE_HZ = 48_000
BLOCK_BYTES = 5000  # at the most, that did not fit whole, and the header
LONGEST_START_S = 1.0  # of a call, before there is sound to be recorded


def seconds_of(path: Path) -> float:
    """The length of a recording, every sample of which is read."""
    with AudioReader(path) as reader:
        return sum(len(block) for block in reader.blocks()) / reader.rate_hz


def check_recordings(folder: Path, *, at_least_s: float, events_end_with: str | None = None) -> None:
    """Raise where a recording cannot be played, all are shorter than they must be, or an event cannot be read."""
    seconds = {path.name: seconds_of(path) for path in folder.glob("*.wav")}
    if max(seconds.values(), default=0.0) < at_least_s:
        raise Wrong(f"{seconds} of at least {at_least_s:.2f} s")
    lines = (folder / "events.jsonl").read_text().splitlines()
    names = [json.loads(line)["event"] for line in lines]
    if events_end_with and names[-1:] != [events_end_with]:
        raise Wrong(f"the events end with {names[-3:]}")


async def recorded(round_: Round) -> None:
    seconds = 1.0 + 2 * round_.chance.random()
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        client, model = client_of(invitation.conversation_url, invitation.token)
        await hold(client, lambda _: None, record=round_.folder, seconds=seconds)
    model.check()
    names = sorted(path.stem for path in round_.folder.glob("*.wav"))
    if names != ["ai", "microphone", "processed"]:
        raise Wrong(f"recordings of {names}")
    check_recordings(round_.folder, at_least_s=seconds - LONGEST_START_S, events_end_with="disconnected")


async def full_disk_while_recording(round_: Round) -> None:
    """The disk fills up at some place in the recording: the call goes on, and what there is can be played."""
    most_bytes = round_.chance.choice([60, 1000, 50_000, 150_001, 200_000])
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        client, model = client_of(invitation.conversation_url, invitation.token)
        told: list[str] = []
        with full_disk(most_bytes):
            last = await hold(client, told.append, record=round_.folder, seconds=3.0)
    model.check()
    if last.reason != "left" or "connected" not in model.log:
        raise Wrong(f"{last}, {model.lifecycle} with a full disk")
    sizes = [path.stat().st_size for path in round_.folder.glob("*.wav")]
    is_full = max(sizes, default=most_bytes) > most_bytes - BLOCK_BYTES  # on a busy machine it may not come to that
    if not is_full <= sum("recording" in line for line in told) <= 1:
        raise Wrong(f"a full disk is told as {told}")
    room_s = (most_bytes - BLOCK_BYTES) / (2 * RATE_HZ)
    check_recordings(round_.folder, at_least_s=max(0.0, min(room_s, 3.0 - LONGEST_START_S)))


RECORDER = """
import asyncio, sys
from hardships.recordings import record_for_ever
asyncio.run(record_for_ever(*sys.argv[1:]))
"""


async def record_for_ever(url: str, token: str, folder: str) -> None:
    hum = 0.1 * np.sin(np.arange(20 * RATE_HZ) / 20).astype(np.float32)
    client = SpikeClient(
        conversation_url=url,
        token=token,
        audio_source=ArrayMicrophone(hum),
        audio_output=RecordingLoudspeaker(),
        video=False,
    )
    client.on("connected", lambda: os.write(1, b"connected\n"))
    await hold(client, lambda _: None, record=Path(folder))


async def killed_recorder(round_: Round) -> None:
    """A program that records is killed: all that it had heard can be played, and its events be read."""
    seconds = 1.5 + round_.chance.random()
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        arguments = (invitation.conversation_url, invitation.token, str(round_.folder))
        async with program(RECORDER, *arguments) as (process, _):
            await asyncio.sleep(seconds)
            process.kill()
            await process.wait()
    check_recordings(round_.folder, at_least_s=seconds - LONGEST_START_S)
    if "connected" not in (round_.folder / "events.jsonl").read_text():
        raise Wrong("a program that was killed leaves no events")
