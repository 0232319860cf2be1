"""The page of a market: the filled template, once for each folder that has it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.analysis.colours import BLACK, GRADIENTS
from heatmap.analysis.modes import MODES
from heatmap.market.periods import DAY, parse_period
from heatmap.pictures import wording
from heatmap.pictures.templates import later_script, page_script, page_style, render_template, script_hash

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo
    from pathlib import Path

    from heatmap.market.quotes import Snapshot
    from heatmap.pictures.context import PageContext
    from heatmap.pictures.options import PageOptions
    from heatmap.pictures.shapes import Cell, Table

PAGE = "page.html.j2"
# Markers in the filled template. No other text has a NUL.
FOLDER = "\0folder\0"  # replaced by the folder of a link
UP = "\0up\0"  # replaced by the path from the page to the folder of all markets
# Replaced at publication in a day's page: the links to the days beside it, which differ by target.
BEFORE, NEXT_LINK, NEXT_LABEL = "\0before\0", "\0next\0", "\0next label\0"
NEVER_SECONDS = 10**9  # the refresh interval of a page that never asks for a newer one
USUAL_LETTERS = 8  # symbols up to this length have the full size at any width


class CellText(NamedTuple):
    """A cell's texts, ready for the page; "": the source does not give the figure."""

    symbol: str
    percent_change: float | str
    percent: str
    doubt: str  # why the percent change is unknown
    style: str
    name: str
    chart: str


def render(
    table: Table,
    snapshot: Snapshot,
    data: Mapping[str, Any],
    context: PageContext,
    options: PageOptions,
    cache: Path | None = None,
    picture: str = "svg",
    history: Mapping[str, object] | None = None,
) -> tuple[bytes, bytes]:
    """Return the page as UTF-8, once for the market's own folder and once for the one above it.

    `data` are those of the page, see `page_data`; the table's cells are in their order. `picture` is the file
    type of the preview image. If `cache`, the state directory, is given, the compiled template is cached in
    it. `history` has the page's choices from the history: `periods` and `modes`, lists of (name, label,
    reason), and the number of `moments` to replay; None: the page has no history.
    """
    from zoneinfo import ZoneInfo

    script = page_script()
    zone = ZoneInfo(context.time_zone)
    page = render_template(
        PAGE,
        cache,
        context=context,
        options=options,
        rows=[[_cell_text(cell, options.chart_url) for cell in row] for row in table.rows],
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
        periods=[*filter(None, map(parse_period, data["periods"]))],
        palettes=list(GRADIENTS),
        markets=[{"name": name, "link": f"{UP}{name}/"} for name in context.markets],
        image=f"{context.public_url}{_address(context)}heatmap.{picture}" if context.public_url else None,
        days=_days(context),
        as_of=snapshot.as_of.astimezone(zone),
        generated_at=context.generated_at.astimezone(zone),
        phase=_phase(context, zone),
        recording=snapshot.recording,
        source=wording.source_name(snapshot.source, is_relayed=snapshot.relayed_phase is not None),
        clock=_clock(snapshot, context, options),
        data={**data}
        | {"market": context.market, "public_url": None if _is_permanent(context) else context.public_url}
        | ({"history": history} if history else {}),
        is_presumed=context.status.past_calendar and not _is_permanent(context),
        last_day=wording.format_day(context.calendar_end - timedelta(days=1)) if context.calendar_end else "",
        folder=FOLDER,
        script=script,
        style=page_style(),
        script_hash=script_hash(script),
        later_hash=script_hash(later_script()),  # always: a refresh may bring the history later
    )
    # The two pages differ only in their links. Filling in the template twice would take twice as long.
    own = page.replace(FOLDER, "").replace(UP, "../" * _address(context).count("/"))
    above = page.replace(FOLDER, f"{context.market}/").replace(UP, "")
    return own.encode(), above.encode()


def _is_permanent(context: PageContext) -> bool:
    """Whether the page is the permanent map of a day; then links to it have the day's address."""
    return context.days is not None and context.days.permanent is not None


def _address(context: PageContext) -> str:
    """Return the page's folder, relative to the folder of all markets."""
    day = context.days.permanent if context.days else None
    return f"{context.market}/{wording.day_folder(day)}" if day else f"{context.market}/"


def _days(context: PageContext) -> dict[str, Any] | None:
    """Return the links to other days' maps and their labels; None if there is no archive."""
    days = context.days
    if days is None:
        return None
    market = f"{UP}{context.market}/" if days.permanent else FOLDER
    return {
        "permanent": wording.format_day(days.permanent),
        "previous_marker": BEFORE,
        "previous": wording.format_day(days.previous),
        "previous_link": f"{market}{wording.day_folder(days.previous)}" if days.previous else "",
        "all_link": f"{market}archive.html",
        "feed_link": f"{market}feed.xml" if days.has_feed else "",
        "next_link": NEXT_LINK,
        "next": NEXT_LABEL,
    }


def _cell_text(cell: Cell, chart_url: str) -> CellText:
    quote = cell.quote
    letters = len(quote.symbol)
    is_unknown = quote.percent_change is None  # the style sheet hatches the cell: only its colour is set
    return CellText(
        symbol=quote.symbol,
        percent_change="" if quote.percent_change is None else quote.percent_change,
        percent=wording.NOT_KNOWN
        if quote.percent_change is None
        else wording.format_signed(quote.percent_change),
        doubt=quote.doubts.get(DAY, ""),
        style=f"background{'-color' if is_unknown else ''}:{cell.fill};color:{_short(cell.ink)}"
        + (f";--letters:{letters}" if letters > USUAL_LETTERS else ""),
        name=quote.name or "",
        chart=wording.chart_link(chart_url, quote.symbol),
    )


def _short(ink: str) -> str:
    """Return black or white in its shortest form."""
    return "#000" if ink == BLACK else "#fff"


def _shares(table: Table) -> tuple[float, float]:
    """Return the percentages of the market that rose and fell."""
    breadth = table.breadth
    total = max(breadth.advances + breadth.declines + breadth.unchanged, 1)
    return round(breadth.advances / total * 100, 2), round(breadth.declines / total * 100, 2)


def _phase(context: PageContext, zone: tzinfo) -> str:
    """Return the phase in a visitor's words; for a closed market, with the next opening."""
    status = context.status
    if status.phase == "closed" and status.next_open:
        opens = status.next_open.astimezone(zone)
        return f"Closed, opens {opens:%a} {opens.day} {opens:%b, %H:%M}"
    return wording.PHASES[status.phase]


def _clock(snapshot: Snapshot, context: PageContext, options: PageOptions) -> dict[str, Any]:
    """Return the times from which the page's script sees that the page is old or the market closed."""
    status = context.status
    session = status.session
    permanent = _is_permanent(context)
    next_open = None if permanent else status.next_open
    regular = None if permanent else status.next_regular_open
    return {
        "as_of": snapshot.as_of.isoformat(),
        "generated_at": context.generated_at.isoformat(),
        "time_zone": context.time_zone,
        "phase": str(status.phase),
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
        "calendar_end": context.calendar_end.isoformat() if context.calendar_end and not permanent else None,
        "interval_minutes": context.interval_minutes,
        "refresh_seconds": NEVER_SECONDS if permanent else options.refresh_seconds,
        "recording": snapshot.recording,
    }
