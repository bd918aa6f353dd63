"""Runs the demo: a server in its own process, a room, a user, and the client between them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from spike_engine import dsp
from spike_engine.client import SpikeClient
from spike_engine.demo.acoustics import Samples
from spike_engine.demo.camera import GeneratedCamera
from spike_engine.demo.recorder import Recorder, TurnRecord
from spike_engine.demo.room import SimulatedRoom
from spike_engine.demo.screen import Screen
from spike_engine.demo.script import TURNS, Turn, has_recordings, load_recording, trimmed
from spike_engine.demo.summary import CpuMeter, Summary
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.errors import ConnectionFailed
from spike_engine.events import EVENT_TYPES, ClientStats
from spike_engine.events.state import ConversationState

ANSWER_TIMEOUT_S = 10.0
SPEECH_TIMEOUT_S = 60.0
SERVER_START_TIMEOUT_S = 30.0
_PAUSE_S = 0.6  # between the AI's end and the user's answer


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asks for."""

    output: Path = Path("spike-demo")
    url: str | None = None
    token: str | None = None
    microphone: bool = False
    video: bool = True
    seconds: float | None = None
    turns: int = len(TURNS)


async def run_demo(options: DemoOptions, console: Console) -> Summary:
    """Hold the conversation that `options` describe, write its files and return its figures.

    Raises:
        SpikeError: The conversation could not begin.
        MissingExtra: A package of the ``demo`` extra is not installed.
    """
    async with _conversation(options) as (invitation, server):
        summary = Summary()
        meters = CpuMeter(), CpuMeter(server.pid) if server else None
        recorder = await _converse(options, invitation, summary, console)
        summary.client_cpu = meters[0].share()
        summary.server_cpu = meters[1].share() if meters[1] else None
    from spike_engine.demo.report import write_report  # noqa: PLC0415 (drawing takes a second to load)

    console.print("drawing the conversation …", style="dim")
    summary.files = await asyncio.to_thread(write_report, recorder, options.output)
    return summary


@contextlib.asynccontextmanager
async def _conversation(options: DemoOptions) -> AsyncIterator[tuple[dict[str, Any], Process | None]]:
    """Where to join: the server that the user names, or one that lives as long as the demo."""
    if options.url:
        yield {"conversation_url": options.url, "token": options.token}, None
        return
    command = (sys.executable, "-m", "spike_engine.cli", "serve", "--port", "0", "--json")
    server = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        yield await _create_conversation(server), server
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.terminate()
        await server.communicate()


async def _create_conversation(server: Process) -> dict[str, Any]:
    import aiohttp  # noqa: PLC0415

    assert server.stdout
    async with asyncio.timeout(SERVER_START_TIMEOUT_S):
        line = await server.stdout.readline()
    if not line:
        raise ConnectionFailed("the demo's server did not start")
    url = json.loads(line)["url"]
    async with aiohttp.ClientSession() as http, http.post(f"{url}/conversations") as response:
        invitation: dict[str, Any] = await response.json()
    return invitation


async def _converse(options: DemoOptions, invitation: dict[str, Any], summary: Summary, console: Console) -> Recorder:
    room = None if options.microphone else SimulatedRoom()
    client = SpikeClient(
        conversation_url=invitation["conversation_url"],
        token=invitation["token"],
        audio_source=room.microphone if room else "default",
        audio_output=room.loudspeaker if room else "default",
        video=options.video,
        video_source=GeneratedCamera(),
        video_quality="low",
    )
    recorder = Recorder()
    turns = TURNS[: options.turns] if room else ()
    with Screen(console, max(1, len(turns))) as screen:
        _record(client, recorder, screen)
        watching: asyncio.Task[None] | None = None
        async with client:
            if options.video:
                watching = asyncio.create_task(_keep_picture(client, recorder))
            if room:
                await _talk(client, room, recorder, screen, turns)
            else:
                await _listen(screen, options.seconds)
            stats = await client.get_stats()
        if watching:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    take_in(summary, recorder, stats)
    return recorder


def take_in(summary: Summary, recorder: Recorder, stats: ClientStats) -> None:
    """Fill in what the recording and the connection say."""
    summary.turns = recorder.turns
    summary.packets_received = stats.network.packets_received
    summary.packets_lost = stats.network.packets_lost
    summary.echo_reduction_db = recorder.echo_reduction_db(dsp.CapturePipeline().latency_samples)
    summary.interruption_s = _interruption_s(recorder)


