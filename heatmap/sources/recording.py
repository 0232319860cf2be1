"""Plays back a recorded trading day: real open, high, low and last prices, an invented path between them."""

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
EARLY_TRADING = 0.8  # an exponent below 1: volume grows faster early in the day
PRICE_TICK = 0.05  # rupees; every price is a multiple of it


@dataclass(frozen=True, slots=True)
class Recording:
    """The packaged recording called `name`. Its snapshots are marked as a recording."""

    name: str = "nse-fno-2026-09-17"

    def __post_init__(self) -> None:
        """Raise ConfigError if there is no such recording."""
        if not self.name.replace("-", "").isalnum() or not self._path().is_file():
            names = ", ".join(sorted(path.stem for path in _recordings_folder().glob("*.json")))
            raise ConfigError([f"name must be that of a packaged recording ({names})"])

    def fetch(self, *, now: datetime, folder: Path | None = None) -> Snapshot:  # noqa: ARG002 -- saves nothing
        """Return the market at `now`, or at its close if that is over. Raises SourceError."""
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
    """Return the market at `now`, before the recorded end. Pure and deterministic."""
    is_open = opens <= now < auction
    if now >= closes:
        return replace(snapshot, as_of=now, is_open=is_open)
    # In the closing auction prices do not change; before the open they are those of the open.
    elapsed = min(max((now - opens) / (auction - opens), 0.0), 1.0)
    return replace(
        snapshot,
        as_of=now,
        is_open=is_open,
        quotes=tuple(_quote_at(quote, elapsed) for quote in snapshot.quotes),
    )


def _quote_at(quote: Quote, elapsed: float) -> Quote:
    """Return a quote after this share of continuous trading (0.0 to 1.0)."""
    if not (quote.open and quote.high and quote.low and quote.last_price and quote.previous_close):
        return quote  # without a path the price does not change
    path = _make_price_path(quote.symbol, quote.open, quote.high, quote.low, quote.last_price)
    price = _price_at(path, elapsed)
    prices = [price, *(corner for at, corner in path if at <= elapsed)]
    traded_share = OPENING_SHARE + (CONTINUOUS_SHARE - OPENING_SHARE) * elapsed**EARLY_TRADING
    price_ratio = price / quote.last_price
    market_cap = quote.free_float_market_cap
    return replace(
        quote,
        last_price=price,
        percent_change=round((price / quote.previous_close - 1) * 100, 2) + 0.0,
        high=max(prices),
        low=min(prices),
        volume=None if quote.volume is None else float(int(quote.volume * traded_share)),
        turnover=None if quote.turnover is None else round(quote.turnover * traded_share, 2),
        free_float_market_cap=None if market_cap is None else round(market_cap * price_ratio, 2),
        changes={period: _change_at(change, price_ratio) for period, change in quote.changes.items()},
    )


def _make_price_path(
    symbol: str, opening: float, high: float, low: float, closing: float
) -> list[tuple[float, float]]:
    """Return the corners of the price's path as (elapsed share of the day, price).

    A hash of the symbol chooses them. The price before the closing auction is near the last one.
    """
    from hashlib import blake2b

    randoms = [byte / 255 for byte in blake2b(symbol.encode(), digest_size=4).digest()]
    early, late = 0.05 + 0.4 * randoms[0], 0.5 + 0.42 * randoms[1]
    corners = [(early, high), (late, low)] if randoms[2] < 0.5 else [(early, low), (late, high)]
    before_auction = min(max(_round_to_tick(closing + (randoms[3] - 0.5) * 0.2 * (high - low)), low), high)
    return [(0.0, opening), *corners, (1.0, before_auction)]


def _price_at(path: list[tuple[float, float]], elapsed: float) -> float:
    """Return the price on a path, by linear interpolation."""
    from itertools import pairwise

    for (start, before), (end, after) in pairwise(path):
        if elapsed <= end:
            lowest, highest = sorted((before, after))
            price = before + (after - before) * (elapsed - start) / (end - start)
            # A corner need not be a multiple of the tick. A price between two corners stays between them.
            return min(max(_round_to_tick(price), lowest), highest) if start < elapsed < end else price
    return path[-1][1]


def _round_to_tick(price: float) -> float:
    return round(round(price / PRICE_TICK) * PRICE_TICK, 2)


def _change_at(change: Change, price_ratio: float) -> Change:
    """Return a longer period's change at a price that is `price_ratio` times the last price."""
    if change.percent is None:
        return change
    return replace(change, percent=round(((1 + change.percent / 100) * price_ratio - 1) * 100, 2) + 0.0)
