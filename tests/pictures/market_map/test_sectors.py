"""The sectors view: groups, medians, breadth, order."""

from __future__ import annotations

from heatmap.market.quotes import Breadth, Quote
from heatmap.pictures.market_map.sectors import SectorsView
from tests.drawings import ranking_of, recorded, snapshot_of

MARKET = snapshot_of(
    Quote("A1", 1.0, sector="A", turnover=5e7),
    Quote("A2", 3.0, sector="A", turnover=7e7),
    Quote("A3", -2.0, sector="A"),
    Quote("B1", 2.0, sector="B", turnover=9e7),
    Quote("N1", 0.0),
)


def test_sectors_are_ordered_by_their_median() -> None:
    """The highest is first; members are by value; advances and declines are counted; stocks without a sector are a group too."""
    groups = SectorsView().draw(MARKET, ranking_of(MARKET, "change"))

    assert [("B", 2.0, Breadth(1, 0, 0)), ("A", 1.0, Breadth(2, 1, 0)), (None, 0.0, Breadth(0, 0, 1))] == [
        (group.sector, group.median, group.breadth) for group in groups
    ]
    assert [(1,), (0, 2, 4), (3,)] == [group.members for group in groups]


def test_a_sector_without_known_values_is_last() -> None:
    """It has no median; its breadth is still the day's."""
    groups = SectorsView().draw(MARKET, ranking_of(MARKET, "amount"))

    assert [("B", 9e7), ("A", 6e7), (None, None)] == [(group.sector, group.median) for group in groups]
    assert Breadth(2, 1, 0) == groups[1].breadth


def test_sectors_measured_against_themselves_show_how_they_moved() -> None:
    """Their own scores have the median 0; the percent change shows which sector moved."""
    snapshot = recorded()
    by_score = SectorsView().draw(snapshot, ranking_of(snapshot, "sector"))
    by_change = SectorsView().draw(snapshot, ranking_of(snapshot, "change"))

    assert [(g.sector, g.median) for g in by_change] == [(g.sector, g.median) for g in by_score]
    assert len({g.median for g in by_change}) > 10


def test_breadth_follows_the_period() -> None:
    """For a month's strength it is the month's; for liquidity it is always the day's."""
    snapshot = recorded()
    month = {g.sector: g.breadth for g in SectorsView().draw(snapshot, ranking_of(snapshot, "rs", "1mo"))}
    banks = [q for q in snapshot.quotes if q.sector == "Financial Services"]
    risen = sum((q.changes["1mo"].percent or 0) > 0 for q in banks)

    assert risen == month["Financial Services"].advances
    assert 210 == sum(sum((b.advances, b.declines, b.unchanged)) for b in month.values())
