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
from spike_engine import devices, media
from spike_engine.server import ConversationServer, HummingPersona
from spike_engine.sources import audio_source_of

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


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The devices that the examples take for granted."""
    monkeypatch.setattr(media, "source_of", lambda s: ArrayMicrophone() if isinstance(s, str) else audio_source_of(s))
    monkeypatch.setattr(media, "sink_of", lambda s: RecordingLoudspeaker() if isinstance(s, str) else s)
    monkeypatch.setattr(devices, "Camera", lambda *_: ColourCamera())


@pytest.mark.parametrize("code", EXAMPLES)
async def test_an_example_runs(code: str) -> None:
    compiled = compile(code, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with ConversationServer(persona=Greeter) as server:
        invitation = server.create_conversation()
        names: dict[str, Any] = {"SpikeClient": spike_engine.SpikeClient, "print": lambda *_: None}
        names |= {"url": invitation.conversation_url, "token": invitation.token}
        result = eval(compiled, names)
        if inspect.isawaitable(result):
            await result
        for thing in names.values():
            if isinstance(thing, spike_engine.SpikeClient):
                assert thing.state.error is None
                await thing.leave()


def test_there_are_examples() -> None:
    if not PAGES:
        pytest.skip("the documentation is not here: an installed package is tested")
    assert len(EXAMPLES) >= 15
