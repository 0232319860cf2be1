"""replay.json: every moment of a session so far, for the page's time slider. Pure.

The replay track has encoded the moments already: see `replay_track`.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from heatmap.analysis import colours, rankings
from heatmap.analysis.modes import MODES
from heatmap.pictures import wording
from heatmap.pictures.market_map.replay_track import HUNDREDTHS
from heatmap.system import varint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from heatmap.pictures.market_map.replay_track import ReplayTrack
    from heatmap.pictures.options import PageOptions


def replay_json(track: ReplayTrack, as_of: datetime, options: PageOptions) -> bytes:
    """Return replay.json. The track's last moment is the moment of the page as of `as_of`."""
    document = replay_data(track, as_of, options)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def replay_data(track: ReplayTrack, as_of: datetime, options: PageOptions) -> dict[str, Any]:
    """Return the document of replay.json. Stocks are in the order of their symbols."""
    return {
        "as_of": as_of.isoformat(),
        "moments": track.minutes,
        "symbols": track.symbols,
        "sectors": track.sectors,
        "changes": track.changes,
        "breadths": track.breadths,
        "groups": track.groups,
        "decimals": track.decimals,
        "ticks": varint.encode([tick or 1 for tick in track.ticks]),
        "prices": track.prices,
        "scales": [
            _scale(name, options)
            for name in (rankings.RANK, *(f"{heat:g}" for heat in rankings.CLAMP_FACTORS))
        ],
        "ranks": {count: track.ranks[count] for count in sorted(track.ranks, key=int)},
    }


def _scale(name: str, options: PageOptions) -> Mapping[str, Any]:
    """Return a scale: its name and its ends; for a scale by value, also where each shade begins.

    `limit` is the change, in hundredths, beyond which shades stay the same. `least` has the least change of
    every shade but the last, in hundredths, encoded as a falling sequence.
    """
    if name == rankings.RANK:
        return {"name": name, "low": "", "high": ""}
    clamp = (MODES["change"].clamp or options.clamp_percent) * float(name)
    limit = round(clamp * HUNDREDTHS)

    def strength(hundredths: int) -> int:
        return colours.NEUTRAL - 1 - colours.value_shade(hundredths / HUNDREDTHS, clamp)

    # The least gain of each strength; a gain beyond the clamp has the last strength. 0 is neutral.
    gains = [1 + bisect_left(range(1, limit + 2), shade, key=strength) for shade in range(colours.SHADES)]
    # A loss has the strength of the gain of its size.
    least = [*reversed(gains), 0, *(1 - gain for gain in gains[1:])]
    return {
        "name": name,
        "low": wording.format_signed(-clamp),
        "high": wording.format_signed(clamp),
        "limit": limit,
        "least": varint.falling(least),
    }
