"""Sentences of `heatmap status` and `heatmap history status` on unconfirmed corporate actions."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.history.model import PendingAction

MOST_SHOWN = 8
WIDTH = 100  # columns


def summarize(actions: Sequence[PendingAction]) -> str | None:
    """Return a sentence on stocks with unexplained changes of price; None if there are none."""
    symbols = list(dict.fromkeys(each.symbol for each in actions if each.factor is None))
    if not symbols:
        return None
    names = ", ".join(symbols[:MOST_SHOWN]) + (", …" if len(symbols) > MOST_SHOWN else "")
    return (
        f"{names} {'needs' if len(symbols) == 1 else 'need'} an [[action]] in your overrides file, and "
        "longer periods are unknown until then: see the lines below"
    )


def print_pending(actions: Sequence[PendingAction]) -> None:
    """Print each action with the lines for the overrides file, unexplained ones first."""
    from heatmap.history import pending_actions

    if not actions:
        return
    print("  actions    please confirm them in your overrides file (docs/calendar.md):")
    ordered = sorted(actions, key=lambda each: each.factor is not None)
    for each in ordered[:MOST_SHOWN]:
        print(textwrap.fill(each.sentence, WIDTH, initial_indent="    ", subsequent_indent="    "))
        for line in pending_actions.format_entry(each):
            print(f"        {line}")
    if len(actions) > MOST_SHOWN:
        print(f"    and {len(actions) - MOST_SHOWN:,} more")
