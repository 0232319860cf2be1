"""The exchange's daily archives: their addresses and file names, and the bars that are in them. Pure."""

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
HEAD_BYTES = 1000  # that tell an archive from a web page
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A share is traded in one series at a time. BE and BZ are those that must be delivered, for a while or for
# good: without them a stock that was there for a month would have a hole in its history.
SERIES = ("EQ", "BE", "BZ")

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&.\-]{0,29}", re.ASCII)
# Names of one's own may keep the beginning and the date: sec_bhavdata_full_EQ_2026-07-20.csv
_NAME = re.compile(
    r"(?P<form>sec_bhavdata_full|BhavCopy_NSE_CM)_.*?"
    r"(?<!\d)(?P<digits>\d{8}|\d{4}-\d{2}-\d{2})(?!\d).*\.(?:csv|zip)",
    re.ASCII | re.IGNORECASE,
)


class Archive(NamedTuple):
    """One session as an archive has it: bars by symbol, and how many rows of shares were left out."""

    bars: tuple[Bar, ...]
    dropped: int = 0  # without a usable symbol or close, with prices that cannot be, or there twice


class _Format(NamedTuple):
    """How one form calls its columns, writes its dates, and in what unit it has the turnover."""

    symbol: str
    series: str
    date: str
    date_format: str
    previous_close: str
    prices: tuple[str, str, str, str]  # open, high, low, close
    volume: str
    turnover: str
    turnover_unit: int  # rupees
    only: Mapping[str, str]  # rows of anything else are no shares


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
    """Return where the exchange keeps a day, the full form first."""
    known = (FULL_PATH, UDIFF_PATH) if day >= UDIFF_SINCE else (FULL_PATH,)
    return tuple(path.format(day=day) for path in known)


