"""The closing figures of a session from the exchange's archives."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from heatmap.errors import (
    ConfigError,
    SourceBlocked,
    SourceEmpty,
    SourceError,
    SourcePassed,
    SourceRenamed,
    SourceReshaped,
)
from heatmap.market.calendar.session import Phase, Session, Window
from heatmap.sources.nse import bhavcopy
from heatmap.sources.nse.archive import NseArchive, parse
from heatmap.sources.recording import Recording
from tests.servers.archives import CHANGES, FULL, LOTS, UDIFF, Archives, Share, share, symbol_list

INDIA = timezone(timedelta(hours=5, minutes=30))
DAY = date(2026, 9, 17)
SETTLES = datetime(2026, 9, 17, 15, 45, tzinfo=INDIA)
SESSION = Session(DAY, (Window(SETTLES - timedelta(hours=6), SETTLES, Phase.OPEN),), SETTLES)
LISTED = [f"STOCK{n}" for n in range(60)]


def shares() -> list[Share]:
    """Return a day of some stocks of the market, and of one other."""
    return [
        share("RELIANCE", 200.0, 203.0, open=199.0, volume=1_000_000, turnover_lakhs=2030.5),
        share("TCS", 3000.0, 2970.0),
        share("SOME-ETF", 10.0, 20.0),
        *(share(symbol, 100.0, 101.0) for symbol in LISTED),
    ]


@pytest.mark.parametrize("form", ["full", "udiff"])
def test_a_session_in_either_form(form: str) -> None:
    """Only the market's stocks, with their true percent changes, as of the time of settlement."""
    with Archives({DAY: shares()}, forms=[form]) as archives:
        found = NseArchive(base_url=archives.url).closing(SESSION, symbols=["TCS", "RELIANCE", "GONE"])

    quotes = {quote.symbol: quote for quote in found.quotes}
    assert set(quotes) == {"RELIANCE", "TCS"}
    assert (found.source, found.as_of, found.is_open, found.dropped) == ("nse-archive", SETTLES, False, 1)
    best = quotes["RELIANCE"]
    assert (best.percent_change, quotes["TCS"].percent_change) == (1.5, -1.0)
    assert (best.last_price, best.previous_close, best.open, best.high, best.low) == (203, 200, 199, 203, 199)
    assert (best.volume, best.turnover, found.currency) == (1_000_000, 203_050_000, "INR")
    assert (best.name, best.free_float_market_cap, best.changes) == (None, None, {})
    assert best.sector == "Oil Gas & Consumable Fuels"


def test_without_a_page_the_list_of_lots_tells_the_stocks() -> None:
    """The stocks below its second heading, and none of the indices above it."""
    with Archives({DAY: shares()}, lots=LISTED) as archives:
        found = NseArchive(base_url=archives.url).closing(SESSION)

    assert sorted(quote.symbol for quote in found.quotes) == sorted(LISTED)


def closed(
    archives: Archives, symbols: list[str], listed_on: date | None, folder: Path | None = None
) -> list[str]:
    """Return the symbols of the closing figures, in order; the source may take ten seconds."""
    source = NseArchive(base_url=archives.url, fetch_timeout_seconds=10)
    found = source.closing(SESSION, symbols=symbols, listed_on=listed_on, folder=folder)
    return sorted(quote.symbol for quote in found.quotes)


def test_a_market_gains_stocks_and_loses_them() -> None:
    """The list of lots is read for each session: yesterday's page does not have today's members."""
    yesterday = [*LISTED[:59], "TCS"]
    with Archives({DAY: shares()}, lots=[*LISTED, "RELIANCE"]) as archives:
        assert sorted([*LISTED, "RELIANCE"]) == closed(archives, yesterday, DAY - timedelta(days=1))
        asked = archives.paths.count(LOTS)
        # The exchange's own list of the day is that of a live page of the day.
        assert sorted(yesterday) == closed(archives, yesterday, DAY)
        assert (1, 1) == (asked, archives.paths.count(LOTS))


