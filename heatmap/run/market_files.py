"""All files of one market: its numbers, pictures, fragments and page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.pages import snapshot_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import DayLinks
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.pictures.options import PageOptions
    from heatmap.run.follow_up import FollowUp
    from heatmap.system.web_file import WebFile


def draw(
    config: Config,
    market: Market,
    snapshot: Snapshot,
    verdict: MarketStatus,
    now: datetime,
    past: HistoryView | None = None,
    sequel: FollowUp | None = None,
) -> list[WebFile]:
    """Return one market's files, parts before the page that refers to them.

    `past` is what the history knows; None: nothing, or there is none. `sequel` adds what lasts.
    """
    from dataclasses import replace

    from heatmap.analysis import rankings
    from heatmap.market.calendar import phases
    from heatmap.pages.page import render
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.market_map import png, svg
    from heatmap.pictures.market_map.fragment import fragment
    from heatmap.pictures.market_map.table import TableView
    from heatmap.pictures.options import parse_fragment
    from heatmap.system.web_file import WebFile

    look = config.page
    found = rankings.rank_all(snapshot, look.clamp_percent, look.period_clamps)
    view = TableView(columns=look.columns, gradient=look.gradient, up=look.up, scale=look.heat)
    table = view.draw(snapshot, next(iter(found.values())))
    shelf = sequel.shelf(market, snapshot, verdict, past) if sequel else None
    occasion = PageContext(
        market=market.name,
        title=market.title,
        time_zone=market.calendar.time_zone,
        generated_at=now.astimezone(ZoneInfo(market.calendar.time_zone)),
        status=verdict,
        interval_minutes=config.interval_minutes,
        markets=tuple(each.name for each in config.markets),
        public_url=config.public_url,
        days=shelf.day_links if shelf else None,
        calendar_end=phases.coverage_end(market.calendar),
    )
    cache = config.state_directory
    pictures = [WebFile(f"{market.name}/heatmap.svg", svg.draw(table, snapshot, occasion, cache))]
    if look.png and png.is_possible():
        pictures.append(WebFile(f"{market.name}/heatmap.png", png.draw(table, snapshot, occasion)))
    parts = [
        WebFile(
            f"{market.name}/fragment-{wanted.name}.html",
            fragment(wanted, snapshot, found[wanted.mode, "1d"], occasion, look, cache),
        )
        for wanted in filter(None, map(parse_fragment, look.fragments))
    ]
    picture = pictures[-1].path.rpartition(".")[2]
    document, offered = _history(market, snapshot, past, next(iter(found.values())).order, look)
    page, page_above = render(table, snapshot, found, occasion, look, cache, picture, offered)
    pages = [
        WebFile(f"{market.name}/snapshot.json", snapshot_files.to_json(snapshot, table, occasion)),
        WebFile(f"{market.name}/snapshot.csv", snapshot_files.to_csv(table)),
        *pictures,
        *parts,
        *(_parts(config, market, snapshot, past, document) if past and offered else ()),
        WebFile(f"{market.name}/index.html", page),
    ]
    if market is config.markets[0]:
        pages.append(WebFile("index.html", page_above))

    def lasting(title: str, days: DayLinks) -> bytes:
        where = replace(occasion, title=title, days=days)
        return render(table, snapshot, found, where, look, cache, picture, _without_reasons(offered))[0]

    if sequel and shelf:
        sequel.draw(shelf, pages, lasting)
    return pages


def _history(
    market: Market, snapshot: Snapshot, past: HistoryView | None, shown: Sequence[int], look: PageOptions
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the document of history.json, and what the page offers of it; None where there is none yet."""
    if past is None:
        return {}, None
    from heatmap.pictures.market_map import availability, history_data

    document = history_data.history_data(past, snapshot, shown, look)
    offered = availability.describe_missing(past, document, market.calendar)
    return document, {**offered, "moments": len(past.replay_track.minutes)} if offered else None


def _without_reasons(offered: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a page that stays as it is offers: what comes later comes to other pages."""
    if offered is None:
        return None
    return offered | {what: [one for one in offered[what] if not one[2]] for what in ("periods", "modes")}


def _parts(
    config: Config, market: Market, snapshot: Snapshot, past: HistoryView, document: dict[str, Any]
) -> Iterator[WebFile]:
    """Yield what the page loads once its reader asks for the past."""
    from heatmap.pictures.market_map import history_data, replay_data
    from heatmap.pictures.templates import later_script
    from heatmap.system.web_file import WebFile

    yield WebFile(f"{market.name}/history.json", history_data.history_json(document))
    if len(past.replay_track.minutes) > 1:
        content = replay_data.replay_json(past.replay_track, snapshot.as_of, config.page)
        yield WebFile(f"{market.name}/replay.json", content)
    yield WebFile(f"{market.name}/later.js", later_script().encode())
