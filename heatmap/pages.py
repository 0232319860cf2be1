"""All files of one market: its numbers, pictures, fragments and page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from heatmap.config import Config, Market
    from heatmap.history.model import Past
    from heatmap.model import Days, Page, Snapshot, Table
    from heatmap.sequel import Sequel
    from heatmap.session import Verdict


def draw(
    config: Config,
    market: Market,
    snapshot: Snapshot,
    verdict: Verdict,
    now: datetime,
    past: Past | None = None,
    sequel: Sequel | None = None,
) -> list[Page]:
    """Return one market's files, parts before the page that refers to them.

    `past` is what the history knows; None: nothing, or there is none. `sequel` adds what lasts.
    """
    from dataclasses import replace

    from heatmap import guard, plugins, readings, snapshots
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
    shelf = sequel.shelf(market, snapshot, verdict, past) if sequel else None
    occasion = Occasion(
        market=market.name,
        title=market.title,
        time_zone=market.calendar.time_zone,
        generated_at=now.astimezone(ZoneInfo(market.calendar.time_zone)),
        verdict=verdict,
        interval_minutes=config.interval_minutes,
        markets=tuple(each.name for each in config.markets),
        public_url=config.public_url,
        days=shelf.days if shelf else None,
        calendar_end=guard.end_of(market.calendar),
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
    offered, shown = _offered(past), next(iter(found.values())).order
    page, page_above = render(table, snapshot, found, occasion, look, cache, picture, offered)
    pages = [
        Page(f"{market.name}/snapshot.json", snapshots.to_json(snapshot, table, occasion)),
        Page(f"{market.name}/snapshot.csv", snapshots.to_csv(table)),
        *pictures,
        *parts,
        *(_history(config, market, snapshot, past, shown) if past and offered else ()),
        Page(f"{market.name}/index.html", page),
    ]
    if market is config.markets[0]:
        pages.append(Page("index.html", page_above))

    def lasting(title: str, days: Days) -> bytes:
        where = replace(occasion, title=title, days=days)
        return render(table, snapshot, found, where, look, cache, picture, offered)[0]

    return [*pages, *sequel.pages(shelf, pages, lasting)] if sequel and shelf else pages


def _history(
    config: Config, market: Market, snapshot: Snapshot, past: Past, shown: Sequence[int]
) -> Iterator[Page]:
    """Yield what the page loads once its reader asks for the past."""
    from heatmap.model import Page
    from heatmap.render import history, replay
    from heatmap.render.templates import later_script

    content = history.history_json(past, snapshot, shown, config.page)
    yield Page(f"{market.name}/history.json", content)
    if len(past.tape.minutes) > 1:
        content = replay.replay_json(past.tape, snapshot.as_of, config.page)
        yield Page(f"{market.name}/replay.json", content)
    yield Page(f"{market.name}/later.js", later_script().encode())


def _offered(past: Past | None) -> dict[str, object] | None:
    """Return what the page offers of the past; None where there is none yet."""
    from heatmap.render import history

    found = history.offered(past) if past else {}
    return {**found, "moments": len(past.tape.minutes)} if past and found else None
