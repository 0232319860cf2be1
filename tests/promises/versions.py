"""Pages that tell by themselves which version they are, and whether they are whole."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from heatmap.system.web_file import WebFile

NAME = "index.html"
OPEN = datetime.fromisoformat("2026-09-17T10:00:00+05:30")
FIRST_LINE = re.compile(rb"<!-- version (\d+), (\d+) bytes of ([0-9a-f]{64}) -->\n")


@cache
def recorded() -> tuple[str, ...]:
    """The lines of a real page: the recorded day's at ten in the morning."""
    return tuple(page_set(OPEN)[-1].content.decode().splitlines())


def page_set(now: datetime) -> list[WebFile]:
    """All files of a real tick, as they are published."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from heatmap.config import loader
    from heatmap.market.calendar import phases
    from heatmap.run import market_files

    with TemporaryDirectory() as folder:
        path = Path(folder) / "heatmap.toml"
        path.write_text('[[market]]\nname = "nse-fno"\nsource = {type = "recording"}\n', "utf-8")
        read = loader.load(path)
        read.state_directory.mkdir()
        market = read.markets[0]
        snapshot = market.sources[0].source.fetch(now=now)
        return market_files.draw(read, market, snapshot, phases.phase_at(market.calendar, now), now)


def moment(number: int) -> datetime:
    """A time of the recorded day at which the page is another for each number, up to 300."""
    return OPEN + timedelta(minutes=number)


@cache
def content(number: int) -> bytes:
    """A page of realistic size with its number in every line, and none as long as the one before.

    Its first line tells the length and the SHA-256 of all the others, the last of which is an end mark.
    """
    lines = [f"<!-- {number} -->{line}" for line in recorded()]
    padding = "." * (number * 37 % 4096)
    rest = "\n".join([*lines, f"<!-- {padding} -->", f"<!-- end of {number} -->\n"]).encode()
    return (
        b"<!-- version %d, %d bytes of %s -->\n"
        % (
            number,
            len(rest),
            sha256(rest).hexdigest().encode(),
        )
        + rest
    )


def number_of(body: bytes) -> int | None:
    """Return a whole page's number; None for one that is torn, cut short, mixed, or none of these pages."""
    found = FIRST_LINE.match(body)
    if found is None:
        return None
    rest = body[found.end() :]
    whole = len(rest) == int(found[2]) and sha256(rest).hexdigest().encode() == found[3]
    return int(found[1]) if whole else None


def versioned(number: int) -> list[WebFile]:
    """The page with this number, ready to be published."""
    return [WebFile(NAME, content(number))]
