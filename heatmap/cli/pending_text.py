"""What `heatmap status` and `heatmap history status` say of corporate actions that wait for the user."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.model import PendingAction

MOST_SHOWN = 8
WIDTH = 100  # columns


def summarize(found: Sequence[PendingAction]) -> str | None:
    """Return one sentence on the stocks whose prices nothing explains; None where there is none."""
    symbols = list(dict.fromkeys(each.symbol for each in found if each.factor is None))
    if not symbols:
        return None
    named = ", ".join(symbols[:MOST_SHOWN]) + (", …" if len(symbols) > MOST_SHOWN else "")
    return (
        f"{named} {'waits' if len(symbols) == 1 else 'wait'} for an [[action]] in your overrides file, and "
        "longer periods are unknown until then: see the lines below"
    )


def print_pending(found: Sequence[PendingAction]) -> None:
    """Print each action with the lines to write, the unexplained first; nothing where none waits."""
    from heatmap.history import pending_actions

    if not found:
        return
    print("  actions    to be confirmed in your overrides file (docs/calendar.md):")
    ordered = sorted(found, key=lambda each: each.factor is not None)
    for each in ordered[:MOST_SHOWN]:
        print(textwrap.fill(each.sentence, WIDTH, initial_indent="    ", subsequent_indent="    "))
        for line in pending_actions.format_entry(each):
            print(f"        {line}")
    if len(found) > MOST_SHOWN:
        print(f"    and {len(found) - MOST_SHOWN:,} more")
