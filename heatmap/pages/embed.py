"""The snippet that shows a page on somebody's blog."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit
from zlib import crc32

from heatmap.pictures.templates import render_template

# The height of a frame until its page reports its own: header, 17 rows and footer on a wide screen.
HEIGHT_PIXELS = 960
SOURCE_PERIODS = ("1d", "1mo", "1y")  # a source may give these; the configuration names the history's
HEATS = ("rank", "0.5", "1", "2")
SORTS = ("mode", "symbol", "change", "amount")
AREAS = ("market-cap", "amount", "equal")


class EmbedChoices(NamedTuple):
    """The first view of the page in a frame, in the order of the query. None: the page's default."""

    mode: str | None = None
    layout: str | None = None
    period: str | None = None
    theme: str | None = None  # None: the reader's choice
    palette: str | None = None
    heat: str | None = None  # the scale of the shades: "rank", or a factor of the usual limit
    sort: str | None = None
    area: str | None = None  # the weight that the area of a treemap's tile shows
    sector: str | None = None  # by name, or "watchlist"
    watch: str | None = None  # symbols, separated by commas

    def as_query(self) -> dict[str, str]:
        """Return the query of the page's address, without choices that are None."""
        return {key: value for key, value in self._asdict().items() if value is not None}


NO_CHOICES = EmbedChoices()


def iframe(
    url: str,
    title: str,
    *,
    market: str,
    choices: EmbedChoices = NO_CHOICES,
    height_pixels: int = HEIGHT_PIXELS,
    auto_height: bool = True,
) -> str:
    """Return the `<iframe>`; with `auto_height`, also the script that gives it the page's own height.

    A page may have several snippets, with different markets or choices or with the same ones.
    """
    return _fill_in("embed.html.j2", url, title, market, choices, height_pixels, auto_height)


def include(url: str, fragment: str) -> str:
    """Return the lines that include the fragment of that name on a server; `url` is the market's folder."""
    return render_template("include.html.j2", path=f"{urlsplit(url).path}fragment-{fragment}.html")


def blog(url: str, title: str, *, market: str) -> str:
    """Return a sample blog page with the heatmap in it."""
    return _fill_in("blog.html.j2", url, title, market, NO_CHOICES, HEIGHT_PIXELS, True)


def _fill_in(
    template: str,
    url: str,
    title: str,
    market: str,
    choices: EmbedChoices,
    height_pixels: int,
    auto_height: bool,
) -> str:
    query = choices.as_query()
    return render_template(
        template,
        url=f"{url}?{urlencode(query)}" if query else url,
        title=title,
        id=_frame_id(market, query),
        height=height_pixels,
        auto_height=auto_height,
        # Browsers give a frame an opaque background if its color scheme differs from its page's.
        color_scheme=choices.theme or "light dark",
    )


def _frame_id(market: str, query: dict[str, str]) -> str:
    """Return the id of a frame. Frames of different content have different ids.

    An id is valid in a CSS selector: names of sectors, symbols and numbers become a checksum. No market's
    name has an underscore.
    """
    parts = (
        value if re.fullmatch(r"[a-z0-9-]+", value) else f"{key}-{crc32(value.encode()):08x}"
        for key, value in query.items()
    )
    return "_".join((f"heatmap-{market}", *parts))
