"""A real Ray cluster of one machine: a corpus that it cleans, with a worker killed in the middle, and calls."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host import Host
from rooms import NEAR, speech

from spike_engine import cli
from spike_engine.corpus import Cleaner
from spike_engine.corpus.clips import wave_bytes
from spike_engine.rig.plan import Plan
from spike_engine.rig.record import CallRecord
from spike_engine.rig.runner import run
from spike_engine.rig.script import Line, Script, Turn
from spike_engine.rig.voices import voices_of
from spike_engine.server import ConversationServer

ray = pytest.importorskip("ray", reason="needs ray[data], which is in the dependency group peers")


def clips(count: int) -> list[np.ndarray[Any, Any]]:
    voice = 0.3 * speech(NEAR, 16000, 3.0)
    random = np.random.default_rng(5)
    return [(voice + 0.02 * random.standard_normal(len(voice))).astype(np.float32) for _ in range(count)]


@pytest.mark.filterwarnings("ignore")  # ray's and pyarrow's own
def test_map_batches_cleans_every_row(cluster: None) -> None:
    given = clips(6)
    rows = [{"id": i, "amplitude": clip[None], "sample_rate": 16000} for i, clip in enumerate(given)]

    cleaned = ray.data.from_items(rows).map_batches(Cleaner(), batch_size=2, num_cpus=1).take_all()

    expected = Cleaner(rate_hz=16000)({"audio": given})["audio"]
    assert sorted(row["id"] for row in cleaned) == list(range(6))
    for row in cleaned:
        assert row["error"] == ""
        np.testing.assert_array_equal(np.asarray(row["amplitude"])[0], expected[row["id"]])


@pytest.mark.filterwarnings("ignore")
def test_a_worker_that_is_killed_loses_nothing(cluster: None, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, clip in enumerate(clips(24)):
        (tmp_path / "in" / f"{number:02}.wav").write_bytes(wave_bytes(clip[:, None], 16000))
    paths = sorted(str(path) for path in (tmp_path / "in").iterdir())
    out, marked = str(tmp_path / "out"), str(tmp_path / "killed")

    def clean_and_die_once(batch: dict[str, Any]) -> dict[str, Any]:
        rows = Cleaner().files(batch["path"][:2], out=out)
        if not Path(marked).exists():
            Path(marked).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        rows += Cleaner().files(batch["path"][2:], out=out)
        return {name: [row[name] for row in rows] for name in rows[0]}

    data = ray.data.from_items([{"path": path} for path in paths])
    done = data.map_batches(clean_and_die_once, batch_size=6, num_cpus=1).take_all()

    assert Path(marked).exists()
    assert sorted(row["path"] for row in done) == paths
    assert not any(row["error"] for row in done)
    assert sorted(path.name for path in Path(out).glob("*.wav")) == sorted(Path(path).name for path in paths)
    assert sum(row["skipped"] for row in done) == 2  # what the killed worker had finished was not made again


@pytest.mark.filterwarnings("ignore")
def test_the_command_cleans_on_a_cluster_what_it_cleans_alone(
    cluster: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "raw"
    for number, clip in enumerate(clips(3)):
        path = raw / f"{number % 2}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wave_bytes(clip[: -4000 * number or None, None], 16000))
    (raw / "broken.wav").write_bytes(b"RIFF")
    command = ["clean", str(raw), "--attenuation-db", "20", "--json"]

    assert cli.main([*command, "-o", str(tmp_path / "alone"), "--processes", "1"]) == 1
    capsys.readouterr()
    assert cli.main([*command, "-o", str(tmp_path / "there"), "--cluster", "local"]) == 1
    said = capsys.readouterr()
    assert cli.main([*command, "-o", str(tmp_path / "there"), "--cluster", "local"]) == 1
    again = capsys.readouterr()

    alone = {path.relative_to(tmp_path / "alone"): path.read_bytes() for path in (tmp_path / "alone").rglob("*.wav")}
    there = {path.relative_to(tmp_path / "there"): path.read_bytes() for path in (tmp_path / "there").rglob("*.wav")}
    assert sorted(map(str, alone)) == ["0/0.wav", "0/2.wav", "1/1.wav"]
    assert alone == there
    assert "broken.wav" in said.err
    assert [row["skipped"] for row in json.loads(said.out)] == [False] * 3
    assert [row["skipped"] for row in json.loads(again.out)] == [True] * 3
    assert all(row["cpu_s"] > 0 for row in json.loads(said.out))


@pytest.mark.filterwarnings("ignore")
def test_the_command_takes_addresses_and_one_file(cluster: None, tmp_path: Path) -> None:
    (tmp_path / "one.wav").write_bytes(wave_bytes(clips(1)[0][:, None], 16000))

    assert cli.main(["clean", str(tmp_path / "one.wav"), "-o", str(tmp_path / "out.flac"), "--cluster", "local"]) == 0
    assert (tmp_path / "out.flac").exists()
    assert cli.main(["clean", f"file://{tmp_path}", "-o", f"file://{tmp_path}/far", "--cluster", "local"]) == 0
    assert sorted(path.name for path in (tmp_path / "far").glob("*.*a*")) == ["one.wav", "out.flac"]


@pytest.mark.filterwarnings("ignore")
async def test_actors_call_and_all_is_collected(cluster: None) -> None:
    script = Script((Turn((Line("Is there anybody at home?"),)),), join_timeout_s=30.0)
    said: list[Any] = []
    async with ConversationServer(persona=Host) as server:
        plan = Plan(server.url, None, script, await voices_of(script.lines), sessions=2, per_second=10.0)
        await run(plan, said.append, processes=2, cluster="local")

    records = sorted((each for each in said if isinstance(each, CallRecord)), key=lambda record: record.number)
    assert [record.number for record in records] == [0, 1]
    assert all(record.first_sound_ms for record in records), records


@pytest.mark.filterwarnings("ignore")
async def test_a_run_that_is_stopped_on_a_cluster_tells_of_its_calls(cluster: None) -> None:
    script = Script((Turn((Line("Hello?"),), (3600.0, 3600.0)),), join_timeout_s=30.0)
    said: list[Any] = []
    async with ConversationServer(persona=Host) as server:
        plan = Plan(server.url, None, script, await voices_of(script.lines), sessions=2, per_second=10.0)
        running = asyncio.create_task(run(plan, said.append, processes=2, cluster="local"))
        async with asyncio.timeout(60):
            while len(server._pool.ids) < 2:
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait({running})

    assert running.cancelled()
    assert [each.stopped for each in said if isinstance(each, CallRecord)] == [True, True]
