"""replay.json: every moment of a session so far, for the page's time slider. Pure.

The moments themselves are there already, packed: `history.tape` says how.
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


def replay_json(tape: ReplayTrack, as_of: datetime, options: PageOptions) -> bytes:
    """Return replay.json of a session's moments, of which the last is that of the page as of `as_of`."""
    document = replay_data(tape, as_of, options)
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def replay_data(tape: ReplayTrack, as_of: datetime, options: PageOptions) -> dict[str, Any]:
    """Return its document. Stocks stand in the order of their symbols, as where changes are equal."""
    return {
        "as_of": as_of.isoformat(),
        "moments": tape.minutes,
        "symbols": tape.symbols,
        "sectors": tape.sectors,
        "changes": tape.changes,
        "breadths": tape.breadths,
        "groups": tape.groups,
        "decimals": tape.decimals,
        "ticks": varint.encode([tick or 1 for tick in tape.ticks]),
        "prices": tape.prices,
        "scales": [
            _scale(name, options)
            for name in (rankings.RANK, *(f"{heat:g}" for heat in rankings.CLAMP_FACTORS))
        ],
        "ranks": {count: tape.ranks[count] for count in sorted(tape.ranks, key=int)},
    }


def _scale(name: str, options: PageOptions) -> Mapping[str, Any]:
    """Return a scale: how it is called, and of one by value from which change on each shade is given.

    `limit` is where it clips; `least` holds for every shade but the last the least change, in hundredths,
    that has it, as the falling steps of a sequence.
    """
    if name == rankings.RANK:
        return {"name": name, "low": "", "high": ""}
    clamp = (MODES["change"].clamp or options.clamp_percent) * float(name)
    limit = round(clamp * HUNDREDTHS)

    def strength(hundredths: int) -> int:
        return colours.NEUTRAL - 1 - colours.value_shade(hundredths / HUNDREDTHS, clamp)

    # By strength, the least gain that has it; one beyond the clamp has the last. 0 is neutral.
    gains = [1 + bisect_left(range(1, limit + 2), wanted, key=strength) for wanted in range(colours.SHADES)]
    # A loss has its strength from as far below 0 on, up to the next strength.
    least = [*reversed(gains), 0, *(1 - gain for gain in gains[1:])]
    return {
        "name": name,
        "low": wording.format_signed(-clamp),
        "high": wording.format_signed(clamp),
        "limit": limit,
        "least": varint.falling(least),
    }
