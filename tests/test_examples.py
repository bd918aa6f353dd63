"""Each example, run as its user runs it."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray
from rooms import FAR, NEAR, impulse_response, speech
from sound_card import Room, sound_card

from spike_engine import SpikeClient
from spike_engine.integrations.telephony import to_mulaw
from spike_engine.server import ConversationServer, HummingPersona

EXAMPLES = Path(__file__).parent.parent / "examples"

pytestmark = pytest.mark.skipif(
    not EXAMPLES.exists(), reason="the examples are not here: an installed package is tested"
)


class Greeter(HummingPersona):
    greeting = "Hello and welcome."
    greeted: ClassVar[asyncio.Event]

    def said(self, text: str, *, interrupted: bool) -> None:
        self.greeted.set()


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    Greeter.greeted = asyncio.Event()
    async with ConversationServer(persona=Greeter) as server:
        yield server


async def start(name: str, *arguments: str, env: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(EXAMPLES / name), *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=env)


async def output_of(process: asyncio.subprocess.Process) -> str:
    out, error = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 0, error.decode()
    return out.decode()


async def test_quickstart(server: ConversationServer) -> None:
    invitation = server.create_conversation()

    assert "AI: Hello and welcome." in await output_of(
        await start("quickstart.py", invitation.conversation_url, invitation.token)
    )


@pytest.mark.parametrize("name", ["voice_only.py", "terminal_ui.py"])
async def test_until_the_server_ends_the_conversation(server: ConversationServer, name: str) -> None:
    invitation = server.create_conversation()
    process = await start(name, invitation.conversation_url, invitation.token)
    await asyncio.wait_for(Greeter.greeted.wait(), 30)
    await asyncio.sleep(0.2)  # the last word's way to the other process
    await server.end_conversation(invitation.conversation_id)

    assert "AI:  Hello and welcome." in await output_of(process)


def write(path: Path, samples: NDArray[np.int16], rate_hz: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return path


def read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples[:: file.getnchannels()]


def spoken(names: tuple[str, ...], rate_hz: int, seconds: float) -> NDArray[np.int16]:
    return (20000 * speech(names, rate_hz, seconds)).astype(np.int16)


async def test_clean_recording(tmp_path: Path) -> None:
    far = (3000 * np.random.default_rng(1).standard_normal(48000)).astype(np.int16)
    echo = np.concatenate([np.zeros(640, np.int16), far[:-640] // 2])
    mic_path, far_path = write(tmp_path / "mic.wav", echo, 16000), write(tmp_path / "far.wav", far, 16000)
    out_path = tmp_path / "out.wav"

    assert "dB down" in await output_of(await start("clean_recording.py", *map(str, (mic_path, far_path, out_path))))
    assert read(out_path)[24000:].std() < 0.1 * echo[24000:].std()


async def test_sounddevice_loop(tmp_path: Path) -> None:
    played = write(tmp_path / "played.wav", spoken(FAR, 48000, 6.0), 48000)
    with (
        sound_card(tmp_path) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -6.0, seed=3)),
    ):
        program = await start("sounddevice_loop.py", str(played), str(tmp_path / "out.wav"), env=environment)
        printed = await output_of(program)
    late, cleaned = slice(-2 * 48000, None), read(tmp_path / "out.wav")

    assert "dB down" in printed
    assert cleaned[late].std() < 0.1 * read(played)[late].std()


@pytest.mark.parametrize("own_voice", [False, True])
async def test_a_duplex_device_does_not_hear_itself(tmp_path: Path, own_voice: bool) -> None:
    played = [] if own_voice else [str(write(tmp_path / "played.wav", spoken(FAR, 48000, 6.0), 48000))]
    if own_voice:
        pytest.importorskip("espeakng_loader", reason="nothing speaks: pip install '.[demo]'")
        pytest.importorskip("pocketsphinx")
    with (
        sound_card(tmp_path) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -6.0, seed=3)),
    ):
        printed = await output_of(await start("duplex_echo_test.py", *played, env=environment))

    assert "you interrupted" not in printed
    assert float(printed.split("went down by ")[1].split(" dB")[0]) > 20


async def test_a_duplex_device_hears_who_interrupts_it(tmp_path: Path) -> None:
    played = write(tmp_path / "played.wav", spoken(FAR, 24000, 20.0), 24000)
    with (
        sound_card(tmp_path) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -10.0, seed=3)) as room,
    ):
        program = await start("duplex_echo_test.py", str(played), env=environment)
        assert program.stdout
        assert await asyncio.wait_for(program.stdout.readline(), 40) == b"speaking\n"
        await asyncio.sleep(3.0)  # the bot has the word; its echo alone must not end that
        room.say(speech(NEAR, 48000, 2.0))
        printed = await output_of(program)

    interrupted_after_s = float(printed.split("you interrupted after ")[1].split(" s")[0])
    assert 2.5 < interrupted_after_s < 8.0


async def test_aiortc_denoise(tmp_path: Path) -> None:
    noise = 300 * np.random.default_rng(0).standard_normal(3 * 48000)
    noisy = write(tmp_path / "noisy.wav", (0.4 * spoken(NEAR, 48000, 3.0) + noise).astype(np.int16), 48000)

    assert "received" in await output_of(await start("aiortc_denoise.py", str(noisy), str(tmp_path / "out.wav")))
    received = read(tmp_path / "out.wav").astype(float)
    assert len(received) > 2 * 48000
    quietest = np.percentile([block.std() for block in np.array_split(received, 100)[40:]], 5)
    assert quietest < 0.7 * noise.std()


async def test_pipecat_local(tmp_path: Path) -> None:
    pytest.importorskip("pyaudio", reason="pipecat's local transport is not installed: pip install --group peers")
    with (
        sound_card(tmp_path) as environment,
        Room(environment, impulse_response(48000, 0.2, 5.0, -10.0, seed=4)) as room,
    ):
        parrot = await start("pipecat_local.py", env=environment)
        assert parrot.stdout
        assert (await asyncio.wait_for(parrot.stdout.readline(), 40)).startswith(b"say something")
        silent_s = room.loud_s
        room.say(speech(NEAR, 48000, 2.0))
        async with asyncio.timeout(20):
            while room.loud_s < 1.0:
                await asyncio.sleep(0.1)
        parrot.send_signal(signal.SIGINT)
        await asyncio.wait_for(parrot.communicate(), 20)

    assert silent_s == 0.0


async def test_window(server: ConversationServer) -> None:
    pytest.importorskip("pygame")
    invitation = server.create_conversation()
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
    process = await start("window.py", invitation.conversation_url, invitation.token, env=environment)
    await asyncio.wait_for(Greeter.greeted.wait(), 40)
    await asyncio.sleep(0.2)  # the last word's way to the other process
    await server.end_conversation(invitation.conversation_id)

    assert "AI: Hello and welcome." in await output_of(process)


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[str]:
    """A display that nobody looks at."""
    pytest.importorskip("tkinter", reason="needs Tk (Debian: apt install python3-tk)")
    if not shutil.which("Xvfb"):
        pytest.skip("needs a display (Debian: apt install xvfb)")
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "640x480x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        with os.fdopen(read_end) as number:
            yield f":{number.readline().strip()}"
        server.terminate()


def colours_of(image: Any) -> set[Any]:
    return {image.get(x, y) for x in range(0, image.width(), 20) for y in range(0, image.height(), 20)}


async def test_tk_window(server: ConversationServer, screen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.syspath_prepend(EXAMPLES)
    from tk_window import Window

    invitation = server.create_conversation()
    camera, microphone = np.zeros((180, 320, 3), np.uint8), np.zeros(48000, np.float32)
    options = {"audio_source": microphone, "video_source": camera, "audio_output": None, "video_quality": "low"}
    client = SpikeClient(
        conversation_url=invitation.conversation_url, token=invitation.token, join_timeout_s=20.0, **options
    )
    async with client:
        window = Window(client)
        running = asyncio.create_task(window.run())
        async with asyncio.timeout(30):
            while "welcome" not in window.words["text"] or len(colours_of(window.shown)) < 4:  # a face
                await asyncio.sleep(0.05)
        assert window.root.winfo_viewable()
        window.mute.invoke()
        assert not client.state.audio_enabled
        assert window.mute["text"] == "Unmute"
        window.end.invoke()
        await asyncio.wait_for(running, 10)
    assert client.state.status == "disconnected"


async def test_robot(server: ConversationServer) -> None:
    invitation = server.create_conversation()
    process = await start("robot.py", invitation.conversation_url, invitation.token)
    await asyncio.wait_for(Greeter.greeted.wait(), 40)
    await asyncio.sleep(0.2)  # the last word's way to the other process
    await server.end_conversation(invitation.conversation_id)

    lines = (await output_of(process)).splitlines()
    assert [line for line in lines if line.startswith("lamp")][:2] == ["lamp on", "lamp off"]
    assert lines[-1] == "ended"


async def test_textual_ui(server: ConversationServer) -> None:
    pytest.importorskip("textual")
    sys.path.insert(0, str(EXAMPLES))
    try:
        from textual_ui import Conversation
    finally:
        sys.path.remove(str(EXAMPLES))
    invitation = server.create_conversation()
    app = Conversation(invitation.conversation_url, invitation.token)
    async with app.run_test() as pilot:
        while "welcome" not in str(app.query_one("#ai").render()):
            await pilot.pause(0.05)
        await pilot.press("ctrl+s")
        assert not app.client.state.audio_enabled
        await pilot.press(*"hi", "enter")
        await server.end_conversation(invitation.conversation_id)
        while app.client.state.status != "disconnected":
            await pilot.pause(0.05)


async def test_fastapi_relay(server: ConversationServer, unused_tcp_port: int) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    import aiohttp

    invitation = server.create_conversation()
    address = invitation.conversation_url, invitation.token, str(unused_tcp_port)
    process = await start("fastapi_relay.py", *address)
    relay = f"http://127.0.0.1:{unused_tcp_port}"
    try:
        await asyncio.wait_for(Greeter.greeted.wait(), 40)
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            async with http.get(f"{relay}/events") as events:
                async with http.post(f"{relay}/say", json={"text": "hello"}) as said:
                    assert said.status == 200
                line = await events.content.readline()
                assert line.startswith(b"data: {")
            async with http.get(f"{relay}/state") as state:
                assert (await state.json())["status"] == "connected"
    finally:
        process.kill()
        await process.communicate()


async def test_notebook(server: ConversationServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    invitation = server.create_conversation()
    monkeypatch.setenv("URL", invitation.conversation_url)
    monkeypatch.setenv("TOKEN", invitation.token)
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    await nbclient.NotebookClient(notebook, timeout=60).async_execute()

    outputs = [cell.outputs[-1]["data"]["text/plain"] for cell in notebook.cells[2:]]
    assert outputs == ["'Hello and welcome.'", "True", "'disconnected'"]


async def test_persona() -> None:
    process = await start("persona.py")
    assert process.stdout
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    process.terminate()
    await process.communicate()

    assert line.decode().startswith("http://127.0.0.1:")


async def test_phone_bot(unused_tcp_port: int) -> None:
    """What the caller says comes back, over mu-law; a caller who interrupts has the service drop the rest."""
    bot = await start("phone_bot.py", str(unused_tcp_port))
    words = np.round(16000 * speech(NEAR, 8000, 3.0)).astype(np.int16)
    caller = to_mulaw(words) + bytes([0xFF]) * 12000
    try:
        async with aiohttp.ClientSession() as http:
            socket = await connected(http, f"http://127.0.0.1:{unused_tcp_port}/media")
            await socket.send_json({"event": "start", "streamSid": "MZ1"})
            kinds: list[str] = []
            for at in range(0, len(caller), 160):
                payload = base64.b64encode(caller[at : at + 160]).decode()
                await socket.send_json({"event": "media", "streamSid": "MZ1", "media": {"payload": payload}})
            while "media" not in kinds:
                answer = await asyncio.wait_for(socket.receive_json(), 20)
                kinds.append(answer["event"])
            await socket.close()
    finally:
        bot.terminate()
        await bot.wait()

    assert kinds[0] == "clear"
    assert answer["streamSid"] == "MZ1"
    assert len(base64.b64decode(answer["media"]["payload"])) > 8000


async def connected(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientWebSocketResponse:
    async with asyncio.timeout(30):
        while True:
            try:
                return await http.ws_connect(url)
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)
