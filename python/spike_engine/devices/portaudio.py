"""Microphones and loudspeakers through PortAudio: which there are, and streams on them."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Container
from typing import Any, ClassVar, Literal

from spike_engine.devices.opening import CLOSE_LIMIT_S
from spike_engine.devices.pulse import chosen, pulse_devices
from spike_engine.dsp.rates import ENGINE_RATE_HZ
from spike_engine.errors import DeviceInUse, DeviceNotFound, MediaError, MediaPermissionDenied
from spike_engine.events import Device

BLOCK_SAMPLES = ENGINE_RATE_HZ // 100
_OTHER_RATES_HZ = (44100, 96000, 32000, 24000, 16000, 8000)  # for devices that have none but their own
_PULSE = "pulse"  # what ALSA calls the way to a server of PulseAudio's

Direction = Literal["input", "output"]

_FORM_REFUSED = ("-9997", "-9998", "Invalid sample rate", "Invalid number of channels")

_NONE: dict[Direction, str] = {
    "input": "this machine has no microphone: plug one in, or set audio_source to a file, or audio to False",
    "output": "this machine has no loudspeaker: plug one in, or set audio_output to None",
}


def audio_devices(direction: Direction) -> tuple[Device, ...]:
    """The microphones or loudspeakers of this machine; none where PortAudio is not installed."""
    try:
        known = _by_id(direction)
        if (found := _pulse_devices(direction, known)) is not None:
            return found
        default = _sounddevice().default.device[0 if direction == "input" else 1]
        return tuple(
            Device(device_id, info["name"], index == default, round(info["default_samplerate"]))
            for device_id, (index, info) in known.items()
        )
    except (DeviceNotFound, OSError):
        return ()


class Stream:
    """A stream of float32, mono at 48 kHz where the device can, in blocks of 10 ms, that runs until it is closed.

    PortAudio looks for devices only when it begins, and beginning again ends every stream. So a device that it does not
    know makes it begin again, and all that were open are opened anew.

    Args:
        direction: A microphone's or a loudspeaker's.
        device_id: One of `audio_devices`, PortAudio's number of one, or ``"default"``.
        callback: As sounddevice calls it.

    Raises:
        DeviceNotFound, DeviceInUse, MediaPermissionDenied: Why it cannot be opened.

    Attributes:
        rate_hz: Its sampling rate; one that was opened keeps it.
        may_be_moved: Whether the system gives it another device when its own is gone, and says nothing.
    """

    _all: ClassVar[set[Stream]] = set()
    _closing: ClassVar[list[threading.Thread]] = []  # that do not come back
    _lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, direction: Direction, device_id: str, callback: Any) -> None:
        self._direction = direction
        self._device_id = device_id
        self._callback = callback
        self._stream: Any = None
        self._forms = [(rate, channels) for rate in (ENGINE_RATE_HZ, *_OTHER_RATES_HZ) for channels in (1, 2)]
        self.rate_hz = ENGINE_RATE_HZ
        self.may_be_moved = False
        with Stream._lock:
            try:
                self._begin()
            except _Unknown:
                _look_again(Stream._all)
                self._begin()
            Stream._all.add(self)

    def close(self) -> None:
        """End it; may be called twice."""
        with Stream._lock:  # PortAudio must not look for devices while a stream of it ends
            Stream._all.discard(self)
            self._end()

    @property
    def latency_s(self) -> float:
        """Between the callback and the outside, as the system says it."""
        return float(self._stream.latency) if self._stream else 0.0

    def is_moved(self) -> bool:
        """Whether its own device is gone. Blocks for some milliseconds."""
        there = pulse_devices(self._direction) if self.may_be_moved else None
        return there is not None and self._device_id not in [device.id for device in there]

    def _begin(self) -> None:
        sounddevice = _sounddevice()
        index, choice = _find(self._direction, self._device_id)
        self.may_be_moved = choice is not None
        try:
            with choice or contextlib.nullcontext():
                self._open(sounddevice, index)
        except (ValueError, OverflowError, sounddevice.PortAudioError) as error:
            self._end()
            raise _error_of(error, f"the {self._direction} device {self._device_id!r}") from error

    def _open(self, sounddevice: Any, index: int | None) -> None:
        """Open it in the first form that the device takes."""
        stream_type = sounddevice.InputStream if self._direction == "input" else sounddevice.OutputStream
        for rate_hz, channels in self._forms:
            try:
                self._stream = stream_type(
                    device=index,
                    samplerate=rate_hz,
                    blocksize=rate_hz // 100,
                    channels=channels,
                    dtype="float32",
                    latency="low",
                    callback=self._callback,
                )
                self.rate_hz = rate_hz
                self._stream.start()
            except sounddevice.PortAudioError as error:
                self._end()
                if (rate_hz, channels) == self._forms[-1] or not any(code in str(error) for code in _FORM_REFUSED):
                    raise
            else:
                self._forms = [(rate_hz, channels)]
                return

    def _end(self) -> None:
        stream, self._stream = self._stream, None
        if stream:  # PortAudio waits for its own thread, which does not always come back from a sound server that died
            closing = threading.Thread(target=stream.close, daemon=True, name="close a stream")
            closing.start()
            closing.join(CLOSE_LIMIT_S)
            Stream._closing = [thread for thread in (*Stream._closing, closing) if thread.is_alive()]


class _Unknown(DeviceNotFound):
    """PortAudio does not know such a device; perhaps it would if it looked again."""


def relist() -> None:
    """Have PortAudio look for devices again. Ends every open stream of this process: for one that has none."""
    with contextlib.suppress(DeviceNotFound):
        sounddevice = _sounddevice()
        sounddevice._terminate()
        sounddevice._initialize()


def _look_again(streams: set[Stream]) -> None:
    for stream in streams:
        stream._end()
    if not any(thread.is_alive() for thread in Stream._closing):  # PortAudio would pull its streams from under them
        relist()
    for stream in streams:
        with contextlib.suppress(MediaError):  # its own device is gone: whoever uses it will notice
            stream._begin()


def _find(direction: Direction, device_id: str) -> tuple[int | None, contextlib.AbstractContextManager[None] | None]:
    """PortAudio's number of a device, and for one of PulseAudio's what must hold while it is opened."""
    known = _by_id(direction)
    if device_id == "default":
        if not known:
            raise _Unknown(_NONE[direction])
        return None, None
    served = _pulse_devices(direction, known)
    ids = list(known) if served is None else [device.id for device in served]
    if served is not None and device_id in ids:
        return known[_PULSE][0], chosen(direction, device_id)
    if device_id in known:
        return known[device_id][0], None
    if device_id.isascii() and device_id.isdigit() and len(device_id) < 9:
        return int(device_id), None
    message = f"there is no {direction} device {device_id!r}; there are {', '.join(ids)}" if ids else _NONE[direction]
    raise _Unknown(message) if served is None else DeviceNotFound(message)


def _pulse_devices(direction: Direction, known: dict[str, tuple[int, dict[str, Any]]]) -> tuple[Device, ...] | None:
    """The devices of PulseAudio's server, where there is one and a way to it."""
    return pulse_devices(direction) if _PULSE in known else None


