"""Daily against a stand-in for daily-python: a room needs an account and the internet, neither of which is here."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

from spike_engine import ConnectionFailed, ConversationEnded, ErrorCode, SpikeClient, TokenExpired
from spike_engine.transports.registry import transport_of

pytestmark = pytest.mark.usefixtures("nothing_left_open")

STUCK = threading.Event()
BOT = {"id": "bot", "info": {"userName": "AI"}}


class EventHandler: ...


class CallClient:
    """A room with a bot that says ``bot-ready``, hums and shows red; its calls come back on other threads."""

    error: ClassVar[str | None] = None
    hangs: ClassVar[bool] = False
    last: ClassVar[Any] = None

    def __init__(self, event_handler: Any) -> None:
        self.handler = event_handler
        self.calls: dict[str, Any] = {}
        self.sent: list[Any] = []
        self.released = self.left = self.asked_late = False
        CallClient.last = self

    def join(self, url: str, token: str, client_settings: Any, completion: Any) -> None:
        self.calls["join"] = url, token, client_settings
        if not self.hangs:
            elsewhere(completion, None if self.error else {}, self.error)

    def participants(self) -> dict[str, Any]:
        return {"local": {"id": "me"}, "bot": BOT}

    def update_subscription_profiles(self, profiles: Any) -> None:
        self.calls["profiles"] = profiles

    def update_inputs(self, inputs: Any) -> None:
        self.calls["inputs"] = inputs

    def set_audio_renderer(self, participant: str, callback: Any, sample_rate: int) -> None:
        hum = (9000 * np.sin(2 * np.pi * 200 * np.arange(960) / sample_rate)).astype(np.int16)
        data = SimpleNamespace(audio_frames=hum.tobytes(), num_channels=1, sample_rate=sample_rate)
        for _ in range(10):
            elsewhere(callback, participant, data, "microphone")

    def set_video_renderer(self, participant: str, callback: Any, color_format: str) -> None:
        assert color_format == "RGB"
        red = np.zeros((90, 160, 3), np.uint8)
        red[..., 0] = 200
        frame = SimpleNamespace(buffer=red.tobytes(), width=160, height=90, timestamp_us=5)
        elsewhere(callback, participant, frame, "camera")

    def send_app_message(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "client-ready":
            ready = {"label": "rtvi-ai", "type": "bot-ready", "id": message["id"], "data": {"version": "2.2.0"}}
            elsewhere(self.handler.on_app_message, ready, "bot")

    def get_network_stats(self) -> Any:
        self.asked_late |= self.left
        return {"stats": {"latest": {"networkRoundTripTime": 0.05, "totalSendPacketLoss": 0.01}}}

    def leave(self, completion: Any) -> None:
        self.left = True
        if not self.hangs:
            elsewhere(completion, None)

    def release(self) -> None:
        self.released = True
        if self.hangs:
            STUCK.wait(60)


def elsewhere(function: Any, *arguments: Any) -> None:
    threading.Thread(target=function, args=arguments).start()


class Device:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write_frames(self, data: bytes) -> None:
        self.written.append(data)

    write_frame = write_frames


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    microphone, camera = Device(), Device()
    module = ModuleType("daily")
    module.EventHandler, module.CallClient = EventHandler, CallClient
    module.Daily = SimpleNamespace(
        init=lambda: None,
        create_microphone_device=lambda *_, **__: microphone,
        create_camera_device=lambda *_, **__: camera,
    )
    monkeypatch.setitem(sys.modules, "daily", module)
    sys.modules.pop("spike_engine.transports.daily", None)
    monkeypatch.setattr(CallClient, "error", None)
    yield SimpleNamespace(microphone=microphone, camera=camera)
    sys.modules.pop("spike_engine.transports.daily", None)


def client(**options: Any) -> SpikeClient:
    defaults = {"audio_source": ArrayMicrophone(), "audio_output": RecordingLoudspeaker(), "video": False}
    return SpikeClient(conversation_url="https://spike.daily.co/conv_abc123", token="eyJ", **(defaults | options))


async def test_a_conversation(room: SimpleNamespace) -> None:
    loudspeaker = RecordingLoudspeaker()
    own = client(video=True, video_source=ColourCamera(), audio_output=loudspeaker, video_quality="low")
    async with own:
        call = CallClient.last
        picture = await asyncio.wait_for(own.get_ai_video_track().recv(), 10)
        voice = await asyncio.wait_for(own.get_ai_audio_track().recv(), 10)
        own.set_audio_enabled(False)
        assert call.calls["inputs"] == {"microphone": False}
        own.send_text("hello")
        own.append_to_context("I am in a hurry")
        own.send_dtmf("5")
        own.volume = 0.5
        own.register_function(lambda: "a nail", name="look_up")
        asked = {"function_name": "look_up", "tool_call_id": "1", "arguments": {}}
        said = {"label": "rtvi-ai", "type": "llm-function-call-in-progress", "id": "9", "data": asked}
        elsewhere(call.handler.on_app_message, said, "bot")
        stats = await own.get_stats()
        while not (room.microphone.written and room.camera.written and len(call.sent) >= 5):
            await asyncio.sleep(0.01)

    assert call.calls["join"][:2] == ("https://spike.daily.co/conv_abc123", "eyJ")
    assert call.calls["profiles"]["base"] == {"microphone": "subscribed", "camera": "subscribed"}
    assert picture.to_ndarray(format="rgb24")[40, 80, 0] > 150
    assert (voice.sample_rate, voice.samples) == (48000, 960)
    assert [message["type"] for message in call.sent] == [
        *("client-ready", "send-text", "send-text", "dtmf", "llm-function-call-result")
    ]
    assert call.sent[-1]["data"]["result"] == "a nail"
    assert stats.network.round_trip_time_ms == 50
    assert len(room.microphone.written[0]) == 2 * 960
    assert len(room.camera.written[0]) == 320 * 180 * 3
    assert call.released


async def test_what_a_program_does_beside_talking(room: SimpleNamespace) -> None:
    tone = (0.2 * np.sin(2 * np.pi * 300 * np.arange(48000 * 20) / 48000)).astype(np.float32)
    own = client(turn_detection="push-to-talk", audio_source=ArrayMicrophone(tone), noise_suppression=False)
    levels: list[float] = []
    own.on("user-audio-level", lambda event: levels.append(event.level))

    def says(kind: str, **data: Any) -> None:
        CallClient.last.handler.on_app_message({"label": "rtvi-ai", "type": kind, "id": "9", "data": data}, "bot")

    async with own:
        call = CallClient.last
        own.append_to_context("It is late.", role="system")
        own.send_picture(np.zeros((90, 160, 3), np.uint8), "What is it?")
        own.start_talking()
        async with asyncio.timeout(20):
            while not any(level > 0.05 for level in levels):
                await asyncio.sleep(0.01)
        own.stop_talking()
        async with asyncio.timeout(20):
            while levels[-1]:  # while the button is up
                await asyncio.sleep(0.01)
        says("bot-started-speaking")
        says("bot-output", segment_id=1, spoken_progress={"accumulated_text": "A nail"})
        idle = asyncio.ensure_future(own.wait_for("ai-idle", timeout=20))
        await asyncio.sleep(0)
        own.start_talking()
        says("bot-interrupted")
        await idle
        (turn,) = [turn for turn in own.history if turn.speaker == "ai"]
        async with asyncio.timeout(20):
            while len(call.sent) < 7:
                await asyncio.sleep(0.01)

    kinds = [message["data"].get("t", message["type"]) for message in call.sent]
    assert kinds == [
        *("client-ready", "append-to-context", "send-file", "push-to-talk", "push-to-talk", "interrupt", "push-to-talk")
    ]
    assert [message["data"]["d"]["pressed"] for message in call.sent if message["data"].get("t") == "push-to-talk"] == [
        *(True, False, True)
    ]
    assert call.sent[2]["data"]["file"]["source"].keys() == {"type", "bytes", "width", "height"}
    assert (turn.text, turn.heard, turn.interrupted) == ("A nail", "A nail", True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("exp-token: the meeting token has expired", TokenExpired),
        ("exp-room", ConversationEnded),
        ("DNS", ConnectionFailed),
    ],
)
async def test_a_refusal(room: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, text: str, error: type) -> None:
    monkeypatch.setattr(CallClient, "error", text)
    with pytest.raises(error):
        await client().join()
    assert CallClient.last.released


async def test_a_room_out_of_reach_ends_in_time_and_is_asked_nothing_any_more(
    room: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real client takes 20 s to give up, and holds up the program if it is asked anything while it is released."""
    monkeypatch.setattr(CallClient, "hangs", True)
    monkeypatch.setattr("spike_engine.transports.daily.LEAVE_TIMEOUT_S", 0.3)
    try:
        with pytest.raises(ConnectionFailed, match="no conversation within"):
            await client(join_timeout_s=0.4).join()
    finally:
        STUCK.set()

    assert CallClient.last.released
    assert not CallClient.last.asked_late


