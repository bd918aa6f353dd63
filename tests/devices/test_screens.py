"""The screen in the place of a camera: a real X server without a monitor, where there is one."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator

import av
import pytest

from spike_engine import DeviceNotFound
from spike_engine.devices import Screen

pytestmark = pytest.mark.usefixtures("nothing_left_open")


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if not shutil.which("Xvfb") or "x11grab" not in av.formats_available:
        pytest.skip("needs Xvfb, and a PyAV with x11grab")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "320x240x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as told:
        number = told.readline().strip()
    monkeypatch.setenv("DISPLAY", f":{number}")
    yield number
    server.terminate()
    server.wait()


@pytest.mark.usefixtures("display")
async def test_the_screen_is_seen() -> None:
    screen = Screen(10)
    await screen.start()
    await screen.ready()
    picture = await screen.read()
    await screen.close()

    assert picture.shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("system", "display", "message"),
    [
        ("Linux", "", "DISPLAY is not set"),
        ("Linux", ":97", "the screen cannot be opened"),
        ("Windows", ":0", "lacks FFmpeg's gdigrab"),
        ("Plan9", ":0", "cannot be read on Plan9"),
    ],
)
async def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, system: str, display: str, message: str
) -> None:
    if system == platform.system() and display and "x11grab" not in av.formats_available:
        pytest.skip("needs a PyAV with x11grab")
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setenv("DISPLAY", display)
    screen = Screen(10)
    with pytest.raises(DeviceNotFound, match=message):
        await screen.start()
    await screen.close()
