"""Bars as a Parquet file, read back by pyarrow; and the file after a failure."""

from __future__ import annotations

import builtins
import errno
import gc
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from heatmap.errors import EXIT_CONFIGURATION, EXIT_TEMPORARY, HistoryError, HistoryImpossible, ShortageError
from heatmap.history import parquet
from heatmap.market.bars import Bar
from tests.history.test_export import FIGURES, MONDAY, SESSIONS, written

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not here: pip install 'market-heatmap[parquet]'")
reader = pytest.importorskip("pyarrow.parquet")


def figures(sessions: int, a_session: int = 10) -> list[list[Bar]]:
    """Return sessions of instruments; all bars differ, some figures are unknown."""
    return [
        [
            Bar(
                f"S{n}",
                MONDAY + timedelta(day),
                None if n % 3 else 1.5,
                2.0,
                1.0,
                day + n / 16,
                None,
                n,
                None,
            )
            for n in range(a_session)
        ]
        for day in range(sessions)
    ]


def rows(file: bytes) -> list[tuple[Any, ...]]:
    """The rows of a Parquet file, in its order."""
    table = reader.read_table(io.BytesIO(file))
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


@pytest.mark.parametrize("sessions", [SESSIONS, [], [[]]], ids=["bars", "none", "empty session"])
def test_every_figure_comes_back(sessions: list[list[Bar]]) -> None:
    """Names, types, nullable columns, the market's name, and every figure; without bars there is the schema."""
    file = written("parquet", sessions)

    schema = reader.read_schema(io.BytesIO(file))
    wanted = [("symbol", "string", False), ("date", "date32[day]", False)]
    wanted += [(name, "double", True) for name in FIGURES]
    assert wanted == [(field.name, str(field.type), field.nullable) for field in schema]
    assert b"nse-fno" == schema.metadata[b"market"]
    assert [tuple(bar) for session in sessions for bar in session] == rows(file)


def test_the_physical_types_are_those_of_earlier_versions() -> None:
    """Programs that read the files of version 0.2.0 find the same columns."""
    schema = reader.ParquetFile(io.BytesIO(written("parquet", SESSIONS))).schema

    assert [
        ("symbol", "BYTE_ARRAY", "STRING", 0),
        ("date", "INT32", "DATE", 0),
        *((name, "DOUBLE", "NONE", 1) for name in FIGURES),
    ] == [
        (column.name, column.physical_type, column.logical_type.type, column.max_definition_level)
        for column in schema
    ]


def test_it_is_compressed() -> None:
    """Each column is compressed. Symbols and dates have a dictionary; for prices it would take more space."""
    file = written("parquet", figures(1000))
    group = reader.ParquetFile(io.BytesIO(file)).metadata.row_group(0)

    columns = [group.column(number) for number in range(9)]

    assert {"ZSTD"} == {column.compression for column in columns}
    assert ["symbol", "date"] == [column.path_in_schema for column in columns if column.has_dictionary_page]
    assert len(file) < 10_000 * 9  # of 10,000 rows with eight numbers of eight bytes each


def test_years_of_bars_are_never_in_memory_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole sessions are collected up to the size of a row group; it is written before the next is read."""
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 25)
    sessions = figures(40)
    file = io.BytesIO()
    sizes = []

    def read() -> Iterator[list[Bar]]:
        for session in sessions:
            sizes.append(file.tell())
            yield session

    parquet.write(read(), "nse-fno", file)

    metadata = reader.ParquetFile(file).metadata
    assert [30] * 13 + [10] == [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert [3] * 13 + [1] == [sizes.count(size) for size in sorted(set(sizes))]
    assert [tuple(bar) for session in sessions for bar in session] == rows(file.getvalue())


def test_half_of_the_bars_are_no_valid_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the history leaves no file that looks complete, and reaches the caller."""
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 10)
    file = io.BytesIO()

    def read() -> Iterator[list[Bar]]:
        yield from figures(5)
        raise HistoryError("the database is away")

    with pytest.raises(HistoryError, match="the database is away"):
        parquet.write(read(), "nse-fno", file)
    gc.collect()  # a writer that is thrown away writes what it still has

    assert file.getvalue().startswith(b"PAR1")
    with pytest.raises(pyarrow.ArrowInvalid):
        reader.read_table(io.BytesIO(file.getvalue()))


class SmallDisk(io.BytesIO):
    """A file on a disk that is full after `room` writes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.writes = 0

    def write(self, data: Any) -> int:
        """Write, or raise as on a full disk."""
        if self.writes == self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.writes += 1
        return super().write(data)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99], ids=["first", "middle", "last"])
def test_a_full_disk_is_the_systems_own_error(part: float) -> None:
    """At any write, the footer's included: the error is the file's own, and the file stays open."""
    enough = SmallDisk(10_000)
    parquet.write(figures(5), "nse-fno", enough)
    file = SmallDisk(int(enough.writes * part))

    with pytest.raises(OSError, match="No space left") as caught:
        parquet.write(figures(5), "nse-fno", file)
    gc.collect()

    assert (errno.ENOSPC, "No space left on device") == (caught.value.errno, caught.value.strerror)
    assert not file.closed


@pytest.mark.parametrize(
    ("fault", "kind", "code", "said"),
    [
        ("No module named 'pyarrow'", HistoryImpossible, EXIT_CONFIGURATION, "needs pyarrow: `pip install"),
        ("libarrow.so.2600: wrong ELF class", HistoryImpossible, EXIT_CONFIGURATION, "needs pyarrow"),
        ("libarrow.so.2600: failed to map segment", ShortageError, EXIT_TEMPORARY, "no memory left"),
    ],
)
def test_pyarrow_that_cannot_be_imported(
    monkeypatch: pytest.MonkeyPatch, fault: str, kind: type[Exception], code: int, said: str
) -> None:
    """pyarrow is missing or broken: install the extra. The machine lacks memory: the next attempt may succeed."""
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pyarrow":
            raise ImportError(fault)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)

    with pytest.raises(kind, match=said) as caught:
        parquet.write(SESSIONS, "nse-fno", io.BytesIO())

    assert code == caught.value.exit_code  # type: ignore[attr-defined]
