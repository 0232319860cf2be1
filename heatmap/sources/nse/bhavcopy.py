"""The exchange's daily archives: their paths, their file names, and a parser of their bars. Pure."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import HistoryNonsense
from heatmap.market.bars import Bar
from heatmap.system import limits, parsing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

BASE_URL = "https://nsearchives.nseindia.com"
FULL_PATH = "/products/content/sec_bhavdata_full_{day:%d%m%Y}.csv"
UDIFF_PATH = "/content/cm/BhavCopy_NSE_CM_0_0_0_{day:%Y%m%d}_F_0000.csv.zip"
UDIFF_SINCE = date(2024, 7, 8)

MOST_MEMBERS = 8
MOST_DROPPED_SHARE = 0.1
LAKH = 100_000
HEAD_BYTES = 1000  # enough to recognize a web page
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A share is traded in one series at a time. Shares in BE and BZ must be delivered, for a while or for ever.
# Without these series a stock that was moved there for a month would have a gap in its history.
SERIES = ("EQ", "BE", "BZ")

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&.\-]{0,29}", re.ASCII)
# A user's own names may have the same beginning and a date: sec_bhavdata_full_EQ_2026-07-20.csv
_NAME = re.compile(
    r"(?P<form>sec_bhavdata_full|BhavCopy_NSE_CM)_.*?"
    r"(?<!\d)(?P<digits>\d{8}|\d{4}-\d{2}-\d{2})(?!\d).*\.(?:csv|zip)",
    re.ASCII | re.IGNORECASE,
)


class Archive(NamedTuple):
    """One session in an archive: one bar for each symbol, and the number of rows that were left out."""

    bars: tuple[Bar, ...]
    dropped: int = 0  # without a usable symbol or close, with impossible prices, or duplicates


class _Format(NamedTuple):
    """One format of archives: the names of its columns, the form of its dates, the unit of its turnover."""

    symbol: str
    series: str
    date: str
    date_format: str
    previous_close: str
    prices: tuple[str, str, str, str]  # open, high, low, close
    volume: str
    turnover: str
    turnover_unit: int  # rupees
    only: Mapping[str, str]  # values of other columns; rows with different values are no shares


_FORMATS = (
    _Format(
        "SYMBOL",
        "SERIES",
        "DATE1",
        "%d-%b-%Y",
        "PREV_CLOSE",
        ("OPEN_PRICE", "HIGH_PRICE", "LOW_PRICE", "CLOSE_PRICE"),
        "TTL_TRD_QNTY",
        "TURNOVER_LACS",
        LAKH,
        {},
    ),
    _Format(
        "TckrSymb",
        "SctySrs",
        "TradDt",
        "%Y-%m-%d",
        "PrvsClsgPric",
        ("OpnPric", "HghPric", "LwPric", "ClsPric"),
        "TtlTradgVol",
        "TtlTrfVal",
        1,
        {"Sgmt": "CM", "FinInstrmTp": "STK"},
    ),
)


def archive_paths(day: date) -> tuple[str, ...]:
    """Return the paths of a day's archives on the exchange's server, the full form first."""
    paths = (FULL_PATH, UDIFF_PATH) if day >= UDIFF_SINCE else (FULL_PATH,)
    return tuple(path.format(day=day) for path in paths)


def find_date(name: str) -> date | None:
    """Return the day in a file's name; None for a file that is no archive of shares."""
    match = _NAME.fullmatch(name)
    if not match:
        return None
    digits = match["digits"]
    date_format = "%d%m%Y" if match["form"].lower().startswith("sec") else "%Y%m%d"
    try:
        return datetime.strptime(digits, "%Y-%m-%d" if "-" in digits else date_format).date()  # noqa: DTZ007 -- a date
    except ValueError:
        return None


def parse(body: bytes, day: date) -> Archive:
    """Return the bars of `day` in an archive of either format, zipped or not, in the file's order.

    Volume is in shares, turnover in rupees. A missing price, or 0, is None. Raises HistoryNonsense for a file
    that is damaged, of another day, or no archive. Its message has no subject: the caller adds the name.
    """
    content = _unzip(body)
    first_byte = content[:HEAD_BYTES].removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    if not first_byte and not content[HEAD_BYTES:].strip():
        raise HistoryNonsense("is empty: download it again")
    if first_byte == b"<":
        raise HistoryNonsense("is a web page, not an archive: download it again")
    # Decoded line by line: one text would take up to four bytes for each character.
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text, skipinitialspace=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(header) > limits.ARCHIVE_COLUMNS:
            raise HistoryNonsense(
                f"has {len(header):,} columns, and {limits.ARCHIVE_COLUMNS} are the most: that is no archive"
            )
        layout = next((layout for layout in _FORMATS if _required_columns(layout) <= set(header)), None)
        if layout is None:
            raise HistoryNonsense(
                "lacks the columns of an archive of shares: give sec_bhavdata_full or BhavCopy_NSE_CM files"
            )
        return _read_bars(layout, header, reader, day)
    except csv.Error as error:
        raise HistoryNonsense(f"is damaged in line {reader.line_num} ({error}): download it again") from error


