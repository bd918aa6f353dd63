"""What anything that stands in for a device must do."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class AudioSource(Protocol):
    """Where microphone samples come from: mono float32 in [-1, 1].

    One that knows how late its samples are may have an attribute or property `latency_s`.
    """

    sample_rate_hz: int

    async def start(self) -> None:
        """Open it. Raises a :class:`~spike_engine.errors.MediaError` where that fails."""

    async def read(self, samples: int) -> NDArray[np.float32]:
        """Exactly `samples` samples, shape ``(samples,)``, as soon as they have been captured."""

    async def close(self) -> None:
        """Free it; may be called twice."""


class AudioSink(Protocol):
    """Where the AI's voice plays: mono float32 in [-1, 1].

    One that knows how late they are heard may have an attribute or property `latency_s`.
    """

    sample_rate_hz: int

    async def start(self) -> None:
        """Open it. Raises a :class:`~spike_engine.errors.MediaError` where that fails."""

    def write(self, samples: NDArray[np.float32]) -> None:
        """Queue `samples`, shape ``(n,)``, for playing. Never blocks; what does not fit is dropped.

        Raises a :class:`~spike_engine.errors.MediaError` where it is gone.
        """

    def played(self, samples: int) -> NDArray[np.float32]:
        """The next `samples` samples that left the loudspeaker, zeros where none did: the echo canceller's far end."""

    def flush(self) -> None:
        """Drop what is queued, so that the loudspeaker falls silent."""

    async def close(self) -> None:
        """Free it; may be called twice."""


class VideoSource(Protocol):
    """Where pictures come from."""

    async def start(self) -> None:
        """Open it. Raises a :class:`~spike_engine.errors.MediaError` where that fails."""

    async def read(self) -> NDArray[np.uint8]:
        """The next picture as RGB, shape ``(height, width, 3)``."""

    async def close(self) -> None:
        """Free it; may be called twice."""


def latency_s_of(device: Any) -> float:
    """What a source or sink says of its own delay; 0 where it says nothing."""
    return float(getattr(device, "latency_s", 0.0))
