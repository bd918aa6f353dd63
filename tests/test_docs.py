"""Every Python example in the documentation runs, in a real conversation; its devices are stand-ins."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from endpoints import ArrayMicrophone, ColourCamera, RecordingLoudspeaker

import spike_engine
from spike_engine import devices
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.sources import opened
from spike_engine.sources.resolve import audio_source_of

ROOT = Path(__file__).parent.parent
PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if page.exists()]


class Greeter(HummingPersona):
    greeting = "Hello and welcome."


def examples_of(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


EXAMPLES = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(examples_of(page), start=1)
]


class PatientClient(spike_engine.SpikeClient):
    """Waits for a busy machine, too, where an example does not say how long."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"join_timeout_s": 20.0, **options})


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The devices that the examples take for granted, and the time that they may take."""
    monkeypatch.setattr(spike_engine, "SpikeClient", PatientClient)
    monkeypatch.setattr(
        opened, "audio_source_of", lambda s: ArrayMicrophone() if isinstance(s, str) else audio_source_of(s)
    )
    monkeypatch.setattr(opened, "sink_of", lambda s: RecordingLoudspeaker() if isinstance(s, str) else s)
    monkeypatch.setattr(devices, "Camera", lambda *_: ColourCamera())


@pytest.mark.parametrize("code", EXAMPLES)
async def test_an_example_runs(code: str) -> None:
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        names: dict[str, Any] = {"SpikeClient": spike_engine.SpikeClient, "print": lambda *_: None}
        names |= {"url": invitation.conversation_url, "token": invitation.token}
        await run(code, names)
        for thing in names.values():
            if isinstance(thing, spike_engine.SpikeClient):
                assert thing.state.error is None
                await thing.leave()


def test_there_are_examples() -> None:
    if not PAGES:
        pytest.skip("the documentation is not here: an installed package is tested")
    assert len(EXAMPLES) >= 15


# --- the page for who comes from JavaScript ---------------------------------------------------------------------------

FROM_JAVASCRIPT = ROOT / "docs" / "from-javascript.md"
EVENTS = {
    "disconnected": spike_engine.Disconnected(spike_engine.DisconnectReason.NETWORK),
    "ai-speaking": spike_engine.AISpeaking("Hello", 0.2),
    "perception": spike_engine.Perception("happy", "nod"),
}
# What the JavaScript client's page names, besides what its tables here repeat.
SPECIFIED = """
import new join on leave conversationUrl token audio video audioSource echoCancellation noiseSuppression
videoSource videoQuality onConnected onDisconnected onError connected disconnected ai-thinking ai-speaking
ai-idle user-started-speaking user-stopped-speaking perception transcript audioLevel emotion gesture
setAudioEnabled setVideoEnabled setAudioDevice setVideoDevice getDevices getAIVideoTrack srcObject MediaStream
useSpikeConversation SpikeProvider useConversation isConnected isAISpeaking aiVideoTrack aiTranscript
userTranscript error getAIAudioTrack CONNECTION_FAILED MEDIA_PERMISSION_DENIED TOKEN_EXPIRED
CONVERSATION_ENDED reconnect network
"""


def sections() -> list[Any]:
    """Title, and (JavaScript, Python, whether that is an option) of each row, for each section that has a table."""
    found = []
    text = FROM_JAVASCRIPT.read_text() if FROM_JAVASCRIPT.exists() else ""
    for section in text.split("\n## ")[1:]:
        rows, is_option = [], False
        for line in section.splitlines():
            cells = [cell.strip() for cell in line.split("|")[1:]]
            if len(cells) < 2 or set(cells[0]) == {"-"}:
                continue
            if cells[0] == "JavaScript":
                is_option = cells[1] == "Option"
            else:
                rows.append((cells[0], cells[1].strip("`"), is_option))
        if rows:
            found.append(pytest.param(rows, id=section.splitlines()[0]))
    return found


@pytest.mark.parametrize("rows", sections())
async def test_each_row_for_who_comes_from_javascript_runs(rows: list[tuple[str, str, bool]]) -> None:
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        names: dict[str, Any] = {"url": invitation.conversation_url, "token": invitation.token}
        names |= {"SpikeClient": spike_engine.SpikeClient, "function": lambda _: None}
        names["error"] = spike_engine.ConnectionFailed("no way")
        client = names["client"] = spike_engine.SpikeClient(conversation_url=names["url"], token=names["token"])
        if not any("join()" in python for _, python, _ in rows):
            await client.join()
        for javascript, python, is_option in rows:
            event = re.search(r"of `([\w-]+)`", javascript)
            names["event"] = EVENTS[event[1]] if event else None
            named = {"conversation_url": "url", "token": "token"}
            named |= dict(re.findall(r"(\w+)=((?:\[.*\]|[^,])+)", python)) if is_option else {}
            given = ", ".join(f"{name}={value}" for name, value in named.items())
            code = f"SpikeClient({given})" if is_option else python
            try:
                await run(code, names)
            except Exception as error:
                raise AssertionError(f"{javascript} | {python}: {error!r}") from error
        await names["client"].leave()
        await client.leave()


async def run(code: str, names: dict[str, Any]) -> None:
    result = eval(compile(code, "<row>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(result):
        await result


def test_nothing_of_the_javascript_page_is_left_out() -> None:
    if not PAGES:
        pytest.skip("the documentation is not here: an installed package is tested")
    javascript = " ".join(row[0] for section in sections() for row in section.values[0])

    assert not [name for name in SPECIFIED.split() if name not in javascript]
