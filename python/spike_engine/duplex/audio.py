"""A microphone and a loudspeaker as one device, with the echo, the noise and the queue taken care of."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spike_engine import dsp
from spike_engine.devices import AudioSink
from spike_engine.devices.output import Output
from spike_engine.dsp.noise import NoiseMode
from spike_engine.dsp.rates import ENGINE_RATE_HZ, RateConverter
from spike_engine.duplex import voice_shape
from spike_engine.duplex.block import Block
from spike_engine.duplex.front_end import FrontEnd
from spike_engine.duplex.player import Player
from spike_engine.duplex.sound_loop import Kind, SoundLoop
from spike_engine.duplex.turn_taking import Floor, Judge, TurnTaking
from spike_engine.errors import InvalidOption, InvalidState
from spike_engine.events import DevicesChanged, Event, EventName, UserStoppedSpeaking
from spike_engine.events.emitter import EventEmitter
from spike_engine.frames import convert_samples

_QUEUED_S = 5.0  # of blocks that nobody has read yet
_CLOSE_LIMIT_S = 3.0  # a loudspeaker that takes longer to close is left to itself


class DuplexAudio(EventEmitter):
    """Captures, cleans and plays: what a program that talks needs of the sound card.

    ::

        async with DuplexAudio(sample_rate_hz=24000, dtype="int16") as audio:
            audio.on("user-started-speaking", lambda event: audio.flush())
            async for block in audio:
                await websocket.send(block.tobytes())

    In a program of threads, ``with`` and ``for`` do the same. Sound is handled in a thread of its own, so a busy event
    loop or a slow reader costs no sound: blocks wait for up to five seconds, and `dropped_blocks` counts what was lost
    then. Events are ``user-started-speaking``, ``user-stopped-speaking``, ``devices-changed`` and ``error``. Handlers
    run on the event loop that entered ``async with``; with a plain ``with``, on the thread of the sound, where they
    must be quick.

    Args:
        sample_rate_hz: Of the blocks, and of what `play` takes; 8000 to 48000.
        dtype: ``"float32"`` in [-1, 1] or ``"int16"``, of both.
        block_samples: How long a block is; 20 ms by default.
        microphone: A device id, or what :class:`~spike_engine.SpikeClient` takes as `audio_source`.
        loudspeaker: A device id, or an :class:`~spike_engine.AudioSink`.
        echo_cancellation: Take the loudspeaker out of the microphone.
        noise_suppression: Take noise out of the microphone; ``"recogniser"`` no more than a speech recogniser can bear.
        auto_gain_control: Bring the voice to one loudness, -23 dBFS, whoever talks and however far away.
        hold_interruptions: Hold the loudspeaker at a sound that may be the user, and tell ``user-started-speaking``
            when it is one; go on with the next sample if it was a cough, a "mhm" or a door. False takes every voice
            for the user at once.
        is_interruption: Judges such a sound in place of the engine's own judge, every 60 ms from 0.2 s on and when it
            is over: takes the cleaned voice from a quarter of a second before it on, float32 of shape ``(n,)`` at
            16 kHz, and returns the probability that it is the user who takes the floor. It runs on the thread of the
            sound, where it must take less than 5 ms.
        end_of_turn: Judges, in a thread of its own, whether the user has finished: takes up to 8 s of the same and
            returns a probability. Without, a pause of 0.7 s is the end.
            :class:`spike_engine.integrations.smart_turn.SmartTurn` is one.

    Raises:
        InvalidOption: A value that is not accepted.
    """

    def __init__(
        self,
        sample_rate_hz: int = ENGINE_RATE_HZ,
        *,
        dtype: Literal["float32", "int16"] = "float32",
        block_samples: int | None = None,
        microphone: Any = "default",
        loudspeaker: str | AudioSink = "default",
        echo_cancellation: bool = True,
        noise_suppression: bool | NoiseMode = True,
        auto_gain_control: bool = True,
        hold_interruptions: bool = True,
        is_interruption: Judge | None = None,
        end_of_turn: Judge | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(sample_rate_hz, int) or not 8000 <= sample_rate_hz <= 48000:
            raise InvalidOption(f"sample_rate_hz must be a whole number from 8000 to 48000, not {sample_rate_hz!r}")
        if dtype not in ("float32", "int16"):
            raise InvalidOption(f"dtype must be 'float32' or 'int16', not {dtype!r}")
        block_samples = sample_rate_hz // 50 if block_samples is None else block_samples
        if not isinstance(block_samples, int) or not 1 <= block_samples <= sample_rate_hz:
            raise InvalidOption(f"block_samples must be from 1 to {sample_rate_hz}, not {block_samples!r}")
        for name, judge in (("is_interruption", is_interruption), ("end_of_turn", end_of_turn)):
            if judge is not None and not callable(judge):
                raise InvalidOption(f"{name} must be callable or None, not {judge!r}")
        self.sample_rate_hz, self.block_samples = sample_rate_hz, block_samples
        self.dtype: Literal["float32", "int16"] = dtype
        self.dropped_blocks = 0
        self._player = Player()
        self._output = Output(self._tell, _CLOSE_LIMIT_S)
        self._output.play_from(self._player)
        self._front_end = FrontEnd(
            self._output,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            gain_control=auto_gain_control,
        )
        self._to_engine, self._to_program = RateConverter(), RateConverter(sample_rate_hz)
        self._played_lock = threading.Lock()
        self._sound = SoundLoop(
            microphone,
            loudspeaker,
            self._front_end,
            self._output,
            self._player,
            on_frame=self._on_frame,
            on_error=self._tell,
            on_devices=lambda devices: self._tell(DevicesChanged(devices)),
            on_end=lambda: self._deliver(None),
        )
        self._opened = False
        self._turns = TurnTaking(
            holds=hold_interruptions,
            takes_floor=is_interruption or voice_shape.is_interruption,
            end_of_turn=end_of_turn,
        )
        self._to_judges = RateConverter(voice_shape.RATE_HZ)
        self._waiting = np.zeros(0, np.float32)
        self._most_blocks = max(1, round(_QUEUED_S * sample_rate_hz / block_samples))
        self._blocks: queue.Queue[Block | None] = queue.Queue()
        self._program_loop: asyncio.AbstractEventLoop | None = None
        self._arrived: asyncio.Event | None = None

    # --- open and close -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._begin().result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sound.stop()
        self._sound.join()

    async def __aenter__(self) -> Self:
        self._program_loop, self._arrived = asyncio.get_running_loop(), asyncio.Event()
        ready = self._begin()
        try:
            await asyncio.wrap_future(ready)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sound.stop()
        await asyncio.to_thread(self._sound.join)

    def close(self) -> None:
        """End it, and whoever iterates; may be called from any thread and twice."""
        self._sound.stop()

    def _begin(self) -> Future[None]:
        if self._opened:
            raise InvalidState("a DuplexAudio is opened once: make another")
        self._opened = True
        return self._sound.start()

    # --- captured -----------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Block]:
        while (block := self._blocks.get()) is not None:
            yield block

    async def __aiter__(self) -> AsyncIterator[Block]:
        if self._arrived is None:
            raise InvalidState("'async for' needs 'async with DuplexAudio(...)'; in a thread, use 'for'")
        while True:
            while self._blocks.empty():
                self._arrived.clear()
                await self._arrived.wait()
            block = self._blocks.get_nowait()
            if block is None:
                return
            yield block

    @property
    def unread_ms(self) -> float:
        """How much sound waits to be read."""
        return 1000.0 * self._blocks.qsize() * self.block_samples / self.sample_rate_hz

    @property
    def stats(self) -> dsp.CaptureStats:
        """Of the last 10 ms: the echo's attenuation and delay, the levels, whether the user talks."""
        return self._front_end.pipeline.stats

    # --- played -------------------------------------------------------------------------------------------------------

    def play(self, pcm: ArrayLike | bytes, *, utterance: Hashable | None = None) -> Hashable:
        """Queue mono samples of the device's rate and dtype, of any length, from any thread.

        Args:
            pcm: Shape ``(n,)``, or the bytes of such samples.
            utterance: What `played_ms` may be asked for by. Without, samples belong to the utterance that is being
                played, or to a new one.

        Returns:
            The utterance.

        Raises:
            InvalidOption: The samples are of another shape or dtype.
        """
        given = np.frombuffer(pcm, self.dtype) if isinstance(pcm, bytes | bytearray | memoryview) else np.asarray(pcm)
        if given.ndim != 1 or given.dtype != np.dtype(self.dtype):
            raise InvalidOption(f"play() takes {self.dtype} of shape (n,), not {given.dtype} {given.shape}")
        samples = convert_samples(given)
        with self._played_lock:
            return self._player.play(self._to_engine(np.ascontiguousarray(samples), self.sample_rate_hz), utterance)

    def flush(self) -> None:
        """Fall silent now, and drop what has not been heard; what is played from now on is heard at once."""
        self._sound.flush()
        self._output.held = False

    def pause(self) -> None:
        """Hold still; `resume` goes on with the next sample."""
        self._output.paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._output.paused = self._output.held = False

    @property
    def held(self) -> bool:
        """The loudspeaker holds still until it is known whether the user interrupts, or until they have finished."""
        return self._output.held

    @property
    def volume(self) -> float:
        """1 plays as it came, 0 is silence, up to 4."""
        return self._output.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._output.volume = volume

    @property
    def played_ms(self) -> float:
        """How much of the last utterance has been heard."""
        return self.played_ms_of(None)

    def played_ms_of(self, utterance: Hashable) -> float:
        """How much of `utterance` has been heard, as OpenAI's ``conversation.item.truncate`` asks for."""
        late = round(self._output.latency_s * ENGINE_RATE_HZ)
        return 1000.0 * self._player.heard_samples(utterance, late) / ENGINE_RATE_HZ

    @property
    def queued_ms(self) -> float:
        """What is still to be heard."""
        return 1000.0 * self._player.queued_samples / ENGINE_RATE_HZ

    @property
    def underruns(self) -> int:
        """How often the loudspeaker ran dry in the middle of what was queued."""
        return self._player.underruns

    @property
    def latency_ms(self) -> float:
        """From the microphone to the program: the device's, the chain's and the block's."""
        device_s = self._sound.microphone_latency_s
        block_s = self.block_samples / self.sample_rate_hz
        return 1000.0 * (device_s + self._front_end.latency_s + block_s)

    @property
    def loudspeaker_latency_ms(self) -> float:
        """From the moment that a sample is taken from what is queued to its sound, as the device says it."""
        return 1000.0 * self._output.latency_s

    # --- other devices ------------------------------------------------------------------------------------------------

    def set_microphone(self, microphone: Any) -> Any:
        """Capture from another microphone. Blocks; with ``async with``, returns an awaitable instead.

        Raises:
            MediaError: It cannot be opened; the one before stays in use.
        """
        return self._switch("microphone", microphone)

    def set_loudspeaker(self, loudspeaker: str | AudioSink) -> Any:
        """Play on another loudspeaker, from the next sample on. As `set_microphone`."""
        return self._switch("loudspeaker", loudspeaker)

    def _switch(self, kind: Kind, device: Any) -> Any:
        if not self._sound.is_running:
            raise InvalidState("there is no device to switch: use it inside 'with' or 'async with'")
        switching = self._sound.replace(kind, device)
        return asyncio.wrap_future(switching) if self._program_loop else switching.result()

    # --- what the sound's thread tells --------------------------------------------------------------------------------

    def _on_frame(self, cleaned: NDArray[np.float32]) -> None:
        self._take_turns(cleaned)
        self._waiting = np.concatenate([self._waiting, self._to_program(cleaned, ENGINE_RATE_HZ)])
        while len(self._waiting) >= self.block_samples:
            samples, self._waiting = self._waiting[: self.block_samples], self._waiting[self.block_samples :]
            self._deliver(self._block_of(samples))

    def _take_turns(self, cleaned: NDArray[np.float32]) -> None:
        stats = self._front_end.pipeline.stats
        outcomes = self._turns.on_frame(
            self._to_judges(cleaned, ENGINE_RATE_HZ),
            active=stats.voice_active,
            suspected=stats.voice_suspected,
            ai_heard=self._player.queued_samples > 0,
        )
        for outcome in outcomes:
            if isinstance(outcome, Floor):
                self._output.held = outcome is Floor.HOLD
                continue
            if isinstance(outcome, UserStoppedSpeaking):
                self._output.held = False
            self._tell(outcome)

    def _block_of(self, samples: NDArray[np.float32]) -> Block:
        pending_s = len(self._waiting) / self.sample_rate_hz
        return Block.of(
            convert_samples(samples, self.dtype),
            level=float(np.sqrt(np.mean(np.square(samples)))),
            voice_active=self._front_end.pipeline.stats.voice_active,
            captured_at=time.monotonic() - pending_s - self.latency_ms / 1000,
        )

    def _deliver(self, block: Block | None) -> None:
        if self._blocks.qsize() >= self._most_blocks and block is not None:
            self._blocks.get_nowait()
            self.dropped_blocks += 1
        self._blocks.put(block)
        if self._program_loop and self._arrived:
            self._on_program_loop(self._arrived.set)

    def _subscribed(self, name: EventName) -> None:
        if name == "devices-changed":
            self._sound.watch_devices()

    def _tell(self, event: Event) -> None:
        if self._program_loop:
            self._on_program_loop(lambda: self.emit(event))
        else:
            self.emit(event)

    def _on_program_loop(self, call: Callable[[], None]) -> None:
        assert self._program_loop
        try:
            self._program_loop.call_soon_threadsafe(call)
        except RuntimeError:  # the program's loop has ended without leaving the device
            self._program_loop = None
