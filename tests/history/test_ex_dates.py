"""Closing pages from an archive on the first day of a split, bonus or demerger: true figures, or unknown ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from heatmap.config.loader import Config, NamedSource
from heatmap.errors import SourceError
from heatmap.history import ex_dates, quoted_closes
from heatmap.history.corporate_actions import QuotedClose
from heatmap.history.ex_dates import Evidence
from heatmap.history.model import Tick, TickRow
from heatmap.history.options import HistoryOptions
from heatmap.history.store import FILE_NAME, open_store
from heatmap.market.bars import Bar
from heatmap.market.calendar.phases import DeclaredSplit
from heatmap.market.calendar.session import Phase
from heatmap.market.quotes import Quote, Snapshot
from heatmap.notify.alerts.options import AlertOptions
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.run import one_run
from heatmap.sources.nse import archive
from heatmap.sources.nse.bhavcopy import Archive
from heatmap.state.report import Report
from tests.doubles import MemoryPublisher, MemorySource, configuration
from tests.history.ex_dates import CRASH, GENESYS, HARDWYN, IVZINNIFTY, JLHL, NARMADA, POCL, TEMBO, VEDL
from tests.servers.archives import Archives, Share

# Percent changes on the session's own terms, by hand: the close / (the close before x the ratio) - 1.
TRUE = {
    "JLHL": (314.9, 2.64),
    "POCL": (560.72, 0.07),
    "TEMBO": (57.415, 14.78),
    "HARDWYN": (11.69, -1.71),
    "GENESYS": (219.13, 4.5),
    "IVZINNIFTY": (278.65, 0.69),
}
EX_DATES = {bars[1].symbol: bars for bars in (JLHL, POCL, TEMBO, HARDWYN, GENESYS, IVZINNIFTY)}
FRIDAY = date(2026, 7, 24)


def closing(bar: Bar) -> Snapshot:
    """Return the closing snapshot from the archive of a bar's session."""
    at = datetime.fromisoformat(f"{bar.date}T15:45:00+05:30")
    return archive.parse(Archive((bar,)), [bar.symbol], at)


def evidence(
    bar: Bar,
    earlier: Sequence[Bar] = (),
    *,
    closes: Mapping[str, float] | None = None,
    quoted: Mapping[str, QuotedClose] | None = None,
    declared: Mapping[str, Fraction] | None = None,
) -> Evidence:
    """Return the other evidence for a bar's session."""

    def bars(symbols: Collection[str]) -> Mapping[str, tuple[Sequence[Bar], bool]]:
        return {bar.symbol: (earlier, True)} if earlier and bar.symbol in symbols else {}

    return Evidence(bar.date, closes or {}, quoted or {}, declared or {}, bars)


def judged(bar: Bar, known: Evidence) -> Quote:
    """Return the corrected quote."""
    (quote,) = ex_dates.correct_previous_closes(closing(bar), known).quotes
    return quote


def close_to(expected: tuple[float, float], quote: Quote) -> bool:
    """Whether previous close and percent change are these, to the rounding."""
    previous, percent = expected
    assert quote.previous_close is not None
    assert quote.percent_change is not None
    return abs(quote.previous_close - previous) < 0.011 and abs(quote.percent_change - percent) < 0.011


@pytest.mark.parametrize("symbol", EX_DATES)
def test_the_bars_tell(symbol: str) -> None:
    """Six first sessions on new terms; the archive alone shows falls of 26 to 90 %."""
    before, first = EX_DATES[symbol]
    assert (closing(first).quotes[0].percent_change or 0.0) < -25

    quote = judged(first, evidence(first, [before]))

    assert close_to(TRUE[symbol], quote)
    assert quote.doubts["1d"].startswith("Probably a")