def find_date(name: str) -> date | None:
    """Return the day that a file's name speaks of; None for a file that is no archive of shares."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    digits = found["digits"]
    plain = "%d%m%Y" if found["form"].lower().startswith("sec") else "%Y%m%d"
    try:
        return datetime.strptime(digits, "%Y-%m-%d" if "-" in digits else plain).date()  # noqa: DTZ007 -- a date
    except ValueError:
        return None


def parse(body: bytes, day: date) -> Archive:
    """Return the bars of `day` in an archive of either form, packed or not, in the file's order.

    Volume is in shares, turnover in rupees. A price that is not there, or 0, is None. Raises
    HistoryNonsense, whose message lacks its subject, where the file is damaged, of another day, or none.
    """
    content = _unzip(body)
    begins = content[:HEAD_BYTES].removeprefix(BYTE_ORDER_MARK).lstrip()[:1]
    if not begins and not content[HEAD_BYTES:].strip():
        raise HistoryNonsense("is empty: download it again")
    if begins == b"<":
        raise HistoryNonsense("is a web page, not an archive: download it again")
    # Decoded line by line: as one text it would take four bytes for each character.
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text, skipinitialspace=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(header) > limits.ARCHIVE_COLUMNS:
            raise HistoryNonsense(
                f"has {len(header):,} columns, and {limits.ARCHIVE_COLUMNS} are the most: that is no archive"
            )
        form = next((form for form in _FORMATS if _required_columns(form) <= set(header)), None)
        if form is None:
            raise HistoryNonsense(
                "has not the columns of an archive of shares: give sec_bhavdata_full or BhavCopy_NSE_CM files"
            )
        return _read_bars(form, header, reader, day)
    except csv.Error as error:
        raise HistoryNonsense(f"is damaged in line {reader.line_num} ({error}): download it again") from error


def _required_columns(form: _Format) -> set[str]:
    single = (form.symbol, form.series, form.date, form.previous_close, form.volume, form.turnover)
    return {*single, *form.prices, *form.only}


def _read_bars(form: _Format, header: Sequence[str], rows: Iterable[list[str]], day: date) -> Archive:
    """Return the bars in the rows that follow the header. Raises HistoryNonsense."""
    found: dict[str, tuple[int, Bar]] = {}  # with the rank of its series
    dates: dict[str, date | None] = {}
    dropped = 0
    for row in _read_share_rows(form, header, rows):
        if row is None:
            dropped += 1
            continue
        text = row[form.date]
        if text not in dates:
            dates[text] = _parse_date(text, form.date_format)
        if dates[text] != day:
            told = f"{dates[text]:%d %b %Y}" if dates[text] else "no day that can be read"
            raise HistoryNonsense(f"is of {told}, not of {day:%d %b %Y}: give the file of that day")
        bar = _make_bar(form, row, day)
        rank = SERIES.index(row[form.series])
        if bar is None or (bar.symbol in found and found[bar.symbol][0] == rank):
            dropped += 1
        elif bar.symbol not in found or rank < found[bar.symbol][0]:
            found[bar.symbol] = rank, bar
    if not found:
        raise HistoryNonsense(f"holds no share of the series {', '.join(SERIES)}: download it again")
    if dropped > MOST_DROPPED_SHARE * (len(found) + dropped):
        raise HistoryNonsense(
            f"holds {dropped:,} unusable rows beside {len(found):,} shares: download it again"
        )
    return Archive(tuple(bar for _, bar in found.values()), dropped)


def _read_share_rows(
    form: _Format, header: Sequence[str], rows: Iterable[list[str]]
) -> Iterator[dict[str, str] | None]:
    """Yield the rows of shares, by column; None for one that lacks some. Raises where that is the last."""
    is_cut = False
    for number, row in enumerate(rows):
        if number >= limits.ARCHIVE_ROWS:
            raise HistoryNonsense(
                f"has more than {limits.ARCHIVE_ROWS:,} rows: that is no archive of one day"
            )
        if not any(row):
            continue
        is_cut = len(row) < len(header)
        if is_cut:
            yield None
            continue
        cells = dict(zip(header, map(str.strip, row), strict=False))
        if cells[form.series] in SERIES and form.only.items() <= cells.items():
            yield cells
    if is_cut:
        raise HistoryNonsense("breaks off in its last line: download it again")


def _make_bar(form: _Format, row: Mapping[str, str], day: date) -> Bar | None:
    """Return a row's bar; None for one that has no usable symbol or close, or prices that cannot be."""
    symbol = row[form.symbol]
    figures = [parsing.number(row[name]) for name in (*form.prices, form.previous_close)]
    if not _SYMBOL.fullmatch(symbol) or any(figure is not None and figure < 0 for figure in figures):
        return None
    opened, high, low, close, previous_close = (figure or None for figure in figures)
    if close is None:
        return None
    within = [price for price in (opened, close) if price is not None]
    if (high is not None and high < max(within)) or (low is not None and low > min(within)):
        return None
    turnover = parsing.count(row[form.turnover])
    return Bar(
        symbol=symbol,
        date=day,
        open=opened,
        high=high,
        low=low,
        close=close,
        previous_close=previous_close,
        volume=parsing.count(row[form.volume]),
        turnover=None if turnover is None else round(turnover * form.turnover_unit, 2),
    )


def _parse_date(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 -- a date
    except ValueError:
        return None


def _unzip(body: bytes) -> bytes:
    """Return the one CSV file of a zip, never more than its limit; another body as it is."""
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
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            members = [member for member in packed.infolist() if member.filename.lower().endswith(".csv")]
            if len(members) != 1 or len(packed.infolist()) > MOST_MEMBERS:
                raise HistoryNonsense(f"holds {len(members)} CSV files, where one was due")
            with packed.open(members[0]) as file:
                content = file.read(limits.ARCHIVE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise HistoryNonsense("is a damaged zip file: download it again") from error
    except RuntimeError as error:  # how zipfile tells that it wants a password
        raise HistoryNonsense("is a locked zip file: download it again") from error
    if len(content) > limits.ARCHIVE_BYTES:
        raise HistoryNonsense(
            f"unpacks to more than {limits.ARCHIVE_BYTES:,} bytes: that is no archive of one day"
        )
    return content
