"""Sections that an answer rejects, by port 0 (RFC 9429 section 5.3.1): aiortc would have them complete all the same."""

from __future__ import annotations

import re

_SECTIONS = re.compile(r"^(?=m=)", re.MULTILINE)
_REJECTED = re.compile(r"m=(\w+) 0[ /\r\n]")
_BUNDLE = re.compile(r"^a=group:BUNDLE(.*)\r\n", re.MULTILINE)
_MID = re.compile(r"^a=mid:(\S+)", re.MULTILINE)
_OF_THE_OFFER = ("m=", "c=", "a=mid:", "a=rtpmap:", "a=rtcp-fb:", "a=fmtp:", "a=rtcp-mux")
_OF_THE_TRANSPORT = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:")


def inactive_where_rejected(answer: str, offer: str) -> str:
    """`answer`, whose rejected videos share the transport of the rest and send and receive nothing.

    What a rejected section says of itself does not count; it may have no formats even. Those of `offer` are put in.

    Raises:
        ValueError: It rejects the voice.
    """
    head, *sections = _SECTIONS.split(answer)
    offered = _SECTIONS.split(offer)[1:]
    kinds = [match[1] if (match := _REJECTED.match(section)) else None for section in sections]
    if "audio" in kinds:
        raise ValueError("it rejects the voice")
    rejected = [index for index, kind in enumerate(kinds) if kind == "video" and index < len(offered)]
    taken = next((section for section, kind in zip(sections, kinds, strict=True) if kind is None), "")
    if not rejected or not taken:
        return answer
    transport = [line for line in taken.splitlines() if line.startswith(_OF_THE_TRANSPORT)]
    for index in rejected:
        kept = [line for line in offered[index].splitlines() if line.startswith(_OF_THE_OFFER)]
        sections[index] = "\r\n".join([*kept, "a=inactive", *transport, ""])
    names = [name for index in rejected for name in _MID.findall(sections[index])]
    bundle = _BUNDLE.search(head)
    others = bundle[1].split() if bundle else _MID.findall(taken)
    together = " ".join([*(name for name in others if name not in names), *names])
    return "".join([_BUNDLE.sub("", head), f"a=group:BUNDLE {together}\r\n", *sections])