@pytest.mark.parametrize("symbol", EX_DATES)
@pytest.mark.parametrize("how", ["page", "ticks"])
def test_the_exchange_tells(symbol: str, how: str) -> None:
    """The exchange's previous close of the day, from the last live page or from ticks, removes all doubt."""
    _, first = EX_DATES[symbol]
    own, percent = TRUE[symbol]
    last = first.open or first.close
    row = TickRow(last, round((last / own - 1) * 100, 2), None, None, None, None)
    moment = Tick(datetime.fromisoformat(f"{first.date}T05:00:00+00:00"), Phase.OPEN, {symbol: row})
    known = (
        evidence(first, closes={symbol: own})
        if how == "page"
        else evidence(first, quoted=quoted_closes.combine_closes([moment]))
    )

    quote = judged(first, known)

    assert close_to((own, percent), quote)
    assert {} == quote.doubts


@pytest.mark.parametrize("bars", [NARMADA, VEDL, CRASH], ids=lambda bars: bars[0].symbol)
def test_what_nothing_explains_is_unknown(bars: tuple[Bar, Bar]) -> None:
    """A demerger or a crash: never a doubtful loss, and never a gain."""
    before, first = bars

    quote = judged(first, evidence(first, [before]))

    assert quote.percent_change is None
    assert (first.previous_close, first.close) == (quote.previous_close, quote.last_price)
    assert "a split, a bonus or a demerger may have taken effect" in quote.doubts["1d"]


def test_a_crash_that_the_exchange_counts() -> None:
    """If the live quotes counted from the close before, there was no action: the loss is real."""
    _, first = CRASH

    quote = judged(first, evidence(first, closes={"CRASH": 660.75}))

    assert (660.75, -38.71) == (quote.previous_close, quote.percent_change)
    assert {} == quote.doubts


def test_a_small_bonus() -> None:
    """A bonus of 1:10 is within any price band: only the exchange's own previous close shows it."""
    first = Bar("SMALL", FRIDAY, 100.5, 102.0, 99.0, 101.0, 110.0, 1e6, 1e8)

    assert -8.18 == judged(first, evidence(first)).percent_change
    quote = judged(first, evidence(first, closes={"SMALL": 100.0}))
    assert (100.0, 1.0) == (quote.previous_close, quote.percent_change)


def test_ordinary_sessions_stay() -> None:
    """Ordinary stocks do not change with any evidence: a previous close is rounded, a tick's is computed."""
    first = Bar("USUAL", FRIDAY, 100.5, 102.0, 99.0, 101.0, 100.0, 1e6, 1e8)
    (given,) = closing(first).quotes

    assert given == judged(first, evidence(first))
    assert given == judged(first, evidence(first, closes={"USUAL": 100.05}))
    assert given == judged(first, evidence(first, quoted={"USUAL": QuotedClose(100.02, 0.03)}))


@pytest.mark.parametrize(
    ("ratio", "expected"), [(Fraction(3, 5), (21.71, -21.6)), (Fraction(1), (36.19, -52.97))]
)
def test_what_is_declared_is_believed(ratio: Fraction, expected: tuple[float, float]) -> None:
    """A declared factor holds with any figures; 1 means that there was no action."""
    before, first = NARMADA

    quote = judged(first, evidence(first, [before], declared={"NARMADA": ratio}))

    assert close_to(expected, quote)
    assert {} == quote.doubts


# Whole runs


OTHERS = [f"S{n:03}" for n in range(60)]


