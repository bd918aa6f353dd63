"""The command line: what it prints and how it exits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from spike_engine import Device, Devices, cli, devices
from spike_engine.server import extras


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to stop a server with")
def test_serve_listens_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "spike_engine.cli", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url = json.loads(server.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/health") as response:
            assert response.status == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
