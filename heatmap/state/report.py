"""What a run did: filled as it goes on, read by whoever tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heatmap.errors import EXIT_BUG, EXIT_TEMPORARY, common_exit_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from heatmap.state.run_log import RunOutcome


@dataclass
class Report:
    """What a run did, in the order it happened: one sentence each, and the errors among them."""

    say: Callable[[str], None]  # called with each sentence as it happens
    errors: list[BaseException] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # for stderr, too, but no failure
    notes: list[str] = field(default_factory=list)  # what was said that is worth keeping, but no warning
    targets: int = 0  # how many targets were tried
    failed_targets: int = 0
    figures: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # by market: quotes fetched, as of
    # By market: by how much the source's clock was ahead of this machine's, where that is worth telling.
    clocks: dict[str, timedelta] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # by market: which source answered
    # By market, where it was left without a page and nothing failed: a word for it, and why.
    passed: dict[str, tuple[str, str]] = field(default_factory=dict)
    outcomes: list[RunOutcome] = field(default_factory=list)  # how it ended, market by market, once it has
    reached: dict[int, bool] = field(default_factory=dict)  # by a target's place: whether it took all pages
    # By market, then by part (see `parts`): why a part failed that was tried; "" where it is done.
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    idle_until: datetime | None = None  # before then none of these markets can be due; None: not known

    @property
    def exit_code(self) -> int:
        """The code all errors share; EXIT_TEMPORARY where they differ or where only some targets failed."""
        code = common_exit_code(self.errors)
        return EXIT_TEMPORARY if code != EXIT_BUG and self.is_partial else code

    def note_part(self, market: str, part: str, why: str = "") -> None:
        """Note that a part was tried, and why it failed: one failure among several is one too many."""
        known = self.parts.setdefault(market, {})
        known[part] = "; ".join(filter(None, dict.fromkeys([known.get(part, ""), why])))

    @property
    def reaches_any(self) -> bool:
        """Whether at least one target has the pages."""
        return self.failed_targets < self.targets

    @property
    def is_partial(self) -> bool:
        """Whether some targets have the pages and others have not."""
        return 0 < self.failed_targets < self.targets