class Market:
    """A market whose live source has the day's previous closes, and whose archive does not."""

    def __init__(self, tmp_path: Path, archives: Archives, **more: Any) -> None:
        self.folder = tmp_path / "state"
        self.target = MemoryPublisher()
        self.live = MemorySource()
        config = configuration(tmp_path, self.live, self.target)
        sources = (
            NamedSource("memory", "live", self.live),
            NamedSource("nse-archive", "nse-archive", archive.NseArchive(base_url=archives.url)),
        )
        market = replace_market(config, sources, more.pop("terms", ()))
        self.config = config._replace(
            markets=(market,), public_url="https://www.example.org/", archive=ArchiveOptions(), **more
        )

    def run(self, moment: str, *, live: Sequence[Quote] = ()) -> Report:
        """Run at this time of 24 July 2026; without `live` that source is down."""
        self.live.quotes = tuple(live)
        self.live.error = None if live else SourceError("down")
        return one_run.run(self.config, now=datetime.fromisoformat(f"{FRIDAY}T{moment}:00+05:30"))

    def document(self) -> dict[str, Any]:
        """Return the published figures."""
        found: dict[str, Any] = json.loads(self.target.pages["nse-fno/snapshot.json"])
        return found

    def bars(self) -> dict[str, Bar]:
        """Return the day's bars in the history."""
        with open_store(HistoryOptions(), self.folder, pytest.fail) as store:
            return {bar.symbol: bar for bar in store.bars("nse-fno", FRIDAY, 1)}


def replace_market(config: Config, sources: tuple[NamedSource, ...], terms: tuple[DeclaredSplit, ...]) -> Any:
    """Return the configuration with these sources and declared splits."""
    market = config.markets[0]
    return market._replace(sources=sources, calendar=replace(market.calendar, declared_splits=terms))


def shares() -> list[Share]:
    """The archive of that Friday: a split, a demerger, and sixty ordinary stocks."""
    of = [JLHL[1], NARMADA[1]]
    return [
        *(
            Share(
                b.symbol,
                b.previous_close or 0,
                b.open or 0,
                b.high or 0,
                b.low or 0,
                b.close,
                int(b.volume or 0),
            )
            for b in of
        ),
        *(Share(symbol, 100.0, 100.0, 101.0, 99.5, 101 - n / 100) for n, symbol in enumerate(OTHERS)),
    ]


def live_quotes() -> list[Quote]:
    """Return the exchange's live quotes of noon: the split's previous close is on the new terms."""
    return [
        Quote("JLHL", -0.32, last_price=313.9, previous_close=314.9),
        Quote("NARMADA", 1.0, last_price=20.2, previous_close=20.0),
        *(
            Quote(symbol, round(0.9 - n / 100, 2), last_price=100.9 - n / 100, previous_close=100.0)
            for n, symbol in enumerate(OTHERS)
        ),
    ]


def test_without_live_figures_the_closing_page_has_no_false_loss(tmp_path: Path) -> None:
    """Split: the true change, marked as probable. Demerger: unknown, on the page and on the permanent map."""
    alert = AlertOptions("far", change_percent=20.0)
    with Archives({FRIDAY: shares()}, lots=[*OTHERS, "JLHL", "NARMADA"]) as archives:
        market = Market(tmp_path, archives, alerts=(alert,))
        report = market.run("19:30")
        assert 0 == report.exit_code

    found = market.document()
    quotes = {row["symbol"]: row for row in found["quotes"]}
    assert (314.9, 2.64) == (quotes["JLHL"]["previous_close"], quotes["JLHL"]["percent_change"])
    assert "Probably a split" in quotes["JLHL"]["doubts"]["1d"]
    assert ["NARMADA"] == [row["symbol"] for row in found["unknown"]]
    assert {"advances": 61, "declines": 0, "unchanged": 0} == found["breadth"]
    for name in ("nse-fno/index.html", "nse-fno/2026/07/24/index.html"):
        page = market.target.pages[name].decode()
        assert 'data-symbol="JLHL" data-percent-change="2.64"' in page
        assert 'data-symbol="NARMADA" data-percent-change="" class="unknown"' in page
    feed = market.target.pages["nse-fno/feed.xml"].decode()
    assert "NARMADA" not in feed
    assert "JLHL +2.64" in feed  # the day's strongest
    assert any("NARMADA: All of the session" in note for note in report.notes)
    bars = market.bars()
    # A guess is no evidence: the periods of later sessions judge the day again.
    assert (None, None) == (bars["JLHL"].previous_close, bars["NARMADA"].previous_close)


