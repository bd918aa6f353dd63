"""What the other side of a connection says before aiortc believes it."""

from __future__ import annotations

import itertools
import logging

from aiortc import RTCSctpTransport
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

logger = logging.getLogger(__name__)

# Every candidate of theirs makes a pair with every one of ours, and aioice sorts them all each time: with thousands it
# would hold up the program for minutes.
MOST_CANDIDATES = 64
MOST_CHARS = 1 << 18
LEAST_MESSAGE_BYTES = 1024  # our own messages are shorter; a program's may be longer


def checked(sdp: str) -> str:
    """The session description of a stranger (RFC 8866), with as many of its candidates as are tried.

    A candidate that is none is left out, as those of kinds to come (RFC 8839 section 5.1).

    Raises:
        ValueError: It is too long, or has a section whose certificate nobody could verify (RFC 8827 section 6.5), a
            data channel without a port (RFC 8841 section 5) or a bundle of sections that are not there (RFC 9143
            section 7.1), which aiortc would find out late.
    """
    if len(sdp) > MOST_CHARS:
        raise ValueError(f"it is longer than {MOST_CHARS} characters")
    kept = itertools.count()
    lines = [
        line
        for line in sdp.splitlines()
        if not line.startswith("a=candidate:") or (_is_candidate(line) and next(kept) < MOST_CANDIDATES)
    ]
    sdp = "\r\n".join([*lines, ""])
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
    if not (media.sctp_port or media.sctpmap):
        raise ValueError("its data channel has no a=sctp-port")
    most = media.sctpCapabilities.maxMessageSize if media.sctpCapabilities else 0
    if 0 < most < LEAST_MESSAGE_BYTES:
        raise ValueError(f"it takes messages of at most {most} bytes, which none of ours fits in")


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
