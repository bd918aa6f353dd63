"""The thread in which a duplex device captures, cleans and plays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.devices import AudioSink, AudioSource, Silence
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.duplex.player import Player
from spike_engine.errors import MediaError
from spike_engine.sources.guarded import GuardedSink, GuardedSound
from spike_engine.sources.resolve import audio_source_of, named, sink_of

FRAME_SAMPLES = ENGINE_RATE_HZ // 100

Kind = Literal["microphone", "loudspeaker"]


class SoundLoop:
    """Opens two devices, and hands on what the microphone hears, cleaned, in frames of 10 ms, until it is stopped.

    Its event loop is its own, so that neither a busy loop of the program's nor a slow handler costs sound. It is used
    once.

    Args:
        microphone: A device id, or an object of the program's.
        loudspeaker: The same.
        chain: What cleans.
        player: What is to be played.
        on_frame: Takes each cleaned frame, mono float32 at 48 kHz; on this thread.
        on_error: Takes the error of a device that is gone, silence taking its place; on this thread.
        on_end: Called when everything is closed; on this thread.
    """

    def __init__(
        self,
        microphone: Any,
        loudspeaker: Any,
        chain: dsp.CapturePipeline,
        player: Player,
        *,
        on_frame: Callable[[NDArray[np.float32]], None],
        on_error: Callable[[MediaError], None],
        on_end: Callable[[], None],
    ) -> None:
        self._given: dict[Kind, Any] = {"microphone": microphone, "loudspeaker": loudspeaker}
        self._devices: dict[Kind, Any] = {}
        self._chain, self._player = chain, player
        self._on_frame, self._on_error, self._on_end = on_frame, on_error, on_end
        self._captured, self._far_end, self._to_sink = RateConverter(), RateConverter(), RateConverter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pulls = False  # the loudspeaker does, by itself
        self._stop: asyncio.Event | None = None
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="duplex audio", daemon=True)

    @property
    def is_running(self) -> bool:
        """The devices are open."""
        return self._loop is not None and self._ready.done() and self._thread.is_alive()

    def latency_s(self, kind: Kind) -> float:
        """What a device says of its own delay; 0 where it says nothing."""
        return float(getattr(self._devices.get(kind), "latency_s", 0.0))

    def start(self) -> Future[None]:
        """Begin; the future is done when both devices run, or has the error of the one that does not."""
        self._thread.start()
        return self._ready

    def stop(self) -> None:
        """End it soon; may be called from any thread and twice."""
        if self._loop and self._stop and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:  # it has just ended
                self._loop = None

    def join(self) -> None:
        """Wait until everything is closed."""
        if self._thread.ident is not None:
            self._thread.join()

    def replace(self, kind: Kind, device: Any) -> Future[None]:
        """Use another device from the next frame on; on a :class:`MediaError` the one before stays in use."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._replace(kind, device), self._loop)

    # --- in the thread ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            for kind, device in self._given.items():
                self._devices[kind] = await self._opened(kind, device)
            self._connect()
        except BaseException as error:
            await self._close_devices()
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        capturing = asyncio.create_task(self._capture())
        await self._stop.wait()
        capturing.cancel()
        await asyncio.gather(capturing, return_exceptions=True)
        await self._close_devices()
        self._on_end()

    async def _close_devices(self) -> None:
        await asyncio.gather(*(device.close() for device in self._devices.values()), return_exceptions=True)

    async def _opened(self, kind: Kind, given: Any) -> Any:
        """A device by its id, or the program's own object, which may fail in any way; started, and running."""
        device: Any
        guard: Any
        if kind == "microphone":
            device, guard = audio_source_of(given), GuardedSound
        else:
            device, guard = sink_of(given), GuardedSink
        if not isinstance(given, str):
            device = guard(device, named(kind, given), self._on_error)
        await device.start()
        if ready := getattr(device, "ready", None):
            await ready()
        return device

    async def _replace(self, kind: Kind, device: Any) -> None:
        opened = await self._opened(kind, device)
        before, self._devices[kind] = self._devices[kind], opened
        if kind == "loudspeaker":
            self._connect()
        await before.close()

    def _connect(self) -> None:
        self._to_sink = RateConverter(self._devices["loudspeaker"].sample_rate_hz)
        play_from = getattr(self._devices["loudspeaker"], "play_from", None)
        self._pulls = bool(play_from and play_from(self._player.pull))

    async def _capture(self) -> None:
        while True:
            microphone: AudioSource = self._devices["microphone"]
            try:
                captured = await microphone.read(microphone.sample_rate_hz // 100)
            except MediaError as error:
                if microphone is self._devices["microphone"]:
                    await self._give_up("microphone", error)
                continue
            await self._play_on()
            loudspeaker: AudioSink = self._devices["loudspeaker"]
            sink_hz = loudspeaker.sample_rate_hz
            played = self._far_end(loudspeaker.played(sink_hz // 100), sink_hz)
            self._on_frame(self._chain.process(self._captured(captured, microphone.sample_rate_hz), played))

    async def _play_on(self) -> None:
        """Keep the loudspeaker supplied; one that does not pull by itself is written to."""
        self._player.top_up()
        loudspeaker: AudioSink = self._devices["loudspeaker"]
        block = np.zeros(0, np.float32)
        if not self._pulls:
            block = np.empty(FRAME_SAMPLES, np.float32)
            self._player.pull(block)
        try:
            loudspeaker.write(self._to_sink(block, ENGINE_RATE_HZ))
        except MediaError as error:
            await self._give_up("loudspeaker", error)

    async def _give_up(self, kind: Kind, error: MediaError) -> None:
        gone, self._devices[kind] = self._devices[kind], Silence()
        self._on_error(error)
        await gone.close()
