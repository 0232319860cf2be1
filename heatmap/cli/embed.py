"""`heatmap embed`: prints the `<iframe>` for a blog."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from heatmap.analysis.colours import GRADIENTS
from heatmap.analysis.modes import ALL_MODES, MODES
from heatmap.config.loader import load
from heatmap.errors import ConfigError, UsageError
from heatmap.pages import embed
from heatmap.pictures.options import LAYOUTS, THEMES
from heatmap.system import suggestions
from heatmap.system.web_address import is_web_address

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from heatmap.config.loader import Config

HELP = "print the <iframe> that shows the page on a blog"
LEAST_PIXELS, MOST_PIXELS = 100, 10_000
SYMBOLS = re.compile(r"[^\s,]{1,40}(,[^\s,]{1,40}){0,199}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap embed`."""
    parser.add_argument(
        "--auto-height", action="store_true", help="with a script that sets the height of the page (default)"
    )
    parser.add_argument(
        "--height",
        type=int,
        metavar="PIXELS",
        help="a fixed height without a script; with --auto-height, the first height",
    )
    parser.add_argument(
        "--fragment",
        action="store_true",
        help="no frame: a part of the page that your server includes (with --mode, --layout, --theme)",
    )
    parser.add_argument("--market", metavar="NAME", help="which market (default: the first)")
    parser.add_argument(
        "--mode", metavar="MODE", help=f"the measure: {', '.join(ALL_MODES)} (default: change)"
    )
    parser.add_argument("--layout", choices=LAYOUTS, help="the layout (default: table)")
    parser.add_argument(
        "--period", metavar="PERIOD", help="the period: 1d, 1mo, 1y, 20d, ytd, ... (default: 1d)"
    )
    parser.add_argument("--theme", choices=THEMES, help="the theme of your blog, if it has only one")
    parser.add_argument(
        "--palette", choices=GRADIENTS, help="the colours (default: those of the configuration)"
    )
    parser.add_argument(
        "--heat", choices=embed.HEATS, help="shades by rank, or by value: a multiple of the usual limit"
    )
    parser.add_argument("--sort", choices=embed.SORTS, help="the order of the tiles (default: mode)")
    parser.add_argument(
        "--area", choices=embed.AREAS, help="the meaning of a treemap's areas (default: market-cap)"
    )
    parser.add_argument("--sector", metavar="NAME", help="only this sector, or watchlist")
    parser.add_argument("--watch", metavar="SYMBOLS", help="the symbols of the watchlist: TCS,INFY")
    parser.add_argument("--url", help="the address of the pages (default: public_url of the configuration)")


def run(arguments: argparse.Namespace) -> int:
    """Print the HTML. Raises ConfigError if the address of the page is not known."""
    config = load(arguments.config)
    market = config.select_markets(arguments.market)[0]
    url = arguments.url or config.public_url
    if url is None:
        problem = 'public_url is not set: set it to the address of the page, such as "https://www.example.org/heatmap/"'
        raise ConfigError([f"{problem}, or give --url"])
    if not is_web_address(url, may_query=False):
        name = "--url" if arguments.url else "public_url"
        raise UsageError(f"{name} must begin with https:// or http:// and a host, without a user, ? or #")
    height = arguments.height
    if height is not None and not LEAST_PIXELS <= height <= MOST_PIXELS:
        raise UsageError(f"--height must be {LEAST_PIXELS} to {MOST_PIXELS}, not {height}")
    choices = _choices(arguments, config)
    address = f"{url.rstrip('/')}/{market.name}/"
    if arguments.fragment:
        print(embed.include(address, _fragment(arguments, choices, config.page.fragments)), end="")
        return 0
    print(
        embed.iframe(
            address,
            market.title,
            market=market.name,
            choices=choices,
            height_pixels=height or embed.HEIGHT_PIXELS,
            auto_height=arguments.auto_height or height is None,
        ),
        end="",
    )
    return 0


def _choices(arguments: argparse.Namespace, config: Config) -> embed.EmbedChoices:
    """Return the choices that differ from the page's defaults. Raises UsageError."""
    history = config.history
    modes = [*ALL_MODES] if history.enabled else [*MODES]
    periods = [*embed.SOURCE_PERIODS, *(history.periods if history.enabled else ())]
    for option, value, known in (("mode", arguments.mode, modes), ("period", arguments.period, periods)):
        if value is not None and value not in known:
            raise UsageError(f"--{option}: the page has no {value!r}{suggestions.suggestion(value, known)}")
    if arguments.watch is not None and not SYMBOLS.fullmatch(arguments.watch):
        raise UsageError("--watch takes symbols, separated by commas, such as TCS,M&M")
    if arguments.sector is not None and not (arguments.sector.isprintable() and arguments.sector.strip()):
        raise UsageError("--sector takes the name of a sector, from the page's list, or watchlist")
    defaults = embed.EmbedChoices(
        "change", "table", "1d", palette=config.page.gradient, sort="mode", area="market-cap"
    )
    values = (getattr(arguments, key) for key in defaults._fields)
    return embed.EmbedChoices(
        *(value if value != default else None for value, default in zip(values, defaults, strict=True))
    )


def _fragment(arguments: argparse.Namespace, choices: embed.EmbedChoices, published: Sequence[str]) -> str:
    """Return the name of the fragment. Raises UsageError, or ConfigError if it is not published."""
    others = set(choices.as_query()) - {"mode", "layout", "theme"}
    if arguments.auto_height or arguments.height or others or (choices.mode or "change") not in MODES:
        raise UsageError(
            f"--fragment goes only with --mode ({', '.join(MODES)}), --layout, --theme, --market and --url"
        )
    name = "-".join(filter(None, (choices.mode or "change", choices.layout or "table", choices.theme)))
    if name not in published:
        line = f"fragments = {json.dumps([*published, name])}"
        raise ConfigError([f"there is no fragment {name} yet: set {line} under [page] in the configuration"])
    return name
