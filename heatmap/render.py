"""The Jinja2 environment: a table and its circumstances become a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatmap.colours import GRADIENTS
from heatmap.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from jinja2 import Environment

    from heatmap.model import Cell, Occasion, Snapshot, Table

PAGE, SCRIPT = "page.html.j2", "heatmap.js"
SCALES = ("rank", "value")
FOLDER = "\0folder\0"  # stands where a link's folder will; no text holds a NUL
MINUS = "\N{MINUS SIGN}"
TILE_PIXELS = 85  # the narrowest a tile may be for ten letters to stay readable
USUAL_LETTERS = 8  # symbols up to this length have the full size at any width
SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}  # others are written as their code


@dataclass(frozen=True, slots=True)
class PageOptions:
    """The `[page]` table. `refresh_seconds` is how often an open page asks for a newer one."""

    columns: int = 13
    gradient: str = "contrast"
    scale: str = "rank"
    clamp_percent: float = 3.0  # with scale "value": where the strongest shades begin
    refresh_seconds: int = 300
    chart_url: str = "https://www.tradingview.com/chart/?symbol=NSE:{symbol}"

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = []
        if not 1 <= self.columns <= 60:
            problems.append("columns must be 1 to 60")
        if self.gradient not in GRADIENTS:
            problems.append(f"gradient must be one of {', '.join(GRADIENTS)}, not {self.gradient!r}")
        if self.scale not in SCALES:
            problems.append(f"scale must be one of {', '.join(SCALES)}, not {self.scale!r}")
        if not 0 < self.clamp_percent <= 1000:
            problems.append("clamp_percent must be more than 0 and at most 1000")
        if not 1 <= self.refresh_seconds <= 86400:
            problems.append("refresh_seconds must be 1 to 86400")
        if not re.match(r"https?://[^/\s]", self.chart_url):
            problems.append("chart_url must begin with https:// or http:// and a host")
        if problems:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class CellText:
    """A cell's words, ready for the page; "" where the source does not know."""

    symbol: str
    percent_change: float
    percent: str
    style: str
    sector: str
    title: str  # name, then last price and change, on lines of their own
    day: str  # the day's range
    chart: str


def find_templates() -> Path:
    """Return the folder of the templates: beside the package's modules in a wheel, else the checkout's."""
    package = Path(__file__).parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def render(
    table: Table, snapshot: Snapshot, occasion: Occasion, options: PageOptions, cache: Path | None = None
) -> tuple[bytes, bytes]:
    """Return the page as UTF-8, once for the market's own folder and once for the one above it.

    In the folder `cache`, if given, the compiled template is kept for the next tick.
    """
    from base64 import b64encode
    from hashlib import sha256
    from zoneinfo import ZoneInfo

    script = (find_templates() / SCRIPT).read_text("utf-8")
    zone = ZoneInfo(occasion.time_zone)
    page = render_template(
        PAGE,
        cache,
        occasion=occasion,
        options=options,
        rows=[[_texts(cell, snapshot.currency, options.chart_url) for cell in row] for row in table.rows],
        columns=table.columns,
        narrower=[(count * TILE_PIXELS, count - 1) for count in range(table.columns, 2, -1)],
        breadth=table.breadth,
        shares=_shares(table),
        legend=[
            (stop.fill, "" if stop.percent_change is None else signed(stop.percent_change))
            for stop in table.legend
        ],
        as_of=snapshot.as_of.astimezone(zone),
        generated_at=occasion.generated_at.astimezone(zone),
        phase=_phase(occasion, zone),
        recording=snapshot.recording,
        clock=_clock(snapshot, occasion, options),
        folder=FOLDER,
        script=script,
        script_hash="sha256-" + b64encode(sha256(script.encode()).digest()).decode(),
    )
    # The two differ in their links alone: filling the template in twice would cost a tick twice as much.
    return page.replace(FOLDER, "").encode(), page.replace(FOLDER, f"{occasion.market}/").encode()


