"""The command line: what it prints and how it exits."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import wave
from pathlib import Path
from typing import Any

import aioice
import numpy as np
import pytest
from sound_card import Room, sound_card

from spike_engine import (
    AIIdle,
    ConnectionFailed,
    Device,
    DeviceInUse,
    Devices,
    Perception,
    Reconnecting,
    UserTranscript,
    cli,
    devices,
    extras,
)
from spike_engine.cli import doctor
from spike_engine.cli.join import sentence_of
from spike_engine.server import ConversationServer, HummingPersona


def run(*arguments: str) -> int:
    try:
        return cli.main(list(arguments))
    except SystemExit as leaving:  # argparse's own
        return int(leaving.code or 0)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["--help"], 0), ([], 2), (["fly"], 2), (["serve", "--port", "x"], 2)]
)
def test_exit_codes_of_the_parser(arguments: list[str], code: int) -> None:
    assert run(*arguments) == code


def test_a_url_needs_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "--url", "http://127.0.0.1:9/c") == 2
    assert "--url and --token go together" in capsys.readouterr().err


def test_a_missing_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "pocketsphinx")

    assert run("demo") == 2
    assert 'pip install "spike-engine[demo]"' in capsys.readouterr().err


def test_a_server_that_is_down_is_a_clear_failure(
    unused_tcp_port: int, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/c"

    assert run("demo", "--json", "--url", url, "--token", "t", "--output", str(tmp_path)) == 1
    assert capsys.readouterr().err.startswith("CONNECTION_FAILED: ")


def test_a_port_that_is_taken_is_a_clear_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--host", "203.0.113.1", "--port", "1") == 1  # an address that is not ours
    assert capsys.readouterr().err.startswith("spike-engine: ")


@pytest.fixture
def some_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Devices(audio=(Device("3", "Desk", is_default=True, sample_rate_hz=48000),))
    monkeypatch.setattr(devices, "list_devices", lambda: found)


@pytest.mark.usefixtures("some_devices")
def test_devices_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("devices") == 0
    printed = capsys.readouterr().out
    assert "*    3  Desk" in printed
    assert "cameras: none" in printed


@pytest.mark.usefixtures("some_devices")
def test_devices_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("devices", "--json") == 0
    assert json.loads(capsys.readouterr().out)["audio"][0]["id"] == "3"


def post(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method="POST")) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to stop a server with")
@pytest.mark.parametrize(
    ("options", "status"),
    [([], 201), (["--no-open"], 401), (["--host", "0.0.0.0"], 401), (["--host", "0.0.0.0", "--open"], 201)],
)
def test_serve_listens_until_it_is_told_to_stop(options: list[str], status: int) -> None:
    command = [sys.executable, "-m", "spike_engine.cli", "serve", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        printed = json.loads(server.stdout.readline())
        page, code = printed["page"].split("#")
        assert page.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(page) as response:
            assert response.status == 200
        assert post(f"{page}conversations") == status
        assert post(f"{page}conversations", Authorization=f"Bearer {code}") == 201
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0


# --- join and doctor --------------------------------------------------------------------------------------------------


class Greeter(HummingPersona):
    greeting = "Hello and welcome."


async def command(*arguments: str, env: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    program = (sys.executable, "-m", "spike_engine.cli", *arguments)
    return await asyncio.create_subprocess_exec(*program, stdout=pipe, stderr=pipe, env=env)


async def test_join_tells_and_records_a_conversation(tmp_path: Path) -> None:
    said = tmp_path / "said.wav"
    with wave.open(str(said), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((8000 * np.sin(np.arange(16000) / 5)).astype(np.int16).tobytes())
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        process = await command(
            *("join", invitation.conversation_url, "--token", invitation.token, "--voice-only", "--json"),
            *("--mic", str(said), "--speaker", "none", "--record", str(tmp_path / "kept"), "--join-timeout", "30"),
        )
        events = []
        assert process.stdout
        async with asyncio.timeout(60):
            while line := await process.stdout.readline():
                events.append(json.loads(line))
                if events[-1]["event"] == "ai-idle":
                    await server.end_conversation(invitation.conversation_id)
        await process.communicate()

    assert process.returncode == 0
    assert events[0]["event"] == "connected"
    assert max(event.get("transcript", "") for event in events) == "Hello and welcome."
    assert (events[-1]["event"], events[-1]["reason"]) == ("disconnected", "ended")
    kept = [json.loads(line) for line in (tmp_path / "kept" / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in kept] == [event["event"] for event in events]
    for name in ("microphone", "processed", "ai"):
        with wave.open(str(tmp_path / "kept" / f"{name}.wav")) as file:
            assert (file.getframerate(), file.getnchannels()) == (48000, 1)
            assert file.getnframes() > 24000


async def test_join_leaves_after_its_time_and_speaks_plainly() -> None:
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        process = await command(
            *("join", invitation.conversation_url, "--token", invitation.token, "--voice-only"),
            *("--mic", __file__, "--speaker", "none", "--seconds", "6", "--join-timeout", "30"),
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 0
    assert out.decode().splitlines()[0].startswith("DEVICE_NOT_FOUND: ")  # this file is no sound
    assert "connected; Ctrl-C leaves" in out.decode()
    assert "AI:  Hello and welcome." in out.decode()
    assert out.decode().splitlines()[-1] == "disconnected: left"


async def test_join_fails_with_one_line(unused_tcp_port: int) -> None:
    process = await command(
        *("join", f"http://127.0.0.1:{unused_tcp_port}/c", "--token", "t", "--voice-only", "--speaker", "none")
    )
    _, error = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 1
    assert error.decode().startswith("CONNECTION_FAILED: ")


@pytest.mark.parametrize(
    ("event", "ai_transcript", "sentence"),
    [
        (AIIdle(interrupted=True), "One two", "AI:  One two ..."),
        (AIIdle(), "", None),
        (UserTranscript("hello"), "", "you: hello"),
        (UserTranscript("hel", final=False), "", None),
        (Perception("happy", None), "", "(seen: happy)"),
        (Reconnecting(2, 0.5), "", "reconnecting, attempt 2"),
        (ConnectionFailed("no way"), "", "CONNECTION_FAILED: no way"),
    ],
)
def test_events_for_a_person(event: Any, ai_transcript: str, sentence: str | None) -> None:
    assert sentence_of(event, ai_transcript) == sentence


def test_the_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "list_devices", Devices)
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])

    assert run("doctor", "--json", "--turn", "turn:127.0.0.1:9?transport=tcp", "--turn-user", "u") == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["network address"]["status"] == "failure"
    assert checks["TURN turn:127.0.0.1:9?transport=tcp"]["status"] == "failure"
    assert checks["UDP"]["status"] == "ok"
    assert checks["microphones"]["advice"].startswith("plug a microphone in")


def test_the_doctor_looks_for_the_server(unused_tcp_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--seconds", "0", "--url", f"http://127.0.0.1:{unused_tcp_port}/c") == 1
    assert "!!  server: " in capsys.readouterr().out


async def test_the_doctor_hears_the_echo_of_a_real_sound_card(tmp_path: Path) -> None:
    response = np.zeros(4800, np.float32)
    response[960] = 0.5  # 20 ms of way through the room, and what the card itself takes
    with sound_card(tmp_path) as environment, Room(environment, response):
        process = await command("doctor", "--json", "--seconds", "5", env=environment)
        out, error = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 0, error.decode()
    checks = {check["name"]: check for check in json.loads(out)}
    assert "microphone" in checks["microphones"]["found"]
    assert checks["microphone level"]["status"] == "ok"
    assert "ppm" in checks["clock"]["found"]
    assert "ms after the loudspeaker" in checks["echo"]["found"]


def test_a_clock_that_is_wrong_is_told() -> None:
    at_48_khz = [number * 0.01 for number in range(300)]
    at_44_khz = [number * 0.01 * 48 / 44.1 for number in range(300)]

    assert abs(doctor.drift_of(at_48_khz)) < 1
    assert doctor.drift_of(at_44_khz) == pytest.approx(-81_250, rel=0.01)
    assert doctor._clock(doctor.drift_of(at_48_khz)).status == "ok"
    assert doctor._clock(doctor.drift_of(at_44_khz)).status == "warning"


def test_the_doctor_tells_of_a_device_that_is_in_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refuse(_: Any) -> None:
        raise DeviceInUse("taken")

    monkeypatch.setattr(doctor, "list_devices", lambda: Devices(audio=(Device("Desk", "Desk"),)))
    monkeypatch.setattr(doctor.Microphone, "start", refuse)
    run("doctor")

    assert "--  sound: DEVICE_IN_USE: taken: close the other program that uses it" in capsys.readouterr().out