@pytest.mark.parametrize("fault", [None, "403", "500", "hang", "html", "short", b"nonsense"])
def test_without_the_list_an_older_page_tells(fault: str | bytes | None) -> None:
    """With any fault of the list, an older page's stocks are drawn; without an answer it takes a fifth of the time."""
    with Archives({DAY: shares()}, lots=LISTED if fault else []) as archives:
        if fault:
            archives.faults[LOTS] = fault
        began = time.monotonic()
        assert ["RELIANCE", "TCS"] == closed(archives, ["TCS", "RELIANCE"], date(2026, 9, 16))

    assert time.monotonic() - began < 9


def renamed_shares() -> list[Share]:
    """A session after two renames: one that the program knows, and one of last week."""
    return [*shares(), share("TMPV", 400.0, 404.0), share("NEWER", 50.0, 51.0)]


def test_a_symbol_that_changed(tmp_path: Path) -> None:
    """By the packaged table, by the exchange's list, and by the saved list."""
    before, folder = ["TATAMOTORS", "OLDER", "TCS"], tmp_path / "sources/nse-fno-2"
    with Archives({DAY: renamed_shares()}, changes=[("OLDER", "NEWER", "10-SEP-2026")]) as archives:
        assert ["TCS", "TMPV"] == closed(archives, ["TATAMOTORS", "TCS"], DAY)
        assert CHANGES not in archives.paths
        assert ["NEWER", "TCS", "TMPV"] == closed(archives, before, DAY, folder)
        assert 1 == archives.paths.count(CHANGES)
        assert ["NEWER", "TCS", "TMPV"] == closed(archives, before, DAY, folder)
        assert 1 == archives.paths.count(CHANGES)
        early = [("OLDER", "NEWER", "18-SEP-2026")]
        archives.bodies[CHANGES] = symbol_list(*early)
        assert ["TCS", "TMPV"] == closed(archives, before, DAY)  # not before its first day


@pytest.mark.parametrize("fault", [None, "403", "500", "hang", b"nonsense"])
def test_without_the_list_of_changes(fault: str | bytes | None, tmp_path: Path) -> None:
    """The page is drawn without those stocks: `dropped` counts them."""
    with Archives({DAY: renamed_shares()}) as archives:
        if fault:
            archives.faults[CHANGES] = fault
        source = NseArchive(base_url=archives.url, fetch_timeout_seconds=10)
        found = source.closing(SESSION, symbols=["OLDER", "TCS"], listed_on=DAY, folder=tmp_path / "a/b")

    assert (["TCS"], 1) == ([quote.symbol for quote in found.quotes], found.dropped)
    assert [] == list(tmp_path.rglob("*.json"))


def test_before_the_archive_is_there() -> None:
    """Until the evening a missing archive is no failure."""
    with Archives({}) as archives, pytest.raises(SourcePassed, match="17 Sep 2026 is not there yet"):
        NseArchive(base_url=archives.url).closing(SESSION, symbols=["TCS"])


def test_the_second_form_stands_in_for_a_damaged_first() -> None:
    """One usable archive is enough."""
    with Archives({DAY: shares()}) as archives:
        archives.faults[FULL] = b"SYMBOL, SERIES\n"
        found = NseArchive(base_url=archives.url).closing(SESSION, symbols=["TCS"])

    assert [quote.percent_change for quote in found.quotes] == [-1.0]


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({FULL: b"SYMBOL, SERIES\n", UDIFF: b"PK\x03\x04 cut"}, SourceReshaped),
        ({"/": "403"}, SourceBlocked),
        ({"/": "html"}, SourceBlocked),
        ({LOTS: "html"}, SourceBlocked),
        ({LOTS: b"UNDERLYING,SYMBOL\n"}, SourceReshaped),
    ],
    ids=["damaged", "403", "HTML", "lots of HTML", "other lots"],
)
def test_what_goes_wrong(faults: dict[str, str | bytes], kind: type[SourceError]) -> None:
    """Each fault has its own class, and one line."""
    with Archives({DAY: shares()}, lots=LISTED) as archives:
        archives.faults.update(faults)
        with pytest.raises(SourceError) as caught:
            NseArchive(base_url=archives.url).closing(SESSION)

    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_an_archive_of_another_day() -> None:
    """An archive with the right name and the wrong date is refused."""
    with Archives({DAY - timedelta(days=1): shares()}) as archives:
        (body,) = [body for path, body in archives.bodies.items() if path.startswith(FULL)]
        archives.bodies = {f"{FULL}{DAY:%d%m%Y}.csv": body}
        with pytest.raises(SourceReshaped, match="is of 16 Sep 2026, not of 17 Sep 2026"):
            NseArchive(base_url=archives.url).closing(SESSION, symbols=["TCS"])


