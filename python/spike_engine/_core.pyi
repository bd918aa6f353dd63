"""
The native core of spike_engine. Use spike_engine.dsp and spike_engine.frames, not this module.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
import typing_extensions
__all__: list[str] = ['CapturePipeline', 'CaptureStats', 'EchoCanceller', 'EchoStats', 'GainControl', 'NoiseSuppressor', 'NoiseSuppressorBank', 'OpusEncoder', 'ReceiverStats', 'RenderPipeline', 'Resampler', 'Ring', 'SpeedUp', 'VoiceDetector', 'VoiceGate', 'VoiceReceiver', 'Weights', 'WeightsError', 'active_isa', 'convert_picture', 'convert_samples', 'samples_of_frame', 'samples_to_frame', 'whole_number']
class Ring:
    """
    A queue of mono float32 samples between two threads: one pushes, one pops.
    """
    def __init__(self, capacity_samples: typing.Any) -> None:
        ...
    def clear(self) -> None:
        """
        Drop what is queued; only the thread that pops may.
        """
    @typing.overload
    def pop(self, out: numpy.typing.NDArray[numpy.float32]) -> int:
        """
        Fill `out`, with zeros behind what was there; returns how many samples were.
        """
    @typing.overload
    def pop(self, out: numpy.typing.NDArray[numpy.float32], tee: Ring) -> int:
        """
        The same, and queue what `out` then holds in `tee`.
        """
    def push(self, samples: numpy.typing.NDArray[numpy.float32]) -> int:
        """
        Queue what fits; returns how many samples did.
        """
    @property
    def available(self) -> int:
        """
        Samples queued.
        """
    @property
    def capacity(self) -> int:
        ...
    @property
    def overruns(self) -> int:
        """
        Samples that did not fit, since construction.
        """
    @property
    def underruns(self) -> int:
        """
        Zeros that `pop` filled in, since construction.
        """
class Resampler:
    def __init__(self, from_hz: typing.SupportsInt | typing.SupportsIndex, to_hz: typing.SupportsInt | typing.SupportsIndex, channels: typing.SupportsInt | typing.SupportsIndex, int16: bool, quality: str, planar: bool) -> None:
        ...
    def process(self, x: typing.Any, last: bool, out: typing.Any) -> typing.Any:
        ...
    def reset(self) -> None:
        ...
    def set_ratio(self, ratio: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def latency_samples(self) -> int:
        ...
class WeightsError(ValueError):
    pass
class Weights:
    def __init__(self, file: bytes, name: str) -> None:
        ...
    @property
    def checksum(self) -> int:
        ...
    @property
    def name(self) -> str:
        ...
class NoiseSuppressor:
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, attenuation_db: typing.SupportsFloat | typing.SupportsIndex | None = None, weights: Weights | None = None) -> None:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.float32], out: numpy.typing.NDArray[numpy.float32] | None = None) -> numpy.typing.NDArray[numpy.float32]:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.int16], out: numpy.typing.NDArray[numpy.int16] | None = None) -> numpy.typing.NDArray[numpy.int16]:
        ...
    def reset(self) -> None:
        ...
    @property
    def attenuation_db(self) -> float:
        ...
    @attenuation_db.setter
    def attenuation_db(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def frame_samples(self) -> int:
        ...
    @property
    def latency_samples(self) -> int:
        ...
    @property
    def speech_probability(self) -> float:
        ...
class NoiseSuppressorBank:
    def __init__(self, streams: typing.SupportsInt | typing.SupportsIndex, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, attenuation_db: typing.SupportsFloat | typing.SupportsIndex | None = None, weights: Weights | None = None) -> None:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.float32], out: numpy.typing.NDArray[numpy.float32] | None = None) -> numpy.typing.NDArray[numpy.float32]:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.int16], out: numpy.typing.NDArray[numpy.int16] | None = None) -> numpy.typing.NDArray[numpy.int16]:
        ...
    def reset(self) -> None:
        ...
    @property
    def attenuation_db(self) -> float:
        ...
    @attenuation_db.setter
    def attenuation_db(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def frame_samples(self) -> int:
        ...
    @property
    def latency_samples(self) -> int:
        ...
    @property
    def speech_probability(self) -> numpy.typing.NDArray[numpy.float32]:
        ...
class EchoStats:
    """
    By-products of the echo canceller, as of the last frame.
    """
    @property
    def converged(self) -> bool:
        """
        The linear model takes at least 6 dB off.
        """
    @property
    def delay_ms(self) -> float:
        """
        From far end to microphone; 0 until it is found.
        """
    @property
    def double_talk(self) -> float:
        """
        Probability that the near end talks too.
        """
    @property
    def drift_ppm(self) -> float:
        """
        How much faster the far end's clock runs than the microphone's.
        """
    @property
    def erle_db(self) -> float:
        """
        Echo return loss enhancement, in dB.
        """
    @property
    def near_end(self) -> float:
        """
        Probability that the near end talks, far end or not.
        """
    @property
    def share_left(self) -> float:
        """
        What the linear stage leaves of the microphone's power, 0 to 1, over a tenth of a second.
        """
class EchoCanceller:
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, far_channels: typing.SupportsInt | typing.SupportsIndex = 1, weights: Weights | None = None) -> None:
        ...
    def hint_delay(self, delay_ms: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def linear_stage(self, microphone: numpy.typing.NDArray[numpy.float32], far: numpy.typing.NDArray[numpy.float32]) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.float32]]:
        """
        What the linear stage makes of whole frames: error, predicted echo and aligned far end, float32.
        """
    @typing.overload
    def process(self, microphone: numpy.typing.NDArray[numpy.float32], far: numpy.typing.NDArray[numpy.float32] | None, out: numpy.typing.NDArray[numpy.float32] | None = None) -> numpy.typing.NDArray[numpy.float32]:
        ...
    @typing.overload
    def process(self, microphone: numpy.typing.NDArray[numpy.int16], far: numpy.typing.NDArray[numpy.int16] | None, out: numpy.typing.NDArray[numpy.int16] | None = None) -> numpy.typing.NDArray[numpy.int16]:
        ...
    def reset(self) -> None:
        ...
    @property
    def frame_samples(self) -> int:
        ...
    @property
    def latency_samples(self) -> int:
        ...
    @property
    def stats(self) -> EchoStats:
        ...
class VoiceDetector:
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, hangover_ms: typing.SupportsInt | typing.SupportsIndex = 200) -> None:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.float32]) -> float:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.int16]) -> float:
        ...
    def reset(self) -> None:
        ...
    @property
    def active(self) -> bool:
        ...
    @property
    def frame_samples(self) -> int:
        ...
    @property
    def probability(self) -> float:
        ...
class GainControl:
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex, target_dbfs: typing.SupportsFloat | typing.SupportsIndex, max_gain_db: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.float32], out: numpy.typing.NDArray[numpy.float32] | None = None) -> numpy.typing.NDArray[numpy.float32]:
        ...
    @typing.overload
    def process(self, samples: numpy.typing.NDArray[numpy.int16], out: numpy.typing.NDArray[numpy.int16] | None = None) -> numpy.typing.NDArray[numpy.int16]:
        ...
    def reset(self) -> None:
        ...
    @property
    def frame_samples(self) -> int:
        ...
    @property
    def gain_db(self) -> float:
        ...
    @property
    def latency_samples(self) -> int:
        ...
class CaptureStats(EchoStats):
    """
    By-products of the capture pipeline, as of the last frame.
    """
    @property
    def gain_db(self) -> float:
        """
        What the voice gets from the gain control, in dB.
        """
    @property
    def input_level_dbfs(self) -> float:
        ...
    @property
    def output_level_dbfs(self) -> float:
        ...
    @property
    def speech_probability(self) -> float:
        ...
    @property
    def voice_active(self) -> bool:
        ...
    @property
    def voice_suspected(self) -> bool:
        ...
class CapturePipeline:
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, *, echo_cancellation: bool = True, noise_suppression: bool = True, gain_control: bool = False, far_channels: typing.SupportsInt | typing.SupportsIndex = 1, noise_attenuation_db: typing.SupportsFloat | typing.SupportsIndex | None = None, noise_weights: Weights | None = None, echo_weights: Weights | None = None) -> None:
        ...
    @typing.overload
    def process(self, microphone: numpy.typing.NDArray[numpy.float32], far: numpy.typing.NDArray[numpy.float32] | None, out: numpy.typing.NDArray[numpy.float32] | None = None) -> numpy.typing.NDArray[numpy.float32]:
        ...
    @typing.overload
    def process(self, microphone: numpy.typing.NDArray[numpy.int16], far: numpy.typing.NDArray[numpy.int16] | None, out: numpy.typing.NDArray[numpy.int16] | None = None) -> numpy.typing.NDArray[numpy.int16]:
        ...
    def reset(self) -> None:
        ...
    @property
    def frame_samples(self) -> int:
        ...
    @property
    def latency_samples(self) -> int:
        ...
    @property
    def stats(self) -> CaptureStats:
        ...
class RenderPipeline:
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000) -> None:
        ...
    def process(self, samples: numpy.typing.NDArray[numpy.float32], out: numpy.typing.NDArray[numpy.float32] | None = None) -> numpy.typing.NDArray[numpy.float32]:
        ...
    def reset(self) -> None:
        ...
    @property
    def gain(self) -> float:
        ...
    @gain.setter
    def gain(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def level(self) -> float:
        ...
    @property
    def level_dbfs(self) -> float:
        ...
class OpusEncoder:
    """
    One voice as Opus packets (RFC 6716); settings can change between two frames.
    """
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, *, channels: typing.SupportsInt | typing.SupportsIndex = 1, bitrate_bps: typing.SupportsInt | typing.SupportsIndex = 40000, fec: bool = False, expected_loss: typing.SupportsFloat | typing.SupportsIndex = 0.0, dtx: bool = False, complexity: typing.SupportsInt | typing.SupportsIndex = 9, application: str = 'voip') -> None:
        ...
    @typing.overload
    def encode(self, pcm: numpy.typing.NDArray[numpy.float32]) -> bytes:
        """
        The packet of one frame, shape (n,) or (n, 2); 1 or 2 bytes where nothing has to be sent (DTX).
        """
    @typing.overload
    def encode(self, pcm: numpy.typing.NDArray[numpy.int16]) -> bytes:
        ...
    def reset(self) -> None:
        """
        Begin a new stream.
        """
    @property
    def bitrate_bps(self) -> int:
        """
        6000 to 510000.
        """
    @bitrate_bps.setter
    def bitrate_bps(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def channels(self) -> int:
        ...
    @property
    def complexity(self) -> int:
        """
        0 to 10: more time for a better voice.
        """
    @complexity.setter
    def complexity(self, arg1: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def dtx(self) -> bool:
        """
        Send next to nothing for silence.
        """
    @dtx.setter
    def dtx(self, arg1: bool) -> None:
        ...
    @property
    def expected_loss(self) -> float:
        """
        Share of packets that get lost, 0 to 1.
        """
    @expected_loss.setter
    def expected_loss(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def fec(self) -> bool:
        """
        Carry a coarse copy of each frame in the packet that follows.
        """
    @fec.setter
    def fec(self, arg1: bool) -> None:
        ...
    @property
    def latency_samples(self) -> int:
        ...
    @property
    def sample_rate_hz(self) -> int:
        ...
class ReceiverStats:
    """
    What a voice receiver has counted since it was made or reset.
    """
    @property
    def concealed_samples(self) -> int:
        ...
    @property
    def concealment_events(self) -> int:
        ...
    @property
    def decode_errors(self) -> int:
        """
        Payloads that the codec refused.
        """
    @property
    def delay_ms(self) -> float:
        """
        From the arrival of a packet that is not held up to its sound.
        """
    @property
    def fec_recovered(self) -> int:
        """
        Played from the next packet's error correction.
        """
    @property
    def inserted_samples(self) -> int:
        """
        To slow down.
        """
    @property
    def jitter_ms(self) -> float:
        """
        RFC 3550 section 6.4.1.
        """
    @property
    def packets_discarded(self) -> int:
        """
        Given up: no room, or far too late.
        """
    @property
    def packets_duplicate(self) -> int:
        """
        Had come before.
        """
    @property
    def packets_late(self) -> int:
        """
        Came when their time was over.
        """
    @property
    def packets_lost(self) -> int:
        """
        Have not come yet, by their sequence numbers.
        """
    @property
    def packets_received(self) -> int:
        """
        Each once; late ones too.
        """
    @property
    def red_recovered(self) -> int:
        """
        Played from a repetition, RFC 2198.
        """
    @property
    def removed_samples(self) -> int:
        """
        To hurry up.
        """
    @property
    def silent_concealed_samples(self) -> int:
        """
        Of them, only the background's noise.
        """
    @property
    def target_delay_ms(self) -> float:
        """
        What delay_ms should be.
        """
class VoiceReceiver:
    """
    Packets of a voice to samples: one thread pushes and resets, one pulls.
    """
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, *, min_delay_ms: typing.SupportsFloat | typing.SupportsIndex = 0.0, max_delay_ms: typing.SupportsFloat | typing.SupportsIndex = 2000.0) -> None:
        ...
    def pull(self, out: numpy.typing.NDArray[numpy.float32]) -> None:
        """
        Fill `out`, float32 of shape (n,), with what comes next.
        """
    def push(self, payload: typing_extensions.Buffer, sequence_number: typing.SupportsInt | typing.SupportsIndex, timestamp: typing.SupportsInt | typing.SupportsIndex, arrival_ms: typing.SupportsFloat | typing.SupportsIndex, *, codec: str = 'opus', clock_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, channels: typing.SupportsInt | typing.SupportsIndex = 1, ssrc: typing.SupportsInt | typing.SupportsIndex = 0, marker: bool = False) -> None:
        """
        Take a packet's payload. It may hold anything; what is no packet of the codec is counted.
        """
    def push_red(self, payload: typing_extensions.Buffer, sequence_number: typing.SupportsInt | typing.SupportsIndex, timestamp: typing.SupportsInt | typing.SupportsIndex, arrival_ms: typing.SupportsFloat | typing.SupportsIndex, *, codec: str = 'opus', clock_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, channels: typing.SupportsInt | typing.SupportsIndex = 1, ssrc: typing.SupportsInt | typing.SupportsIndex = 0, marker: bool = False) -> None:
        """
        The same for a payload of RFC 2198, whose blocks are all of this codec.
        """
    def reset(self) -> None:
        """
        From the next pull on as if nothing had ever come.
        """
    @property
    def active(self) -> bool:
        """
        What was pulled last was sent as it is, neither concealment nor noise.
        """
    @property
    def level(self) -> float:
        ...
    @property
    def level_dbfs(self) -> float:
        ...
    @property
    def min_delay_ms(self) -> float:
        """
        How long everything is held back at least, in ms, from the next pull on.
        """
    @min_delay_ms.setter
    def min_delay_ms(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    @property
    def playing_timestamp(self) -> float | None:
        """
        RTP timestamp, unwrapped, of what plays now, had it begun when it was pulled; None before the first packet and while what plays was not sent.
        """
    @property
    def playout_timestamp(self) -> int | None:
        """
        RTP timestamp, unwrapped, of the next sample; None before the first packet.
        """
    @property
    def state(self) -> str:
        """
        'silence', 'normal', 'fec', 'concealed', 'comfort-noise', 'accelerated' or 'expanded': of what was pulled last.
        """
    @property
    def stats(self) -> ReceiverStats:
        ...
class VoiceGate:
    """
    Between a voice and who plays it: shut without a click; keeps what was heard.
    """
    def __init__(self, voice: VoiceReceiver, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex = 48000, kept_samples: typing.SupportsInt | typing.SupportsIndex = 24000) -> None:
        ...
    def flush(self) -> None:
        """
        Let nothing be heard of what has come up to now.
        """
    @typing.overload
    def pull(self, out: numpy.typing.NDArray[numpy.float32]) -> None:
        """
        Fill `out`, float32 of shape (n,), with what is to be heard now.
        """
    @typing.overload
    def pull(self, out: numpy.typing.NDArray[numpy.float32], tee: Ring) -> None:
        """
        The same, and queue what `out` then holds in `tee`.
        """
    @property
    def held(self) -> bool:
        """
        While True, the voice goes on unheard.
        """
    @held.setter
    def held(self, arg1: bool) -> None:
        ...
    @property
    def paused(self) -> bool:
        """
        While True, the voice waits to be heard.
        """
    @paused.setter
    def paused(self, arg1: bool) -> None:
        ...
    @property
    def played(self) -> Ring:
        """
        What was pulled, for one thread to read.
        """
    @property
    def volume(self) -> float:
        """
        1 is as it came, 0 is silence.
        """
    @volume.setter
    def volume(self, arg1: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class SpeedUp:
    """
    Plays a voice faster by a fixed factor, at its own pitch (WSOLA).
    """
    def __init__(self, sample_rate_hz: typing.SupportsInt | typing.SupportsIndex, speed: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def drain(self) -> numpy.typing.NDArray[numpy.float32]:
        """
        What has stayed behind, at the speed at which it came; then another voice begins.
        """
    def process(self, samples: numpy.typing.NDArray[numpy.float32]) -> numpy.typing.NDArray[numpy.float32]:
        """
        What can be played after `samples`, float32 of shape (n,); some 30 ms stay behind for the next call.
        """
def active_isa() -> str:
    """
    The instruction set that the kernels of this process use: 'baseline', 'avx2', 'avx512' or 'neon'.
    """
def convert_picture(source: typing.Any, from_format: typing.Any, to_format: typing.Any, to_frame: bool, width: typing.Any, height: typing.Any, colorspace: typing.Any, color_range: typing.Any, out: typing.Any, crop: typing.Any, rotate: typing.Any, mirror: bool, scaling: typing.Any) -> typing.Any:
    """
    Convert a picture; frames.py says how. Without `from_format` the source is a frame. Releases the GIL.
    """
def convert_samples(a: typing.Any, dtype: str, channels: typing.Any, planar_in: bool, planar_out: bool, dither: typing.Any, out: typing.Any) -> numpy.ndarray:
    """
    Convert an array; frames.py says how.
    """
def samples_of_frame(audio_frame: typing.Any, dtype: str, channels: typing.Any, planar: bool, dither: typing.Any, out: typing.Any) -> numpy.ndarray:
    """
    The samples of an av.AudioFrame as an array.
    """
def samples_to_frame(a: typing.Any, audio_frame: typing.Any, planar: bool, dither: typing.Any) -> None:
    """
    Write an array into an av.AudioFrame.
    """
def whole_number(value: typing.Any, name: str, least: typing.SupportsInt | typing.SupportsIndex, most: typing.SupportsInt | typing.SupportsIndex) -> int:
    """
    An integer of any type from `least` to `most`; TypeError or ValueError, with its `name`, where it is none.
    """
