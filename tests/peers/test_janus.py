"""WHIP and WHEP against servers that we did not write: janus, Debian's simple-whip-server, npm's janus-whep-server.

What the client publishes to a room of janus's, janus forwards to a stream of its own, and the client plays that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import ConnectionFailed, ConversationEnded, SpikeClient
from spike_engine.transports.whip import WhipTransport
from spike_engine.webrtc import gathering

ROOT = Path(__file__).parents[2]
SERVERS = ROOT / "build" / "whip"
PLUGINS = next(Path("/usr/lib").glob("*/janus/plugins"), None)
TOKEN = "verysecret"
ROOM = 1234

pytestmark = [
    pytest.mark.usefixtures("nothing_left_open"),
    pytest.mark.skipif(
        not (shutil.which("janus") and shutil.which("node") and PLUGINS and (SERVERS / "ready").exists()),
        reason="needs janus (Debian: apt install janus), node and npm, and .ci/whip-server",
    ),
]

JANUS = """
general: {{
    plugins_folder = "{plugins}"
    transports_folder = "{transports}"
    protected_folders = []
    debug_level = 4
}}
media: {{ rtp_port_range = "30000-32000" }}
plugins: {{ disable = "{disabled_plugins}" }}
transports: {{ disable = "{disabled_transports}" }}
"""
WEBSOCKETS = 'general: {{ ws = true\nws_port = {port}\nws_ip = "127.0.0.1" }}'
VIDEOROOM = 'room-{room}: {{ publishers = 6\nvideocodec = "vp8"\nbitrate = 512000 }}'
STREAMING = """
room: {{
    type = "rtp"
    id = 1
    media = (
        {{ type = "audio", mid = "a", port = {audio}, pt = 96, codec = "opus" }},
        {{ type = "video", mid = "v", port = {video}, pt = 97, codec = "vp8" }}
    )
}}
"""
WHIP = """
module.exports = {{
    janus: {{ address: 'ws://127.0.0.1:{janus}' }}, port: {port}, rest: '/whip', allowTrickle: true, strictETags: true,
    iceServers: []
}}
"""


@dataclass(frozen=True)
class Servers:
    whip: int
    whep: int
    audio: int
    video: int

    @property
    def publish_url(self) -> str:
        return f"http://127.0.0.1:{self.whip}/whip/endpoint/room"

    @property
    def play_url(self) -> str:
        return f"http://127.0.0.1:{self.whep}/whep/endpoint/room"


def free_ports(count: int, kind: socket.SocketKind) -> list[int]:
    """Below those that the system gives away, one of which another test might be given before a server takes it."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(range(20000, 30000), 1000):
            one = stack.enter_context(socket.socket(type=kind))
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise OSError("no port is free")


def configure(folder: Path, servers: Servers, janus_port: int) -> None:
    assert PLUGINS
    transports = PLUGINS.parent / "transports"
    unused = ",".join(path.name for path in PLUGINS.glob("*.so") if path.stem[9:] not in ("videoroom", "streaming"))
    silent = ",".join(path.name for path in transports.glob("*.so") if "websockets" not in path.name)
    settings = {
        "janus": JANUS.format(
            plugins=PLUGINS, transports=transports, disabled_plugins=unused, disabled_transports=silent
        ),
        "janus.transport.websockets": WEBSOCKETS.format(port=janus_port),
        "janus.plugin.videoroom": VIDEOROOM.format(room=ROOM),
        "janus.plugin.streaming": STREAMING.format(audio=servers.audio, video=servers.video),
    }
    for name, text in settings.items():
        (folder / f"{name}.jcfg").write_text(text)
    for path in (SERVERS / "whip").glob("*.js"):
        shutil.copy(path, folder)
    (folder / "config.js").write_text(WHIP.format(janus=janus_port, port=servers.whip))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder: Path = tmp_path_factory.mktemp("janus")
    janus_port, whip, whep = free_ports(3, socket.SOCK_STREAM)
    servers = Servers(whip, whep, *free_ports(2, socket.SOCK_DGRAM))
    configure(folder, servers, janus_port)
    modules = {**os.environ, "NODE_PATH": str(SERVERS / "node_modules")}
    whep_module = SERVERS / "node_modules/janus-whep-server/src/whep.js"
    commands = (
        ["janus", "--configs-folder", str(folder), "--disable-colors", "--log-file", str(folder / "log")],
        ["node", str(folder / "server.js")],
        ["node", str(Path(__file__).parent / "whep.mjs"), str(whep_module), str(janus_port), str(whep), TOKEN],
    )
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command, port in zip(commands, (janus_port, whip, whep), strict=True):
            with (folder / f"{command[0]}.{port}").open("wb") as output:
                processes.append(subprocess.Popen(command, env=modules, cwd=folder, stdout=output, stderr=output))
            wait_for(port, processes[-1], folder / f"{command[0]}.{port}")
        yield servers
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = 300
    while deadline := deadline - 1:
        assert process.poll() is None, output.read_text()
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    pytest.fail(f"nothing listens: {output.read_text()}")


