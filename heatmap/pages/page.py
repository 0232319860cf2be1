"""A table and its circumstances become a page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.analysis.colours import BLACK, GRADIENTS
from heatmap.analysis.modes import MODES
from heatmap.analysis.rankings import periods
from heatmap.market.periods import DAY
from heatmap.pictures import wording
from heatmap.pictures.market_map.data import page_data
from heatmap.pictures.templates import later_script, page_script, page_style, render_template, script_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo
    from pathlib import Path

    from heatmap.analysis.rankings import Ranking
    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.options import PageOptions
    from heatmap.pictures.shapes import Cell, Table

PAGE = "page.html.j2"
FOLDER = "\0folder\0"  # stands where a link's folder will; no text holds a NUL
UP = "\0up\0"  # and where the way from a page to the folder of all markets will
# And what a day's page says of the days beside it, which is only known where and when it is published.
BEFORE, NEXT_LINK, NEXT_LABEL = "\0before\0", "\0next\0", "\0next label\0"
NEVER_SECONDS = 10**9  # until a page asks for a newer one, if it is not to ask
USUAL_LETTERS = 8  # symbols up to this length have the full size at any width


class CellText(NamedTuple):
    """A cell's words, ready for the page; "" where the source does not know."""

    symbol: str
    percent_change: float | str
    percent: str
    doubt: str  # why the percent change is not known
    style: str
    name: str
    chart: str


def render(
    table: Table,
    snapshot: Snapshot,
    found: Mapping[tuple[str, str], Ranking],
    occasion: PageContext,
    options: PageOptions,
    cache: Path | None = None,
    picture: str = "svg",
    history: Mapping[str, object] | None = None,
) -> tuple[bytes, bytes]:
    """Return the page as UTF-8, once for the market's own folder and once for the one above it.

    The table's cells are in the order of the first reading `found`. `picture` is the kind of the image that
    goes with the page, for previews. In the state directory `cache`, if given, the compiled template is kept
    for the next tick. `history` is what the page offers of it: `periods` and `modes`, lists of names and
    labels each, and how many `moments` there are to replay; None: nothing.
    """
    from zoneinfo import ZoneInfo

    script = page_script()
    zone = ZoneInfo(occasion.time_zone)
    page = render_template(
        PAGE,
        cache,
        occasion=occasion,
        options=options,
        rows=[[_texts(cell, options.chart_url) for cell in row] for row in table.rows],
        columns=table.columns,
        breadth=table.breadth,
        shares=_shares(table),
        legend=[
            (stop.fill, "" if stop.value is None else wording.format_signed(stop.value))
            for stop in table.legend
        ],
        modes=[
            {
                "name": mode.name,
                "label": mode.label,
                "unit": wording.unit_of(mode, snapshot.currency),
                "formula": mode.formula,
                "caveat": mode.caveat,
            }
            for mode in MODES.values()
        ],
        periods=periods(snapshot),
        palettes=list(GRADIENTS),
        markets=[{"name": name, "link": f"{UP}{name}/"} for name in occasion.markets],
        image=f"{occasion.public_url}{_address(occasion)}heatmap.{picture}" if occasion.public_url else None,
        days=_days(occasion),
        as_of=snapshot.as_of.astimezone(zone),
        generated_at=occasion.generated_at.astimezone(zone),
        phase=_phase(occasion, zone),
        recording=snapshot.recording,
        source=wording.source_name(snapshot),
        clock=_clock(snapshot, occasion, options),
        data=page_data(snapshot, found, options)
        | {"market": occasion.market, "public_url": None if _is_lasting(occasion) else occasion.public_url}
        | ({"history": history} if history else {}),
        is_presumed=occasion.verdict.past_calendar and not _is_lasting(occasion),
        last_day=wording.format_day(occasion.calendar_end - timedelta(days=1))
        if occasion.calendar_end
        else "",
        folder=FOLDER,
        script=script,
        style=page_style(),
        script_hash=script_hash(script),
        later_hash=script_hash(later_script()),  # where there is no history yet, too: it comes with a refresh
    )
    # The two differ in their links alone: filling the template in twice would cost a tick twice as much.
    own = page.replace(FOLDER, "").replace(UP, "../" * _address(occasion).count("/"))
    above = page.replace(FOLDER, f"{occasion.market}/").replace(UP, "")
    return own.encode(), above.encode()


