"""The forms that a clip of sound has in a column of a batch, read and written back alike."""

from __future__ import annotations

import io
import tempfile
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_engine.clean.audio_file import AudioReader, Block, finite
from spike_engine.corpus.plain_wave import plain_wave
from spike_engine.extras import require
from spike_engine.frames import convert_samples

# The columns that engines and corpora call their sound, in the order in which they are looked for, and their rates.
COLUMNS = ("audio", "amplitude", "array", "samples", "waveform", "bytes", "path", "file")
RATE_COLUMNS = ("sample_rate", "sampling_rate", "sample_rate_hz", "rate")


class UnusableClip(ValueError):
    """A clip is no sound that can be cleaned or scored; the message says why."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Sound of one row.

    Attributes:
        samples: float32 in [-1, 1], shape ``(n, channels)``.
        rate_hz: Its sampling rate.
        restore: Brings processed samples of the same shape into the form that the row had.
    """

    samples: Block
    rate_hz: int
    restore: Callable[[Block], Any]


def column_of(batch: Mapping[str, Any], wanted: str | None) -> str:
    """The column that holds the sound.

    Raises:
        TypeError: `batch` has no columns, or that one is no list.
        ValueError: There is none of that name, or none of a name that is known.
    """
    if not hasattr(batch, "keys"):
        raise TypeError(f"a batch is a mapping of columns, such as {{'audio': [...]}}, not a {type(batch).__name__}")
    names = (wanted,) if wanted else COLUMNS
    for name in names:
        if name in batch:
            if not isinstance(batch[name], Iterable):
                raise TypeError(f"the column {name!r} must be a list or an array, not a {type(batch[name]).__name__}")
            return name
    raise ValueError(f"the batch has no column {' or '.join(map(repr, names))}; it has {', '.join(map(repr, batch))}")


def rates_of(batch: Mapping[str, Any], rows: int, otherwise: int | None) -> Sequence[Any]:
    """What a column of the batch says of each row's sampling rate; `otherwise` where it says nothing."""
    for name in RATE_COLUMNS:
        if name in batch:
            return [otherwise if _is_missing(rate) else rate for rate in batch[name]]
    return [otherwise] * rows


def _is_missing(rate: Any) -> bool:
    """Whether it is what engines put where a row has no value: None, NaN or 0."""
    return rate is None or rate != rate or rate == 0  # noqa: PLR0124 (NaN alone differs from itself)


def clip_of(value: Any, rate_hz: Any) -> Clip:
    """The clip that a row holds.

    Args:
        value: An array of shape ``(n,)``, ``(channels, n)`` or ``(n, channels)``, float or integer; a mapping with
            ``array`` and ``sampling_rate``, or with ``bytes`` or ``path``; an object with ``get_all_samples``
            (torchcodec's decoder); the bytes of a sound file; or its path,
            or an address that fsspec knows.
        rate_hz: Of arrays that do not say it themselves, a number.

    Raises:
        UnusableClip: It is none of these, or no sound, or its decoder raised.
    """
    try:
        return _clip_of(value, rate_hz)
    except UnusableClip:
        raise
    except Exception as error:  # decoders and arrays of others raise what they like, and one clip ends no job
        raise UnusableClip(str(error) or type(error).__name__) from error


def _clip_of(value: Any, rate_hz: Any) -> Clip:
    if isinstance(value, Mapping):
        return _of_mapping(value, rate_hz)
    if hasattr(value, "get_all_samples"):
        decoded = value.get_all_samples()
        clip = _of_array(np.asarray(decoded.data, np.float32), int(decoded.sample_rate))
        return Clip(clip.samples, clip.rate_hz, lambda out: _as_mapping(out, clip.rate_hz))
    if isinstance(value, bytes | bytearray | memoryview):
        if plain := plain_wave(bytes(value)):
            return Clip(plain.samples, plain.rate_hz, lambda out: wave_bytes(out, plain.rate_hz))
        return _of_bytes(value, wave_bytes)
    if isinstance(value, str) and "://" in value:
        return _of_address(value)
    if isinstance(value, str | Path):
        return _of_file(Path(value), _as_mapping)
    return _of_array(value, rate_hz)


def _of_bytes(content: bytes | bytearray | memoryview, restore: Callable[[Block, int], Any]) -> Clip:
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder, "clip")).write_bytes(content)
        try:
            return _of_file(file, restore)
        except ValueError as error:
            raise UnusableClip(str(error).replace(str(file), "the clip")) from error