def _required_columns(layout: _Format) -> set[str]:
    single_columns = (
        layout.symbol,
        layout.series,
        layout.date,
        layout.previous_close,
        layout.volume,
        layout.turnover,
    )
    return {*single_columns, *layout.prices, *layout.only}


def _read_bars(layout: _Format, header: Sequence[str], rows: Iterable[list[str]], day: date) -> Archive:
    """Return the bars in the rows after the header. Raises HistoryNonsense."""
    bars_by_symbol: dict[str, tuple[int, Bar]] = {}  # the rank of its series and the bar, by symbol
    dates: dict[str, date | None] = {}
    dropped = 0
    for row in _read_share_rows(layout, header, rows):
        if row is None:
            dropped += 1
            continue
        text = row[layout.date]
        if text not in dates:
            dates[text] = _parse_date(text, layout.date_format)
        if dates[text] != day:
            file_day = f"{dates[text]:%d %b %Y}" if dates[text] else "no day that can be read"
            raise HistoryNonsense(f"is of {file_day}, not of {day:%d %b %Y}: give the file of that day")
        bar = _make_bar(layout, row, day)
        rank = SERIES.index(row[layout.series])
        if bar is None or (bar.symbol in bars_by_symbol and bars_by_symbol[bar.symbol][0] == rank):
            dropped += 1
        elif bar.symbol not in bars_by_symbol or rank < bars_by_symbol[bar.symbol][0]:
            bars_by_symbol[bar.symbol] = rank, bar
    if not bars_by_symbol:
        raise HistoryNonsense(f"holds no share of the series {', '.join(SERIES)}: download it again")
    if dropped > MOST_DROPPED_SHARE * (len(bars_by_symbol) + dropped):
        raise HistoryNonsense(
            f"holds {dropped:,} unusable rows beside {len(bars_by_symbol):,} shares: download it again"
        )
    return Archive(tuple(bar for _, bar in bars_by_symbol.values()), dropped)


def _read_share_rows(
    layout: _Format, header: Sequence[str], rows: Iterable[list[str]]
) -> Iterator[dict[str, str] | None]:
    """Yield the rows of shares by column; None: a short row. Raises HistoryNonsense for a short last row."""
    is_short = False
    for number, row in enumerate(rows):
        if number >= limits.ARCHIVE_ROWS:
            raise HistoryNonsense(
                f"has more than {limits.ARCHIVE_ROWS:,} rows: that is no archive of one day"
            )
        if not any(row):
            continue
        is_short = len(row) < len(header)
        if is_short:
            yield None
            continue
        cells = dict(zip(header, map(str.strip, row), strict=False))
        if cells[layout.series] in SERIES and layout.only.items() <= cells.items():
            yield cells
    if is_short:
        raise HistoryNonsense("breaks off in its last line: download it again")


def _make_bar(layout: _Format, row: Mapping[str, str], day: date) -> Bar | None:
    """Return a row's bar; None without a usable symbol or close, or with impossible prices."""
    symbol = row[layout.symbol]
    figures = [parsing.number(row[name]) for name in (*layout.prices, layout.previous_close)]
    if not _SYMBOL.fullmatch(symbol) or any(figure is not None and figure < 0 for figure in figures):
        return None
    opening, high, low, close, previous_close = (figure or None for figure in figures)
    if close is None:
        return None
    open_and_close = [price for price in (opening, close) if price is not None]
    if (high is not None and high < max(open_and_close)) or (low is not None and low > min(open_and_close)):
        return None
    turnover = parsing.count(row[layout.turnover])
    return Bar(
        symbol=symbol,
        date=day,
        open=opening,
        high=high,
        low=low,
        close=close,
        previous_close=previous_close,
        volume=parsing.count(row[layout.volume]),
        turnover=None if turnover is None else round(turnover * layout.turnover_unit, 2),
    )


def _parse_date(text: str, date_format: str) -> date | None:
    try:
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 -- a date
    except ValueError:
        return None


def _unzip(body: bytes) -> bytes:
    """Return a zip's only CSV file; another body unchanged. Raises HistoryNonsense, also beyond limits."""
    if not body.startswith(b"PK"):
        if len(body) > limits.ARCHIVE_BYTES:
            raise HistoryNonsense(
                f"has more than {limits.ARCHIVE_BYTES:,} bytes: that is no archive of one day"
            )
        return body
    if len(body) > limits.ARCHIVE_PACKED_BYTES:
        raise HistoryNonsense(
            f"has more than {limits.ARCHIVE_PACKED_BYTES:,} bytes: that is no archive of one day"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [member for member in archive.infolist() if member.filename.lower().endswith(".csv")]
            if len(members) != 1 or len(archive.infolist()) > MOST_MEMBERS:
                raise HistoryNonsense(f"holds {len(members)} CSV files, where one was due")
            with archive.open(members[0]) as file:
                content = file.read(limits.ARCHIVE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise HistoryNonsense("is a damaged zip file: download it again") from error
    except RuntimeError as error:  # zipfile's error for a zip with a password
        raise HistoryNonsense("is a locked zip file: download it again") from error
    if len(content) > limits.ARCHIVE_BYTES:
        raise HistoryNonsense(
            f"unpacks to more than {limits.ARCHIVE_BYTES:,} bytes: that is no archive of one day"
        )
    return content