@pytest.fixture
async def servers(running: Servers) -> Servers:
    """With an endpoint of WHIP's before the room; the server makes them by a request of its own."""
    endpoint = {
        "id": "room",
        "room": ROOM,
        "token": TOKEN,
        "recipient": {"host": "127.0.0.1", "audioPort": running.audio, "videoPort": running.video},
    }
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"http://127.0.0.1:{running.whip}/whip/create", json=endpoint) as made,
    ):
        assert made.status in (200, 400)  # it is there already
    return running


def client_of(servers: Servers, token: str = TOKEN, **options: Any) -> SpikeClient:
    defaults: dict[str, Any] = {"audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker()}
    defaults |= {"conversation_url": servers.publish_url}
    return SpikeClient(
        token=token,
        transport=lambda chosen: WhipTransport(chosen, servers.play_url),
        join_timeout_s=20.0,
        **(defaults | options),
    )


@pytest.mark.parametrize("at_once_s", [gathering.AT_ONCE_S, 0.0], ids=["candidates at once", "candidates later"])
async def test_what_is_published_to_janus_is_played_from_it(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, at_once_s: float
) -> None:
    monkeypatch.setattr(gathering, "AT_ONCE_S", at_once_s)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48000 * 30) / 48000)
    loudspeaker = RecordingLoudspeaker()
    client = client_of(
        servers,
        audio_source=ArrayMicrophone(tone.astype(np.float32)),
        audio_output=loudspeaker,
        video_source=ColourCamera((30, 60, 200)),
        video_quality="low",
        echo_cancellation=False,
        noise_suppression=False,
        auto_gain_control=False,  # a tone is to arrive as loud as it was
    )
    speaking = asyncio.ensure_future(client.wait_for("ai-speaking", timeout=30))
    await asyncio.sleep(0)
    async with client:
        await speaking
        async with asyncio.timeout(20):
            while np.count_nonzero(np.abs(loudspeaker.samples) > 0.1) < 24000:
                await asyncio.sleep(0.05)
        picture = await asyncio.wait_for(anext(client.ai_pictures("rgb24")), 20)
        stats = await client.get_stats()
    heard = loudspeaker.samples[-24000:]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))

    assert np.argmax(spectrum) * 48000 / len(heard) == pytest.approx(440, abs=4)
    red, _, blue = picture.reshape(-1, 3).mean(axis=0)
    assert blue > red + 50
    assert stats.network.packets_sent > 20


async def test_a_room_can_be_left_and_joined_again(servers: Servers, heard: Callable[[SpikeClient], list]) -> None:
    client = client_of(servers, video=False)
    events = heard(client)
    for _ in range(2):  # the server keeps one publisher at a time: DELETE has to work
        await client.join()
        await client.leave()

    assert [name for name, _ in events if name in ("connected", "disconnected", "error")] == [
        *("connected", "disconnected"),
        *("connected", "disconnected"),
    ]


async def test_what_the_servers_refuse(servers: Servers) -> None:
    with pytest.raises(ConnectionFailed, match="403"):
        await client_of(servers, token="wrong", video=False).join()
    client = client_of(servers, video=False, conversation_url=servers.publish_url.replace("room", "nowhere"))
    with pytest.raises(ConversationEnded, match="404"):
        await client.join()
