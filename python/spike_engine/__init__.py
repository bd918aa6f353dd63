"""spike_engine: talk with an AI over WebRTC, with the echo and the noise taken out."""

from spike_engine import dsp, frames
from spike_engine.client import SpikeClient
from spike_engine.devices import AudioSink, AudioSource, VideoSource, list_devices
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
    DevicesChanged,
    Disconnected,
    DisconnectReason,
    Event,
    EventName,
    FunctionCall,
    Message,
    NetworkQuality,
    Perception,
    Reconnecting,
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserTranscript,
)
from spike_engine.inventory import Device, Devices
from spike_engine.options import ClientOptions, IceServer, VideoQuality
from spike_engine.state import ConversationState
from spike_engine.stats import ClientStats, TransportStats
from spike_engine.window import show

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
    "DevicesChanged",
    "DisconnectReason",
    "Disconnected",
    "ErrorCode",
    "Event",
    "EventName",
    "FunctionCall",
    "IceServer",
    "InvalidOption",
    "InvalidState",
    "MediaError",
    "MediaPermissionDenied",
    "Message",
    "NetworkQuality",
    "Perception",
    "Reconnecting",
    "ServerError",
    "SpikeClient",
    "SpikeError",
    "TokenExpired",
    "TransportStats",
    "UserStartedSpeaking",
    "UserStoppedSpeaking",
    "UserTranscript",
    "VideoQuality",
    "VideoSource",
    "dsp",
    "frames",
    "list_devices",
    "show",
]