def _record(client: SpikeClient, recorder: Recorder, screen: Screen) -> None:
    client.add_audio_tap(recorder.tap)

    def handler_of(name: str) -> Callable[[Any], None]:
        def handle(event: Any) -> None:
            recorder.note(name, event)
            screen.show(recorder.now(), name, event)

        return handle

    for name in EVENT_TYPES:
        client.on(name, handler_of(name))


async def _listen(screen: Screen, seconds: float | None) -> None:
    screen.step("talk to the AI; Ctrl-C ends the conversation")
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def _talk(
    client: SpikeClient, room: SimulatedRoom, recorder: Recorder, screen: Screen, turns: tuple[Turn, ...]
) -> None:
    voices = await _speech_of(turns)
    if not has_recordings():
        screen.say(recorder.now(), "no recorded speech here (Debian: asterisk-core-sounds-en-g722): a synthetic user")
    screen.step("the AI greets")
    await _until(client, lambda state: state.is_ai_speaking, ANSWER_TIMEOUT_S)
    for turn, voice in zip(turns, voices, strict=True):
        if turn.interrupts_after_s is None:
            await _until(client, lambda state: not state.is_ai_speaking, SPEECH_TIMEOUT_S)
            await asyncio.sleep(_PAUSE_S)
        else:
            await asyncio.sleep(turn.interrupts_after_s)
        screen.step(f"the user says: {turn.text}", done=True)
        for _ in range(2):  # a turn that nobody answers is said once more
            if await _take_turn(client, room, recorder, screen, turn, voice):
                break
    await _until(client, lambda state: not state.is_ai_speaking, SPEECH_TIMEOUT_S)


async def _take_turn(
    client: SpikeClient, room: SimulatedRoom, recorder: Recorder, screen: Screen, turn: Turn, voice: Samples
) -> bool:
    """Say one thing and wait for the answer to begin; whether it did."""
    interrupting = client.state.is_ai_speaking
    screen.say(recorder.now(), f"the user {'interrupts' if interrupting else 'says'}: {turn.text}")
    began_at, ended_at = await room.user.say(voice)
    offset = recorder.started_at
    record = TurnRecord(turn.text, began_at - offset, ended_at - offset, interrupting)
    recorder.turns.append(record)
    answered = await _until(client, lambda state: state.is_ai_speaking and not state.is_user_speaking, ANSWER_TIMEOUT_S)
    if answered:
        record.heard_as = client.state.user_transcript
        record.answered_at = await recorder.ai_sound_after(record.ended_at)
    return answered


async def _speech_of(turns: tuple[Turn, ...]) -> list[Samples]:
    """The user's sentences: recorded, or spoken by the server's voice where the recordings are missing."""
    if has_recordings():
        return [load_recording(turn.recording) for turn in turns]
    from spike_engine.server.local.voice import open_voice  # noqa: PLC0415

    voice = open_voice()
    await voice.start()
    try:
        spoken = [await voice.speak(turn.text) for turn in turns]
    finally:
        await voice.close()
    # A tenth lower, so that the user is not taken for the AI.
    return [trimmed(dsp.resample(s.samples, round(s.sample_rate_hz * 0.9), ENGINE_RATE_HZ)) for s in spoken]


async def _until(client: SpikeClient, condition: Callable[[ConversationState], bool], timeout_s: float) -> bool:
    """Wait for a state; whether it came in time."""
    try:
        async with asyncio.timeout(timeout_s):
            async for state in client.observe():
                if condition(state) or not state.is_connected:
                    return state.is_connected
    except TimeoutError:
        pass
    return False


async def _keep_picture(client: SpikeClient, recorder: Recorder) -> None:
    """Keep the last picture of a speaking AI."""
    from spike_engine import frames  # noqa: PLC0415
    from spike_engine.sources.stream import frames_of  # noqa: PLC0415

    async for frame in frames_of(client.get_ai_video_track()):
        if recorder.picture is None or client.state.audio_level > 0.15:
            recorder.picture = frames.to_ndarray(frame)


def _interruption_s(recorder: Recorder) -> float | None:
    """From the first sound of the interruption to the event that ends the AI's answer."""
    for turn in recorder.turns:
        if turn.interrupted:
            ends = [time_s for time_s, name, _ in recorder.events if name == "ai-idle" and time_s > turn.began_at]
            return ends[0] - turn.began_at if ends else None
    return None
