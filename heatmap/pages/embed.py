"""The snippet that shows a page on somebody's blog."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit
from zlib import crc32

from heatmap.pictures.templates import render_template

HEIGHT_PIXELS = (
    960  # of a frame until its page says how tall it is: header, 17 rows and footer on a wide screen
)
SOURCE_PERIODS = ("1d", "1mo", "1y")  # those that a source may give; the history's are the configuration's
HEATS = ("rank", "0.5", "1", "2")
SORTS = ("mode", "symbol", "change", "amount")
AREAS = ("market-cap", "amount", "equal")


class EmbedChoices(NamedTuple):
    """What the page in a frame shows first, in the order of its address. None: what it usually shows."""

    mode: str | None = None
    layout: str | None = None
    period: str | None = None
    theme: str | None = None  # None: the reader's own
    palette: str | None = None
    heat: str | None = None  # how values are shaded: by rank, or how many times the usual limit
    sort: str | None = None
    area: str | None = None  # what the area of a treemap's tile stands for
    sector: str | None = None  # by name, or "watchlist"
    watch: str | None = None  # symbols, separated by commas

    def made(self) -> dict[str, str]:
        """Return those that were made."""
        return {key: value for key, value in self._asdict().items() if value is not None}


USUAL = EmbedChoices()


def iframe(
    url: str,
    title: str,
    *,
    market: str,
    choices: EmbedChoices = USUAL,
    height_pixels: int = HEIGHT_PIXELS,
    auto_height: bool = True,
) -> str:
    """Return the `<iframe>`; with `auto_height`, and the script by which it takes the page's own height.

    Snippets with different markets or choices stand beside each other on a page, and so do two of the same.
    """
    return _filled("embed.html.j2", url, title, market, choices, height_pixels, auto_height)


def include(url: str, fragment: str) -> str:
    """Return the lines by which a server includes the fragment of that name; `url` is the market's folder."""
    return render_template("include.html.j2", path=f"{urlsplit(url).path}fragment-{fragment}.html")


def blog(url: str, title: str, *, market: str) -> str:
    """Return a sample blog page with the heatmap in it."""
    return _filled("blog.html.j2", url, title, market, USUAL, HEIGHT_PIXELS, True)


def _filled(
    template: str,
    url: str,
    title: str,
    market: str,
    choices: EmbedChoices,
    height_pixels: int,
    auto_height: bool,
) -> str:
    made = choices.made()
    return render_template(
        template,
        url=f"{url}?{urlencode(made)}" if made else url,
        title=title,
        id=_identifier(market, made),
        height=height_pixels,
        auto_height=auto_height,
        # A frame whose scheme is not that of its page would be given an opaque ground of its own.
        color_scheme=choices.theme or "light dark",
    )


def _identifier(market: str, made: dict[str, str]) -> str:
    """Return the id of a frame: no two frames of different content share one.

    A selector takes its letters: names of sectors, symbols and numbers stand as a checksum. No market's name
    holds an underscore.
    """
    parts = (
        value if re.fullmatch(r"[a-z0-9-]+", value) else f"{key}-{crc32(value.encode()):08x}"
        for key, value in made.items()
    )
    return "_".join((f"heatmap-{market}", *parts))
