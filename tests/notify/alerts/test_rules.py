"""The events that an alert finds, for each rule exactly at its threshold."""

from __future__ import annotations

import pytest

from heatmap.market.quotes import Change, Quote
from heatmap.notify.alerts import rules
from heatmap.notify.alerts.options import AlertOptions
from tests.drawings import snapshot_of


def find(quotes: list[Quote], **options: object) -> list[tuple[str, str, str | None]]:
    """Return rule, side and symbol of each event."""
    events = rules.find_events(AlertOptions("a", **options), snapshot_of(*quotes))  # type: ignore[arg-type]
    return [(event.rule, event.side, event.symbol) for event in events]


def test_a_stock_beyond_its_threshold() -> None:
    """Up and down; the threshold itself counts; the largest move comes first."""
    quotes = [Quote("A", 4.99), Quote("B", 5.0), Quote("C", -5.01), Quote("D", -4.99), Quote("E", 0.0)]

    assert [("change", "down", "C"), ("change", "up", "B")] == find(quotes, change_percent=5.0)


def test_over_a_longer_period() -> None:
    """The change is the source's. A stock without one makes no event, whatever its change of the day."""
    quotes = [
        Quote("A", 9.0, changes={"1mo": Change(19.0, None)}),
        Quote("B", 0.0, changes={"1mo": Change(-20.0, None)}),
        Quote("C", 99.0, changes={"1mo": Change(None, None)}),
        Quote("D", 99.0),
    ]

    assert [("change", "down", "B")] == find(quotes, change_percent=20.0, period="1mo")
    event = rules.find_events(AlertOptions("a", change_percent=20.0, period="1mo"), snapshot_of(*quotes))[0]
    assert "B \N{MINUS SIGN}20.00 % over 1 month" == event.text


def test_a_percent_change_that_is_unknown() -> None:
    """It is beyond no threshold and does not count in the market's breadth."""
    quotes = [Quote("A", 1.0), Quote("B", 1.0), Quote("C", 1.0), Quote("D", None), Quote("E", None)]

    assert [("breadth", "up", None)] == find(quotes, change_percent=5.0, breadth_percent=99.0)


def test_a_watchlist() -> None:
    """Every rule applies only to these stocks."""
    quotes = [Quote("A", 9.0), Quote("B", 9.0), Quote("C", -1.0), Quote("D", -1.0)]

    assert [("change", "up", "B")] == find(quotes, change_percent=5.0, symbols=("B", "C"))
    assert [("breadth", "down", None)] == find(quotes, breadth_percent=60.0, symbols=("B", "C", "D"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([1, 1, 1, 1, -1], ["up"]),
        ([1, 1, 1, 0, -1], []),
        ([-1, -1, -1, -1, 0], ["down"]),
        ([1, 1], []),  # two stocks are no market
        ([1, 1, 1], ["up"]),
    ],
)
def test_a_one_sided_market(changes: list[float], expected: list[str]) -> None:
    """Four of five stocks reach 80 %, also if the fifth is unchanged."""
    quotes = [Quote(f"S{number}", change) for number, change in enumerate(changes)]

    assert expected == [side for _, side, _ in find(quotes, breadth_percent=80.0)]


def test_the_text_of_a_one_sided_market() -> None:
    """The text has the count, the number of all stocks, and the share."""
    quotes = [Quote(f"S{number}", -1.0 if number else 1.0) for number in range(8)]
    event = rules.find_events(AlertOptions("a", breadth_percent=80.0), snapshot_of(*quotes))[0]

    assert "7 of 8 stocks down (88 %)" == event.text
    assert 87.5 == event.value


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"last_price": 99.0, "high": 100.0, "year_high": 100.0}, True),  # the source includes today
        ({"last_price": 99.0, "high": 100.5, "year_high": 100.0}, True),  # the source does not
        ({"last_price": 99.0, "high": 99.9, "year_high": 100.0}, False),
        ({"last_price": 100.0, "year_high": 100.0}, True),  # no high: then the last price
        ({"last_price": 99.0, "year_high": 100.0}, False),
        ({"last_price": 99.0, "high": 100.0}, False),
        ({"year_high": 100.0}, False),
    ],
)
def test_a_high_of_52_weeks(figures: dict[str, float], expected: bool) -> None:
    """The price reaches the high, whether or not the source already includes it. The low is the mirror image."""
    mirror = {
        {"high": "low", "year_high": "year_low"}.get(name, name): 200 - value
        for name, value in figures.items()
    }

    assert expected == bool(find([Quote("A", 1.0, **figures)], year_high=True))  # type: ignore[arg-type]
    assert expected == bool(find([Quote("A", -1.0, **mirror)], year_low=True))  # type: ignore[arg-type]
    assert not find([Quote("A", 1.0, **figures)], year_low=True)  # type: ignore[arg-type]


def test_the_text_has_the_price() -> None:
    """It is the day's high, in the market's currency."""
    quote = Quote("A", 1.0, last_price=1200.0, high=1234.5, year_high=1234.5)
    event = rules.find_events(AlertOptions("a", year_high=True), snapshot_of(quote))[0]

    assert "A at a high of 52 weeks: ₹1,234.50" == event.text


def test_the_same_event_again() -> None:
    """A new value is the same event; another side is another event."""
    options = AlertOptions("a", change_percent=5.0)
    before, after, other = (
        rules.find_events(options, snapshot_of(Quote("A", c)))[0].key for c in (5.0, 7.0, -5.0)
    )

    assert before == after
    assert before != other
