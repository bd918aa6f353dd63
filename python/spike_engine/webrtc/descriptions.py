"""What session descriptions (SDP) say about voice beyond what aiortc writes into them.

Opus's error correction is sent only to who asks for it (``useinbandfec``, RFC 7587 section 6.1), and redundant audio
(``red``, RFC 2198) only where both sides name it. aiortc drops what it does not know from what it negotiates, so this
works on the text.
"""

from __future__ import annotations

import itertools
import re

RED_PAYLOAD_TYPE = 63  # what browsers use; an answer takes the offer's
_SECTION = re.compile(r"^m=", re.MULTILINE)
_OPUS = re.compile(r"^a=rtpmap:(\d+) opus/48000/2\s*$", re.MULTILINE | re.IGNORECASE)
_RED = re.compile(r"^a=rtpmap:(\d+) red/48000/2\s*$", re.MULTILINE | re.IGNORECASE)
_DTX = re.compile(r"^a=fmtp:(\d+) (?:.*;)? *usedtx=1 *(?:;.*)?$", re.MULTILINE)
_FORMATS = re.compile(r"^(m=audio \d+ \S+)((?: \d+)+)", re.MULTILINE)


def ask_for_resilience(sdp: str, *, red: int | None, always: bool = True) -> str:
    """`sdp` whose voices ask for Opus's error correction and, as payload type `red`, for redundant audio.

    With `always` RED is named first: a sender of libwebrtc's uses it only then, and then for every packet. Ours take it
    as a permission and use it where packets get lost. Sections without Opus stay as they are.
    """
    return "".join(_with_resilience(section, red, always) for section in _sections(sdp))


def red_payload_type(sdp: str) -> int | None:
    """The payload type of redundant audio in the first voice of `sdp`; None where it is not named."""
    for section in _sections(sdp):
        if section.startswith("m=audio") and (found := _RED.search(section)):
            return int(found[1])
    return None


def asks_for_dtx(sdp: str) -> bool:
    """Whether who wrote `sdp` prefers to get next to nothing of a silent voice (``usedtx``, RFC 7587 section 6.1)."""
    section = next((section for section in _sections(sdp) if section.startswith("m=audio")), "")
    opus = _OPUS.search(section)
    return opus is not None and opus[1] in _DTX.findall(section.replace("\r", ""))


def _sections(sdp: str) -> list[str]:
    starts = [0, *(match.start() for match in _SECTION.finditer(sdp)), len(sdp)]
    return [sdp[start:end] for start, end in itertools.pairwise(starts)]


def _with_resilience(section: str, red: int | None, always: bool) -> str:
    opus = _OPUS.search(section) if section.startswith("m=audio") else None
    if not opus:
        return section
    payload_type = int(opus[1])
    lines = [] if f"a=fmtp:{payload_type} " in section else [f"a=fmtp:{payload_type} minptime=10;useinbandfec=1"]
    if red is not None and not _RED.search(section) and f"a=rtpmap:{red} " not in section:
        lines += [f"a=rtpmap:{red} red/48000/2", f"a=fmtp:{red} {payload_type}/{payload_type}"]
        section = _FORMATS.sub(rf"\g<1> {red}\g<2>" if always else rf"\g<1>\g<2> {red}", section, count=1)
        opus = _OPUS.search(section)
        assert opus is not None
    end = section.index("\n", opus.end() - 1) + 1 if "\n" in section[opus.end() - 1 :] else len(section)
    return section[:end] + "".join(f"{line}\r\n" for line in lines) + section[end:]
