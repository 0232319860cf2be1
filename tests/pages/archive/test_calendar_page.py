"""The list of all days: every day at its place, in its colour, and a small page for many years."""

from __future__ import annotations

import gzip
import random
import re
from base64 import b64encode
from datetime import date, timedelta
from hashlib import sha256

import pytest

from heatmap.analysis import colours
from heatmap.market.quotes import Breadth
from heatmap.pages.archive import calendar_page
from heatmap.pictures.context import ArchivedDay
from heatmap.pictures.options import PageOptions

MADE = "2026-09-17T15:45:00+05:30"


def day(when: date, breadth: Breadth, *, page: bool = True) -> ArchivedDay:
    return ArchivedDay(when, breadth, MADE if page else None)


def page_of(*days: ArchivedDay, title: str = "A market", feed: bool = False, **options: object) -> str:
    return calendar_page.render(days, title, PageOptions(**options), feed=feed).decode()  # type: ignore[arg-type]


def rows(page: str) -> list[list[str]]:
    """The texts of each week, cell by cell."""
    weeks = re.findall(r"<tr>(<td.*?)</tr>", page)
    return [
        [" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", week)]
        for week in weeks
    ]


def test_a_month_is_a_calendar() -> None:
    """Weeks have seven days from Monday on; the days of other months are empty."""
    page = page_of(day(date(2026, 9, 17), Breadth(162, 48, 0)))

    assert [
        ["", "1", "2", "3", "4", "5", "6"],
        ["7", "8", "9", "10", "11", "12", "13"],
        ["14", "15", "16", "17 +54", "18", "19", "20"],
        ["21", "22", "23", "24", "25", "26", "27"],
        ["28", "29", "30", "", "", "", ""],
    ] == rows(page)
    assert 'href="2026/09/17/" title="162 up, 48 down, 0 flat"' in page


def test_a_session_at_a_weekend_has_its_place() -> None:
    """For example on a Sunday of Diwali."""
    page = page_of(day(date(2026, 11, 8), Breadth(1, 0, 0)))

    assert "8 +100" == rows(page)[1][6]


def test_every_month_between_has_its_place() -> None:
    """The newest month is first, years are headings; a month without any session is there too."""
    page = page_of(
        day(date(2025, 11, 3), Breadth(1, 0, 0)), day(date(2026, 2, 2), Breadth(1, 0, 0)), day(date(2025, 12, 1), Breadth(1, 0, 0))
    )  # fmt: skip

    assert ["2026", "2025"] == re.findall(r"<h2>(.*?)</h2>", page)
    assert ["February", "January", "December", "November"] == re.findall(r"<caption>(.*?)</caption>", page)


@pytest.mark.parametrize(
    ("breadth", "shade", "written"),
    [
        (Breadth(100, 0, 0), 0, "+100"),
        (Breadth(90, 10, 0), 0, "+80"),
        (Breadth(84, 15, 1), 1, "+69"),
        (Breadth(51, 49, 0), 7, "+2"),
        (Breadth(50, 50, 0), 8, "0"),
        (Breadth(501, 499, 0), 8, "0"),
        (Breadth(499, 501, 0), 8, "0"),
        (Breadth(0, 0, 9), 8, "0"),
        (Breadth(49, 51, 0), 9, "\N{MINUS SIGN}2"),
        (Breadth(10, 90, 0), 16, "\N{MINUS SIGN}80"),
        (Breadth(0, 100, 0), 16, "\N{MINUS SIGN}100"),
    ],
)
def test_the_colour_of_a_day(breadth: Breadth, shade: int, written: str) -> None:
    """By advances less declines in % of all: eight shades on each side, the strongest from 80 % on, and one for 0."""
    page = page_of(day(date(2026, 9, 17), breadth))

    assert f'<td class="s{shade}"><a' in page
    assert f"17 {written}" in rows(page)[2]


@pytest.mark.parametrize("up", colours.UPS)
@pytest.mark.parametrize("gradient", colours.GRADIENTS)
def test_text_is_readable_on_every_shade(gradient: str, up: str) -> None:
    """The contrast is 4.5 : 1 or more; the shades go from the palette's strongest gain to its strongest loss."""
    page = page_of(day(date(2026, 9, 17), Breadth(1, 0, 0)), gradient=gradient, up=up)
    shades = re.findall(r"\.s(\d+) \{ background: (#\w{6}); color: (#\w{6}); \}", page)
    ramp = colours.palette(colours.GRADIENTS[gradient][up])

    assert [str(number) for number in range(17)] == [number for number, _, _ in shades]
    assert (ramp[0], ramp[-1]) == (shades[0][1], shades[-1][1])
    assert sorted(shades, key=lambda shade: ramp.index(shade[1])) == shades
    for _, fill, ink in shades:
        high, low = sorted((colours.luminance(fill), colours.luminance(ink)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_three_years_are_light() -> None:
    """The page has at most 30 KiB compressed, with figures and a page for every weekday of three years."""
    chance = random.Random(1)
    first = date(2024, 1, 1)
    weekdays = [each for number in range(3 * 365) if (each := first + timedelta(days=number)).weekday() < 5]
    days = []
    for each in weekdays:
        ups = chance.randrange(211)
        days.append(day(each, Breadth(ups, 210 - ups, 0)))

    assert len(gzip.compress(page_of(*days, feed=True).encode(), 9)) <= 30 * 1024


def test_only_its_own_script_may_run() -> None:
    """The policy has the script's hash, and allows no loading and sending."""
    page = page_of(day(date(2026, 9, 17), Breadth(1, 0, 0)))
    script = re.search(r'<script data-cfasync="false">(.*?)</script>', page, re.DOTALL)
    assert script is not None

    digest = b64encode(sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert "connect-src" not in page


def test_a_hostile_title() -> None:
    """It is text, never markup."""
    page = page_of(day(date(2026, 9, 17), Breadth(1, 0, 0)), title='"><script>alert(1)</script>', feed=True)

    assert "<script>alert" not in page


def test_a_page_links_to_the_feed_if_there_is_one() -> None:
    """For readers and for programs."""
    session = day(date(2026, 9, 17), Breadth(1, 0, 0))

    assert 2 == page_of(session, feed=True).count('href="feed.xml"')
    assert "feed.xml" not in page_of(session)
