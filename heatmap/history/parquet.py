"""Writes daily bars as a Parquet file: one flat table. Needs pyarrow, which is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heatmap.errors import HistoryImpossible
from heatmap.market.bars import Bar
from heatmap.system import resource_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

ROWS_A_GROUP = 100_000  # at least: a session is not divided; a group takes about 25 MB of memory
COMPRESSION = "zstd"  # within 7 % of gzip's size, in a tenth of its time
KEYS = (
    "symbol",
    "date",
)  # columns of few different values; a dictionary of prices would be longer than the prices


def write(bars: Iterable[Sequence[Bar]], market: str, file: BinaryIO) -> None:
    """Write sessions of bars as one table, with the market's name in the metadata of its schema.

    Symbols are strings and dates are date32, never null. Figures are float64; null means unknown. Raises
    HistoryImpossible if pyarrow cannot be imported.
    """
    try:
        with resource_errors.translating_resource_errors():
            import pyarrow as pa
            from pyarrow import parquet
    except ImportError as error:
        raise HistoryImpossible(
            "an export as Parquet needs pyarrow: `pip install 'market-heatmap[parquet]'`"
        ) from error
    fields = [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        *(pa.field(name, pa.float64()) for name in Bar._fields[2:]),
    ]
    schema = pa.schema(fields, metadata={"market": market})
    output = _Output(file)
    try:
        writer = parquet.ParquetWriter(output, schema, compression=COMPRESSION, use_dictionary=KEYS)
        for table in _tables(bars, schema):
            writer.write_table(table)
        writer.close()
    except BaseException:
        output.end()
        raise


class _Output:
    """A file for pyarrow's writer. After `end` it discards data.

    pyarrow's writer writes the footer even when it is deleted after a failure. Then a file with half of the
    bars would look complete.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file
        self.closed = False  # pyarrow reads it

    def write(self, data: bytes) -> int:
        """Write all of the data. Raises OSError."""
        return self._file.write(data) if self._file else len(data)

    def end(self) -> None:
        """Discard all further data."""
        self._file = None


def _tables(bars: Iterable[Sequence[Bar]], schema: Any) -> Iterator[Any]:  # noqa: ANN401 -- pyarrow may not be here
    """Yield the bars as tables of pyarrow. Each table becomes a row group."""
    from pyarrow import Table, record_batch

    batches: list[Any] = []
    rows = 0
    for session in filter(None, bars):
        batches.append(record_batch(list(zip(*session, strict=True)), schema))
        rows += len(session)
        if rows >= ROWS_A_GROUP:
            yield Table.from_batches(batches)
            batches, rows = [], 0
    if batches:
        yield Table.from_batches(batches)
