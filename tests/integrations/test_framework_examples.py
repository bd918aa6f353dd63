"""Other frameworks on PulseAudio's devices in a room, against local stand-ins of their clouds.

Our example for each, and beside it what the framework's own docs tell to do with a sound card, which hears itself.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate
from clouds import Cloud, gemini_live, openai_realtime
from leaky_room import BOT_S, bot_speech, comes_back_db
from rooms import impulse_response
from sound_card import Room, sound_card

EXAMPLES = Path(__file__).parents[2] / "examples"
SAMPLES = Path(__file__).parents[1] / "tools" / "local_samples"
ROOM_DB = -6.0
LOUD = 500
MOST_SILENCE_S = 12.0

pytestmark = pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the examples are not here: an installed package is tested"
)


async def talked(
    folder: Path,
    program: Path,
    *arguments: str,
    heard: bytearray | Appended,
    more: dict[str, str],
    rate_hz: int = 24000,
) -> float:
    """How loud the bot comes back to its cloud, which hears `heard`."""
    with (
        sound_card(folder) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, ROOM_DB, seed=3)),
    ):
        command = (sys.executable, str(program), *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=environment | more)
        try:
            async with asyncio.timeout(60):
                while len(since_its_onset(heard, rate_hz)) < 2 * (BOT_S + 0.3) * rate_hz:
                    await asyncio.sleep(0.2)
        finally:
            process.kill()
            await process.wait()
    return comes_back_db(since_its_onset(heard, rate_hz), rate_hz)


def since_its_onset(heard: bytearray | Appended, rate_hz: int) -> bytes:
    """What was heard from the first sound on: a stream may begin with seconds of what has waited. All, where none came.

    Echo begins with a sound, too, whoever cancels it.
    """
    samples = np.frombuffer(bytes(heard), np.int16)
    loud = np.abs(samples.astype(int)) > LOUD
    if not loud.any():
        return samples.tobytes() if len(samples) > MOST_SILENCE_S * rate_hz else b""
    return samples[max(0, int(loud.argmax()) - rate_hz // 10) :].tobytes()


def judge(comes_back_by_db: float, *, hears_itself: bool) -> None:
    if hears_itself:
        assert comes_back_by_db > ROOM_DB - 6
    else:
        assert comes_back_by_db < -25


@pytest.mark.parametrize(
    ("program", "hears_itself"),
    [(SAMPLES / "openai_agents_sounddevice.py", True), (EXAMPLES / "openai_agents_local.py", False)],
    ids=["as its docs tell", "our example"],
)
async def test_openai_agents(tmp_path: Path, program: Path, hears_itself: bool) -> None:
    pytest.importorskip("agents.realtime")
    async with Cloud(openai_realtime) as cloud:
        more = {"OPENAI_API_KEY": "sk", "REALTIME_URL": cloud.url.replace("http", "ws")}
        judge(await talked(tmp_path, program, heard=cloud.heard, more=more), hears_itself=hears_itself)


@pytest.mark.parametrize(
    ("program", "arguments", "rate_hz", "hears_itself"),
    [
        (SAMPLES / "google_genai_pyaudio.py", ["pyaudio"], 16000, True),
        (SAMPLES / "google_genai_pyaudio.py", ["spike_engine.integrations.pyaudio"], 16000, False),
        (EXAMPLES / "google_genai_live.py", [], 24000, False),
    ],
    ids=["as its docs tell", "with another import", "our example"],
)
async def test_google_genai(
    tmp_path: Path, program: Path, arguments: list[str], rate_hz: int, hears_itself: bool
) -> None:
    pytest.importorskip("google.genai")
    if "pyaudio" in arguments:
        pytest.importorskip("pyaudio")
    shown = certificate(tmp_path, "localhost", "127.0.0.1")
    async with Cloud(gemini_live, shown.server()) as cloud:
        more = {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": cloud.url, "SSL_CERT_FILE": str(shown.file)}
        db = await talked(tmp_path, program, *arguments, heard=cloud.heard, more=more, rate_hz=rate_hz)
        judge(db, hears_itself=hears_itself)


@pytest.mark.parametrize(
    ("how", "hears_itself"), [("plain", True), ("filtered", False)], ids=["as its docs tell", "with the filter"]
)
async def test_pipecat(tmp_path: Path, how: str, hears_itself: bool) -> None:
    pytest.importorskip("pyaudio")
    pytest.importorskip("pipecat.transports.local.audio")
    heard, spoken = tmp_path / "heard", tmp_path / "spoken"
    heard.touch()
    spoken.write_bytes(bot_speech(24000))
    program, arguments = SAMPLES / "pipecat_local.py", (how, str(heard), str(spoken))
    judge(await talked(tmp_path, program, *arguments, heard=Appended(heard), more={}), hears_itself=hears_itself)


class Appended:
    """What a program has appended to a file up to now."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def __bytes__(self) -> bytes:
        return self._path.read_bytes()


