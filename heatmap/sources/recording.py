"""A recorded trading day played back: real open, high, low and last prices, and a path between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from heatmap.errors import ConfigError
from heatmap.system import files, limits, package_files

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from heatmap.market.quotes import Change, Quote, Snapshot

OPENING_SHARE = 0.01  # of the day's volume: traded in the opening auction
CONTINUOUS_SHARE = 0.95  # of the day's volume: traded when the closing auction begins
EARLY_TRADING = 0.8  # exponent below 1: more is traded early in the day
PRICE_TICK = 0.05  # rupees between two prices


@dataclass(frozen=True, slots=True)
class Recording:
    """The packaged recording called `name`. Its snapshots are marked as a recording."""

    name: str = "nse-fno-2026-09-17"

    def __post_init__(self) -> None:
        """Raise ConfigError where there is no such recording."""
        if not self.name.replace("-", "").isalnum() or not self._path().is_file():
            known = ", ".join(sorted(path.stem for path in _recordings_folder().glob("*.json")))
            raise ConfigError([f"name must be that of a packaged recording ({known})"])

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002 -- keeps nothing
        """Return the market as it stood at `now`, or at its close where that is past. Raises SourceError."""
        from datetime import datetime

        from heatmap.market import snapshot_json
        from heatmap.system import strict_json

        document: Any = strict_json.decode(files.read(self._path(), limits.PACKAGED_BYTES))
        snapshot = snapshot_json.from_json(document)
        if now >= snapshot.as_of:
            return snapshot
        hours = {name: datetime.fromisoformat(text) for name, text in document["hours"].items()}
        return _snapshot_at(snapshot, now.astimezone(snapshot.as_of.tzinfo), **hours)

    def _path(self) -> Path:
        return _recordings_folder() / f"{self.name}.json"


def _recordings_folder() -> Path:
    return package_files.DATA / "recordings"


def _snapshot_at(
    snapshot: Snapshot, now: datetime, opens: datetime, auction: datetime, closes: datetime
) -> Snapshot:
    """Return the day as it stood at `now`, before its recorded end. Pure, and the same every time."""
    is_open = opens <= now < auction
    if now >= closes:
        return replace(snapshot, as_of=now, is_open=is_open)
    # In the closing auction prices stand still; before the open they are those of the open.
    elapsed = min(max((now - opens) / (auction - opens), 0.0), 1.0)
    return replace(
        snapshot,
        as_of=now,
        is_open=is_open,
        quotes=tuple(_quote_at(quote, elapsed) for quote in snapshot.quotes),
    )


def _quote_at(quote: Quote, elapsed: float) -> Quote:
    """Return a quote when this share of continuous trading has elapsed (0.0 to 1.0)."""
    if not (quote.open and quote.high and quote.low and quote.last_price and quote.previous_close):
        return quote  # no path can be drawn: it stands still
    path = _make_price_path(quote.symbol, quote.open, quote.high, quote.low, quote.last_price)
    price = _price_at(path, elapsed)
    seen = [price, *(there for when, there in path if when <= elapsed)]
    traded = OPENING_SHARE + (CONTINUOUS_SHARE - OPENING_SHARE) * elapsed**EARLY_TRADING
    against_last = price / quote.last_price
    value = quote.free_float_market_cap
    return replace(
        quote,
        last_price=price,
        percent_change=round((price / quote.previous_close - 1) * 100, 2) + 0.0,
        high=max(seen),
        low=min(seen),
        volume=None if quote.volume is None else float(int(quote.volume * traded)),
        turnover=None if quote.turnover is None else round(quote.turnover * traded, 2),
        free_float_market_cap=None if value is None else round(value * against_last, 2),
        changes={period: _change_at(change, against_last) for period, change in quote.changes.items()},
    )


def _make_price_path(
    symbol: str, first: float, high: float, low: float, last: float
) -> list[tuple[float, float]]:
    """Return the price's corners as (share of the day elapsed, price), chosen by a hash of the symbol.

    The closing auction's jump starts from a price a little off the last one.
    """
    from hashlib import blake2b

    dice = [byte / 255 for byte in blake2b(symbol.encode(), digest_size=4).digest()]
    early, late = 0.05 + 0.4 * dice[0], 0.5 + 0.42 * dice[1]
    corners = [(early, high), (late, low)] if dice[2] < 0.5 else [(early, low), (late, high)]
    before_auction = min(max(_round_to_tick(last + (dice[3] - 0.5) * 0.2 * (high - low)), low), high)
    return [(0.0, first), *corners, (1.0, before_auction)]


def _price_at(path: list[tuple[float, float]], elapsed: float) -> float:
    """Return the price on a path of straight lines."""
    from itertools import pairwise

    for (start, before), (end, after) in pairwise(path):
        if elapsed <= end:
            lowest, highest = sorted((before, after))
            price = before + (after - before) * (elapsed - start) / (end - start)
            # A corner need not lie on a tick; a price between two corners stays between them.
            return min(max(_round_to_tick(price), lowest), highest) if start < elapsed < end else price
    return path[-1][1]


def _round_to_tick(price: float) -> float:
    return round(round(price / PRICE_TICK) * PRICE_TICK, 2)


def _change_at(change: Change, against_last: float) -> Change:
    """Return a longer period's change as it was when the price was another than the last one."""
    if change.percent is None:
        return change
    return replace(change, percent=round(((1 + change.percent / 100) * against_last - 1) * 100, 2) + 0.0)
