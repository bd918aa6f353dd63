"""A sound card that is not there: PulseAudio's null sinks, and a room between loudspeaker and microphone.

What a program plays on the device "loudspeaker" reaches the device "microphone" through the room, together with what
`Room.say` puts into it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

RATE_HZ = 48000
BLOCK = RATE_HZ // 100
_MODULES = (
    f"module-null-sink sink_name=loudspeaker rate={RATE_HZ} channels=1 sink_properties=device.description=loudspeaker",
    f"module-null-sink sink_name=air rate={RATE_HZ} channels=1",
    "module-remap-source source_name=microphone master=air.monitor channels=1"
    " source_properties=device.description=microphone",
)
_ALSA = """
pcm.loudspeaker { type pulse device loudspeaker hint { show on description "loudspeaker" } }
pcm.microphone { type pulse device microphone hint { show on description "microphone" } }
pcm.!default { type asym playback.pcm "loudspeaker" capture.pcm "microphone" }
ctl.!default { type pulse }
"""
_STREAM = ("--raw", "--format=float32le", f"--rate={RATE_HZ}", "--channels=1")
_CUSHION_MS = 120  # so that a room that is held up leaves no gap in the air


@contextmanager
def sound_card(folder: Path) -> Iterator[dict[str, str]]:
    """Starts it; yields the environment in which a program finds the devices. Skips the test where it cannot run."""
    if not shutil.which("pulseaudio") or not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("PulseAudio is not installed (Debian: apt install pulseaudio pulseaudio-utils libasound2-plugins)")
    socket = folder / "pulse.socket"
    environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{socket}"}
    environment.pop("DISPLAY", None)
    (folder / ".asoundrc").write_text(_ALSA)
    modules = [f"module-native-protocol-unix auth-anonymous=1 socket={socket}", *_MODULES]
    command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=true"]
    command += [part for module in modules for part in ("-L", module)]
    with (folder / "pulse.log").open("w") as log, subprocess.Popen(command, env=environment, stderr=log) as daemon:
        try:
            deadline = time.monotonic() + 10
            while subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode:
                if daemon.poll() is not None or time.monotonic() > deadline:
                    pytest.skip(f"PulseAudio does not start: {(folder / 'pulse.log').read_text()[-400:]}")
                time.sleep(0.05)  # a daemon says nowhere that it is ready
            yield environment
        finally:
            daemon.terminate()


class Room:
    """Carries the loudspeaker to the microphone, block by block, in real time."""

    def __init__(self, environment: dict[str, str], response: NDArray[np.float32]) -> None:
        self._environment = environment
        parts = np.append(response, np.zeros(-len(response) % BLOCK, np.float32)).reshape(-1, BLOCK)
        self._response = np.fft.rfft(parts, 2 * BLOCK)
        self._lock = threading.Lock()
        self._voice: list[NDArray[np.float32]] = []
        self._said_at: float | None = None
        self._loud_blocks = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="room")

    def say(self, voice: NDArray[np.float32]) -> None:
        """Let somebody say `voice`, shape ``(n,)`` at 48 kHz, into the microphone as soon as may be."""
        blocks = np.append(voice, np.zeros(-len(voice) % BLOCK, np.float32)).reshape(-1, BLOCK)
        with self._lock:
            self._voice, self._said_at = list(blocks), None

    @property
    def said_at(self) -> float | None:
        """When the first sample of the last `say` went into the air, by ``time.monotonic``; None before."""
        return self._said_at

    @property
    def loud_s(self) -> float:
        """For how long the loudspeaker has been louder than -50 dBFS, all in all."""
        return self._loud_blocks * BLOCK / 48000

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        listen = ["parec", "--device=loudspeaker.monitor", "--latency-msec=10", *_STREAM]
        speak = ["pacat", "--device=air", f"--latency-msec={_CUSHION_MS}", *_STREAM]
        spectra = np.zeros_like(self._response)
        before = np.zeros(BLOCK, np.float32)
        with (
            subprocess.Popen(listen, env=self._environment, stdout=subprocess.PIPE) as ear,
            subprocess.Popen(speak, env=self._environment, stdin=subprocess.PIPE) as mouth,
        ):
            assert ear.stdout
            assert mouth.stdin
            while not self._ends.is_set():
                heard = np.frombuffer(ear.stdout.read(4 * BLOCK), np.float32)
                self._loud_blocks += bool(np.mean(heard**2) > 1e-5)
                spectra = np.roll(spectra, 1, axis=0)
                spectra[0] = np.fft.rfft(np.concatenate([before, heard]))
                before = heard
                echo = np.fft.irfft((spectra * self._response).sum(axis=0))[BLOCK:].astype(np.float32)
                mouth.stdin.write((echo + self._next_voice()).astype(np.float32).tobytes())
                mouth.stdin.flush()
            ear.terminate()
            mouth.terminate()

    def _next_voice(self) -> NDArray[np.float32]:
        with self._lock:
            if not self._voice:
                return np.zeros(BLOCK, np.float32)
            if self._said_at is None:
                self._said_at = time.monotonic()
            return self._voice.pop(0)
