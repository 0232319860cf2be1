"""`heatmap embed`: the `<iframe>` for a blog."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from heatmap import embed
from heatmap.colours import GRADIENTS
from heatmap.config import load
from heatmap.errors import ConfigError, UsageError
from heatmap.modes import MODES
from heatmap.render.options import LAYOUTS, THEMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

HELP = "print the <iframe> that shows the page on a blog"
LEAST_PIXELS, MOST_PIXELS = 100, 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap embed`."""
    parser.add_argument(
        "--auto-height", action="store_true", help="with a script, so that it grows with the page"
    )
    parser.add_argument(
        "--height", type=int, default=embed.HEIGHT_PIXELS, metavar="PIXELS", help="without it"
    )
    parser.add_argument(
        "--fragment",
        action="store_true",
        help="no frame: a piece of the page, which your server includes (with --mode, --layout, --theme)",
    )
    parser.add_argument("--market", metavar="NAME", help="which market (default: the first)")
    parser.add_argument("--mode", choices=MODES, help="what is measured (default: change)")
    parser.add_argument("--layout", choices=LAYOUTS, help="how it is drawn (default: table)")
    parser.add_argument("--period", choices=embed.PERIODS, help="over which time (default: 1d)")
    parser.add_argument("--theme", choices=THEMES, help="your blog's, if it has but one")
    parser.add_argument(
        "--palette", choices=GRADIENTS, help="the colours (default: those of the configuration)"
    )
    parser.add_argument("--url", help="where the pages are (default: public_url of the configuration)")


def run(arguments: argparse.Namespace) -> int:
    """Print the snippet. Raises ConfigError where nothing says where the page is."""
    config = load(arguments.config)
    market = config.named(arguments.market)[0]
    url = arguments.url or config.public_url
    if url is None:
        problem = 'public_url is not set: say where visitors find the page, such as "https://www.example.org/heatmap/"'
        raise ConfigError([f"{problem}, or give --url"])
    if not re.fullmatch(r"https?://[^/\s?#][^\s?#]*", url):
        name = "--url" if arguments.url else "public_url"
        raise UsageError(
            f"{name} must begin with https:// or http:// and a host, and end before any ?, not {url!r}"
        )
    if not LEAST_PIXELS <= arguments.height <= MOST_PIXELS:
        raise UsageError(f"--height must be {LEAST_PIXELS} to {MOST_PIXELS}, not {arguments.height}")
    usual = embed.Choices("change", "table", "1d", palette=config.page.gradient)
    asked = (getattr(arguments, key) for key in usual._fields)
    choices = embed.Choices(
        *(value if value != default else None for value, default in zip(asked, usual, strict=True))
    )
    address = f"{url.rstrip('/')}/{market.name}/"
    if arguments.fragment:
        print(embed.include(address, _fragment(arguments, config.page.fragments)), end="")
        return 0
    print(
        embed.snippet(
            address,
            market.title,
            market=market.name,
            choices=choices,
            height_pixels=arguments.height,
            auto_height=arguments.auto_height,
        ),
        end="",
    )
    return 0


def _fragment(arguments: argparse.Namespace, published: Sequence[str]) -> str:
    """Return the fragment asked for. Raises UsageError, or ConfigError where it is not published."""
    if arguments.auto_height or arguments.period not in {None, "1d"} or arguments.palette:
        raise UsageError("--fragment goes with --mode, --layout, --theme, --market and --url alone")
    parts = (arguments.mode or "change", arguments.layout or "table", arguments.theme)
    name = "-".join(filter(None, parts))
    if name not in published:
        line = f"fragments = {json.dumps([*published, name])}"
        raise ConfigError([f"there is no fragment {name} yet: set {line} under [page] in the configuration"])
    return name
