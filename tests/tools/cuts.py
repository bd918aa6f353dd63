"""Calls whose network is cut in the middle of a sentence, and the words that the server hears all the same.

python tests/tools/cuts.py --cuts 50
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from endpoints import ArrayMicrophone, RecordingLoudspeaker
from spoken_digits import DIGITS, heard_digits, lost_words, sentence
from udp_relay import BadNetwork

from spike_engine import SpikeClient
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.server.persona import HEARING_RATE_HZ, Samples

RATE_HZ = 48000
PATIENCE_S = 60.0
SIDE_BY_SIDE = 3
SETTLED_S = 2.5  # a server that has just been joined loads its voice detector
CONTROLS = 10


class Notes(HummingPersona):
    """Keeps what it hears, turn by turn."""

    seconds_per_letter = 0.01

    def __init__(self) -> None:
        self.turns: list[list[Samples]] = []

    async def hear(self, speech: AsyncIterator[Samples]) -> AsyncIterator[str]:
        self.turns.append([])
        async for samples in speech:
            self.turns[-1].append(samples)
        yield "something"

    def sound(self) -> Samples:
        """All turns, with a pause between them: a recogniser has to get used to a voice."""
        pause = np.zeros(HEARING_RATE_HZ // 3, np.float32)
        return np.concatenate([pause, *(part for turn in self.turns for part in (*turn, pause))])


class Talker(ArrayMicrophone):
    """Says what it is told to."""

    def say(self, voice: Samples) -> None:
        self._samples = np.concatenate([self._samples, voice])

    @property
    def left_s(self) -> float:
        """How much is still to be said."""
        return len(self._samples) / self.sample_rate_hz


@dataclass(frozen=True)
class Cut:
    """One cut, and what became of the words.

    Attributes:
        sound: What the server heard, at 16 kHz.
        connected_s: From the network's return until the client was connected; 0 where it had been all the time.
        answered_s: From the network's return to the next answer; None for a talker who went on.
        sent_late_ms: How much was sent afterwards.
    """

    length_s: float
    said: list[str]
    sound: Samples
    connected_s: float
    answered_s: float | None
    sent_late_ms: float

    @cached_property
    def heard(self) -> list[str]:
        """What a recogniser makes of it; not before all calls are over, which it would hold up."""
        return heard_digits(self.sound)

    @property
    def lost(self) -> int:
        return lost_words(self.said, self.heard)[0]

    @property
    def misheard(self) -> int:
        return lost_words(self.said, self.heard)[1]

    def __str__(self) -> str:
        answered = "" if self.answered_s is None else f", answered after {self.answered_s:.2f} s"
        return (
            f"{self.length_s:5.2f} s: {self.lost} of {len(self.said)} words lost, {self.misheard} misheard, "
            f"{self.sent_late_ms / 1000:.1f} s sent late, connected after {self.connected_s:.2f} s{answered}"
        )


async def cut_call(length_s: float, seed: int, *, goes_on: bool = True, **options: Any) -> Cut:
    """Talk, cut the network for so long, and talk on; or, where it does not go on, say three words in the cut.

    With a length of 0 nothing is cut.
    """
    chance = random.Random(seed)
    before_s = chance.uniform(1.0, 3.0)
    words = [chance.choice(DIGITS) for _ in range(round(1.4 * (before_s + length_s + 2.0)) if goes_on else 3)]
    personas: list[Notes] = []

    def persona() -> Notes:
        personas.append(Notes())
        return personas[-1]

    async with ConversationServer(persona=persona) as server:
        invitation = server.create_conversation()
        async with BadNetwork(invitation.conversation_url) as network:
            talker = Talker()
            client = SpikeClient(
                conversation_url=network.url,
                token=invitation.token,
                video=False,
                audio_source=talker,
                audio_output=RecordingLoudspeaker(),
                **options,
            )
            async with client:
                await asyncio.sleep(SETTLED_S)
                if goes_on:
                    talker.say(sentence(words, RATE_HZ))
                await asyncio.sleep(before_s)
                network.cut = length_s > 0
                if not goes_on:
                    talker.say(sentence(words, RATE_HZ))
                await asyncio.sleep(length_s)
                network.cut = False
                connected_s, answered_s = await _aftermath(client, answered=not goes_on)
                while talker.left_s > 0 or (await client.get_stats()).voice_behind_ms:
                    await asyncio.sleep(0.1)
                await asyncio.sleep(1.0)
                sent_late_ms = (await client.get_stats()).voice_caught_up_ms
    return Cut(length_s, words, personas[0].sound(), connected_s, answered_s, sent_late_ms)


async def _aftermath(client: SpikeClient, *, answered: bool) -> tuple[float, float | None]:
    """How long it takes until the client is connected, and until it is answered."""
    loop = asyncio.get_running_loop()
    began_s, connected_s = loop.time(), 0.0
    async with asyncio.timeout(PATIENCE_S):
        if not client.state.is_connected:
            async for state in client.observe():
                if state.is_connected:
                    break
            connected_s = loop.time() - began_s
        if not answered:
            return connected_s, None
        await client.wait_for("ai-speaking", timeout=PATIENCE_S)
        return connected_s, loop.time() - began_s


async def run(lengths_s: list[float], seed: int, side_by_side: int) -> list[Cut]:
    """Make a call with each of these cuts and print what came of it."""
    free, done = asyncio.Semaphore(side_by_side), []

    async def one(number: int, length_s: float) -> None:
        async with free:
            cut = await cut_call(length_s, seed + number, goes_on=number % 5 > 0 or not length_s)
        done.append(cut)

    async with asyncio.TaskGroup() as group:
        for number, length_s in enumerate(lengths_s):
            group.create_task(one(number, length_s))
    for cut in done:
        print(cut, flush=True)
        if cut.lost or cut.misheard:
            print(f"   said: {' '.join(cut.said)}\n  heard: {' '.join(cut.heard)}", flush=True)
    lost, misheard, said = np.sum([(cut.lost, cut.misheard, len(cut.said)) for cut in done], axis=0)
    print(f"{len(done)} calls: {lost} of {said} words lost, {misheard} misheard")
    return done


async def main(cuts: int, seed: int, side_by_side: int) -> bool:
    """Whether no word was lost; calls without a cut show what the recogniser mishears anyway."""
    chance = random.Random(seed)
    print("without a cut:")
    await run([0.0] * min(CONTROLS, cuts), seed, side_by_side)
    print("with one:")
    done = await run([chance.uniform(0.5, 10.0) for _ in range(cuts)], seed, side_by_side)
    for what, taken_s in (
        ("connected again", [cut.connected_s for cut in done if cut.connected_s]),
        ("three words that were said in a cut answered", [cut.answered_s for cut in done if cut.answered_s]),
    ):
        if taken_s:
            print(f"{what} after {np.median(taken_s):.2f} s, at most {max(taken_s):.2f} s ({len(taken_s)} cuts)")
    return not any(cut.lost for cut in done)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--side-by-side", type=int, default=SIDE_BY_SIDE)
    arguments = parser.parse_args()
    kept = asyncio.run(main(arguments.cuts, arguments.seed, arguments.side_by_side))
    raise SystemExit(not kept)
