"""A reader of flat Parquet files, written from the format's description: what other programs would make of ours."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from typing import Any

PHYSICAL = {1: ("i", 4), 5: ("d", 8)}  # INT32, DOUBLE


class _Compact:
    """Thrift's compact protocol: structures as dictionaries by field number."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data = data
        self.place = place

    def byte(self) -> int:
        self.place += 1
        return self.data[self.place - 1]

    def varint(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    def value(self, kind: int) -> Any:
        if kind in (5, 6):  # i32, i64
            number = self.varint()
            return (number >> 1) ^ -(number & 1)
        if kind == 8:  # binary
            length = self.varint()
            self.place += length
            return self.data[self.place - length : self.place]
        if kind == 9:  # list
            head = self.byte()
            count = self.varint() if head >> 4 == 15 else head >> 4
            return [self.value(head & 15) for _ in range(count)]
        assert kind == 12, f"no field of type {kind} is due"
        return self.struct()

    def struct(self) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            assert head >> 4, "fields lie close together"
            number += head >> 4
            fields[number] = self.value(head & 15)
        return fields


def read(data: bytes) -> tuple[dict[int, Any], list[tuple[Any, ...]]]:
    """Return the file's footer, and its rows."""
    assert data[:4] == data[-4:] == b"PAR1"
    length = int.from_bytes(data[-8:-4], "little")
    reader = _Compact(data, len(data) - 8 - length)
    footer = reader.struct()
    assert len(data) - 8 == reader.place
    leaves = footer[2][1:]
    rows: list[tuple[Any, ...]] = []
    for group in footer[4]:
        columns = [
            list(_column(data, chunk[3], leaf[3] == 1)) for chunk, leaf in zip(group[1], leaves, strict=True)
        ]
        assert {group[3]} == {len(column) for column in columns}
        rows += zip(*columns, strict=True)
    assert footer[3] == len(rows)
    return footer, rows


def _column(data: bytes, about: dict[int, Any], optional: bool) -> Iterator[Any]:
    reader = _Compact(data, about[9])
    header = reader.struct()
    page = gzip.decompress(data[reader.place : reader.place + header[3]])
    assert (header[2], about[7]) == (len(page), reader.place - about[9] + header[3])
    present = [True] * about[5]
    if optional:
        length = int.from_bytes(page[:4], "little")
        runs = _Compact(page, 4)
        bits: list[bool] = []
        while runs.place < 4 + length:
            head = runs.varint()
            if head & 1:
                for _ in range(head >> 1):
                    byte = runs.byte()
                    bits += [bool(byte >> place & 1) for place in range(8)]
            else:
                bits += [bool(runs.byte())] * (head >> 1)
        present = bits[: about[5]]
        page = page[4 + length :]
    place = 0
    for known in present:
        if not known:
            yield None
        elif about[1] == 6:  # BYTE_ARRAY
            (length,) = struct.unpack_from("<I", page, place)
            yield page[place + 4 : place + 4 + length].decode()
            place += 4 + length
        else:
            form, size = PHYSICAL[about[1]]
            yield struct.unpack_from(f"<{form}", page, place)[0]
            place += size
    assert place == len(page)
