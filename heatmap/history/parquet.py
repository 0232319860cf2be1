"""Daily bars as a Parquet file: one flat table, its pages plain and packed with gzip.

The libraries that write Parquet take 24 to 55 MB to install, which is much for one table of nine columns.
The format: https://parquet.apache.org/docs/file-format/, its structures in Thrift's compact protocol,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import gzip
import struct
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.history.model import Bar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO

MAGIC = b"PAR1"
ROWS_A_GROUP = 100_000
GZIP_LEVEL = 6
EPOCH = date(1970, 1, 1).toordinal()

# The format's own numbers.
INT32, DOUBLE, BYTE_ARRAY = 1, 5, 6  # physical types
TEXT, DAY = 0, 6  # what they mean
REQUIRED, OPTIONAL = 0, 1
PLAIN, RUNS = 0, 3  # encodings
GZIP = 2  # codec
DATA_PAGE = 0


class _I64(NamedTuple):
    """A number that the format keeps in 64 bits."""

    number: int


class _Column(NamedTuple):
    name: str
    kind: int
    means: int | None = None
    presence: int = OPTIONAL


_COLUMNS = (
    _Column("symbol", BYTE_ARRAY, TEXT, REQUIRED),
    _Column("date", INT32, DAY, REQUIRED),
    *(_Column(name, DOUBLE) for name in Bar._fields[2:]),
)


def write(bars: Iterable[Sequence[Bar]], market: str, file: BinaryIO) -> None:
    """Write sessions of bars as one table; what is unknown is null. The market's name is in its metadata."""
    file.write(MAGIC)
    at = len(MAGIC)
    groups: list[dict[int, object]] = []
    rows = 0
    for group in _groups(bars):
        begins = at
        chunks: list[dict[int, object]] = []
        for column, values in zip(_COLUMNS, zip(*group, strict=True), strict=True):
            chunk, described = _chunk(column, values, at)
            file.write(chunk)
            at += len(chunk)
            chunks.append(described)
        groups.append({1: chunks, 2: _I64(at - begins), 3: _I64(len(group))})
        rows += len(group)
    root = {4: "bars", 5: len(_COLUMNS)}
    leaves = [{1: column.kind, 3: column.presence, 4: column.name, 6: column.means} for column in _COLUMNS]
    footer = _struct(
        {
            1: 1,
            2: [root, *leaves],
            3: _I64(rows),
            4: groups,
            5: [{1: "market", 2: market}],
            6: "market-heatmap",
        }
    )
    file.write(footer + struct.pack("<I", len(footer)) + MAGIC)


def _groups(bars: Iterable[Sequence[Bar]]) -> Iterable[list[Bar]]:
    group: list[Bar] = []
    for session in bars:
        group += session
        if len(group) >= ROWS_A_GROUP:
            yield group
            group = []
    if group:
        yield group


def _chunk(column: _Column, values: Sequence[Any], at: int) -> tuple[bytes, dict[int, object]]:
    """Return a column of a row group as one page, and what the footer says of it."""
    known = [value for value in values if value is not None]
    if column.kind == BYTE_ARRAY:
        texts = [value.encode() for value in known]
        plain = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    elif column.kind == INT32:
        plain = struct.pack(f"<{len(known)}i", *(value.toordinal() - EPOCH for value in known))
    else:
        plain = struct.pack(f"<{len(known)}d", *known)
    if column.presence == OPTIONAL:
        plain = _presence(values) + plain
    packed = gzip.compress(plain, GZIP_LEVEL, mtime=0)
    about = {1: len(values), 2: PLAIN, 3: RUNS, 4: RUNS}
    header = _struct({1: DATA_PAGE, 2: len(plain), 3: len(packed), 5: about})
    described: dict[int, object] = {
        1: column.kind,
        2: [PLAIN, RUNS],
        3: [column.name],
        4: GZIP,
        5: _I64(len(values)),
        6: _I64(len(header) + len(plain)),
        7: _I64(len(header) + len(packed)),
        9: _I64(at),
    }
    return header + packed, {2: _I64(at), 3: described}


def _presence(values: Sequence[object]) -> bytes:
    """Return which values are there, a bit each, as one run of groups of eight."""
    groups = (len(values) + 7) // 8
    bits = "".join("0" if value is None else "1" for value in reversed(values)) or "0"
    run = _varint(groups << 1 | 1) + int(bits, 2).to_bytes(groups, "little")
    return struct.pack("<I", len(run)) + run


def _struct(fields: dict[int, Any]) -> bytes:
    """Return a Thrift structure: its fields by number, those that are None left out."""
    result = bytearray()
    before = 0
    for number, value in sorted(fields.items()):
        if value is None:
            continue
        kind, content = _value(value)
        result.append((number - before) << 4 | kind)  # no two fields here lie more than 15 apart
        result += content
        before = number
    result.append(0)
    return bytes(result)


def _value(value: object) -> tuple[int, bytes]:
    """Return a value's Thrift type and bytes."""
    if isinstance(value, _I64):
        return 6, _varint(_zigzag(value.number))
    if isinstance(value, int):
        return 5, _varint(_zigzag(value))
    if isinstance(value, str):
        text = value.encode()
        return 8, _varint(len(text)) + text
    if isinstance(value, dict):
        return 12, _struct(value)
    assert isinstance(value, list)  # noqa: S101 -- there is nothing else above
    items = [_value(item) for item in value]
    kind = items[0][0] if items else 12
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return 9, head + b"".join(content for _, content in items)


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)
