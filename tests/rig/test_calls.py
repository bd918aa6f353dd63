"""Real calls with the embedded server: by hand, through a bad network, and as the command line makes them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from host import Host

from spike_engine.cli.arguments import parser
from spike_engine.cli.call import make_calls
from spike_engine.rig.caller import call
from spike_engine.rig.network import Road
from spike_engine.rig.plan import Plan
from spike_engine.rig.record import CallRecord
from spike_engine.rig.script import Line, Network, Script, Turn
from spike_engine.rig.share import Share, State
from spike_engine.rig.voices import voices_of
from spike_engine.server import ConversationServer

HELLO = Line("Is there anybody at home, or is everybody out?")
SCRIPT = Script((Turn((HELLO,), (0.1, 0.2)),))


@pytest.fixture
async def server() -> AsyncIterator[ConversationServer]:
    async with ConversationServer(persona=Host, max_conversations=4) as server:
        yield server


async def plan_of(url: str, script: Script = SCRIPT, **options: Any) -> Plan:
    return Plan(url, None, script, await voices_of(script.lines), **options)


async def called(plan: Plan, number: int) -> CallRecord:
    records: list[CallRecord] = []
    await call(plan, number, asyncio.get_running_loop().time(), records.append)
    (record,) = records
    return record


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_call_measures_what_a_user_would_notice(server: ConversationServer) -> None:
    plan = await plan_of(server.url, Script((*SCRIPT.turns, Turn((HELLO,), barge_in_after_s=(0.3, 0.3)))))

    record = await called(plan, 7)

    assert record.faults == []
    assert record.number == 7
    assert record.join_ms
    assert record.first_sound_ms
    assert 0 < record.join_ms < record.first_sound_ms < 10_000
    answered, interrupting = record.turns
    assert answered.heard_as == "something"
    assert answered.understood == 0.0  # which is not what was said
    assert answered.answer_ms
    assert 100 < answered.answer_ms < 5000
    assert answered.barge_in_ms is None
    assert interrupting.barge_in_ms
    assert 0 < interrupting.barge_in_ms < 3000
    assert record.loss == 0.0
    assert server._pool.ids == []  # it was ended, and keeps no place


@pytest.mark.usefixtures("nothing_left_open")
async def test_a_bad_network_is_noticed(server: ConversationServer) -> None:
    script = Script(SCRIPT.turns, network=Network(loss=0.1, delay_ms=50.0, jitter_ms=10.0))

    record = await called(await plan_of(server.url, script), 0)

    assert record.joined_at_s, record.faults
    assert record.loss
    assert 0.02 < record.loss < 0.25
    assert record.rtt_ms
    assert record.rtt_ms > 90


async def test_the_same_seed_loses_the_same_packets() -> None:
    async def carried(seed: int) -> list[int]:
        road, arrived = Road(Network(loss=0.3), seed), list[int]()
        for number in range(50):
            road.carry(arrived.append, number)
        assert (road.passed, road.dropped) == (len(arrived), 50 - len(arrived))
        return arrived

    assert await carried(1) == await carried(1) != await carried(2)


async def test_refusals_have_their_codes(server: ConversationServer, unused_tcp_port: int) -> None:
    for _ in range(4):
        server.create_conversation()

    refused = await called(await plan_of(server.url), 0)
    unreachable = await called(await plan_of(f"http://127.0.0.1:{unused_tcp_port}"), 1)
    strange = await called(Plan(f"{server.url}/conversations/none", "token", SCRIPT, {}), 2)

    codes = [record.faults[0].code for record in (refused, unreachable, strange)]
    assert codes == ["HTTP_503", "UNREACHABLE", "CONVERSATION_ENDED"]
    assert "4 conversations" in refused.faults[0].message


async def test_a_share_makes_its_part_of_the_calls(unused_tcp_port: int) -> None:
    plan = await plan_of(f"http://127.0.0.1:{unused_tcp_port}", sessions=5, per_second=1000.0)
    said: list[Any] = []

    await asyncio.wait_for(Share(plan, 1, 2).run(0.0, said.append), 10)

    assert sorted(record.number for record in said if not isinstance(record, State)) == [1, 3]
    assert any(isinstance(record, State) for record in said)


async def started(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "spike_engine.cli", *arguments, stdout=pipe, stderr=pipe
    )


async def spike_engine(*arguments: str) -> tuple[int | None, str, str]:
    process = await started(*arguments)
    out, error = await asyncio.wait_for(process.communicate(), 100)
    return process.returncode, out.decode(), error.decode()


async def test_the_command_calls_from_several_processes(server: ConversationServer, tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text(json.dumps({"turns": [{"say": HELLO.text, "pause_s": [0.1, 0.3]}]}))
    code, out, error = await spike_engine(
        *("call", server.url, "--script", str(tmp_path / "talk.json"), "--output", str(tmp_path / "out"), "--json"),
        *("--sessions", "4", "--ramp", "2/s", "--processes", "2"),
        *("--expect", "p95_first_sound_ms<20000", "--expect", "joined>=4", "--expect", "p50_join_ms<1"),
    )

    report = json.loads(out)
    assert code == 1  # nobody joins within a millisecond
    assert "expected p50_join_ms<1, was " in error
    assert [expected["met"] for expected in report["expectations"]] == [True, True, False]
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert [record["number"] for record in report["calls"]] == [0, 1, 2, 3]
    assert report["metrics"]["answer_ms"]["count"] >= 1, report["faults"]  # not all where the machine is busy
    assert report["settings"]["processes"] == 2


async def test_the_command_fails_where_what_is_expected_is_missed(unused_tcp_port: int, tmp_path: Path) -> None:
    code, _, error = await spike_engine(
        "call", f"http://127.0.0.1:{unused_tcp_port}", "--output", str(tmp_path), "--expect", "joined>=1"
    )

    assert code == 1
    assert "None" not in error
    assert "1 calls, 0 joined, 1 failed" in error
    assert error.splitlines()[-1] == "spike-engine: expected joined>=1, was 0"
    assert "UNREACHABLE" in (tmp_path / "report.html").read_text()


async def test_figures_are_shown_where_the_report_cannot_be_written(
    unused_tcp_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("report.html", "report.json"):
        (tmp_path / name).mkdir()  # so that nothing can take its name
    options = parser().parse_args(["call", f"http://127.0.0.1:{unused_tcp_port}", "--output", str(tmp_path), "--json"])

    assert await make_calls(options) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["totals"]["failed"] == 1
    assert "spike-engine: the report was not written: " in said.err
    assert len(said.err.splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["report.html", "report.json"]


async def _until_begun(server: ConversationServer, count: int) -> None:
    async with asyncio.timeout(60):
        while len(server._pool.ids) < count:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("name", "processes"), [("SIGINT", 1), ("SIGTERM", 2)])
async def test_a_signal_ends_the_calls_and_not_the_report(
    name: str, processes: int, server: ConversationServer, tmp_path: Path
) -> None:
    (tmp_path / "talk.json").write_text(json.dumps({"turns": [{"say": HELLO.text, "pause_s": 3600}]}))
    arguments = ("--script", str(tmp_path / "talk.json"), "--output", str(tmp_path / "out"), "--json")
    process = await started(
        *("call", server.url, *arguments, "--sessions", "4", "--ramp", "2/s", "--processes", str(processes))
    )
    await _until_begun(server, 2)
    process.send_signal(getattr(signal, name))
    out, error = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 128 + getattr(signal, name)
    (line,) = error.decode().splitlines()
    assert line.startswith(f"spike-engine: stopped by {name} when ")
    report = json.loads(out)
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["stopped_by"] == name
    assert 2 <= len(report["calls"]) <= 4
    assert all(record["stopped"] and not record["faults"] for record in report["calls"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]
    assert f"stopped by {name}" in (tmp_path / "out" / "report.html").read_text()
    assert server._pool.ids == []  # the calls were left, not dropped


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--expect", "quick"), 1, "INVALID_OPTION: an expectation is like p95_first_sound_ms<1200"),
        (("--script", "nothing.json"), 1, "INVALID_OPTION: nothing.json cannot be read"),
        (("--ramp", "0/s"), 2, "must be a rate above 0, such as 10/s or 90/min"),
        (("--sessions", "0"), 2, "must be a whole number"),
        (("--output", __file__), 1, "spike-engine: [Errno 17] File exists"),
    ],
)
async def test_what_cannot_be_run_is_said(arguments: tuple[str, ...], code: int, says: str) -> None:
    returned, _, error = await spike_engine("call", "http://127.0.0.1:9", *arguments)

    assert returned == code
    assert says in error
    assert len(error.splitlines()) == 1


async def test_the_command_fails_where_nobody_joined(unused_tcp_port: int, tmp_path: Path) -> None:
    code, *_ = await spike_engine("call", f"http://127.0.0.1:{unused_tcp_port}", "--output", str(tmp_path))

    assert code == 1
