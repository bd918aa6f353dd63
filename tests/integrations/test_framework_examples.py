"""The examples for other frameworks, on PulseAudio's devices in a room, against local stand-ins of their clouds."""

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
from leaky_room import bot_speech, comes_back_db, until_long_enough
from rooms import impulse_response
from sound_card import Room, sound_card

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the examples are not here: an installed package is tested"
)


async def talked(folder: Path, name: str, cloud: Cloud, more: dict[str, str]) -> float:
    """How loud the bot comes back to its cloud."""
    with (
        sound_card(folder) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -6.0, seed=3)),
    ):
        command = (sys.executable, str(EXAMPLES / name))
        program = await asyncio.create_subprocess_exec(*command, env=environment | more)
        try:
            await until_long_enough(cloud.heard, 24000)
        finally:
            program.kill()
            await program.wait()
    return comes_back_db(bytes(cloud.heard), 24000)


async def test_openai_agents(tmp_path: Path) -> None:
    pytest.importorskip("agents.realtime")
    async with Cloud(openai_realtime) as cloud:
        more = {"OPENAI_API_KEY": "sk", "REALTIME_URL": cloud.url.replace("http", "ws")}
        assert await talked(tmp_path, "openai_agents_local.py", cloud, more) < -25


async def test_google_genai(tmp_path: Path) -> None:
    pytest.importorskip("google.genai")
    shown = certificate(tmp_path, "localhost", "127.0.0.1")
    async with Cloud(gemini_live, shown.server()) as cloud:
        more = {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": cloud.url, "SSL_CERT_FILE": str(shown.file)}
        assert await talked(tmp_path, "google_genai_live.py", cloud, more) < -25


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