def _of_address(address: str) -> Clip:
    """Of a file of any place that fsspec knows."""
    require("fsspec", "clips that are addresses", extra="ray")
    import fsspec  # noqa: PLC0415 (an extra)

    with fsspec.open(address, "rb") as file:
        return _of_bytes(file.read(), _as_mapping)


def _of_mapping(value: Mapping[str, Any], rate_hz: int | None) -> Clip:
    if value.get("array") is not None:
        own_hz = value.get("sampling_rate") or value.get("sample_rate") or rate_hz
        clip = _of_array(value["array"], own_hz)
        return Clip(clip.samples, clip.rate_hz, lambda out: {**value, "array": clip.restore(out)})
    if value.get("bytes") is not None:
        clip = _clip_of(value["bytes"], rate_hz)
        return Clip(clip.samples, clip.rate_hz, lambda out: {**value, "bytes": clip.restore(out)})
    if value.get("path") and "bytes" in value:  # datasets' form of a file that it has not read
        return _of_file(Path(value["path"]), lambda out, own_hz: {**value, "bytes": wave_bytes(out, own_hz)})
    if value.get("path"):
        return _clip_of(value["path"], rate_hz)
    raise UnusableClip(f"a clip has 'array', 'bytes' or 'path', not only {', '.join(map(repr, value)) or 'nothing'}")


def _as_mapping(samples: Block, rate_hz: int) -> dict[str, Any]:
    """As datasets' ``Audio`` feature takes it."""
    return {"array": samples[:, 0] if samples.shape[1] == 1 else samples.T.copy(), "sampling_rate": rate_hz}


def _of_file(source: Path, restore: Callable[[Block, int], Any]) -> Clip:
    with AudioReader(source) as reader:
        return clip_in(reader, restore)


def clip_in(reader: AudioReader, restore: Callable[[Block, int], Any] = _as_mapping) -> Clip:
    """All that `reader` gives.

    Raises:
        UnusableAudio: It cannot be decoded.
        UnusableClip: It holds nothing.
    """
    blocks, rate_hz = list(reader.blocks()), reader.rate_hz
    if not blocks:
        raise UnusableClip(f"{reader.path} holds no samples")
    return Clip(np.concatenate(blocks), rate_hz, lambda out: restore(out, rate_hz))


def _of_array(value: Any, rate_hz: Any) -> Clip:
    array = np.asarray(value)
    if rate_hz is None:
        raise UnusableClip("the sampling rate is not known: give a column sample_rate, or rate_hz")
    try:
        known_hz = int(rate_hz)
    except (TypeError, ValueError, OverflowError):
        known_hz = 0
    if not 8000 <= known_hz <= 192000:
        raise UnusableClip(f"the sampling rate must be 8000 to 192000 Hz, not {rate_hz}")
    if array.ndim not in (1, 2) or array.dtype.kind not in "fi" or array.size == 0:
        raise UnusableClip(
            f"a clip is float or integer of shape (n,) or (channels, n), not {array.dtype} {array.shape}"
        )
    channels_first = array.ndim == 2 and array.shape[0] <= array.shape[1]
    block: Any = array[:, None] if array.ndim == 1 else array.T if channels_first else array
    if block.shape[1] > 8:
        raise UnusableClip(f"a clip has 1 to 8 channels, not {block.shape[1]}")
    full_scale = 1.0 if array.dtype.kind == "f" else -float(np.iinfo(array.dtype).min)
    samples = (block / full_scale).astype(np.float32) if full_scale != 1 else block.astype(np.float32)

    def restore(out: Block) -> NDArray[Any]:
        shaped: Any = out[:, 0] if array.ndim == 1 else out.T if channels_first else out
        if full_scale == 1:
            return np.ascontiguousarray(shaped, array.dtype)
        whole: NDArray[Any] = np.clip(np.round(shaped * np.float64(full_scale)), -full_scale, full_scale - 1)
        return whole.astype(array.dtype)

    return Clip(finite(np.ascontiguousarray(samples)), known_hz, restore)


def wave_bytes(samples: Block, rate_hz: int) -> bytes:
    """A .wav of 16 bits of `samples`, shape ``(n, channels)``."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(convert_samples(samples, "int16").tobytes())
    return buffer.getvalue()
