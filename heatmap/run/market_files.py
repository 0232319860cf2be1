"""All files of one market: its numbers, images, fragments and page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from heatmap.pages import snapshot_files
from heatmap.system import parts
from heatmap.system.web_file import WebFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from heatmap.analysis.rankings import Ranking
    from heatmap.config.loader import Config, Market
    from heatmap.market.calendar.session import MarketStatus
    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.market_map.past import HistoryView
    from heatmap.pictures.market_map.table import TableView
    from heatmap.pictures.options import PageOptions
    from heatmap.pictures.shapes import Table
    from heatmap.run.follow_up import FollowUp


def draw(
    config: Config,
    market: Market,
    snapshot: Snapshot,
    status: MarketStatus,
    now: datetime,
    past: HistoryView | None = None,
    follow_up: FollowUp | None = None,
) -> list[WebFile]:
    """Return one market's files, in the order in which they are published.

    `past` is the history; None: there is none. `follow_up` gets the day's permanent page and the feed;
    None: neither is made.
    """
    from dataclasses import replace

    from heatmap.analysis.rankings import rank_all
    from heatmap.market.calendar import phases
    from heatmap.pages.page import render
    from heatmap.pictures import wording
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.market_map.data import page_data
    from heatmap.pictures.market_map.table import TableView

    # 1. The numbers.
    look, cache = config.page, config.state_directory
    rankings = rank_all(snapshot, look.clamp_percent, look.period_clamps)
    view = TableView(columns=look.columns, gradient=look.gradient, up=look.up, scale=look.heat)
    table = view.draw(snapshot, next(iter(rankings.values())))
    data = page_data(snapshot, rankings, look)
    document, offer = {}, None
    if past is not None:
        from heatmap.pictures.market_map.history_data import history_data

        document = history_data(past, snapshot, next(iter(rankings.values())).order, look)
        offer = _describe_offer(market, past, document)

    # 2. The links to other days: the page shows them, so the archive is opened before the page is drawn.
    archive = follow_up.open_archive(market, snapshot, status, past) if follow_up else None
    context = PageContext(
        market=market.name,
        title=market.title,
        time_zone=market.calendar.time_zone,
        generated_at=now.astimezone(ZoneInfo(market.calendar.time_zone)),
        status=status,
        interval_minutes=config.interval_minutes,
        markets=tuple(each.name for each in config.markets),
        public_url=config.public_url,
        days=archive.day_links if archive else None,
        calendar_end=phases.coverage_end(market.calendar),
    )

    # 3. The live page, after the files that it refers to.
    fragments = [*_fragments(look, snapshot, rankings, {(view, "change"): table}, context, cache)]
    images = _images(look, table, snapshot, context, cache)
    image_type = images[-1].path.rpartition(".")[2]
    page, page_above = render(table, snapshot, data, context, look, cache, image_type, offer)
    files = [
        WebFile(f"{market.name}/snapshot.json", snapshot_files.to_json(snapshot, table, context)),
        WebFile(f"{market.name}/snapshot.csv", snapshot_files.to_csv(table)),
        *images,
        *fragments,
        *(_history_files(market.name, look, snapshot, past, document) if past and offer else ()),
        WebFile(f"{market.name}/index.html", page),
    ]
    if market is config.markets[0]:
        files.append(WebFile("index.html", page_above))

    # 4. The permanent page, where it is due; with the market's files it becomes a day of the archive.
    if follow_up and archive:
        with follow_up.reporting_bugs(market, parts.ARCHIVE):
            links = archive.permanent_links
            if links:
                title = f"{market.title}, {wording.format_day(links.permanent)}"
                permanent = replace(context, title=title, days=links)
                permanent_offer = _without_reasons(offer)
                page, _ = render(
                    *(table, snapshot, data, permanent, look, cache, image_type), permanent_offer
                )
                archive.add_day(page, files)
        follow_up.draw_feed(market, archive)
    return files


def _images(
    look: PageOptions, table: Table, snapshot: Snapshot, context: PageContext, cache: Path
) -> list[WebFile]:
    """Return the map as SVG, and as PNG if that is wanted and possible."""
    from heatmap.pictures.market_map import png, svg

    images = [WebFile(f"{context.market}/heatmap.svg", svg.draw(table, snapshot, context, cache))]
    if look.png and png.is_possible():
        images.append(WebFile(f"{context.market}/heatmap.png", png.draw(table, snapshot, context)))
    return images


def _fragments(
    look: PageOptions,
    snapshot: Snapshot,
    rankings: Mapping[tuple[str, str], Ranking],
    tables: dict[tuple[TableView, str], Table],
    context: PageContext,
    cache: Path,
) -> Iterator[WebFile]:
    """Yield the pieces for other pages that the configuration asks for.

    `tables` has the tables that are drawn already, by view and mode; further ones are added to it.
    """
    from heatmap.pictures.market_map.fragment import fragment, table_view
    from heatmap.pictures.options import parse_fragment

    for options in filter(None, map(parse_fragment, look.fragments)):
        ranking, key = rankings[options.mode, "1d"], (table_view(options, look), options.mode)
        if key not in tables:
            tables[key] = key[0].draw(snapshot, ranking)
        content = fragment(options, snapshot, ranking, tables[key], context, look, cache)
        yield WebFile(f"{context.market}/fragment-{options.name}.html", content)


def _describe_offer(market: Market, past: HistoryView, document: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the page offers of the history in `document`; None: it offers nothing."""
    from heatmap.pictures.market_map import availability

    offer = availability.describe_missing(past, document, market.calendar)
    return {**offer, "moments": len(past.replay_track.minutes)} if offer else None


def _history_files(
    name: str, look: PageOptions, snapshot: Snapshot, past: HistoryView, document: dict[str, Any]
) -> Iterator[WebFile]:
    """Yield the files that the page loads when its reader asks for the history."""
    from heatmap.pictures.market_map import history_data, replay_data
    from heatmap.pictures.templates import later_script

    yield WebFile(f"{name}/history.json", history_data.history_json(document))
    if len(past.replay_track.minutes) > 1:
        content = replay_data.replay_json(past.replay_track, snapshot.as_of, look)
        yield WebFile(f"{name}/replay.json", content)
    yield WebFile(f"{name}/later.js", later_script().encode())


def _without_reasons(offer: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the offer of a permanent page: it leaves out what is not available, for that never changes."""
    if offer is None:
        return None
    return offer | {key: [entry for entry in offer[key] if not entry[2]] for key in ("periods", "modes")}
