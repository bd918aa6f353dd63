"""A real TURN server (coturn): nothing goes directly, and voice arrives all the same."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aioice
import numpy as np
import pytest
from endpoints import ArrayMicrophone, RecordingLoudspeaker

from spike_engine import ConnectionFailed, SpikeClient
from spike_engine.server import ConversationServer, HummingPersona

pytestmark = [
    pytest.mark.usefixtures("nothing_left_open"),
    pytest.mark.skipif(not shutil.which("turnserver"), reason="needs coturn (Debian: apt install coturn)"),
]

USER, PASSWORD = "spike", "engine"


class Greeter(HummingPersona):
    greeting = "Hello and welcome."


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a TURN server that listens on UDP and TCP."""
    addresses = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not addresses:
        pytest.skip("needs a network address besides loopback")
    host = addresses[0]
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("turn")
    settings = f"""
listening-ip={host}
relay-ip={host}
listening-port={port}
lt-cred-mech
user={USER}:{PASSWORD}
realm=spike.example
no-tls
no-dtls
no-cli
allow-loopback-peers
log-file={folder}/log
simple-log
pidfile={folder}/pid
userdb={folder}/db
"""
    (folder / "conf").write_text(settings)
    process = subprocess.Popen(
        ["turnserver", "-c", str(folder / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    yield f"{host}:{port}"
    process.kill()
    process.wait(10)


@pytest.fixture
async def listening(turn: str) -> str:
    host, port = turn.split(":")
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return turn


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    async with ConversationServer(persona=Greeter) as server:
        yield server


def client_of(server: ConversationServer, loudspeaker: RecordingLoudspeaker, **ice_server: str) -> SpikeClient:
    invitation = server.create_conversation()
    return SpikeClient(
        conversation_url=invitation.conversation_url,
        token=invitation.token,
        video=False,
        audio_source=ArrayMicrophone(),
        audio_output=loudspeaker,
        ice_servers=[ice_server],
        ice_transport_policy="relay",
        join_timeout_s=20.0,
    )


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
async def test_media_flows_through_the_relay(
    server: ConversationServer, listening: str, protocol: str, heard: Callable[[SpikeClient], list]
) -> None:
    loudspeaker = RecordingLoudspeaker()
    urls = f"turn:{listening}?transport={protocol}"
    client = client_of(server, loudspeaker, urls=urls, username=USER, credential=PASSWORD)
    events = heard(client)
    async with client:
        await client.wait_for("ai-idle", timeout=30)
        stats = await client.get_stats()

    assert stats.network.path == "relay"
    assert stats.network.packets_sent > 20
    assert np.abs(loudspeaker.samples).max() > 0.05
    assert not [event for name, event in events if name == "error"]


async def test_a_wrong_password_is_told(server: ConversationServer, listening: str) -> None:
    client = client_of(server, RecordingLoudspeaker(), urls=f"turn:{listening}", username=USER, credential="wrong")

    with pytest.raises(ConnectionFailed, match="TURN"):
        await client.join()