@pytest.mark.parametrize("lost", ["", "history", "last page"])
def test_the_day_s_own_quotes_tell(tmp_path: Path, lost: str) -> None:
    """The exchange's previous closes of noon, from the history's ticks or from the last page: both are true."""
    with Archives({FRIDAY: shares()}) as archives:
        market = Market(tmp_path, archives)
        assert 0 == market.run("12:00", live=live_quotes()).exit_code
        if lost == "history":
            (market.folder / FILE_NAME).unlink()
        elif lost:
            document = json.loads((market.folder / "last/nse-fno.json").read_text())
            assert document.pop("closes")  # as an earlier version left it
            (market.folder / "last/nse-fno.json").write_text(json.dumps(document))
        assert 0 == market.run("19:30").exit_code

    quotes = {row["symbol"]: row for row in market.document()["quotes"]}
    assert (314.9, 2.64) == (quotes["JLHL"]["previous_close"], quotes["JLHL"]["percent_change"])
    assert -14.9 == quotes["NARMADA"]["percent_change"]
    assert "doubts" not in quotes["JLHL"]
    assert 1.0 == quotes["S000"]["percent_change"]


def test_closes_of_another_day_tell_nothing(tmp_path: Path) -> None:
    """Thursday's page has other previous closes than Friday's archive."""
    with Archives({FRIDAY: shares()}) as archives:
        market = Market(tmp_path, archives)
        market.live.quotes = tuple(live_quotes())
        one_run.run(market.config, now=datetime.fromisoformat(f"{FRIDAY - timedelta(days=1)}T12:00:00+05:30"))
        assert 0 == market.run("19:30").exit_code

    assert ["NARMADA"] == [row["symbol"] for row in market.document()["unknown"]]


def test_a_second_final_is_like_the_first(tmp_path: Path) -> None:
    """A value that was unknown or probable does not become certain by a second run."""
    with Archives({FRIDAY: shares()}, lots=[*OTHERS, "JLHL", "NARMADA"]) as archives:
        market = Market(tmp_path, archives)
        market.run("19:30")
        first = market.document()
        shutil.rmtree(market.folder / "sources", ignore_errors=True)
        one_run.run(market.config, now=datetime.fromisoformat(f"{FRIDAY}T19:35:00+05:30"), force=True)

    second = market.document()
    assert first.pop("generated_at") != second.pop("generated_at")
    assert first == second


def test_longer_periods_of_such_a_day(tmp_path: Path) -> None:
    """Periods over a split count from the close on the new terms; over a demerger they are unknown."""
    days = [date(2026, 7, day) for day in (17, 20, 21, 22, 23)]
    closes = {"JLHL": 1574.5, "NARMADA": 36.19} | dict.fromkeys(OTHERS, 100.0)
    bars = [
        Bar(symbol, day, close, close, close, close, close, 1e4, 1e6)
        for day in days
        for symbol, close in closes.items()
    ]
    with Archives({FRIDAY: shares()}, lots=[*OTHERS, "JLHL", "NARMADA"]) as archives:
        market = Market(tmp_path, archives)
        market.folder.mkdir(exist_ok=True)
        with open_store(HistoryOptions(), market.folder, pytest.fail) as store:
            store.add_bars("nse-fno", bars)
        market.run("19:30")

    history = json.loads(market.target.pages["nse-fno/history.json"])
    order = [row["symbol"] for name in ("quotes", "unknown") for row in market.document()[name]]
    reading = history["readings"]["change 5d"]
    known = len(order) - 1
    assert "5d" in history["periods"]
    assert known == count(reading["values"])
    assert "NARMADA" == order[-1]
    assert 264 == largest(reading["values"])


def count(values: str) -> int:
    """Return the count of numbers in an encoded sequence."""
    from heatmap.system.varint import decode

    return len(decode(values))


def largest(values: str) -> int:
    """Return the first number of a falling sequence, in hundredths."""
    from heatmap.system.varint import decode, signed

    return signed(decode(values)[0])
