"""A whole call on devices that come, go and are switched. A program of its own: PortAudio sees the environment once.

It expects the devices of tests/sound_card.py and those that tests/test_device_call.py adds, and prints what it measured
as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from spike_engine import DeviceNotFound, SpikeClient, frames
from spike_engine.devices import cameras
from spike_engine.media.filming import CameraTrack
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.server.persona import Speech

RATE_HZ = 48000
WINDOW = RATE_HZ // 200  # 5 ms
PAUSE_S = 0.5  # between two switches: more than any gap that is looked for
BLOCK_MS = 20.0
COLOURS = {"/dev/red": "red", "/dev/blue": "blue"}


class Siren(HummingPersona):
    """Speaks without a pause, so that every gap is the client's."""

    greeting = "Eeeeh."

    async def speak(self, text: str) -> Speech:
        time_s = np.arange(30 * RATE_HZ) / RATE_HZ
        return Speech((0.3 * np.sin(2 * np.pi * 300 * time_s)).astype(np.float32), RATE_HZ)


def longest_silence_ms(samples: NDArray[np.float32], level: float = 0.01) -> float:
    """Of the part between the first and the last sound."""
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    loud = np.flatnonzero(np.sqrt((windows**2).mean(axis=1)) > level)
    return float(np.diff(loud).max() - 1) * 1000 * WINDOW / RATE_HZ if len(loud) > 1 else float("inf")


class Call:
    """The client, and what is heard and seen of it."""

    def __init__(self, client: SpikeClient) -> None:
        self.client = client
        self.captured: list[NDArray[np.float32]] = []
        self.captured_at_s: list[float] = []
        self.pictures: list[tuple[float, str]] = []
        self.errors: asyncio.Queue[Any] = asyncio.Queue()
        self.changes: asyncio.Queue[Any] = asyncio.Queue()
        self.connected = 0
        client.add_audio_tap(self._tap)
        client.on("error", self.errors.put_nowait)
        client.on("devices-changed", self.changes.put_nowait)
        client.on("connected", self._count)
        prepare = CameraTrack.prepare

        def watched(track: CameraTrack, frame: Any) -> Any:
            red, _, blue = frames.to_ndarray(frame).reshape(-1, 3).mean(axis=0)
            self.pictures.append((asyncio.get_running_loop().time(), "red" if red > blue else "blue"))
            return prepare(track, frame)

        CameraTrack.prepare = watched  # type: ignore[method-assign]

    def _tap(self, kind: str, block: NDArray[np.float32]) -> None:
        if kind == "microphone":
            self.captured.append(block.copy())
            self.captured_at_s.append(asyncio.get_running_loop().time())

    def _count(self) -> None:
        self.connected += 1

    def level(self, last_s: float = 0.2) -> float:
        return float(np.abs(np.concatenate(self.captured[-round(50 * last_s) :])).max())

    async def until_whistle(self) -> None:
        """Until it has been heard for a second: a sound server's devices take up to two to begin."""
        async with asyncio.timeout(20):
            while len(self.captured) < 50 or min(np.abs(block).max() for block in self.captured[-50:]) < 0.1:
                await asyncio.sleep(0.1)

    async def until_devices(self, name: str, *, there: bool) -> float:
        """How long it took until the client was told that the microphone `name` is there, or is not."""
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(20):
            while (name in [device.id for device in (await self.changes.get()).devices.audio]) != there:
                pass
        return asyncio.get_running_loop().time() - began_s


def pactl(*arguments: str) -> str:
    return subprocess.run(["pactl", *arguments], check=True, capture_output=True, text=True).stdout.strip()


async def switch(call: Call) -> dict[str, Any]:
    """Other devices, thrice of each kind; of the gaps that come of it the shortest: a busy machine makes its own."""
    session = call.client._conversation and call.client._conversation.connection
    levels = [call.level()]
    microphones = [await switch_microphone(call, name) for name in ("headset_mic", "desk_mic", "headset_mic")]
    levels.append(call.level())
    loudspeakers = [await switch_loudspeaker(call, name) for name in ("headset", "loudspeaker", "headset")]
    cameras_ms = [await switch_camera(call, name) for name in ("/dev/blue", "/dev/red", "/dev/blue")]
    return {
        "levels": levels,
        "microphone_gap_ms": min(microphones),
        "loudspeaker_gap_ms": min(loudspeakers),
        "camera_gap_ms": min(cameras_ms),
        "last_colour": call.pictures[-1][1],
        "same_session": bool(session) and call.client._conversation.connection is session,
    }