def test_the_list_of_lots_is_gone() -> None:
    """This differs from an archive that is not published yet."""
    with Archives({DAY: shares()}) as archives, pytest.raises(SourceRenamed, match="fo_mktlots"):
        NseArchive(base_url=archives.url).closing(SESSION)


def test_none_of_the_instruments() -> None:
    """An archive without the market's stocks gives no page."""
    with Archives({DAY: shares()}) as archives, pytest.raises(SourceEmpty):
        NseArchive(base_url=archives.url).closing(SESSION, symbols=["NOWHERE"])


def test_the_stocks_of_another_index_are_not_guessed() -> None:
    """The list of lots has the stocks with futures and options, not those of the NIFTY 50."""
    with Archives({DAY: shares()}, lots=LISTED) as archives:
        source = NseArchive(index="NIFTY 50", base_url=archives.url)
        with pytest.raises(SourceEmpty, match="NIFTY 50"):
            source.closing(SESSION)
        assert len(source.closing(SESSION, symbols=["TCS"]).quotes) == 1


@pytest.mark.serial
def test_a_hang_ends() -> None:
    """Within the time for the whole fetch."""
    with Archives({DAY: shares()}) as archives:
        archives.faults["/"] = "hang"
        began = time.monotonic()
        with pytest.raises(SourceBlocked):
            NseArchive(base_url=archives.url, fetch_timeout_seconds=1).closing(SESSION, symbols=["TCS"])

    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("now", "asked"),
    [
        (datetime(2026, 9, 18, 11, 0, tzinfo=INDIA), DAY),
        (datetime(2026, 9, 17, 22, 0, tzinfo=INDIA), DAY),
        (datetime(2026, 9, 21, 9, 0, tzinfo=INDIA), DAY),
    ],
)
def test_check_looks_at_the_newest(now: datetime, asked: date) -> None:
    """The day itself once it is over, else the days before it, without weekends."""
    with Archives({asked: shares()}, lots=LISTED) as archives:
        found = NseArchive(base_url=archives.url).fetch(now=now)

    assert found.as_of == datetime(2026, 9, 17, 16, 0, tzinfo=INDIA)
    assert not [path for path in archives.paths if "19092026" in path or "20092026" in path]


@pytest.mark.parametrize(
    "table", [{"index": " "}, {"base_url": "http://example.org"}, {"fetch_timeout_seconds": 0}]
)
def test_what_its_table_cannot_hold(table: dict[str, object]) -> None:
    """The configuration is checked at once."""
    with pytest.raises(ConfigError):
        NseArchive(**table)  # type: ignore[arg-type]


def test_the_recorded_archive(recorded_bodies: Path) -> None:
    """The exchange's own file of a day gives a map of the stocks that had futures and options a month later."""
    body = (recorded_bodies / "bhavcopy/sec_bhavdata_full_EQ_2026-08-14.csv").read_bytes()
    symbols = {quote.symbol for quote in Recording().fetch(now=SETTLES).quotes}

    found = parse(bhavcopy.parse(body, date(2026, 8, 14)), symbols, SETTLES)

    assert (len(found.quotes), found.dropped) == (210, 0)
    lines = [[cell.strip() for cell in line.split(",")] for line in body.decode().splitlines()]
    closes = {line[0]: (float(line[8]), float(line[3])) for line in lines[1:]}
    for quote in found.quotes:
        close, previous = closes[quote.symbol]
        assert (quote.last_price, quote.previous_close) == (close, previous)
        assert quote.percent_change == pytest.approx((close - previous) / previous * 100, abs=0.0051)
    assert all(quote.sector for quote in found.quotes)