def _is_lasting(occasion: PageContext) -> bool:
    """Whether the page is the lasting map of a day; then links to it are to where it stands."""
    return occasion.days is not None and occasion.days.of is not None


def _address(occasion: PageContext) -> str:
    """Return the page's folder, as seen from that of all markets."""
    of = occasion.days.of if occasion.days else None
    return f"{occasion.market}/{wording.day_folder(of)}" if of else f"{occasion.market}/"


def _days(occasion: PageContext) -> dict[str, Any] | None:
    """Return the links to other days' maps and how they are called; None where there is no archive."""
    days = occasion.days
    if days is None:
        return None
    market = f"{UP}{occasion.market}/" if days.of else FOLDER
    return {
        "of": wording.format_day(days.of),
        "way_before": BEFORE,
        "before": wording.format_day(days.before),
        "before_link": f"{market}{wording.day_folder(days.before)}" if days.before else "",
        "all_link": f"{market}archive.html",
        "feed_link": f"{market}feed.xml" if days.feed else "",
        "next_link": NEXT_LINK,
        "next": NEXT_LABEL,
    }


def _texts(cell: Cell, chart_url: str) -> CellText:
    figures = cell.quote
    letters = len(figures.symbol)
    is_unknown = figures.percent_change is None  # then the style sheet hatches it: the colour alone is set
    return CellText(
        symbol=figures.symbol,
        percent_change="" if figures.percent_change is None else figures.percent_change,
        percent=wording.NOT_KNOWN
        if figures.percent_change is None
        else wording.format_signed(figures.percent_change),
        doubt=figures.doubts.get(DAY, ""),
        style=f"background{'-color' if is_unknown else ''}:{cell.fill};color:{_short(cell.ink)}"
        + (f";--letters:{letters}" if letters > USUAL_LETTERS else ""),
        name=figures.name or "",
        chart=wording.chart_link(chart_url, figures.symbol),
    )


def _short(ink: str) -> str:
    """Return black or white in as few characters as there are for it."""
    return "#000" if ink == BLACK else "#fff"


def _shares(table: Table) -> tuple[float, float]:
    """Return what percentage of the market rose, and what fell."""
    breadth = table.breadth
    total = max(breadth.advances + breadth.declines + breadth.unchanged, 1)
    return round(breadth.advances / total * 100, 2), round(breadth.declines / total * 100, 2)


def _phase(occasion: PageContext, zone: tzinfo) -> str:
    """Return the phase in a visitor's words; while closed, with the next opening."""
    verdict = occasion.verdict
    if verdict.phase == "closed" and verdict.next_open:
        opens = verdict.next_open.astimezone(zone)
        return f"Closed, opens {opens:%a} {opens.day} {opens:%b, %H:%M}"
    return wording.PHASES[verdict.phase]


def _clock(snapshot: Snapshot, occasion: PageContext, options: PageOptions) -> dict[str, Any]:
    """Return the times from which a page tells by itself that it has aged, or that nothing new can come."""
    verdict = occasion.verdict
    session = verdict.session
    lasting = _is_lasting(occasion)
    next_open = None if lasting else verdict.next_open
    regular = None if lasting else verdict.next_regular_open
    return {
        "as_of": snapshot.as_of.isoformat(),
        "generated_at": occasion.generated_at.isoformat(),
        "time_zone": occasion.time_zone,
        "phase": str(verdict.phase),
        "session_date": session.date.isoformat() if session else None,
        "windows": [
            {
                "opens": window.opens.isoformat(),
                "closes": window.closes.isoformat(),
                "phase": str(window.phase),
            }
            for window in (session.windows if session else ())
        ],
        "settles": session.settles.isoformat() if session and session.settles else None,
        "next_open": next_open.isoformat() if next_open else None,
        "next_regular_open": regular.isoformat() if regular else None,
        "calendar_end": occasion.calendar_end.isoformat() if occasion.calendar_end and not lasting else None,
        "interval_minutes": occasion.interval_minutes,
        "refresh_seconds": NEVER_SECONDS if lasting else options.refresh_seconds,
        "recording": snapshot.recording,
    }
