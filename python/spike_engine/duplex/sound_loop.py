"""The thread in which a duplex device captures, cleans and plays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spike_engine.devices import AudioSource, Silence
from spike_engine.devices.base import latency_s_of
from spike_engine.devices.output import Output
from spike_engine.devices.watch import DeviceWatch
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.duplex.front_end import FrontEnd
from spike_engine.duplex.player import Player
from spike_engine.errors import MediaError
from spike_engine.events import Devices
from spike_engine.sources.opened import loudspeaker_of, microphone_of, started

FRAME_SAMPLES = ENGINE_RATE_HZ // 100

Kind = Literal["microphone", "loudspeaker"]


class SoundLoop:
    """Opens two devices, and hands on what the microphone hears, cleaned, in frames of 10 ms, until it is stopped.

    Its event loop is its own, so that neither a busy loop of the program's nor a slow handler costs sound. It is used
    once.

    Args:
        microphone: A device id, or an object of the program's.
        loudspeaker: The same.
        front_end: What cleans.
        output: What the loudspeaker is put into.
        player: What is to be played; `output` plays it already.
        on_frame: Takes each cleaned frame, mono float32 at 48 kHz; on this thread.
        on_error: Takes the error of a device that is gone, silence taking its place; on this thread.
        on_devices: Takes the list of devices after each change, from `watch_devices` on; on this thread.
        on_end: Called when everything is closed; on this thread.
    """

    def __init__(
        self,
        microphone: Any,
        loudspeaker: Any,
        front_end: FrontEnd,
        output: Output,
        player: Player,
        *,
        on_frame: Callable[[NDArray[np.float32]], None],
        on_error: Callable[[MediaError], None],
        on_devices: Callable[[Devices], None],
        on_end: Callable[[], None],
    ) -> None:
        self._given: dict[Kind, Any] = {"microphone": microphone, "loudspeaker": loudspeaker}
        self._microphone: Any = Silence()
        self._front_end, self._output, self._player = front_end, output, player
        self._on_frame, self._on_error, self._on_end = on_frame, on_error, on_end
        self._watch, self._watches = DeviceWatch(on_devices), False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flushes = False
        self._stop: asyncio.Event | None = None
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="duplex audio", daemon=True)

    @property
    def is_running(self) -> bool:
        """The devices are open."""
        return self._loop is not None and self._ready.done() and self._thread.is_alive()

    @property
    def microphone_latency_s(self) -> float:
        """What the microphone says of its own delay; 0 where it says nothing."""
        return latency_s_of(self._microphone)

    def flush(self) -> None:
        """Drop what is to be played, and what a loudspeaker of the program's has queued."""
        self._player.flush()
        self._flushes = True  # its flush() is called where the rest of it is

    def start(self) -> Future[None]:
        """Begin; the future is done when both devices run, or has the error of the one that does not."""
        self._thread.start()
        return self._ready

    def stop(self) -> None:
        """End it soon; may be called from any thread and twice."""
        if self._stop:
            self._soon(self._stop.set)

    def watch_devices(self) -> None:
        """Tell of devices that come and go; may be called before `start`, from any thread and twice."""
        self._watches = True
        if self.is_running:
            self._soon(self._watch.start)

    def join(self) -> None:
        """Wait until everything is closed."""
        if self._thread.ident is not None:
            self._thread.join()

    def replace(self, kind: Kind, device: Any) -> Future[None]:
        """Use another device from the next frame on; on a :class:`MediaError` the one before stays in use."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._replace(kind, device), self._loop)

    def _soon(self, call: Callable[[], None]) -> None:
        if self._loop and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(call)
            except RuntimeError:  # it has just ended
                self._loop = None

    # --- in the thread ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            self._microphone = await self._opened("microphone", self._given["microphone"])
            await self._output.replace(await self._opened("loudspeaker", self._given["loudspeaker"]))
        except BaseException as error:
            await self._close_devices()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        if self._watches:
            self._watch.start()
        capturing = asyncio.create_task(self._capture())
        await self._stop.wait()
        capturing.cancel()
        await asyncio.gather(capturing, return_exceptions=True)
        await self._close_devices()
        self._on_end()

    async def _close_devices(self) -> None:
        await asyncio.gather(
            self._microphone.close(), self._output.close(), self._watch.close(), return_exceptions=True
        )

    async def _opened(self, kind: Kind, given: Any) -> Any:
        device_of: Any = microphone_of if kind == "microphone" else loudspeaker_of
        return await started(device_of(given, kind, self._on_error))

    async def _replace(self, kind: Kind, device: Any) -> None:
        opened = await self._opened(kind, device)
        if kind == "loudspeaker":
            await self._output.replace(opened)
        else:
            before, self._microphone = self._microphone, opened
            await before.close()

    async def _capture(self) -> None:
        while True:
            microphone: AudioSource = self._microphone
            try:
                captured = await microphone.read(microphone.sample_rate_hz // 100)
            except MediaError as error:
                if microphone is self._microphone:
                    self._microphone = Silence()
                    self._on_error(error)
                    await microphone.close()
                continue
            self._play_on()
            self._on_frame(self._front_end.process(captured, microphone.sample_rate_hz))

    def _play_on(self) -> None:
        """Keep the loudspeaker supplied."""
        if self._flushes:
            self._flushes = False
            self._output.device.flush()
        self._player.top_up()
        self._output.feed(FRAME_SAMPLES)
