"""Calls from a real Ray cluster of one machine."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from host import Host

from spike_engine import extras
from spike_engine.cluster import connect
from spike_engine.extras import MissingExtra
from spike_engine.server import ConversationServer


def test_a_cluster_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)

    with pytest.raises(MissingExtra, match=r"calling needs ray: pip install \"spike-engine\[ray\]\""):
        connect("local", "calling")


async def test_actors_call_and_all_is_collected(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs ray[data], which is in the dependency group peers")
    (tmp_path / "talk.json").write_text(json.dumps({"turns": [{"say": "Is there anybody at home?"}]}))
    async with ConversationServer(persona=Host) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "spike_engine.cli", "call", server.url, "--script", str(tmp_path / "talk.json")),
            *("--sessions", "2", "--cluster", "local", "--output", str(tmp_path / "out"), "--expect", "joined>=2"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, error = await asyncio.wait_for(process.communicate(), 110)

    assert process.returncode == 0, error.decode()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [record["number"] for record in report["calls"]] == [0, 1]
    assert report["metrics"]["first_sound_ms"]["count"] == 2
