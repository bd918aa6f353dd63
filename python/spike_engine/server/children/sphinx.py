"""Speech recognition with pocketsphinx, whose decoder keeps the interpreter lock too long to share a process."""

from __future__ import annotations

from typing import Any

from pocketsphinx import Decoder

# Cepstral means of recorded telephone speech: without them the decoder needs a sentence or two to find its feet.
CEPSTRAL_MEANS = "44.7,-0.1,9.3,5.8,-3.9,0.1,-1.5,4.2,1.2,1.9,-1.7,-0.3,0.7"
SHORT_WORDS = 3


class Worker:
    """Hears one utterance at a time.

    Steps are ``begin``, ``audio`` with mono int16 at 16 kHz, and ``end``; each is answered with the ``{text}`` so far.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(loglevel="FATAL")
        self._decoder.set_cmn(CEPSTRAL_MEANS)
        self._hearing = False

    def handle(self, request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Take one step."""
        match request["step"]:
            case "begin":
                if self._hearing:  # the last utterance was given up
                    self._decoder.end_utt()
                self._decoder.start_utt()
                self._hearing = True
            case "audio":
                self._decoder.process_raw(payload, no_search=False, full_utt=False)
            case "end":
                self._decoder.end_utt()
                self._hearing = False
                return {"text": self._best()}, b""
        hypothesis = self._decoder.hyp()
        return {"text": hypothesis.hypstr if hypothesis else ""}, b""

    def _best(self) -> str:
        """What was said: of a short sentence the first of the n-best list, where the language model weighs less."""
        hypothesis = self._decoder.hyp()
        if hypothesis is None:
            return ""
        text = str(hypothesis.hypstr)
        if len(text.split()) <= SHORT_WORDS and (best := next(iter(self._decoder.nbest()), None)):
            text = str(best.hypstr)
        return text.replace("-", "")
