"""What the other side of a connection says before aiortc believes it."""

from __future__ import annotations

import itertools
import logging
import re

from aiortc import RTCSctpTransport
from aiortc.exceptions import OperationError
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

from spike_engine.webrtc.rejected import inactive_where_rejected

logger = logging.getLogger(__name__)

# Every candidate of theirs makes a pair with every one of ours, and aioice sorts them all each time: with thousands it
# would hold up the program for minutes.
MOST_CANDIDATES = 64
MOST_CHARS = 1 << 18
LEAST_MESSAGE_BYTES = 1024  # our own messages are shorter; a program's may be longer

# What aiortc takes apart, and would stumble over where it is not of this form.
_FORMS = {
    name: re.compile(form, re.ASCII)
    for name, form in {
        "extmap": r"\d+(/\w+)? \S+",
        "fingerprint": r"\S+ \S+",
        "fmtp": r"\d+ .+",
        "group": r".*",
        "max-message-size": r"\d+",
        "msid-semantic": r".*",
        "rtcp": r"\d+( IN IP[46] \S+)?",
        "rtcp-fb": r"(\*|\d+) \S.*",
        "rtpmap": r"\d+ [^/]+/\d+(/\d+)?",
        "sctp-port": r"\d+",
        "sctpmap": r"\d+ .+",
        "ssrc": r"\d+ [^:]+:.*",
        "ssrc-group": r"\S+( \d+)*",
    }.items()
}
_PAYLOAD_TYPE = re.compile(r"^a=rtpmap:(\d+) ", re.MULTILINE)


def checked(sdp: str, offer: str | None = None) -> str:
    """The session description of a stranger (RFC 8866), with as many of its candidates as are tried.

    A candidate that is none is left out, as those of kinds to come (RFC 8839 section 5.1), and so is any other
    attribute that cannot be read (RFC 8866 section 5.13). An answer to `offer` may reject video.

    Raises:
        ValueError: It is too long, rejects the voice, or has a section whose certificate nobody could verify (RFC 8827
            section 6.5), a data channel without a port (RFC 8841 section 5) or a bundle of sections that are not there
            (RFC 9143 section 7.1), which aiortc would find out late.
    """
    if len(sdp) > MOST_CHARS:
        raise ValueError(f"it is longer than {MOST_CHARS} characters")
    kept = itertools.count()
    payload_types = set(_PAYLOAD_TYPE.findall(sdp))
    lines = [
        line
        for line in map(str.rstrip, sdp.splitlines())
        if (
            _is_candidate(line) and next(kept) < MOST_CANDIDATES
            if line.startswith("a=candidate:")
            else _is_readable(line, payload_types)
        )
    ]
    sdp = "\r\n".join([*lines, ""])
    if offer:
        sdp = inactive_where_rejected(sdp, offer)
    description = SessionDescription.parse(sdp)
    names = {media.rtp.muxId for media in description.media}
    if not all(names.issuperset(group.items) for group in description.group if group.semantic == "BUNDLE"):
        raise ValueError("its bundle names a section that it does not have")
    for media in description.media:
        if media.port and not (media.dtls and media.dtls.fingerprints):
            raise ValueError(f"its {media.kind} has no a=fingerprint")
        if media.port and media.kind == "application":
            _check_messages(media)
    return sdp


def _check_messages(media: MediaDescription) -> None:
    port = media.sctp_port or next(iter(media.sctpmap), 0)
    if not 0 < port < 1 << 16:
        raise ValueError("its data channel has no a=sctp-port, or one that is none")
    most = media.sctpCapabilities.maxMessageSize if media.sctpCapabilities else 0
    if 0 < most < LEAST_MESSAGE_BYTES:
        raise ValueError(f"it takes messages of at most {most} bytes, which none of ours fits in")


def why_unusable(error: Exception) -> str:
    """What `error`, which aiortc's parser raised, says to a person."""
    if isinstance(error, OperationError):
        return "it takes none of the codecs that were offered"
    if isinstance(error, ValueError) and str(error):
        return str(error)
    return f"it breaks the rules of SDP ({type(error).__name__})"


def _is_readable(line: str, payload_types: set[str]) -> bool:
    name, colon, value = line.removeprefix("a=").partition(":")
    if not line.startswith("a=") or name not in _FORMS:
        return True
    if not colon or not _FORMS[name].fullmatch(value):
        return False
    return name != "fmtp" or value.partition(" ")[0] in payload_types


def _is_candidate(line: str) -> bool:
    try:
        return 0 < candidate_from_sdp(line.removeprefix("a=candidate:")).port < 1 << 16
    except (ValueError, AssertionError):
        return False


def outlive_nonsense(sctp: RTCSctpTransport | None) -> None:
    """Have a data channel ignore what it cannot read, such as text that is no UTF-8, which would end the connection."""
    receive = getattr(sctp, "_receive", None)
    if sctp is None or receive is None or getattr(receive, "outlives_nonsense", False):
        return

    async def tolerant(stream_id: int, kind: int, data: bytes) -> None:
        try:
            await receive(stream_id, kind, data)
        except Exception as error:
            logger.warning("ignored a message that cannot be read: %r (%r)", data[:80], error)

    tolerant.outlives_nonsense = True  # type: ignore[attr-defined]
    sctp._receive = tolerant  # type: ignore[assignment, method-assign]
