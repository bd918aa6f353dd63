"""Recordings of conversations that end well, on a full disk, or with the program killed: all can be played."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from full_disk import full_disk
from numpy.typing import NDArray

from hardships.messages import Greeter
from hardships.model import Round, Wrong, client_of
from hardships.servers import program
from spike_engine import SpikeClient
from spike_engine.clean.audio_file import AudioReader
from spike_engine.cli.join import hold
from spike_engine.server import ConversationServer

RATE_HZ = 48_000
LONGEST_BLOCK_S = 0.05  # which is on its way to the disk when a program is killed
BLOCK_BYTES = 5000  # at the most, that did not fit whole, and the header


class Heard:
    """An audio tap that counts what there was to be recorded: how long that is, no clock on the wall can tell.

    Args:
        on_samples: Called with how many samples there were of the sound that there was most of.
    """

    def __init__(self, on_samples: Callable[[int], None] = lambda _: None) -> None:
        self.samples: Counter[str] = Counter()
        self._on_samples = on_samples

    def __call__(self, kind: str, samples: NDArray[np.float32]) -> None:
        self.samples[kind] += len(samples)
        self._on_samples(max(self.samples.values()))

    @property
    def seconds(self) -> dict[str, float]:
        """Of each kind of sound."""
        return {kind: count / RATE_HZ for kind, count in self.samples.items()}


def seconds_of(path: Path) -> float:
    """The length of a recording, every sample of which is read."""
    with AudioReader(path) as reader:
        return sum(len(block) for block in reader.blocks()) / reader.rate_hz


def lengths(folder: Path) -> dict[str, float]:
    """Of all recordings in a folder, in seconds."""
    return {path.stem: seconds_of(path) for path in folder.glob("*.wav")}


def check_recordings(folder: Path, *, at_least_s: float, events_end_with: str | None = None) -> None:
    """Raise where a recording cannot be played, all are shorter than they must be, or an event cannot be read."""
    seconds = lengths(folder)
    if max(seconds.values(), default=0.0) < at_least_s:
        raise Wrong(f"{seconds} of at least {at_least_s:.2f} s")
    lines = (folder / "events.jsonl").read_text().splitlines()
    names = [json.loads(line)["event"] for line in lines]
    if events_end_with and names[-1:] != [events_end_with]:
        raise Wrong(f"the events end with {names[-3:]}")


async def recorded(round_: Round) -> None:
    """Every sound is kept, to the sample."""
    heard = Heard()
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        client, model = client_of(invitation.conversation_url, invitation.token)
        client.add_audio_tap(heard)
        await hold(client, lambda _: None, record=round_.folder, seconds=1.0 + 2 * round_.chance.random())
    model.check()
    if lengths(round_.folder) != heard.seconds:
        raise Wrong(f"recordings of {lengths(round_.folder)} where {heard.seconds} were heard")
    check_recordings(round_.folder, at_least_s=0.0, events_end_with="disconnected")


async def full_disk_while_recording(round_: Round) -> None:
    """The disk fills up at some place in the recording: the call goes on, and what there is can be played."""
    most_bytes = round_.chance.choice([60, 1000, 50_000, 150_001, 200_000])
    heard = Heard()
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        client, model = client_of(invitation.conversation_url, invitation.token)
        client.add_audio_tap(heard)
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
    check_recordings(round_.folder, at_least_s=min(room_s, max(heard.seconds.values(), default=0.0)))


RECORDER = """
import asyncio, sys
from hardships.recordings import record_for_ever
asyncio.run(record_for_ever(*sys.argv[1:4], seconds=float(sys.argv[4])))
"""


async def record_for_ever(url: str, token: str, folder: str, seconds: float) -> None:
    """Record, and print a line when there were so many seconds of sound since the connection."""
    due: list[float] = []

    def tell(samples: int) -> None:
        if due and samples > due[-1]:
            due.append(math.inf)
            os.write(1, b"heard\n")

    hum = 0.1 * np.sin(np.arange(20 * RATE_HZ) / 20).astype(np.float32)
    client = SpikeClient(
        conversation_url=url,
        token=token,
        audio_source=ArrayMicrophone(hum),
        audio_output=RecordingLoudspeaker(),
        video=False,
    )
    client.add_audio_tap(heard := Heard(tell))
    client.on("connected", lambda: due.append(max(heard.samples.values(), default=0) + seconds * RATE_HZ))
    await hold(client, lambda _: None, record=Path(folder))


async def killed_recorder(round_: Round) -> None:
    """A program that records is killed: all that it had heard can be played, and its events be read."""
    seconds = 0.5 + round_.chance.random()
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        arguments = (invitation.conversation_url, invitation.token, str(round_.folder), str(seconds))
        async with program(RECORDER, *arguments) as (process, line):
            if line != "heard":
                raise Wrong(f"the program printed {line!r}")
            process.kill()
            await process.wait()
    check_recordings(round_.folder, at_least_s=seconds - LONGEST_BLOCK_S)
    if "connected" not in (round_.folder / "events.jsonl").read_text():
        raise Wrong("a program that was killed leaves no events")
