"""`heatmap demo`: shows the recorded day, without network or account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from heatmap.cli import commands
from heatmap.errors import UsageError

if TYPE_CHECKING:
    import argparse

HELP = "draw the bundled recorded trading day: no network, no account"
MINIMUM_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `heatmap demo`."""
    parser.add_argument(
        "--once", action="store_true", help="write the day's final page into a folder and end"
    )
    parser.add_argument(
        "--directory", type=Path, default=Path("site"), help="the folder for --once (default: site)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a page that is no recording")
    parser.add_argument("--port", type=int, default=8000, help="the port on localhost (default: 8000)")
    parser.add_argument(
        "--seconds", type=float, default=3, help="seconds for each moment of the day (default: 3)"
    )
    parser.add_argument("--days", type=int, help="how many times to replay the day (default: until Ctrl-C)")


def run(arguments: argparse.Namespace) -> int:
    """Draw once, or serve until interrupted."""
    from heatmap.run import demo

    if arguments.once:
        page = demo.once(arguments.directory, overwrite=arguments.force)
        print(f"The heatmap of 17 September 2026, a recorded day, is drawn: {page}")
        print(f"  look at it    {page.absolute().as_uri()}")
        print(f"  see it live   {commands.heatmap('demo')}")
        print(f"  make it yours {commands.heatmap('init')}")
        return 0
    if not 0 <= arguments.port <= 65535:
        raise UsageError(f"--port must be 0 to 65535, not {arguments.port}")
    if arguments.days is not None and arguments.days < 1:
        raise UsageError(f"--days must be at least 1, not {arguments.days}")
    if arguments.seconds < MINIMUM_SECONDS:
        raise UsageError(f"--seconds must be at least {MINIMUM_SECONDS}, not {arguments.seconds:g}")
    from threading import Event

    demo.live(
        port=arguments.port,
        seconds=arguments.seconds,
        days=arguments.days,
        say=lambda sentence: print(sentence, flush=True),
        stop=Event(),
    )
    return 0
