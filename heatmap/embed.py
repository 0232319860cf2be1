"""The snippet that shows a page on somebody's blog."""

from __future__ import annotations

from heatmap.render.templates import render_template

HEIGHT_PIXELS = 900  # of a frame that cannot grow: 17 rows and the header on a wide screen


def snippet(
    url: str, title: str, *, market: str, height_pixels: int = HEIGHT_PIXELS, auto_height: bool = False
) -> str:
    """Return the `<iframe>`; with `auto_height`, and the script by which it takes the page's own height."""
    return _filled("embed.html.j2", url, title, market, height_pixels, auto_height)


def blog(url: str, title: str, *, market: str) -> str:
    """Return a sample blog page with the heatmap in it."""
    return _filled("blog.html.j2", url, title, market, HEIGHT_PIXELS, True)


def _filled(template: str, url: str, title: str, market: str, height_pixels: int, auto_height: bool) -> str:
    return render_template(
        template,
        url=url,
        title=title,
        id=f"heatmap-{market}",
        height=height_pixels,
        auto_height=auto_height,
    )
