"""Switching, unplugging and plugging in devices in a running call: PulseAudio's for sound, generated cameras."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sound_card import sound_card

MOST_MS = 200  # of silence, or without a picture


@contextmanager
def listening(device: str, environment: dict[str, str]) -> Iterator[None]:
    """While somebody listens closely, PulseAudio's own whistle does not fall back into blocks of two seconds."""
    command = ["parec", f"--device={device}", "--latency-msec=10"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as listener:
        yield
        listener.kill()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder: Path = tmp_path_factory.mktemp("sound")
    with sound_card(folder) as environment:
        for module in (
            "module-sine-source source_name=desk_mic frequency=440",
            "module-remap-sink sink_name=headset master=loudspeaker channels=1",
            "module-sine-source source_name=headset_mic frequency=880",
        ):
            command = ["pactl", "load-module", *module.split()]
            number = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["pactl", "set-source-volume", "headset_mic", "0.5"], env=environment, check=True)
        with listening("desk_mic", environment), listening("headset_mic", environment):
            program = [sys.executable, str(Path(__file__).parents[1] / "tools" / "device_call.py"), number]
            done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)


def test_pulseaudios_devices_are_listed_by_their_names(measured: dict[str, Any]) -> None:
    assert ["desk_mic", False] in measured["audio"]
    assert ["headset_mic", False] in measured["audio"]
    assert not [name for name, _ in measured["audio"] if name.endswith(".monitor")]
    assert ["headset", False] in measured["output"]


def test_each_device_is_switched_without_a_long_gap_and_in_the_same_connection(measured: dict[str, Any]) -> None:
    loud, quiet = measured["levels"]
    assert measured["microphone_gap_ms"] <= MOST_MS
    assert quiet == pytest.approx(loud / 2, rel=0.2)
    assert measured["loudspeaker_gap_ms"] <= MOST_MS
    assert measured["last_colour"] == "blue"
    assert measured["camera_gap_ms"] <= MOST_MS
    assert measured["same_session"]
    assert measured["connected"][0] == 1


def test_a_device_that_is_missing_is_refused_and_the_one_before_stays(measured: dict[str, Any]) -> None:
    assert "nothing" in measured["refused"]
    assert "headset_mic" in measured["refused"]
    assert measured["level_after_refusal"] == measured["levels"][1]


def test_a_microphone_that_is_pulled_out_and_another_that_is_plugged_in(measured: dict[str, Any]) -> None:
    assert measured["told_after_s"] < 10
    assert measured["error"][0] == "DEVICE_NOT_FOUND"
    assert "headset_mic" in measured["error"][1]
    assert measured["level_without"] == 0
    assert measured["plugged_after_s"] < 10
    assert measured["level_after_plugging"] == pytest.approx(measured["levels"][0], rel=0.2)


def test_a_call_goes_on_without_any_sound_server(measured: dict[str, Any]) -> None:
    assert ["'headset'" in measured["last"][0], "'usb_mic'" in measured["last"][1]] == [True, True]
    assert measured["connected"] == [1, True]
