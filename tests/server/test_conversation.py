"""Conversations as a client sees them on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from aiortc import AudioStreamTrack, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from caller import Caller
from host import Host

from spike_engine import dsp
from spike_engine.server import ConversationServer, HummingPersona, conversation, dialogue
from spike_engine.server.persona import Perceived, Speech
from spike_engine.server.picture.avatar import Avatar
from spike_engine.server.picture.face import paint_face
from spike_engine.server.tracks import VoiceTrack
from spike_engine.webrtc.silence import SILENCE_LIMIT_S

pytestmark = pytest.mark.usefixtures("nothing_left_open")

Recording = Callable[[str], np.ndarray]

ANSWER = ["bot-llm-started", "bot-tts-started", "bot-started-speaking", "bot-stopped-speaking"]


class Camera(VideoStreamTrack):
    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 200, np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, Fraction(time_base)
        return frame


def in_order(kinds: list[str], expected: list[str]) -> bool:
    rest = iter(kinds)
    return all(kind in rest for kind in expected)


async def test_the_client_is_welcomed(server: ConversationServer) -> None:
    async with Caller(server.create_conversation(), video=True) as caller:
        await caller.until("bot-stopped-speaking")
        await caller.until_true(lambda: len(caller.pictures) > 3)

    first = caller.messages[0][1]
    assert (first["label"], first["type"], first["id"]) == ("rtvi-ai", "bot-ready", "1")
    assert first["data"]["version"] == "2.2.0"
    assert in_order(caller.kinds, ["bot-ready", *ANSWER])
    assert max(np.abs(block).max() for _, block in caller.sound) > 3000
    assert (caller.pictures[0].width, caller.pictures[0].height) == (640, 360)
    assert Host.all[0].spoken == [("Welcome.", False)]


async def test_the_words_are_reported_while_they_are_sent(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        await caller.until("bot-stopped-speaking")
        caller.messages.clear()
        caller.sound.clear()
        caller.send("send-text", {"content": "one two"})
        await caller.until("bot-stopped-speaking")

    reports = caller.of("bot-output")
    assert [report["spoken_status"] for report in reports[:5]] == ["new", *["in-progress"] * 4]
    assert [report["spoken_progress"]["accumulated_text"] for report in reports[1:6]] == [
        "You",
        "You said",
        "You said one",
        "You said one two.",
        "You said one two.",
    ]
    assert reports[2]["spoken_progress"]["remaining_text"] == "one two."
    assert len({report["segment_id"] for report in reports}) == 2
    spoken_s = next(t for t, m in caller.messages if m["type"] == "bot-stopped-speaking") - next(
        t for t, m in caller.messages if m["type"] == "bot-started-speaking"
    )
    loud_s = [at for at, block in caller.sound if np.abs(block.astype(int)).max() > 300]
    hummed_s = Host.seconds_per_letter * len("You said one two.I see.")
    assert 0.02 * len(loud_s) == pytest.approx(hummed_s, abs=0.3)
    held_up_s = max(0.0, loud_s[-1] - loud_s[0] - hummed_s)  # on a busy machine
    assert spoken_s == pytest.approx(hummed_s, abs=0.3 + held_up_s)


async def test_a_spoken_turn(server: ConversationServer, recording: Recording) -> None:
    async with Caller(server.create_conversation()) as caller:
        await caller.until("bot-stopped-speaking")
        caller.messages.clear()
        caller.microphone.say(recording("hello"))
        await caller.until("bot-stopped-speaking")

    assert in_order(caller.kinds, ["user-started-speaking", "user-stopped-speaking", "user-transcription", *ANSWER])
    words = caller.of("user-input")[-1]
    assert (words["text"], words["final"], words["input_type"]) == ("something", True, "transcription")
    assert caller.of("user-transcription")[-1].keys() == {"text", "user_id", "timestamp", "final"}
    assert Host.all[0].heard == ["something"]


async def test_typed_text_is_a_turn(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "hi"})
        await caller.until("bot-stopped-speaking", count=2)

    assert caller.of("user-input")[0]["input_type"] == "chat"
    assert Host.all[0].heard == ["hi"]


async def test_what_the_persona_shall_only_know_is_no_turn(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        await caller.until("bot-stopped-speaking")
        caller.messages.clear()
        caller.send("send-text", {"content": "page 3", "options": {"run_immediately": False}})
        caller.send("client-message", {"t": "append-to-context", "d": {"role": "system", "content": "It is late."}})
        caller.send("client-message", {"t": "push-to-talk", "d": {"pressed": True}})
        caller.send("send-text", {"content": "fail to know", "options": {"run_immediately": False}})
        assert "fail to know" in (await caller.until("error"))["error"]

    assert caller.kinds == ["error"]
    assert Host.all[0].known == [("page 3", "user"), ("It is late.", "system")]
    assert Host.all[0].heard == []


async def test_the_user_interrupts(server: ConversationServer, recording: Recording) -> None:
    async with Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "a long story that goes on and on and on for ever and ever and a day"})
        await caller.until("bot-started-speaking", count=1)
        caller.messages.clear()
        caller.microphone.say(recording("hello"))
        await caller.until("user-started-speaking")
        kinds, said = caller.kinds, Host.all[0].spoken[-1]
        progress = caller.of("bot-output")[-1]["spoken_progress"]
        await caller.until_true(lambda: loudest(caller, last_s=0.04) < 300, timeout=0.5)
        await caller.until("bot-llm-started")

    assert in_order(kinds, ["bot-output", "bot-paused", "bot-interrupted", "user-started-speaking"])
    assert "bot-resumed" not in kinds
    assert said == (progress["accumulated_text"], True)
    assert progress["remaining_text"]


async def test_a_nod_makes_the_ai_pause_and_go_on(server: ConversationServer) -> None:
    espeak = pytest.importorskip("spike_engine.server.local.children.espeak").Worker()
    about, pcm = espeak.handle({"text": "yeah", "voice": "en", "words_per_minute": 150, "pitch": 50}, b"")
    spoken = dsp.resample(np.frombuffer(pcm, np.int16).astype(np.float32), about["sample_rate_hz"], 16000)
    nod = np.concatenate([spoken, np.zeros(8000)]).astype(np.int16)
    async with Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "a long story that goes on and on and on for ever and ever and a day"})
        await caller.until("bot-started-speaking", count=1)
        caller.microphone.say(np.tile(nod, 2))  # of two the second is let pass: an echo would make the AI stammer
        await caller.until("bot-resumed")
        await caller.until("bot-stopped-speaking", count=2)

    kinds = caller.kinds
    assert "user-started-speaking" not in kinds
    assert kinds.count("bot-paused") == 1
    assert in_order(kinds, ["bot-paused", "bot-resumed", "bot-output", "bot-stopped-speaking"])
    assert not Host.all[0].spoken[-1][1]


class ShortBreath(AudioStreamTrack):
    """Says what it is given, and ends."""

    def __init__(self, pcm: np.ndarray) -> None:
        super().__init__()
        self._blocks = [pcm[start : start + 320] for start in range(0, len(pcm) - 319, 320)]

    async def recv(self) -> av.AudioFrame:
        if not self._blocks:
            raise MediaStreamError
        frame = av.AudioFrame.from_ndarray(self._blocks.pop(0)[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = 16_000
        return frame


async def test_a_microphone_that_ends_while_the_ai_pauses_leaves_nobody_silent(recording: Recording) -> None:
    voice, sent = VoiceTrack(), []
    talk = dialogue.Dialogue(HummingPersona(), Avatar(paint_face()), lambda kind, data=None: sent.append(kind))
    talk.start(voice)
    talk.read("hello")
    async with asyncio.timeout(40):
        while "bot-started-speaking" not in sent:
            await voice.recv()
    await talk.listen(ShortBreath(np.concatenate([np.zeros(1600, np.int16), recording("hello")[:4000]])))

    assert [kind for kind in sent if kind in ("bot-paused", "bot-resumed")] == ["bot-paused", "bot-resumed"]
    assert not voice.held
    await talk.pause()
    voice.stop()


async def test_the_client_interrupts(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        await caller.until("bot-stopped-speaking")
        caller.send("send-text", {"content": "a long story that goes on and on and on for ever and ever and a day"})
        await caller.until("bot-started-speaking", count=2)
        caller.send("client-message", {"t": "interrupt", "d": None})
        await caller.until("bot-interrupted")
        caller.send("client-message", {"t": "dance", "d": None})
        await caller.until("error-response")

    assert Host.all[0].spoken[-1][1]
    assert len(caller.of("error-response")) == 1


def loudest(caller: Caller, *, last_s: float) -> int:
    return max(int(np.abs(block.astype(int)).max()) for _, block in caller.sound[-int(last_s / 0.02) :])


async def test_what_was_said_before_an_answer_belongs_to_the_same_thought(recording: Recording) -> None:
    goes_on = asyncio.Event()

    class Slow(Host):
        async def hear(self, speech: AsyncIterator[np.ndarray]) -> AsyncIterator[str]:
            async for text in super().hear(speech):
                yield text
            await goes_on.wait()

    async with ConversationServer(persona=Slow) as server, Caller(server.create_conversation()) as caller:
        caller.microphone.say(np.concatenate([recording("hello"), np.zeros(8000, np.int16), recording("hello")]))
        await caller.until("user-started-speaking", count=2)
        goes_on.set()
        await caller.until("user-stopped-speaking", count=2)
        await caller.until("bot-started-speaking", count=2)

    assert Slow.all[-1].heard == ["something something"]


async def test_a_persona_that_fails_is_told_and_the_conversation_goes_on() -> None:
    class Moody(Host):
        async def think(self, heard: str) -> AsyncIterator[str]:
            yield "Well."
            if heard == "fail":
                raise RuntimeError("no mood")

    async with ConversationServer(persona=Moody) as server, Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "fail"})
        assert await caller.until("error") == {"error": "the AI failed: no mood", "fatal": False}
        caller.messages.clear()
        caller.send("send-text", {"content": "again"})
        await caller.until("bot-stopped-speaking")


def cancels(*_: object, **__: object) -> Any:
    raise asyncio.CancelledError


async def cancels_later(*_: object) -> Any:
    raise asyncio.CancelledError


async def thinks_and_cancels(*_: object) -> AsyncIterator[str]:
    yield "Well."
    raise asyncio.CancelledError


async def stereo(*_: object) -> Speech:
    return Speech(np.zeros((480, 2), np.float32), 48000)


@pytest.mark.parametrize(
    ("method", "does", "error"),
    [
        ("think", cancels, "CancelledError"),
        ("think", cancels_later, "coroutine"),
        ("think", thinks_and_cancels, "CancelledError"),
        ("speak", cancels_later, "CancelledError"),
        ("speak", stereo, r"\(480, 2\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine 'cancels_later' was never awaited")
async def test_whatever_a_persona_does_the_client_is_told_and_the_next_turn_comes(
    method: str, does: Any, error: str
) -> None:
    class Odd(Host):
        greeting = ""

    async with ConversationServer(persona=Odd) as server, Caller(server.create_conversation()) as caller:
        setattr(Host.all[-1], method, does)
        caller.send("send-text", {"content": "hi"})
        assert re.search(error, (await caller.until("error"))["error"])
        delattr(Host.all[-1], method)
        caller.messages.clear()
        caller.send("send-text", {"content": "again"})
        await caller.until("bot-started-speaking")


async def test_a_persona_that_does_not_want_to_know_what_it_said(recording: Recording) -> None:
    class Deaf(Host):
        said = cancels

    async with ConversationServer(persona=Deaf) as server, Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "a long story that goes on and on and on for ever and ever and a day"})
        await caller.until("bot-started-speaking")
        for count in (1, 2):  # the second is heard, too
            caller.microphone.say(recording("hello"))
            await caller.until("user-stopped-speaking", count=count)


async def test_a_persona_that_hangs_is_interrupted_though_it_does_not_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = asyncio.Event()

    class Stubborn(Host):
        greeting = ""

        async def think(self, heard: str) -> AsyncIterator[str]:
            while heard == "hang" and not let_go.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await let_go.wait()
            yield "Well."

    monkeypatch.setattr(dialogue, "CLEANUP_LIMIT_S", 0.1)
    async with ConversationServer(persona=Stubborn) as server, Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "hang"})
        await caller.until("bot-llm-started")
        caller.send("send-text", {"content": "go on"})
        await caller.until("bot-started-speaking")
        let_go.set()


async def test_a_persona_whose_start_is_cancelled_or_whose_end_hangs_ends_the_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(Host):
        start = cancels_later

        async def close(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(conversation, "CLOSE_LIMIT_S", 0.1)
    async with ConversationServer(persona=Broken) as server:
        caller = Caller(server.create_conversation())
        await caller.join()
        await caller.opened.wait()
        caller.send("client-ready")
        assert "CancelledError" in (await caller.until("error"))["error"]
        await asyncio.wait_for(caller.closed.wait(), 5)
        await caller.close()


async def test_a_persona_that_thinks_of_nothing_leaves_the_client_idle() -> None:
    class Silent(Host):
        greeting = ""

        async def think(self, heard: str) -> AsyncIterator[str]:
            for word in ():
                yield word

    async with ConversationServer(persona=Silent) as server, Caller(server.create_conversation()) as caller:
        caller.send("send-text", {"content": "hi"})
        await caller.until("bot-stopped-speaking")

    assert "bot-started-speaking" not in caller.kinds


async def test_a_persona_that_cannot_start_ends_the_conversation() -> None:
    class Broken(Host):
        async def start(self) -> None:
            raise RuntimeError("no model")

        async def close(self) -> None:
            raise RuntimeError("no model either")

    async with ConversationServer(persona=Broken) as server:
        invitation = server.create_conversation()
        caller = Caller(invitation)
        await caller.join()
        await caller.opened.wait()
        caller.send("client-ready")
        assert await caller.until("error") == {"error": "the AI did not start: no model", "fatal": True}
        await asyncio.wait_for(caller.closed.wait(), 5)
        assert caller.signals == ["peerLeft"]
        assert (await caller.request("POST", "/api/offer", {"sdp": "", "type": "offer"}))[0] == 410
        await caller.close()


async def test_messages_that_mean_nothing(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        for text in ("garbage", "[]", "[" * 5000, '{"label": "other"}', "x" * 70_000):
            caller.channel.send(text)
        caller.channel.send(b"bytes")
        caller.send("send-text", "no dictionary")
        caller.send("dance")
        await caller.until("error-response", count=2)

    assert "'dance'" in caller.of("error-response")[1]["error"]


async def test_the_server_says_good_bye(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        await server.stop()
        await asyncio.wait_for(caller.closed.wait(), 5)

    assert caller.signals == ["peerLeft"]
    assert Host.all[0].closed == 1


async def test_the_client_ends_the_conversation(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        caller.send("disconnect-bot")
        await asyncio.wait_for(caller.closed.wait(), 5)
        assert (await caller.request("DELETE", ""))[0] == 410


async def test_a_client_that_hangs_up_may_come_back(server: ConversationServer) -> None:
    invitation = server.create_conversation()
    async with Caller(invitation) as first:
        await first.until("bot-stopped-speaking")
    async with Caller(invitation) as second:
        second.send("send-text", {"content": "me again"})
        await second.until("bot-stopped-speaking")

    assert [host.heard for host in Host.all] == [["me again"]]
    assert Host.all[0].started == 1
    assert Host.all[0].spoken[0] == ("Welcome.", False)  # greeted once
    assert len(Host.all[0].spoken) == 2


async def test_who_comes_back_waits_for_no_voice_detector(
    server: ConversationServer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    class Counted(dialogue.VoiceDetector):
        def __init__(self) -> None:
            super().__init__()
            loaded.append(self)

    monkeypatch.setattr(dialogue, "VoiceDetector", Counted)
    invitation = server.create_conversation()
    for _ in range(2):
        async with Caller(invitation) as caller:
            caller.microphone.say(recording("hello"))
            await caller.until("user-stopped-speaking")

    assert len(loaded) == 1


async def test_a_restart_takes_the_place_of_the_old_connection(server: ConversationServer) -> None:
    invitation = server.create_conversation()
    async with Caller(invitation) as first:
        second = Caller(invitation)
        await second.join(pc_id=first.peer_id, restart_pc=True)
        await second.get_ready()
        await asyncio.wait_for(first.closed.wait(), 5)
        assert second.peer_id != first.peer_id
        await second.close()


async def test_a_bad_offer_leaves_the_connection_in_use(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        status, _ = await caller.request("POST", "/api/offer", {"sdp": "garbage", "type": "offer"})
        assert status == 400
        caller.send("send-text", {"content": "still here"})
        await caller.until("user-input")


async def test_an_offer_for_the_same_connection_may_add_video() -> None:
    class Watcher(Host):
        sees = True

        async def see(self, picture: np.ndarray) -> Perceived:
            return Perceived("happy")

    async with ConversationServer(persona=Watcher) as server, Caller(server.create_conversation()) as caller:
        before = caller.peer_id
        caller.pc.addTransceiver(Camera(), direction="sendrecv")
        await caller.join(pc_id=before)
        assert caller.peer_id == before
        await caller.until_true(lambda: bool(caller.pictures))
        await caller.until("server-message")
        caller.send("send-text", {"content": "still here"})
        await caller.until("user-input")


async def test_a_client_that_vanishes_is_noticed(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        caller.vanish()
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        await asyncio.wait_for(caller.closed.wait(), SILENCE_LIMIT_S + 2)
        assert SILENCE_LIMIT_S - 1 < loop.time() - start_s < SILENCE_LIMIT_S + 1


async def test_a_client_whose_pings_are_late_is_not_given_up(server: ConversationServer) -> None:
    async with Caller(server.create_conversation()) as caller:
        caller.stop_pings()  # its voice still comes
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(caller.closed.wait(), SILENCE_LIMIT_S + 2)
        caller.send("send-text", {"content": "still here"})
        await caller.until("user-input")


async def test_several_conversations_at_once(server: ConversationServer) -> None:
    async def talk(word: str) -> list[str]:
        async with Caller(server.create_conversation()) as caller:
            caller.send("send-text", {"content": word})
            await caller.until("bot-stopped-speaking", count=2)
            return [report["text"] for report in caller.of("bot-output")]

    spoken = await asyncio.gather(*(talk(word) for word in ("one", "two", "three")))

    for word, texts in zip(("one", "two", "three"), spoken, strict=True):
        assert f"You said {word}." in texts
    assert sorted(host.heard for host in Host.all) == [["one"], ["three"], ["two"]]


async def test_perception_is_sent_when_it_changes() -> None:
    class Watcher(Host):
        sees = True
        looks = 0

        async def see(self, picture: np.ndarray) -> Perceived:
            self.looks += 1
            assert picture.shape == (90, 160, 3)
            return Perceived("happy" if picture.mean() > 150 else "sad", None)

    async with (
        ConversationServer(persona=Watcher) as server,
        Caller(server.create_conversation(), video=Camera()) as caller,
    ):
        seen = await caller.until("server-message")
        await caller.until_true(lambda: Watcher.all[-1].looks > 3)

    assert seen == {"type": "perception", "emotion": "happy", "gesture": None}
    assert len(caller.of("server-message")) == 1


async def test_a_persona_that_fails_to_see_looks_no_more() -> None:
    class Blind(Host):
        sees = True
        looks = 0

        async def see(self, picture: np.ndarray) -> Perceived:
            self.looks += 1
            raise RuntimeError("no eyes")

    async with (
        ConversationServer(persona=Blind) as server,
        Caller(server.create_conversation(), video=Camera()) as caller,
    ):
        assert (await caller.until("error"))["error"] == "the AI failed: no eyes"
        await caller.until_true(lambda: len(caller.pictures) > 15)

    assert Blind.all[-1].looks == 1


async def test_a_user_is_not_looked_at_unless_wished(server: ConversationServer) -> None:
    async with Caller(server.create_conversation(), video=Camera()) as caller:
        await caller.until("bot-stopped-speaking")

    assert "server-message" not in caller.kinds


async def test_a_client_whose_candidates_have_names_that_nobody_knows(server: ConversationServer) -> None:
    """As browsers have them; in a network without multicast DNS the client's own checks are what connects."""
    caller = Caller(server.create_conversation())
    await caller.pc.setLocalDescription(await caller.pc.createOffer())
    lines = caller.pc.localDescription.sdp.splitlines()
    hidden = "a=candidate:0 1 udp 2122187007 15f1e281-ac5c-4300-93ed-4ea464c94f49.local 50001 typ host"
    sdp = "".join(f"{hidden if line.startswith('a=candidate:') else line}\r\n" for line in lines)
    assert "a=end-of-candidates" in sdp

    _, answer = await caller.request("POST", "/api/offer", {"sdp": sdp, "type": "offer"})
    await caller.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))

    await caller.get_ready()
    await caller.close()
