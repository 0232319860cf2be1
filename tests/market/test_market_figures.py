"""Markets with impossible figures: the checks, and runs that keep the page and send no alert."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import SourceError, SourceGated, SourceReshaped
from heatmap.market import market_figures
from heatmap.market.quotes import Quote, Snapshot
from heatmap.notify.alerts.options import AlertOptions
from heatmap.run import one_run
from heatmap.sources import snapshot_file as files
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration

RECORDING = CHECKOUT / "heatmap/data/recordings/nse-fno-2026-09-17.json"
DAY = files.parse(RECORDING.read_bytes()).quotes[::3]  # seventy stocks of the recorded day
SMALL = DAY[:3]  # a watchlist
OPENING = datetime.fromisoformat("2026-09-17T09:15:00+05:30")
OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FINAL = datetime.fromisoformat("2026-09-17T16:00:00+05:30")
FIVE = timedelta(minutes=5)

Change = Callable[[Quote], Quote]


def bare(quote: Quote, percent: float) -> Quote:
    """Return a row with placeholders instead of unknown figures."""
    return Quote(quote.symbol, percent, quote.name, quote.sector)


def still(quote: Quote) -> Quote:
    """Return a stock that has not moved."""
    return replace(quote, percent_change=0.0, last_price=quote.previous_close, open=None, high=None, low=None)


def times(quote: Quote, factor: float) -> Quote:
    """Return a stock with all prices in another unit."""
    names = ("last_price", "previous_close", "open", "high", "low", "year_high", "year_low")
    return replace(quote, **{name: getattr(quote, name) * factor for name in names})


def at_percent(quote: Quote, percent: float) -> Quote:
    """Return a stock that has moved so far; its price confirms it."""
    price = round((quote.previous_close or 1.0) * (1 + percent / 100), 2)
    return replace(quote, percent_change=percent, last_price=price, open=None, high=None, low=None)


IMPOSSIBLE: dict[str, tuple[Change, str]] = {
    "0 % without prices": (lambda quote: bare(quote, 0.0), "the same percent change, 0.00, and no price"),
    "-100 % without prices": (lambda quote: bare(quote, -100.0), "contradict"),
    "-100 % with prices": (lambda quote: replace(quote, percent_change=-100.0), "contradict"),
    "2 % without prices": (lambda quote: bare(quote, 2.0), "the same percent change, 2.00"),
    "no price": (lambda quote: bare(quote, quote.percent_change or 0.0), "have no price now"),
    "no price but the close": (lambda quote: replace(quote, last_price=None), "have no price now"),
    "0 % with prices": (still, "the same percent change, 0.00"),
    "1.5 % with prices": (lambda quote: at_percent(quote, 1.5), "the same percent change, 1.50"),
    "one price": (lambda quote: replace(at_percent(quote, 1.0), last_price=100.0, previous_close=None,
                                        percent_change=quote.percent_change), "contradict|the same price, 100.00"),
    "paise": (lambda quote: times(quote, 100), "another unit"),
    "hundreds": (lambda quote: times(quote, 0.01), "another unit"),
    "the other sign": (lambda quote: replace(quote, percent_change=-(quote.percent_change or 0.0)), "contradict"),
    "the other sign, no closes": (
        lambda quote: replace(quote, percent_change=-(quote.percent_change or 0.0), previous_close=None),
        "contradict",
    ),
}  # fmt: skip


class Market:
    """A market published once at OPEN, with an alert on each stock that moves by 5 %."""

    def __init__(self, tmp_path: Path, quotes: Sequence[Quote]) -> None:
        self.source, self.target = MemorySource(quotes=tuple(quotes)), MemoryPublisher()
        self.config = configuration(tmp_path, self.source, self.target)._replace(
            alerts=(AlertOptions("movers", change_percent=5.0, breadth_percent=90.0, feed=True),),
            public_url="https://www.example.org/",
        )

    def run(self, now: datetime, quotes: Sequence[Quote], **options: Any) -> int:
        """Run at `now` with these figures. Return the exit code."""
        self.source.quotes = tuple(quotes)
        self.report = one_run.run(self.config, now=now, **options)
        return self.report.exit_code

    def alerts(self) -> list[str]:
        """Return the events that alerts have recorded."""
        path = self.config.state_directory / "alerts.json"
        told = json.loads(path.read_bytes())["markets"]["nse-fno"]["told"] if path.exists() else {}
        return sorted(told.get("movers", {}).get("seen", []))


@pytest.mark.parametrize("case", IMPOSSIBLE)
@pytest.mark.parametrize("now", [OPEN + FIVE, FINAL])
def test_a_market_that_cannot_be(tmp_path: Path, case: str, now: datetime) -> None:
    """Exit 65, one sentence, no file changed, no alert; the next good figures are published."""
    change, words = IMPOSSIBLE[case]
    market = Market(tmp_path, DAY)
    assert 0 == market.run(OPEN, DAY)
    before, alerts = dict(market.target.pages), market.alerts()

    assert 65 == market.run(now, [change(quote) for quote in DAY])

    (error,) = market.report.errors
    assert isinstance(error, SourceGated)
    assert error.market == "nse-fno"
    assert any(word in str(error) for word in words.split("|"))
    assert before == market.target.pages
    assert alerts == market.alerts()
    assert 0 == market.run(now + FIVE, DAY)
    assert before["nse-fno/index.html"] != market.target.pages["nse-fno/index.html"]


@pytest.mark.parametrize(
    "case", [case for case in IMPOSSIBLE if case not in ("0 % with prices", "1.5 % with prices")]
)
def test_half_a_market_that_cannot_be(tmp_path: Path, case: str) -> None:
    """The same figure for every second stock is refused, too, if prices do not confirm it."""
    change, _ = IMPOSSIBLE[case]
    market = Market(tmp_path, DAY)
    assert 0 == market.run(OPEN, DAY)
    before = dict(market.target.pages)

    assert 65 == market.run(OPEN + FIVE, [change(q) if n % 2 else q for n, q in enumerate(DAY)])

    assert before == market.target.pages


@pytest.mark.parametrize(
    "case",
    [
        "0 % without prices",
        "-100 % without prices",
        "-100 % with prices",
        "2 % without prices",
        "0 % with prices",
    ],
)
def test_the_first_page_of_all(tmp_path: Path, case: str) -> None:
    """Without an earlier page, impossible figures are not published either."""
    change, words = IMPOSSIBLE[case]
    market = Market(tmp_path, DAY)

    assert 65 == market.run(OPEN, [change(quote) for quote in DAY], interactive=True)

    assert words in str(market.report.errors[0])
    assert {} == market.target.pages


@pytest.mark.parametrize("case", ["0 % without prices", "-100 % without prices", "no price", "paise"])
def test_a_watchlist_that_cannot_be(tmp_path: Path, case: str) -> None:
    """The rules also apply to a market of three stocks."""
    change, _ = IMPOSSIBLE[case]
    market = Market(tmp_path, SMALL)
    assert 0 == market.run(OPEN, SMALL)
    before = dict(market.target.pages)

    assert 65 == market.run(OPEN + FIVE, [change(quote) for quote in SMALL])

    assert before == market.target.pages


@pytest.mark.parametrize(
    ("quotes", "now"),
    [
        ([still(quote) for quote in DAY], OPENING),  # nothing has moved yet
        ([still(quote) for quote in DAY], OPENING + 2 * FIVE),
        ([*map(still, DAY[1:]), DAY[0]], OPEN),  # little is traded
        ([still(quote) for quote in SMALL], OPEN),  # nor need a watchlist have moved
        ([at_percent(quote, 5.0) for quote in SMALL], OPEN),  # or all have hit their limit
        ([bare(quote, quote.percent_change or 0.0) for quote in DAY], OPEN),  # a source without prices
        ([replace(quote, volume=0.0, turnover=None) for quote in SMALL], OPEN),
        ([bare(quote, 0.0) for quote in SMALL[:2]], OPEN),
        (SMALL[:1], OPEN),
    ],
)
def test_markets_that_can_be(tmp_path: Path, quotes: Sequence[Quote], now: datetime) -> None:
    """Unusual but true figures are published, and so are the next ones."""
    market = Market(tmp_path, quotes)

    assert [0, 0] == [market.run(now, quotes), market.run(now + FIVE, quotes)]


def test_a_split_is_no_other_unit(tmp_path: Path) -> None:
    """One stock a day may have a tenth of its price, also in a watchlist."""
    for number, quotes in enumerate((DAY, SMALL, SMALL[:1])):
        market = Market(tmp_path / str(number), quotes)
        assert 0 == market.run(OPEN, quotes)
        assert 0 == market.run(OPEN + timedelta(days=1), [times(quotes[0], 0.1), *quotes[1:]])


def test_another_source_may_have_no_prices(tmp_path: Path) -> None:
    """A fallback source without prices may replace the first one, which must still give its prices later."""
    market = Market(tmp_path, DAY)
    assert 0 == market.run(OPEN, DAY)
    fetch, without = market.source.fetch, [bare(quote, quote.percent_change or 0.0) for quote in DAY]
    market.source.fetch = lambda **more: replace(fetch(**more), source="another")  # type: ignore[method-assign]
    assert 0 == market.run(OPEN + FIVE, without)
    market.source.fetch = fetch  # type: ignore[method-assign]

    assert 65 == market.run(OPEN + 2 * FIVE, without)
    assert 0 == market.run(OPEN + 3 * FIVE, DAY)


def test_force_takes_what_can_hardly_be(tmp_path: Path) -> None:
    """--force accepts equal figures and new prices, but never a change of -100 %."""
    market = Market(tmp_path, DAY)
    assert 0 == market.run(OPEN, DAY)

    for case in ("0 % without prices", "no price", "paise", "1.5 % with prices"):
        change, _ = IMPOSSIBLE[case]
        assert 0 == market.run(OPEN + FIVE, [change(quote) for quote in DAY], force=True)
    change, _ = IMPOSSIBLE["-100 % without prices"]
    assert 65 == market.run(OPEN + FIVE, [change(quote) for quote in DAY], force=True)


def test_a_state_of_before_knows_no_prices(tmp_path: Path) -> None:
    """Then the recorded previous closes are the reference; without them nothing is refused."""
    market = Market(tmp_path, DAY)
    assert 0 == market.run(OPEN, DAY)
    path = market.config.state_directory / "last/nse-fno.json"
    kept = {
        key: value
        for key, value in json.loads(path.read_bytes()).items()
        if key not in ("prices", "priced_by")
    }
    path.write_text(json.dumps(kept))
    assert 65 == market.run(OPEN + FIVE, [times(quote, 100) for quote in DAY])
    assert 65 == market.run(OPEN + FIVE, [bare(quote, quote.percent_change or 0.0) for quote in DAY])
    path.write_text(json.dumps({key: value for key, value in kept.items() if key != "closes"}))

    assert 0 == market.run(OPEN + FIVE, [times(quote, 100) for quote in DAY])


# What is left of single figures


def usable(*quotes: Quote) -> tuple[tuple[Quote, ...], tuple[str, ...]]:
    """Return some quotes after the check among those of the day, and the sentences."""
    given = Snapshot("memory", OPEN, (*DAY[:20], *quotes))
    found, sentences = market_figures.remove_impossible_figures(given, {})
    return found.quotes[20:], sentences


def test_a_row_without_a_price_among_others() -> None:
    """Its 0 % is unknown, and the page shows the reason; another figure is kept."""
    (filled, moved), sentences = usable(Quote("FILLED", 0.0), Quote("MOVED", 1.5))

    assert (None, 1.5) == (filled.percent_change, moved.percent_change)
    assert "no price" in filled.doubts["1d"]
    assert ("the day's change is unknown where no price is given: FILLED",) == sentences


@pytest.mark.parametrize(
    ("figures", "stays"),
    [
        ({"open": 100.0, "high": 103.0, "low": 99.0}, True),
        ({"open": 103.0, "high": 103.0, "low": 102.0}, True),
        ({"open": 100.0, "high": 99.0, "low": 103.0}, False),  # the wrong way round
        ({"open": 100.0, "high": 101.0, "low": 99.0}, False),  # the last price is higher
        ({"open": 98.0, "high": 103.0, "low": 99.0}, False),
        ({"open": 100.0, "high": 10300.0, "low": 9900.0}, False),  # in another unit
        ({"open": None, "high": 103.0, "low": None}, True),
        ({"open": None, "high": 101.0, "low": None}, False),
    ],
)
def test_a_day_whose_range_contradicts_itself(figures: dict[str, float | None], *, stays: bool) -> None:
    """Open, high and low are unknown then, and the rest of the row stays."""
    given = Quote("A", 2.0, last_price=102.0, previous_close=100.0, **figures)  # type: ignore[arg-type]

    (quote,), sentences = usable(given)

    assert (given if stays else replace(given, open=None, high=None, low=None)) == quote
    assert (
        () if stays else ("open, high and low are unknown where they contradict each other: A",)
    ) == sentences


@pytest.mark.parametrize(
    ("volume", "count", "stays"), [(0.0, 3, False), (0.0, 2, True), (7.0, 9, True), (7.0, 10, False)]
)
def test_one_volume_for_all(volume: float, count: int, *, stays: bool) -> None:
    """No stock moves without a trade, and ten do not trade the same number of shares: it is unknown."""
    given = Snapshot("memory", OPEN, tuple(replace(quote, volume=volume) for quote in DAY[:count]))

    found, sentences = market_figures.remove_impossible_figures(given, {})

    assert {volume if stays else None} == {quote.volume for quote in found.quotes}
    assert [quote.turnover for quote in given.quotes] == [quote.turnover for quote in found.quotes]
    assert stays is not bool(sentences)
    unmoved = replace(given, quotes=tuple(map(still, given.quotes)))
    assert market_figures.remove_impossible_figures(unmoved, {})[0] is unmoved


@pytest.mark.parametrize(
    "odd", ["NaN", "Infinity", "-Infinity", "1e308", "1e999", "-5", "0", '"-"', '""', "null", "true"]
)
def test_prices_that_are_none(odd: str) -> None:
    """In the exchange's answer they are refused with the whole body, or unknown; never a figure."""
    rows = ", ".join(
        f'{{"symbol": "S{n}", "pChange": {n / 10}, "lastPrice": {odd}, "previousClose": {odd}, "yearHigh": {odd}}}'
        for n in range(1, 12)
    )
    body = f'{{"data": {{"timestamp": "17-Sep-2026 11:00:00", "data": [{rows}]}}}}'.encode()

    try:
        quotes = files.parse(body).quotes
    except SourceError as error:
        assert 65 == error.exit_code
        return
    assert {None} == {figure for q in quotes for figure in (q.last_price, q.previous_close, q.year_high)}


def test_stocks_that_stand_there_twice() -> None:
    """The same figures again change nothing; of two that differ none is shown, and a market of such is refused."""

    def body(*changes: tuple[str, float]) -> bytes:
        rows = [{"symbol": symbol, "pChange": change} for symbol, change in changes]
        return json.dumps({"data": {"timestamp": "17-Sep-2026 11:00:00", "data": rows}}).encode()

    figures = [(f"S{n}", n / 10) for n in range(9)]
    same, other = files.parse(body(*figures, *figures)), files.parse(body(*figures, ("S0", 7.0)))

    assert (9, 9) == (len(same.quotes), same.dropped)
    assert ([f"S{n}" for n in range(1, 9)], 2) == ([quote.symbol for quote in other.quotes], other.dropped)
    with pytest.raises(SourceReshaped, match="18 unusable rows of 18"):
        files.parse(body(*figures, *((symbol, change + 1) for symbol, change in figures)))


def test_the_recorded_day_is_as_it_was() -> None:
    """No real figure is found impossible."""
    given = Snapshot("memory", OPEN, DAY)

    found, sentences = market_figures.remove_impossible_figures(given, {})

    assert (True, ()) == (found is given, sentences)