@pytest.mark.parametrize("how", ["error", "state"])
async def test_an_ejection_ends_it(room: SimpleNamespace, how: str) -> None:
    errors: list[Any] = []
    own = client(on_error=errors.append)
    await own.join()
    over = asyncio.ensure_future(own.wait_for("disconnected", timeout=10))
    await asyncio.sleep(0)
    handler = CallClient.last.handler
    elsewhere(*((handler.on_error, "ejected by owner") if how == "error" else (handler.on_call_state_updated, "left")))

    assert (await over).reason == "ended"
    assert [error.code for error in errors] == [ErrorCode.CONVERSATION_ENDED]


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "daily", None)
    sys.modules.pop("spike_engine.transports.daily", None)

    with pytest.raises(ImportError, match=r"spike-engine\[daily\]"):
        await client().join()


def test_daily_is_chosen_for_its_addresses() -> None:
    assert transport_of("https://spike.daily.co/conv_abc123") == "daily"
    assert transport_of("https://notdaily.co/c") == "smallwebrtc"


def test_the_real_client_accepts_what_the_stand_in_does() -> None:
    """The calls above exist in daily-python, with these parameters."""
    real = pytest.importorskip("daily")
    signatures = {
        "join": ["meeting_url", "meeting_token", "client_settings", "completion"],
        "set_audio_renderer": ["participant_id", "callback", "sample_rate"],
        "set_video_renderer": ["participant_id", "callback", "color_format"],
        "send_app_message": ["message"],
        "leave": ["completion"],
        "update_inputs": ["input_settings"],
        "update_subscription_profiles": ["profile_settings"],
    }
    for name, parameters in signatures.items():
        text = getattr(real.CallClient, name).__text_signature__
        assert all(parameter in text for parameter in parameters), name
    for name in ("participants", "get_network_stats", "release"):
        assert hasattr(real.CallClient, name)
    for name in ("on_app_message", "on_participant_joined", "on_error", "on_call_state_updated"):
        assert hasattr(real.EventHandler, name)
