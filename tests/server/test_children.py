"""The workers, run in this process. espeak-ng's is not: it must stay outside."""

from __future__ import annotations

import io
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spike_engine.server.local.children import __main__ as children


def test_the_loop_answers_each_request_until_stdin_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Worker:
        def handle(self, request: dict[str, int], payload: bytes) -> tuple[dict[str, int], bytes]:
            print("noise")  # noqa: T201 (what libraries do)
            return {"sum": request["a"] + request["b"]}, payload * 2

    requests = b'{"a": 1, "b": 2, "bytes": 3}\nabc{"a": 1, "bytes": 0}\n{"a": 3, "b": 4}\n'
    monkeypatch.setitem(sys.modules, "adder", SimpleNamespace(Worker=Worker))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["children", "adder"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(requests)))
    replies = tmp_path / "replies"
    with replies.open("w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        children.main()

    first, second, third = replies.read_bytes().split(b"\n", 2)
    assert json.loads(first) == {"sum": 3, "bytes": 6}
    assert second.startswith(b"abcabc")
    assert json.loads(second[6:]) == {"error": "KeyError: 'b'", "bytes": 0}
    assert json.loads(third) == {"sum": 7, "bytes": 0}


def test_the_recogniser_hears_one_utterance_after_the_other(recording: Callable[[str], np.ndarray]) -> None:
    pytest.importorskip("pocketsphinx")
    from spike_engine.server.local.children.sphinx import Worker

    worker = Worker()
    heard = []
    for name in ("hello", "something-terribly-wrong"):
        assert worker.handle({"step": "begin"}, b"") == ({"text": ""}, b"")
        worker.handle({"step": "audio"}, recording(name).tobytes())
        heard.append(worker.handle({"step": "end"}, b"")[0]["text"])
    worker.handle({"step": "begin"}, b"")
    worker.handle({"step": "begin"}, b"")  # the one before was given up

    assert heard[0] == "hello"
    assert "terribly wrong" in heard[1]
    assert worker.handle({"step": "end"}, b"") == ({"text": ""}, b"")


HINTS = ["hello", "thank you", "good-bye"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("goodbye", "goodbye"), ("auth-thankyou", "thank you"), ("vm-press", "press"), ("vm-Work", "work")],
)
def test_a_hint_is_taken_where_the_sound_fits_it(recording: Callable[[str], np.ndarray], name: str, text: str) -> None:
    pytest.importorskip("pocketsphinx")
    from spike_engine.server.local.children.sphinx import Worker

    worker = Worker()
    quiet = bytes(6400)
    worker.handle({"step": "begin", "hints": HINTS}, b"")
    worker.handle({"step": "audio"}, quiet + recording(name).tobytes() + quiet)

    assert worker.handle({"step": "end"}, b"")[0]["text"] == text
