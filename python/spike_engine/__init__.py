"""spike_engine: talk with an AI over WebRTC, with the echo and the noise taken out."""

from spike_engine import dsp, frames
from spike_engine.client import ClientStats, SpikeClient
from spike_engine.devices import AudioSink, AudioSource, Device, Devices, VideoSource, list_devices
from spike_engine.errors import (
    ConnectionFailed,
    ConversationEnded,
    DeviceInUse,
    DeviceNotFound,
    ErrorCode,
    InvalidOption,
    InvalidState,
    MediaError,
    MediaPermissionDenied,
    ServerError,
    SpikeError,
    TokenExpired,
)
from spike_engine.events import (
    AIIdle,
    AISpeaking,
    AIThinking,
    Connected,
    Disconnected,
    DisconnectReason,
    Event,
    EventName,
    Message,
    Perception,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)
from spike_engine.options import ClientOptions, VideoQuality
from spike_engine.state import ConversationState

__version__ = "0.1.0"

__all__ = [
    "AIIdle",
    "AISpeaking",
    "AIThinking",
    "AudioSink",
    "AudioSource",
    "ClientOptions",
    "ClientStats",
    "Connected",
    "ConnectionFailed",
    "ConversationEnded",
    "ConversationState",
    "Device",
    "DeviceInUse",
    "DeviceNotFound",
    "Devices",
    "DisconnectReason",
    "Disconnected",
    "ErrorCode",
    "Event",
    "EventName",
    "InvalidOption",
    "InvalidState",
    "MediaError",
    "MediaPermissionDenied",
    "Message",
    "Perception",
    "ServerError",
    "SpikeClient",
    "SpikeError",
    "TokenExpired",
    "UserStartedSpeaking",
    "UserStoppedSpeaking",
    "UserTranscript",
    "VideoQuality",
    "VideoSource",
    "dsp",
    "frames",
    "list_devices",
]
