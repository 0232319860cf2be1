"""All files of one market: its numbers, pictures, fragments and page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime

    from heatmap.config import Config, Market
    from heatmap.history.model import Past
    from heatmap.model import Page, Snapshot, Table
    from heatmap.session import Verdict


def draw(
    config: Config,
    market: Market,
    snapshot: Snapshot,
    verdict: Verdict,
    now: datetime,
    past: Past | None = None,
) -> list[Page]:
    """Return one market's files, parts before the page that refers to them.

    `past` is what the history knows; None: nothing, or there is none.
    """
    from heatmap import plugins, readings, snapshots
    from heatmap.images import png, svg
    from heatmap.model import Occasion, Page
    from heatmap.render.fragment import fragment, named
    from heatmap.render.page import render

    look = config.page
    found = readings.read_all(snapshot, look.clamp_percent, look.period_clamps)
    view = plugins.view("table")(  # type: ignore[call-arg]  # a Protocol does not tell its fields
        columns=look.columns, gradient=look.gradient, up=look.up, scale=look.heat
    )
    table: Table = view.draw(snapshot, next(iter(found.values())))
    occasion = Occasion(
        market=market.name,
        title=market.title,
        time_zone=market.calendar.time_zone,
        generated_at=now.astimezone(ZoneInfo(market.calendar.time_zone)),
        verdict=verdict,
        interval_minutes=config.interval_minutes,
        markets=tuple(each.name for each in config.markets),
        public_url=config.public_url,
    )
    cache = config.state_directory
    pictures = [Page(f"{market.name}/heatmap.svg", svg.draw(table, snapshot, occasion, cache))]
    if look.png and png.is_possible():
        pictures.append(Page(f"{market.name}/heatmap.png", png.draw(table, snapshot, occasion)))
    parts = [
        Page(
            f"{market.name}/fragment-{wanted.name}.html",
            fragment(wanted, snapshot, found[wanted.mode, "1d"], occasion, look, cache),
        )
        for wanted in filter(None, map(named, look.fragments))
    ]
    picture = pictures[-1].path.rpartition(".")[2]
    page, page_above = render(table, snapshot, found, occasion, look, cache, picture)
    pages = [
        Page(f"{market.name}/snapshot.json", snapshots.to_json(snapshot, table, occasion)),
        Page(f"{market.name}/snapshot.csv", snapshots.to_csv(table)),
        *pictures,
        *parts,
        Page(f"{market.name}/index.html", page),
    ]
    if market is config.markets[0]:
        pages.append(Page("index.html", page_above))
    return pages
