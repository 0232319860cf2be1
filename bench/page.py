"""The weight of a page, and its cost for a browser: the recorded day, and a market of 2,000.

    python -m bench.page

Sizes are of gzip -9. A switch is timed in the page, from the choice to the next frame that is painted; the
median over all modes in each layout.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from heatmap.analysis.modes import MODES
from heatmap.market.quotes import Quote
from heatmap.pictures.market_map.replay_data import replay_json
from heatmap.pictures.options import LAYOUTS, PageOptions
from heatmap.pictures.templates import later_script
from heatmap.run import demo
from tests.drawings import page_of, recorded, snapshot_of
from tests.history.markets import tape_of
from tests.servers.chromium import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

KIB = 1024
FIRST_BYTES = 14 * KIB  # of the compressed page: what comes with the first round trip
SWITCH = """async (mode) => {
  const select = document.getElementById("mode");
  const start = performance.now();
  select.value = mode;
  select.dispatchEvent(new Event("change"));
  await new Promise((resolve) => requestAnimationFrame(() => { const c = new MessageChannel();
    c.port1.onmessage = resolve; c.port2.postMessage(0); }));
  return performance.now() - start; }"""


def large() -> bytes:
    """Return a page of 2,000 stocks of 40 sectors, with all figures."""
    return page_of(
        snapshot_of(
            *(
                Quote(
                    f"STOCK{number:04}",
                    round(8 - number / 125, 2),
                    name=f"Stock number {number} Limited",
                    sector=f"Sector {number % 40}",
                    last_price=100.0 + number,
                    low=99.0,
                    high=2200.0,
                    year_low=50.0,
                    year_high=2500.0,
                    volume=1000.0 + number * 37 % 1999,
                    turnover=1e7 + number * 7919 % 9973 * 1e5,
                    free_float_market_cap=1e9 + number * 104729 % 99991 * 1e6,
                )
                for number in range(2000)
            )
        )
    ).encode()


def day() -> bytes:
    """Return replay.json of the recorded day."""
    with TemporaryDirectory() as name:
        config = demo.settings(Path(name), Path(name), refresh_seconds=300)
        snapshots = [recorded(moment) for moment in demo.moments(config)]
        tape = tape_of(*snapshots, folder=Path(name))
    return replay_json(tape, snapshots[-1].as_of, PageOptions())


def switching(page: Page) -> dict[str, float]:
    """Return by layout the median milliseconds of a change of mode."""
    found = {}
    for layout in LAYOUTS:
        page.select_option("#layout", layout)
        times = sorted(page.evaluate(SWITCH, mode) for mode in [*MODES, *MODES, *MODES])
        found[layout] = times[len(times) // 2]
    return found


def report(what: str, measured: float, goal: float, unit: str) -> None:
    """Print a line."""
    verdict = "holds" if measured <= goal else "is missed"
    print(f"{what:44}{measured:10,.0f} {unit:8} at most {goal:,.0f}: {verdict}")


def main() -> None:
    """Measure, and print a line for each."""
    page = page_of(recorded(), root=True).encode()
    squeezed = gzip.compress(page, 9)
    script = re.findall(rb"<script[^>]*>(.*?)</script>", page, re.DOTALL)[-1]
    report("the whole page of 210 stocks", len(squeezed), 40 * KIB, "bytes")
    report("  of which the script", len(gzip.compress(script, 9)), 14 * KIB, "bytes")
    report("later.js", len(gzip.compress(later_script().encode(), 9)), 8 * KIB, "bytes")
    report("replay.json of 77 moments", len(gzip.compress(day(), 9)), 60 * KIB, "bytes")
    first = zlib.decompressobj(wbits=31).decompress(squeezed[:FIRST_BYTES])
    needed = len(gzip.compress(page[: page.index(b"</table>")], 9))
    report("  its default map", needed, FIRST_BYTES, "bytes")
    print(f"{'  which the first 14 KiB hold':44}{'yes' if b'</table>' in first else 'no':>10}")
    with TemporaryDirectory() as folder, chromium() as browser:
        for name, content, goal in (("210", page, 50), ("2,000", large(), 250)):
            path = Path(folder) / "index.html"
            path.write_bytes(content)
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(path.as_uri())
            for layout, milliseconds in switching(tab).items():
                report(f"switching mode, {name} stocks, {layout}", milliseconds, goal, "ms")
                if name == "210":
                    tab.select_option("#layout", layout)
                    elements = tab.evaluate("() => document.querySelectorAll('*').length")
                    report("  elements", elements, 1500, "")
            tab.close()


if __name__ == "__main__":
    main()
