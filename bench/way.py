"""How straight the way of a snapshot through the program is: `stays` in modules and `climbs` to higher ones.

    python -m bench.way [--calls]

A run draws the recorded day's final figures as live ones. It notes each call of a function of the program
with a snapshot among its arguments. Successive calls in one module are one stay. A climb is a stay in a
package above that of the stay before. `--calls` prints the calls.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tomllib
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from heatmap.config.loader import NamedSource
from heatmap.market.quotes import Snapshot
from heatmap.run import demo
from heatmap.sources.recording import Recording

if TYPE_CHECKING:
    from datetime import datetime
    from types import FrameType

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


@dataclass(frozen=True)
class LiveSource:
    """Gives the recorded figures as live ones, so that the archive gets the day, too."""

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:
        """Return the figures of a moment of the recorded day."""
        return replace(Recording().fetch(now=now, folder=folder), recording=False)


def trace_calls() -> list[tuple[str, str]]:
    """Run once, and return the calls with a snapshot, in order: module and function."""
    calls: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event != "call" or not module.startswith("heatmap.") or frame.f_code.co_filename == "<string>":
            return
        arguments = inspect.getargvalues(frame)
        if any(isinstance(frame.f_locals.get(name), Snapshot) for name in arguments.args):
            calls.append((module.removeprefix("heatmap."), frame.f_code.co_qualname))

    with TemporaryDirectory() as folder:
        config = demo.settings(Path(folder) / "site", Path(folder) / "state", refresh_seconds=300)
        market = config.markets[0]._replace(sources=(NamedSource("live", "live", LiveSource()),))
        config = config._replace(markets=(market,))
        sys.setprofile(note)
        try:
            demo.publish(config, demo.FINAL)
        finally:
            sys.setprofile(None)
    return calls


def main() -> None:
    """Print stays and climbs."""
    parser = argparse.ArgumentParser(description="Count the stays of a snapshot in modules.")
    parser.add_argument("--calls", action="store_true", help="print each call, too")
    options = parser.parse_args()
    contracts = tomllib.loads(PROJECT.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    calls = trace_calls()
    stays = [module for module, _ in groupby(calls, key=lambda call: call[0])]
    packages = [layers.index(module.partition(".")[0]) for module in stays]
    climbs = sum(after < before for before, after in pairwise(packages))
    if options.calls:
        for module, names in groupby(calls, key=lambda call: call[0]):
            print(f"{module:40} {', '.join(dict.fromkeys(name for _, name in names))}")
    print(f"{len(stays)} stays in {len(set(stays))} modules")
    print(f"{climbs} climbs to a package above")


if __name__ == "__main__":
    main()
