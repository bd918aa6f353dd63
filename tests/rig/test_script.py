"""Scripts: what they may say, and what is said of one that does not."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spike_engine import extras
from spike_engine.extras import MissingExtra
from spike_engine.rig.script import InvalidScript, Line, Network, load_script
from spike_engine.rig.voices import voices_of

TALK = """
greeting: false
repeat: 2
answer_timeout_s: 8
network: {loss: 0.02, delay_ms: 40, jitter_ms: 10}
turns:
  - say: Hello there.
    voice: hello.wav
  - any_of:
      - say: Wait.
      - voice: hello.wav
    pause_s: [0.4, 1.5]
    barge_in_after_s: 1
"""


def test_a_script_of_yaml(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "talk.yaml").write_text(TALK)

    script = load_script(tmp_path / "talk.yaml")

    assert (script.greeting, script.repeat, script.answer_timeout_s) == (False, 2, 8.0)
    assert script.network == Network(0.02, 40.0, 10.0)
    first, second = script.turns
    assert first.lines == (Line("Hello there.", tmp_path / "hello.wav"),)
    assert (first.pause_s, first.barge_in_after_s) == ((0.5, 0.5), None)
    assert second.lines == (Line("Wait."), Line("", tmp_path / "hello.wav"))
    assert (second.pause_s, second.barge_in_after_s) == ((0.4, 1.5), (1.0, 1.0))
    assert len(script.lines) == 3


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    page = Path(__file__).parents[2] / "docs" / "load-testing.md"
    if not page.exists():
        pytest.skip("the documentation is not here: an installed package is tested")
    (tmp_path / "talk.yaml").write_text(page.read_text().split("```yaml\n")[1].split("```")[0])

    script = load_script(tmp_path / "talk.yaml")

    assert len(script.turns) == 3
    assert script.turns[2].lines[1].voice == tmp_path / "recordings" / "cough.wav"


HELLO = {"say": "hello"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "the script must be a mapping with turns, repeat"),
        ({}, "turns must be a list of at least one turn, not None"),
        ({"turns": [HELLO], "speed": 2}, "the script has 'speed'; it may have turns, repeat"),
        ({"turns": [HELLO, {}]}, r"turns\[1\] must be 'say' with words, 'voice' with a recording, or both"),
        ({"turns": [{"say": 5}]}, r"turns\[0\].say must be words, not 5"),
        ({"turns": [HELLO | {"pause_s": "long"}]}, r"turns\[0\].pause_s must be a number from 0 to 3600, not 'long'"),
        ({"turns": [HELLO | {"pause_s": [2, 1]}]}, r"turns\[0\].pause_s must be seconds, or \[from, to\]"),
        ({"turns": [HELLO | {"barge_in_after_s": [1, 2, 3]}]}, r"barge_in_after_s must be seconds"),
        ({"turns": [{"any_of": [HELLO], "say": "x"}]}, r"turns\[0\].any_of must be a list"),
        ({"turns": [{"any_of": [HELLO, {"sya": "x"}]}]}, r"turns\[0\].any_of\[1\] has 'sya'; it may have say, voice"),
        ({"turns": [HELLO], "repeat": True}, "repeat must be a whole number"),
        ({"turns": [HELLO], "greeting": "yes"}, "greeting must be true or false"),
        ({"turns": [HELLO], "network": {"loss": 2}}, "network.loss must be a number from 0 to 1, not 2"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, value: Any, says: str) -> None:
    (tmp_path / "talk.json").write_text(json.dumps(value))

    with pytest.raises(InvalidScript, match=says):
        load_script(tmp_path / "talk.json")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", "[" * 5000),
        ("a.json", '{"turns": NaN}'),
        ("a.json", " " * (1 << 20) + "{}"),
        ("a.yaml", "a: ["),
        ("a.yaml", "[" * 500),
        ("a.yaml", "turns: 2020-02-31"),
    ],
    ids=["broken", "deep", "no number", "long", "broken yaml", "deep yaml", "no date"],
)
def test_what_is_no_script_at_all(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    if name.endswith("yaml"):
        pytest.importorskip("yaml")

    with pytest.raises(InvalidScript, match=f"{name} is (no |nested too deep|longer than)"):
        load_script(tmp_path / name)
    with pytest.raises(InvalidScript, match="cannot be read"):
        load_script(tmp_path / "nothing.yaml")


def test_a_script_as_an_editor_of_windows_writes_it(tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text('{"turns": [{"say": "half a \\ud800"}]}', encoding="utf-8-sig")

    assert load_script(tmp_path / "talk.json").turns[0].lines[0].text == "half a ?"


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.yaml").write_text(TALK)
    monkeypatch.setattr(extras, "find_spec", lambda module: None)

    with pytest.raises(MissingExtra, match=r"spike-engine\[rig\]"):
        load_script(tmp_path / "talk.yaml")


async def test_voices_are_recordings_and_what_espeak_makes(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        sound = np.zeros(16000, np.int16)
        sound[4000:12000] = 3000
        file.writeframes(sound.tobytes())
    recorded, spoken = Line("hello", tmp_path / "hello.wav"), Line("Hello.")

    voices = await voices_of([recorded, spoken])

    assert abs(len(voices[recorded]) - 24000) < 100  # half a second at 48 kHz, its silence cut
    assert np.abs(voices[recorded]).max() == pytest.approx(0.5, abs=0.01)
    assert 0.2 * 48000 < len(voices[spoken]) < 48000
    with pytest.raises(InvalidScript, match=r"nothing\.wav"):
        await voices_of([Line("", tmp_path / "nothing.wav")])
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(InvalidScript, match=r"text\.wav"):
        await voices_of([Line("", tmp_path / "text.wav")])