def spoken(folder: Path) -> str:
    """What the bot says, as a file."""
    with wave.open(str(folder / "spoken.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(bot_speech(24000))
    return str(folder / "spoken.wav")


@pytest.mark.parametrize("package", ["spike_engine.integrations", "sounddevice itself"])
async def test_sounddevice(tmp_path: Path, package: str) -> None:
    """The same program with the engine's module, and as it is written for sounddevice itself."""
    program = (EXAMPLES / "sounddevice_bot.py").read_text()
    if package == "sounddevice itself":
        program = program.replace("from spike_engine.integrations import sounddevice as sd", "import sounddevice as sd")
    (tmp_path / "bot.py").write_text(program)
    with (
        sound_card(tmp_path) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -6.0, seed=3)),
    ):
        command = (sys.executable, str(tmp_path / "bot.py"), spoken(tmp_path), str(tmp_path / "heard.wav"))
        bot = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
        _, error = await asyncio.wait_for(bot.communicate(), 60)
    assert bot.returncode == 0, error.decode()
    with wave.open(str(tmp_path / "heard.wav")) as file:
        level_db = comes_back_db(file.readframes(file.getnframes()), 24000)

    assert level_db > -15 if package == "sounddevice itself" else level_db < -25


async def test_livekit_agents(tmp_path: Path) -> None:
    pytest.importorskip("livekit.agents")
    path = spoken(tmp_path)
    with (
        sound_card(tmp_path) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -6.0, seed=3)),
    ):
        command = (sys.executable, str(EXAMPLES / "livekit_local.py"), path)
        pipe = asyncio.subprocess.PIPE
        program = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        out, error = await asyncio.wait_for(program.communicate(), 60)

    assert "heard 4.0 s, interrupted: False" in out.decode(), error.decode()


@pytest.mark.filterwarnings("ignore:.*Gradio 6:DeprecationWarning")  # by what FastRTC asks of it
async def test_fastrtc() -> None:
    """The parrot alone answers its own echo for ever; with its handler cleaned, that dies away."""
    pytest.importorskip("fastrtc")
    parrot = runpy.run_path(str(EXAMPLES / "fastrtc_phone.py"))
    levels = {}
    for name, handler in (("clean", parrot["stream"].event_handler.copy()), ("alone", parrot["Parrot"]())):
        await handler.start_up()
        said = np.frombuffer(bot_speech(24000), np.int16).reshape(-1, 480)
        air = [np.zeros((1, 480), np.int16)] * 3
        for block in [*said, *np.zeros((150, 480), np.int16)]:
            heard = np.clip(block + air.pop(0).astype(int), -32768, 32767).astype(np.int16)
            await handler.receive((24000, heard))
            spoken = (await handler.emit())[1] if name == "alone" or not handler._inner.heard.empty() else air[0]
            air.append((0.9 * np.resize(spoken, (1, 480))).astype(np.int16))
        levels[name] = float(np.mean(np.square(air[-1], dtype=float)))

    assert levels["clean"] < 0.1 * levels["alone"]
