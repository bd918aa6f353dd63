"""Redundant audio, read back by hand as RFC 2198 section 3 draws it."""

from __future__ import annotations

from spike_engine.webrtc.red import RedPacker


def unpacked(payload: bytes) -> list[tuple[int, int, bytes]]:
    """Payload type, timestamp offset and data of each block, the newest last."""
    headers, at = [], 0
    while payload[at] & 0x80:
        word = int.from_bytes(payload[at : at + 4], "big")
        headers.append((word >> 24 & 0x7F, word >> 10 & 0x3FFF, word & 0x3FF))
        at += 4
    newest, at = payload[at] & 0x7F, at + 1
    blocks = []
    for payload_type, offset, length in headers:
        blocks.append((payload_type, offset, payload[at : at + length]))
        at += length
    return [*blocks, (newest, 0, payload[at:])]


def test_each_packet_carries_the_frames_before_it() -> None:
    packer = RedPacker(96)

    assert unpacked(packer.pack(b"one", 0, 2)) == [(96, 0, b"one")]
    assert unpacked(packer.pack(b"two", 960, 2)) == [(96, 960, b"one"), (96, 0, b"two")]
    assert unpacked(packer.pack(b"three", 1920, 2)) == [(96, 1920, b"one"), (96, 960, b"two"), (96, 0, b"three")]
    assert unpacked(packer.pack(b"four", 2880, 1)) == [(96, 960, b"three"), (96, 0, b"four")]
    assert unpacked(packer.pack(b"five", 3840, 0)) == [(96, 0, b"five")]


def test_what_does_not_fit_its_fields_is_not_carried() -> None:
    packer = RedPacker(96)
    packer.pack(b"long ago", 0, 1)
    assert unpacked(packer.pack(b"now", 20_000, 1)) == [(96, 0, b"now")]
    packer.pack(bytes(1024), 20_960, 1)  # ten bits hold lengths up to 1023
    assert unpacked(packer.pack(b"after", 21_920, 1)) == [(96, 0, b"after")]


def test_a_frame_that_was_sent_alone_is_carried_by_the_next() -> None:
    packer = RedPacker(111)
    packer.remember(b"alone", 2**32 - 960)
    assert unpacked(packer.pack(b"next", 2**32, 1)) == [(111, 960, b"alone"), (111, 0, b"next")]
