"""A telephone call as services stream it over a WebSocket: 20 ms of G.711 mu-law at 8 kHz, both ways.

What the caller says comes out without the bot's voice, which telephones on loudspeaker send back, without noise, and at
one loudness, with turns told::

    phone = PhoneCall()
    ...
    voice = phone.hear(payload)             # of each message of the service's
    for event in phone.events(): ...        # UserStartedSpeaking, UserStoppedSpeaking
    phone.say(payload)                      # whatever is sent to the service
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spike_engine import dsp
from spike_engine.dsp.noise import NoiseMode
from spike_engine.dsp.rates import RateConverter
from spike_engine.duplex.turn_taking import Floor, Judge, TurnTaking
from spike_engine.duplex.voice_shape import RATE_HZ as JUDGED_RATE_HZ
from spike_engine.duplex.voice_shape import is_interruption
from spike_engine.events import UserStartedSpeaking, UserStoppedSpeaking
from spike_engine.integrations.far_end import FarEnd

__all__ = ["PhoneCall", "from_mulaw", "to_mulaw"]

RATE_HZ = 8000
_FRAME = RATE_HZ // 100
_BIAS, _CLIP = 33, 8158  # G.711 counts in 14 bits


def from_mulaw(payload: bytes) -> NDArray[np.int16]:
    """G.711 mu-law (ITU-T G.711) as int16 of shape ``(n,)``."""
    return _DECODED[np.frombuffer(payload, np.uint8)]


def to_mulaw(samples: NDArray[np.int16]) -> bytes:
    """int16 of shape ``(n,)`` as G.711 mu-law; TypeError for any other array."""
    if not isinstance(samples, np.ndarray) or samples.dtype != np.int16 or samples.ndim != 1:
        kind = f"{samples.dtype} {samples.shape}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise TypeError(f"samples must be an array of int16 of shape (n,), not {kind}")
    value = samples.astype(np.int32) >> 2
    magnitude = np.minimum(np.abs(value), _CLIP) + _BIAS
    exponent = np.frexp(magnitude.astype(np.float32))[1] - 6
    mantissa = (magnitude >> (exponent + 1)) & 0x0F
    code = (exponent << 4) | mantissa | np.where(value < 0, 0x80, 0)
    payload: bytes = (~code & 0xFF).astype(np.uint8).tobytes()
    return payload


def _decoded() -> NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 1) + _BIAS << ((code >> 4) & 0x07)) - _BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype(np.int16)


_DECODED = _decoded()


class PhoneCall:
    """The engine's chain on one call, at 8 kHz throughout.

    The network's delay may be up to half a second and is found by the canceller.

    Args:
        echo_cancellation: Take out what :meth:`say` has sent.
        noise_suppression: Turn down what is not speech; ``"recogniser"`` no more than a speech recogniser can bear.
        gain_control: Bring the caller to -23 dBFS.
        holds: Do not take a cough or a "mhm" for a turn while the bot speaks; see `held`.
        end_of_turn: As :class:`~spike_engine.DuplexAudio` takes it.
        clock: Monotonic seconds, for tests.
    """

    def __init__(
        self,
        *,
        echo_cancellation: bool = True,
        noise_suppression: bool | NoiseMode = True,
        gain_control: bool = True,
        holds: bool = True,
        end_of_turn: Judge | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.held = False
        self._chain = dsp.CapturePipeline(
            RATE_HZ,
            echo_cancellation=echo_cancellation,
            noise_suppression=noise_suppression,
            gain_control=gain_control,
        )
        self._turns = TurnTaking(holds=holds, takes_floor=is_interruption, end_of_turn=end_of_turn)
        self._far_end, self._to_judges = FarEnd(RATE_HZ), RateConverter(JUDGED_RATE_HZ)
        self._clock = clock
        self._said_until = 0.0
        self._told: list[UserStartedSpeaking | UserStoppedSpeaking] = []

    @property
    def stats(self) -> dsp.CaptureStats:
        """Of the last frame: the echo's attenuation and delay, the gain, whether the caller talks."""
        return self._chain.stats

    @property
    def is_speaking(self) -> bool:
        """Something that was sent is still to be heard."""
        return self._clock() < self._said_until

    def say(self, payload: bytes) -> None:
        """`payload` is sent to the caller now, or queued by the service behind what was sent."""
        samples, now = from_mulaw(payload), self._clock()
        self._far_end.append(samples, RATE_HZ, 1, now)
        self._said_until = max(now, self._said_until) + len(samples) / RATE_HZ

    def clear(self) -> None:
        """The service was told to drop what the caller has not heard."""
        self._far_end.clear()
        self._said_until, self.held = 0.0, False

    def hear(self, payload: bytes) -> NDArray[np.int16]:
        """What the caller says, cleaned, of a message of any length; :func:`to_mulaw` makes a payload of it."""
        heard = from_mulaw(payload)
        far = self._far_end.take(len(heard), self._clock())
        cleaned = [self._frame(heard[at : at + _FRAME], far[at : at + _FRAME]) for at in range(0, len(heard), _FRAME)]
        return np.concatenate([np.zeros(0, np.int16), *cleaned])

    def events(self) -> list[UserStartedSpeaking | UserStoppedSpeaking]:
        """What has been noticed since the last call."""
        told, self._told = self._told, []
        return told

    def _frame(self, heard: NDArray[np.int16], far: NDArray[np.int16]) -> NDArray[np.int16]:
        cleaned, stats = self._chain.process(np.ascontiguousarray(heard), np.ascontiguousarray(far)), self._chain.stats
        voice = self._to_judges(np.divide(cleaned, 32768, dtype=np.float32), RATE_HZ)
        for outcome in self._turns.on_frame(
            voice, active=stats.voice_active, suspected=stats.voice_suspected, ai_heard=self.is_speaking
        ):
            if isinstance(outcome, Floor):
                self.held = outcome is Floor.HOLD
            else:
                self._told.append(outcome)
                self.held = self.held and isinstance(outcome, UserStartedSpeaking)
        return cleaned
