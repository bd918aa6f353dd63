"""The engine's signal processing, usable alone: echo canceller, noise suppressor, the capture chain, meters.

Every stage takes mono float32 (in [-1, 1]) or int16 arrays of shape ``(n,)`` and returns the same dtype. A stage
works in frames of 10 ms: it keeps an unfinished frame and returns the frames that are due, delayed by
``latency_samples``. How a stream is cut into calls changes nothing in what comes out. ``out=`` takes an array of the
length that is due, so that nothing is allocated; where it overlaps what is read, a copy of that is read. Samples that
are NaN or infinite count as silence.

Any rate from 8000 to 48000 Hz will do. Stages work at 8, 12, 16, 24, 32, 44.1 and 48 kHz; for another rate, such as
22.05 kHz, they work at the next of these between two resamplers, which add 1 to 7 ms to ``latency_samples``.

Threads may share a stage: each call has its turn by a lock of that stage. Two streams need two stages. Calls with
100 ms or more (:class:`Resampler` and :class:`RenderPipeline`: 16384 samples) release the GIL; shorter ones keep it,
since they take less time than getting it back. No thread waits for a stage while it holds the GIL. A :class:`Ring` has
no lock: one thread pushes, one pops. On a free-threaded build of Python the interpreter turns its GIL on when it loads
the engine.

Raises, in all stages: TypeError for anything but a float32 or int16 array, ValueError for a shape or a setting that
is not accepted; both say what is.
"""

from __future__ import annotations

from spike_engine.dsp import interpreters  # noqa: F401 # isort: skip (before the native module, which it keeps from hanging)
from spike_engine._core import CaptureStats, EchoStats, Ring, WeightsError, active_isa
from spike_engine.dsp.echo import EchoCanceller, LinearStage
from spike_engine.dsp.gain import GainControl
from spike_engine.dsp.noise import NoiseSuppressor, NoiseSuppressorBank
from spike_engine.dsp.pipelines import CapturePipeline, RenderPipeline
from spike_engine.dsp.resampler import Resampler, resample
from spike_engine.dsp.voice import VoiceDetector

__all__ = [
    "CapturePipeline",
    "CaptureStats",
    "EchoCanceller",
    "EchoStats",
    "GainControl",
    "LinearStage",
    "NoiseSuppressor",
    "NoiseSuppressorBank",
    "RenderPipeline",
    "Resampler",
    "Ring",
    "VoiceDetector",
    "WeightsError",
    "active_isa",
    "resample",
]
