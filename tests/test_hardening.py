"""The flags of the built module, read from its file: an ELF (System V ABI, gABI 4.1, and the GNU extensions)."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spike_engine import _core

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the module is an ELF file on Linux only")

ET_DYN = 3
PT_LOAD, PT_DYNAMIC, PT_GNU_STACK, PT_GNU_RELRO = 1, 2, 0x6474E551, 0x6474E552
PF_X, PF_W = 1, 2
DT_STRTAB, DT_STRSZ, DT_TEXTREL, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1 = 5, 10, 22, 24, 30, 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW = 4, 8, 1


class Elf:
    """Segments and dynamic entries of a little-endian ELF64 file."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        assert self.content[:6] == b"\x7fELF\x02\x01"
        self.kind = struct.unpack_from("<H", self.content, 16)[0]
        (self._table,) = struct.unpack_from("<Q", self.content, 32)
        self._entry_bytes, self._entries = struct.unpack_from("<HH", self.content, 54)

    def segments(self, wanted: int) -> Iterator[tuple[int, int, int, int]]:
        """Flags, offset, address and size in the file of each segment of a type."""
        for at in range(self._table, self._table + self._entries * self._entry_bytes, self._entry_bytes):
            kind, flags, offset, address, _, size = struct.unpack_from("<IIQQQQ", self.content, at)
            if kind == wanted:
                yield flags, offset, address, size

    @property
    def dynamic(self) -> dict[int, int]:
        ((_, offset, _, size),) = self.segments(PT_DYNAMIC)
        return dict(struct.iter_unpack("<QQ", self.content[offset : offset + size]))

    @property
    def names(self) -> set[bytes]:
        """What it takes from and gives to other libraries, and their names."""
        (at,) = (
            offset + self.dynamic[DT_STRTAB] - address
            for _, offset, address, size in self.segments(PT_LOAD)
            if address <= self.dynamic[DT_STRTAB] < address + size
        )
        return set(self.content[at : at + self.dynamic[DT_STRSZ]].split(b"\0"))


@pytest.fixture(scope="module")
def elf() -> Elf:
    return Elf(Path(_core.__file__))


def test_the_code_is_position_independent(elf: Elf) -> None:
    flags = elf.dynamic.get(DT_FLAGS, 0)

    assert elf.kind == ET_DYN
    assert DT_TEXTREL not in elf.dynamic
    assert not flags & DF_TEXTREL


def test_nothing_is_both_written_and_executed(elf: Elf) -> None:
    ((stack, *_),) = elf.segments(PT_GNU_STACK)

    assert not stack & PF_X
    assert not any(flags & PF_X and flags & PF_W for flags, *_ in elf.segments(PT_LOAD))


def test_the_table_of_functions_is_read_only_once_it_is_loaded(elf: Elf) -> None:
    dynamic = elf.dynamic

    assert list(elf.segments(PT_GNU_RELRO))
    assert DT_BIND_NOW in dynamic or dynamic.get(DT_FLAGS, 0) & DF_BIND_NOW or dynamic.get(DT_FLAGS_1, 0) & DF_1_NOW


def test_stacks_are_guarded_and_copies_are_checked(elf: Elf) -> None:
    assert b"__stack_chk_fail" in elf.names
    assert any(name.endswith(b"_chk") for name in elf.names)
