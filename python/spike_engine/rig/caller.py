"""One caller: a headless client that talks by a script and listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from difflib import SequenceMatcher

import aiohttp

from spike_engine.client import SpikeClient
from spike_engine.errors import SpikeError
from spike_engine.events import Disconnected, UserTranscript
from spike_engine.rig.ear import Ear
from spike_engine.rig.mouth import Microphone
from spike_engine.rig.network import Road
from spike_engine.rig.plan import Plan, Refused, conversation
from spike_engine.rig.record import CallRecord, Fault, TurnRecord
from spike_engine.rig.script import Network, Turn

PAUSE_S = 0.5  # an AI that is silent for so long, and does not say that it speaks, has finished
LOOK_EVERY_S = 0.1
MOST_ANSWER_S = 120.0
STOP_TIMEOUT_S = 2.0  # an AI that speaks on for so long after the caller has finished was not interrupted


async def call(plan: Plan, number: int, began: float, say: Callable[[CallRecord], None]) -> None:
    """Hold call `number`; `say` is given what became of it, also where it is cancelled.

    Raises nothing: what goes wrong is in the record.

    Args:
        plan: What to do.
        number: Of the call, which decides what it draws.
        began: The loop's time when the run began.
        say: Takes the record at the end.
    """
    caller = _Caller(plan, number, began)
    try:
        await caller.hold()
    except asyncio.CancelledError:
        caller.record.stopped = True
        raise
    except SpikeError as error:
        caller.fault(error.code, error.message)
    except Refused as error:
        caller.fault(error.code, str(error))
    except (aiohttp.ClientError, OSError) as error:  # OSError has TimeoutError in it
        caller.fault("UNREACHABLE", f"{error or type(error).__name__}")
    except Exception as error:  # one call that fails by a fault of ours may not end all others
        logging.getLogger(__name__).exception("call %d failed", number)
        caller.fault("RIG", repr(error))
    finally:
        caller.record.ended_at_s = caller.now()
        say(caller.record)


class _Caller:
    def __init__(self, plan: Plan, number: int, began: float) -> None:
        self._plan = plan
        self._began = began
        self._random = random.Random(f"{plan.seed}/{number}")  # noqa: S311 (repeatable, not secret)
        self._ear = Ear()
        self._microphone = Microphone()
        self._heard: list[str] = []
        self._transcribes = False
        self._lost = asyncio.Event()
        self.record = CallRecord(number, self.now())

    def now(self) -> float:
        return round(asyncio.get_running_loop().time() - self._began, 4)

    def fault(self, code: str, message: str) -> None:
        if not any((each.code, each.message) == (code, message) for each in self.record.faults):
            self.record.faults.append(Fault(self.now(), str(code), message[:300]))

    async def hold(self) -> None:
        plan = self._plan
        if plan.script.network != Network():
            Road(plan.script.network, self._random.getrandbits(32)).take()
        async with conversation(plan) as (url, token):
            client = SpikeClient(
                conversation_url=url,
                token=token,
                video=False,
                audio_source=self._microphone,
                audio_output=None,
                echo_cancellation=False,
                noise_suppression=False,
                auto_gain_control=False,
                auto_reconnect=False,
                transport=plan.transport,
                join_timeout_s=plan.script.join_timeout_s,
                allow_insecure=plan.allow_insecure,
                ca_file=plan.ca_file,
            )
            client.add_audio_tap(lambda kind, samples: self._ear.hear(samples) if kind == "ai" else None)
            client.on("user-transcript", self._on_transcript)
            client.on("error", lambda error: self.fault(error.code, error.message))
            client.on("disconnected", self._on_disconnected)
            try:
                await self._join(client)
                await self._talk(client)
                await self._measure(client)
            finally:
                await client.leave()

    def _on_transcript(self, event: UserTranscript) -> None:
        self._transcribes = True
        if event.final:
            self._heard.append(event.transcript)

    def _on_disconnected(self, event: Disconnected) -> None:
        if event.reason != "left":  # that was the caller
            self.fault("DISCONNECTED", f"the conversation broke off: {event.reason}")
            self._lost.set()

    async def _join(self, client: SpikeClient) -> None:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        await client.join()
        self.record.joined_at_s = self.now()
        self.record.join_ms = _ms(loop.time() - asked_at)
        if self._plan.script.greeting:
            heard_at = await self._ear.beginning_after(asked_at, self._plan.script.answer_timeout_s)
            if heard_at is None:
                self.fault("NO_GREETING", f"the AI said nothing for {self._plan.script.answer_timeout_s:g} s")
            else:
                self.record.first_sound_ms = _ms(heard_at - asked_at)

    async def _talk(self, client: SpikeClient) -> None:
        for _ in range(self._plan.script.repeat):
            for turn in self._plan.script.turns:
                talking = asyncio.create_task(self._take(turn, client))
                lost = asyncio.create_task(self._lost.wait())
                try:
                    await asyncio.wait({talking, lost}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (talking, lost):
                        task.cancel()
                    await asyncio.gather(talking, lost, return_exceptions=True)
                if self._lost.is_set():
                    return
                talking.result()
        await self._until_finished(client)
        if not self._transcribes:  # a server that does not say what it understood
            for record in self.record.turns:
                record.understood = None

    async def _take(self, turn: Turn, client: SpikeClient) -> None:
        if turn.barge_in_after_s is None:
            await self._until_finished(client)
            await asyncio.sleep(self._random.uniform(*turn.pause_s))
        else:
            await asyncio.sleep(self._random.uniform(*turn.barge_in_after_s))
        line = self._random.choice(turn.lines)
        self._heard.clear()
        interrupts = self._ear.hears
        began, ended = await self._microphone.say(self._plan.voices[line])
        record = TurnRecord(round(ended - self._began, 4), line.text)
        self.record.turns.append(record)
        if interrupts:
            stopped_at = await self._ear.end_after(began, STOP_TIMEOUT_S)
            if stopped_at is None:
                self.fault("NOT_INTERRUPTED", "the AI spoke on when the caller had finished")
            else:
                record.barge_in_ms = _ms(stopped_at - began)
        answered_at = await self._ear.beginning_after(ended, self._plan.script.answer_timeout_s)
        if answered_at is None:
            self.fault("NO_ANSWER", f"no answer within {self._plan.script.answer_timeout_s:g} s")
        else:
            record.answer_ms = _ms(answered_at - ended)
        record.heard_as = " ".join(self._heard)
        if line.text:
            record.understood = understood(line.text, record.heard_as)

    async def _until_finished(self, client: SpikeClient) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MOST_ANSWER_S):
                while True:
                    if self._ear.is_silent_for(PAUSE_S) and not client.state.is_ai_speaking:
                        return
                    await asyncio.sleep(LOOK_EVERY_S)

    async def _measure(self, client: SpikeClient) -> None:
        network = (await client.get_stats()).network
        if packets := network.packets_received + network.packets_lost:
            self.record.loss = max(0.0, network.packets_lost / packets)
            self.record.outbound_loss = network.outbound_loss
        self.record.rtt_ms, self.record.jitter_ms = network.round_trip_time_ms, network.jitter_ms


def understood(said: str, heard: str) -> float:
    """Share of the words of `said` that are found in `heard`, in their order."""
    words, found = _words(said), _words(heard)
    if not words:
        return 1.0
    blocks = SequenceMatcher(None, words, found, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(words)


def _words(text: str) -> list[str]:
    kept = "".join(c.lower() if c.isalnum() or c == "'" else " " for c in text)
    return kept.split()


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