def _by_id(direction: Direction) -> dict[str, tuple[int, dict[str, Any]]]:
    """PortAudio's number and description of each device, by an id that stays when others come and go: its name.

    Devices of the same name are told apart by their order: ``"Headset"``, ``"Headset #2"``.
    """
    found: dict[str, tuple[int, dict[str, Any]]] = {}
    sounddevice = _sounddevice()
    try:
        devices = sounddevice.query_devices()
    except (ValueError, sounddevice.PortAudioError) as error:  # a name that is no text, a sound server that has died
        raise DeviceNotFound(f"PortAudio cannot list the devices: {error}") from error
    for index, info in enumerate(devices):
        if info[f"max_{direction}_channels"] > 0:
            found[_unused(info["name"], found)] = index, info
    return found


def _unused(name: str, taken: Container[str]) -> str:
    numbered = (name if number == 1 else f"{name} #{number}" for number in itertools.count(1))
    return next(candidate for candidate in numbered if candidate not in taken)


def _sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 (loads PortAudio, which a server or a test has no use for)
    except OSError as error:
        raise DeviceNotFound(f"audio devices need PortAudio (Debian: apt install libportaudio2): {error}") from error
    return sounddevice


def _error_of(error: Exception, what: str) -> MediaError:
    text = str(error)
    if any(phrase in text for phrase in ("Device unavailable", "busy", "in use")):
        return DeviceInUse(f"{what} is used by another program: {text}")
    if any(phrase in text for phrase in ("ermission", "denied", "not authorized")):
        return MediaPermissionDenied(f"this program may not use {what}: {text}")
    return DeviceNotFound(f"{what} cannot be opened: {text}")