def render_template(template: str, cache: Path | None = None, **context: object) -> str:
    """Return any template filled in."""
    return _environment(cache).get_template(template).render(context)


def signed(value: float) -> str:
    """Return a number with two decimals and its sign; 0 has none."""
    text = f"{abs(value):.2f}"
    return text if float(text) == 0 else ("+" if value > 0 else MINUS) + text


def money(value: float | None, currency: str | None) -> str:
    """Return an amount as its readers write it, rupees in lakhs and crores: ₹1,23,456.70; "" for None."""
    if value is None:
        return ""
    whole, _, fraction = f"{abs(value):.2f}".partition(".")
    if currency == "INR" and len(whole) > 3:
        head = re.sub(r"(?<=\d)(?=(\d\d)+$)", ",", whole[:-3])
        whole = f"{head},{whole[-3:]}"
    else:
        whole = f"{int(whole):,}"
    sign = MINUS if value < 0 else ""
    unit = SYMBOLS.get(currency or "", f"{currency} " if currency else "")
    return f"{sign}{unit}{whole}.{fraction}"


@cache
def _environment(cache: Path | None) -> Environment:
    from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(find_templates()),
        autoescape=True,
        bytecode_cache=FileSystemBytecodeCache(str(cache)) if cache else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["clock_time"] = _clock_time
    return environment


def _moment(value: datetime) -> str:
    return f"{value.day} {value:%b %Y, %H:%M:%S %Z}"


def _clock_time(value: datetime) -> str:
    return f"{value:%H:%M:%S %Z}"


def _texts(cell: Cell, currency: str | None, chart_url: str) -> CellText:
    from urllib.parse import quote

    figures = cell.quote
    letters = len(figures.symbol)
    last, low, high = (money(price, currency) for price in (figures.last_price, figures.low, figures.high))
    change = ""
    if figures.last_price is not None and figures.previous_close is not None:
        moved = figures.last_price - figures.previous_close
        change = ("+" if moved > 0 else "") + money(moved, currency)
    return CellText(
        symbol=figures.symbol,
        percent_change=figures.percent_change,
        percent=signed(figures.percent_change),
        style=f"background:{cell.fill};color:{cell.ink}"
        + (f";--letters:{letters}" if letters > USUAL_LETTERS else ""),
        sector=figures.sector or "",
        title="\n".join(filter(None, [figures.name, "  ".join(filter(None, [last, change]))])),
        day=f"{low} to {high}" if low and high else "",
        chart=chart_url.replace("{symbol}", quote(figures.symbol, safe="")),
    )


def _shares(table: Table) -> tuple[float, float]:
    """Return what percentage of the market rose, and what fell."""
    breadth = table.breadth
    total = max(breadth.advances + breadth.declines + breadth.unchanged, 1)
    return round(breadth.advances / total * 100, 2), round(breadth.declines / total * 100, 2)


def _phase(occasion: Occasion, zone: tzinfo) -> str:
    """Return the phase in a visitor's words; while closed, with the next opening."""
    verdict = occasion.verdict
    if verdict.phase == "closed" and verdict.next_open:
        return f"Closed, opens {verdict.next_open.astimezone(zone):%a %d %b %H:%M}"
    return {
        "open": "Open",
        "auction": "Closing auction",
        "settling": "Settling",
        "final": "Closing prices",
        "closed": "Closed",
        "unknown": "Open",  # drawn only because the source itself says so
    }[verdict.phase]


def _clock(snapshot: Snapshot, occasion: Occasion, options: PageOptions) -> dict[str, Any]:
    """Return the times from which a page tells by itself that it has aged, or that nothing new can come."""
    verdict = occasion.verdict
    session = verdict.session
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
        "next_open": verdict.next_open.isoformat() if verdict.next_open else None,
        "interval_minutes": occasion.interval_minutes,
        "refresh_seconds": options.refresh_seconds,
        "recording": snapshot.recording,
    }
