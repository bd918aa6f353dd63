"""Speech recognition with pocketsphinx, whose decoder keeps the interpreter lock too long to share a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pocketsphinx import Decoder

# Cepstral means of recorded telephone speech: without them the decoder needs a sentence or two to find its feet.
CEPSTRAL_MEANS = "44.7,-0.1,9.3,5.8,-3.9,0.1,-1.5,4.2,1.2,1.9,-1.7,-0.3,0.7"
SHORT_WORDS = 3
SHORT_BYTES = 3 * 16_000 * 2
HINT_GAIN = 1.08  # so much better than free text must a hint fit; of other short prompts hardly one does


class Worker:
    """Hears one utterance at a time.

    Steps are ``begin`` with the ``hints``, ``audio`` with mono int16 at 16 kHz, and ``end``; each is answered with the
    ``{text}`` so far. A hint is a short sentence to be expected: in one or two words free text has little to go by.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(loglevel="FATAL")
        self._decoder.set_cmn(CEPSTRAL_MEANS)
        self._free_text = self._decoder.current_search()
        self._hints: Sequence[str] = ()
        self._expects_hint = False
        self._heard = bytearray()
        self._means_before = ""
        self._hearing = False

    def handle(self, request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Take one step."""
        match request["step"]:
            case "begin":
                self._begin(request.get("hints", ()))
            case "audio":
                self._decoder.process_raw(payload, no_search=False, full_utt=False)
                self._heard += payload[: SHORT_BYTES - len(self._heard)]
            case "end":
                self._decoder.end_utt()
                self._hearing = False
                return {"text": self._best().replace("-", "")}, b""
        hypothesis = self._decoder.hyp()
        return {"text": hypothesis.hypstr if hypothesis else ""}, b""

    def _begin(self, hints: Sequence[str]) -> None:
        if self._hearing:  # the last utterance was given up
            self._decoder.end_utt()
        self._expects_hint = bool(hints)
        if hints and hints != self._hints:
            self._hints = hints
            grammar = f"#JSGF V1.0; grammar hints; public <hint> = {' | '.join(hints)};"
            self._decoder.add_jsgf_string("hints", grammar)
            self._decoder.activate_search(self._free_text)
        self._heard.clear()
        self._means_before = self._decoder.get_cmn(False)
        self._decoder.start_utt()
        self._hearing = True

    def _best(self) -> str:
        """What was said: of a short sentence the hint that fits, or else the first of the n-best list."""
        hypothesis = self._decoder.hyp()
        if hypothesis is None:
            return ""
        text, score = str(hypothesis.hypstr), float(hypothesis.score)
        if len(text.split()) > SHORT_WORDS:
            return text
        # The n-best list, rescored on the whole lattice, gives the language model less weight than the first pass does.
        best = next(iter(self._decoder.nbest()), None)
        return self._fitting_hint(score) or (str(best.hypstr) if best else text)

    def _fitting_hint(self, free_text_score: float) -> str:
        if not self._expects_hint:
            return ""
        means_after = self._decoder.get_cmn(False)
        self._decoder.set_cmn(self._means_before)
        self._decoder.activate_search("hints")
        self._decoder.start_utt()
        self._decoder.process_raw(bytes(self._heard), no_search=False, full_utt=False)
        self._decoder.end_utt()
        hint = self._decoder.hyp()
        self._decoder.activate_search(self._free_text)
        self._decoder.set_cmn(means_after)
        fits = hint and hint.hypstr in self._hints and hint.score > HINT_GAIN * free_text_score
        return str(hint.hypstr) if fits else ""
