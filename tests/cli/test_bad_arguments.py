"""Arguments that are none, programs that are missing, output that nobody reads: one line, no traceback, no hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spike_engine.addresses.text import printable

TIMEOUT_S = 60


def run(*arguments: str, program: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; `program` runs before it."""
    start = ["-c", f"{program}\nimport sys; from spike_engine.cli import main; sys.exit(main())"]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | environment,
    )


WITHOUT_DAILY = "import sys; sys.modules['daily'] = None"
JOIN = ["join", "http://127.0.0.1:9/c", "--token", "t", "--voice-only", "--speaker", "none"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["clean", "a.wav", "-o", "b.wav", "--processes", "-1"], "a whole number from 1"),
        (["clean", "a.wav", "-o", "b.wav", "--processes", "1e3"], "a whole number from 1"),
        (["clean", "a.wav", "-o", "b.wav", "--processes", "9" * 5000], "a whole number from 1"),
        (["clean", "a.wav", "-o", "b.wav", "--attenuation-db", "nan"], "a number from 0 to 60"),
        (["clean", "a.wav", "-o", "b.wav", "--attenuation-db", "-3"], "a number from 0 to 60"),
        (["serve", "--port", "99999"], "0 to 65535"),
        (["serve", "--port", "-1"], "0 to 65535"),
        (["demo", "--turns", "0"], "1 to 6"),
        (["demo", "--seconds", "inf"], "0 or more"),
        (["doctor", "--seconds", "nan"], "from 0 to 3600"),
        ([*JOIN, "--seconds", "-1"], "0 or more"),
        ([*JOIN, "--join-timeout", "0"], "from 0.1 to 3600"),
        ([*JOIN, "--quality", "best"], "invalid choice"),
        (["fly"], "invalid choice"),
        (["clean", "", "-o", "out"], "names no file"),
        (["clean", "a.wav", "-o", " "], "names no file"),
        (["clean", "a.wav", "-o", "b.wav", "--far", ""], "names no file"),
        ([*JOIN, "--record", ""], "names no file"),
    ],
)
def test_a_number_that_is_not_accepted_is_refused_in_one_line(arguments: list[str], words: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--host", "no-such-host.invalid"], "spike-engine: "),
        (["serve", "--host", "a" * 80], "spike-engine: "),
        (["serve", "--host", "256.1.1.1"], "spike-engine: [Errno -2] cannot listen on '256.1.1.1', port 7860"),
        (["serve", "--public-url", "nonsense"], "INVALID_OPTION: public_url must be an http:// or https:// address"),
        (["serve", "--public-url", "javascript:alert(1)"], "INVALID_OPTION: public_url"),
        (["serve", "--port", "0", "--allow-origin", "http://["], "spike-engine: an origin is scheme://host"),
        (["clean", "a.wav", "-o", "s3://bucket/b.wav"], "spike-engine: s3://bucket/b.wav is an address"),
        (["join", "ftp://bot.example", "--token", "t"], "INVALID_OPTION: conversation_url"),
        (["join", "http://bot.example", "--token", "t"], "INVALID_OPTION: conversation_url"),
        (["join", "https://bot.example"], "INVALID_OPTION: token"),
        (["join", "https://bot.example", "--token", "t", "--ice-server", "turn:"], "INVALID_OPTION: ice_servers"),
        (["join", "https://bot.example", "--token", "t", "--ca-file", "none.pem"], "INVALID_OPTION: ca_file"),
        ([*JOIN, "--record", "/dev/null/x"], "spike-engine: "),
        (["demo", "--output", "/dev/null/x", "--turns", "1"], "spike-engine: "),
        (["clean", "none.wav", "-o", "x.wav"], "spike-engine: none.wav cannot be read: no such file"),
        (["doctor", "--turn", "nonsense", "--seconds", "0"], "INVALID_OPTION: ice_servers"),
        (["doctor", "--turn", "stun:bot.example", "--seconds", "0"], "INVALID_OPTION: --turn must begin with turn:"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], words: str) -> None:
    done = run(*arguments, SPIKE_TOKEN="")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(words)


def test_a_transport_whose_package_is_missing_says_how_to_get_it() -> None:
    done = run("join", "https://room.daily.co/x", "--token", "t", "--voice-only", program=WITHOUT_DAILY)

    assert done.returncode == 2
    assert done.stderr == 'Daily rooms need daily-python: pip install "spike-engine[daily]"\n'


def test_the_token_can_come_from_the_environment_where_no_other_user_sees_it() -> None:
    done = run(*JOIN[:2], "--voice-only", "--speaker", "none", SPIKE_TOKEN="t\n")

    assert done.stderr.startswith("CONNECTION_FAILED")


def test_why_nobody_joined_is_told_once() -> None:
    done = run(*JOIN, "--mic", "x" * 5000)

    assert "CONNECTION_FAILED" not in done.stdout
    assert "disconnected" not in done.stdout
    assert len(done.stderr.splitlines()) == 1


WHILE_PORTAUDIO_STARTS = """
import os
from spike_engine import ConnectionFailed
from spike_engine.client import SpikeClient

async def join(client):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # as sounddevice does meanwhile, in a thread
    raise ConnectionFailed("nobody is there")

SpikeClient.join = join
"""


def test_what_fails_while_portaudio_starts_is_told() -> None:
    done = run(*JOIN, program=WHILE_PORTAUDIO_STARTS)

    assert done.returncode == 1
    assert done.stderr == "CONNECTION_FAILED: nobody is there\n"


def test_an_address_of_a_model_that_is_none_is_one_line() -> None:
    done = run("serve", "--port", "0", SPIKE_CHAT_MODEL="m", OPENAI_BASE_URL="localhost:11434/v1")

    assert done.returncode == 1
    assert done.stderr.startswith("INVALID_OPTION: OPENAI_BASE_URL must be an http://")


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of POSIX")
def test_a_reader_that_leaves_early_is_no_fault() -> None:
    command = f"{sys.executable} -m spike_engine.cli --help | true; {sys.executable} -m spike_engine.cli devices | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    assert done.stderr == ""


def test_a_bug_is_one_line_and_the_traceback_is_there_for_who_asks() -> None:
    bug = "from spike_engine import devices; devices.list_devices = lambda: 1 / 0"

    assert run("devices", program=bug).stderr == "spike-engine: ZeroDivisionError: division by zero\n"


def test_a_terminal_without_a_character_shows_its_number(tmp_path: Path) -> None:
    done = run("clean", str(tmp_path / "naïve\x1b[2J.wav"), "-o", "x.wav", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert "na\\xefve [2J.wav" in done.stderr
    assert "\x1b" not in done.stderr


def test_what_is_printed_cannot_steer_a_terminal() -> None:
    assert printable("a\x1b[2J\nb\u202e") == "a [2J b "
