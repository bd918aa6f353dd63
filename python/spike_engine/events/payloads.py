"""A conversation in figures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TransportStats:
    """The connection in figures. Times are milliseconds; counts are since the connection opened.

    Attributes:
        round_trip_time_ms: To the server and back, from RTCP reports (RFC 3550 section 6.4.1); None before the first.
        jitter_ms: How unevenly the AI's voice arrives (RFC 3550 section 6.4.1); None before the first packet.
        outbound_loss: Share of our packets that the server missed since its last report, 0 to 1.
        path: How we reach the server: ``"host"`` directly, ``"srflx"`` or ``"prflx"`` through an address translation,
            ``"relay"`` through a TURN server; None before that is settled.
        estimate_bps: What the server thinks that our picture may use (REMB), bit/s; None where it does not say.
        voice_kept_ms: How long the server keeps our voice after its arrival, so that it has no gaps (RFC 3611 section
            4.7); None where it does not say.
    """

    packets_received: int = 0
    packets_lost: int = 0
    packets_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    round_trip_time_ms: float | None = None
    jitter_ms: float | None = None
    outbound_loss: float = 0.0
    path: str | None = None
    estimate_bps: int | None = None
    voice_kept_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ClientStats:
    """A conversation in figures: what ``get_stats()`` returns and ``stats`` delivers.

    Attributes:
        network: Packets, bytes, round trip and jitter of the connection.
        send_bps: What is sent, bit/s, over the last seconds.
        receive_bps: What is received, bit/s, over the last seconds.
        inbound_loss: Share of the server's packets that did not arrive in the last seconds, 0 to 1.
        sent_fps: Pictures sent in a second.
        received_fps: Pictures of the AI received in a second.
        video_width: Of the pictures that are sent, pixels; 0 without a camera.
        video_height: The same.
        video_bps: What the camera may use, bit/s.
        audio_bps: What the microphone may use, bit/s.
        reconnections: How often the connection has been replaced.
        echo_reduction_db: How much quieter the echo leaves the engine than it entered (ERLE), in dB.
        echo_delay_ms: From loudspeaker to microphone.
        speech_probability: Whether the cleaned microphone holds speech now, 0 to 1.
        input_level_dbfs: The microphone as captured.
        output_level_dbfs: The microphone as sent; the noise and echo taken out are the difference while nobody speaks.
        audio_frames_dropped: Frames of 20 ms of the microphone that were not sent, since the connection opened: the
            program or the machine did not keep up.
        video_frames_dropped: Pictures that gave way to a newer one before they were sent, since then.
        microphone_lost_ms: Sound that the microphone captured while the event loop was held up for longer than half a
            second, and that was lost, since it was opened.
        voice_caught_up_ms: What the user said while the network was cut and was sent afterwards, since the conversation
            began.
        voice_behind_ms: What is kept at the moment, to be sent when the network is back, and is being sent faster then.
        voice_lost_ms: What the user said in a cut that was too long to keep it, since the conversation began.
        loudspeaker_lost_ms: Sound that the loudspeaker had no room for, since it was opened.
        loudspeaker_idle_ms: How long the loudspeaker had nothing to play, since it was opened; the AI's pauses count.
        user_to_ai_ms: From the user's mouth to the AI's ear: the microphone, a packet's 20 ms, echo and noise
            suppression, the encoder, half of the round trip, and what the server keeps, where it says so
            (`voice_kept_ms`). None before the first report of the server's.
        ai_to_user_ms: From the AI's mouth to the user's ear: the encoder, half of the round trip, the receiver and the
            loudspeaker. None before the first report, and where the transport brings a voice that has been decoded.
    """

    network: TransportStats = field(default_factory=TransportStats)
    send_bps: float = 0.0
    receive_bps: float = 0.0
    inbound_loss: float = 0.0
    sent_fps: float = 0.0
    received_fps: float = 0.0
    video_width: int = 0
    video_height: int = 0
    video_bps: int = 0
    audio_bps: int = 0
    reconnections: int = 0
    echo_reduction_db: float = 0.0
    echo_delay_ms: float = 0.0
    speech_probability: float = 0.0
    input_level_dbfs: float = 0.0
    output_level_dbfs: float = 0.0
    audio_frames_dropped: int = 0
    video_frames_dropped: int = 0
    microphone_lost_ms: float = 0.0
    voice_caught_up_ms: float = 0.0
    voice_behind_ms: float = 0.0
    voice_lost_ms: float = 0.0
    loudspeaker_lost_ms: float = 0.0
    loudspeaker_idle_ms: float = 0.0
    user_to_ai_ms: float | None = None
    ai_to_user_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One microphone, loudspeaker or camera.

    Attributes:
        id: What `audio_source`, `audio_output` and `video_source` accept.
        name: For a person.
        is_default: The system's choice.
        sample_rate_hz: The rate it runs at by itself; 0 for a camera.
    """

    id: str
    name: str
    is_default: bool = False
    sample_rate_hz: int = 0


@dataclass(frozen=True, slots=True)
class Devices:
    """What is plugged in: microphones, cameras and loudspeakers."""

    audio: tuple[Device, ...] = ()
    video: tuple[Device, ...] = ()
    audio_output: tuple[Device, ...] = ()