async def switch_microphone(call: Call, name: str) -> float:
    call.captured.clear()
    call.captured_at_s.clear()
    await call.client.set_audio_device(name)
    await asyncio.sleep(PAUSE_S)
    waits_ms = 1000 * np.diff(call.captured_at_s)
    return longest_silence_ms(np.concatenate(call.captured)) + float(waits_ms.max()) - BLOCK_MS


async def switch_loudspeaker(call: Call, name: str) -> float:
    listen = ("parec", "--device=loudspeaker.monitor", "--latency-msec=20", "--raw", "--format=float32le")
    recorder = await asyncio.create_subprocess_exec(
        *listen, f"--rate={RATE_HZ}", "--channels=1", stdout=asyncio.subprocess.PIPE
    )
    assert recorder.stdout
    begun = await recorder.stdout.readexactly(4 * WINDOW)
    heard = asyncio.create_task(recorder.stdout.read())
    await asyncio.sleep(PAUSE_S)
    await call.client.set_output_device(name)
    await asyncio.sleep(PAUSE_S)
    recorder.terminate()
    recording = begun + await heard
    await recorder.wait()
    return longest_silence_ms(np.frombuffer(recording[: len(recording) // 4 * 4], np.float32))


async def switch_camera(call: Call, name: str) -> float:
    call.pictures.clear()
    await asyncio.sleep(PAUSE_S)
    await call.client.set_video_device(name)
    await asyncio.sleep(PAUSE_S)
    times = [at for at, _ in call.pictures]
    steps_ms = [1000 * (later - earlier) for earlier, later in itertools.pairwise(times)]
    assert len({colour for _, colour in call.pictures}) == 2
    return max(steps_ms) - float(np.median(steps_ms))  # more than the pause between two pictures


async def unplug(call: Call, module: str) -> dict[str, Any]:
    """Ask for a microphone that is not there, pull out the one in use, plug in a new one, end the sound server."""
    try:
        await call.client.set_audio_device("nothing")
        refused = ""
    except DeviceNotFound as error:
        refused = str(error)
    level_after_refusal = call.level()
    watching = asyncio.create_task(call.until_devices("headset_mic", there=False))
    await asyncio.sleep(0)
    pactl("unload-module", module)
    told_after_s = await watching
    error = await asyncio.wait_for(call.errors.get(), 20)
    await asyncio.sleep(PAUSE_S)
    level_without = call.level()
    watching = asyncio.create_task(call.until_devices("usb_mic", there=True))
    await asyncio.sleep(0)
    pactl("load-module", "module-sine-source", "source_name=usb_mic", "frequency=660")
    plugged_after_s = await watching
    await call.client.set_audio_device("usb_mic")
    await asyncio.sleep(PAUSE_S)
    level_after_plugging = call.level()
    pactl("exit")  # and with it everything that makes a sound
    last = {(await asyncio.wait_for(call.errors.get(), 20)).message for _ in range(2)}
    return {
        "refused": refused,
        "level_after_refusal": level_after_refusal,
        "told_after_s": told_after_s,
        "error": [error.code, error.message],
        "plugged_after_s": plugged_after_s,
        "level_without": level_without,
        "level_after_plugging": level_after_plugging,
        "last": sorted(last),
        "connected": [call.connected, call.client.state.is_connected],
    }


async def main() -> None:
    cameras._open_camera = lambda name, _: av.open(  # type: ignore[assignment]
        f"color=c={COLOURS[name]}:size=320x180:rate=30,realtime", format="lavfi"
    )
    async with ConversationServer(persona=Siren) as server:
        invitation = server.create_conversation()
        client = SpikeClient(
            conversation_url=invitation.conversation_url,
            token=invitation.token,
            audio_source="desk_mic",
            audio_output="loudspeaker",
            video_source="/dev/red",
            video_quality="low",
            echo_cancellation=False,
            noise_suppression=False,
            join_timeout_s=20.0,
        )
        call = Call(client)
        speaking = asyncio.ensure_future(client.wait_for("ai-speaking", timeout=30))
        async with client:
            await speaking
            await call.until_whistle()
            listed = await client.get_devices()
            found = {"audio": [(device.id, device.is_default) for device in listed.audio]}
            found |= {"output": [(device.id, device.is_default) for device in listed.audio_output]}
            found |= await switch(call) | await unplug(call, sys.argv[1])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
