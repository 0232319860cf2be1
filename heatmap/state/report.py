"""The report of a run: filled during the run, and read by what logs, monitors and prints it."""

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
    """The report of a run. Lists are in the order in which things happened."""

    say: Callable[[str], None]  # called with each sentence as it happens
    errors: list[BaseException] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # printed on stderr, but no failure
    notes: list[str] = field(default_factory=list)  # sentences for the run log that are no warnings
    targets: int = 0  # how many targets were published to
    failed_targets: int = 0
    figures: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # by market: quotes fetched, as of
    # By market: how far the source's clock was ahead of this machine's, if the difference matters.
    clocks: dict[str, timedelta] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # by market: the source of the figures
    # By market that got no page although nothing failed: the outcome's kind, and the reason.
    passed: dict[str, tuple[str, str]] = field(default_factory=dict)
    outcomes: list[RunOutcome] = field(default_factory=list)  # one for each market, after its end
    reached: dict[int, bool] = field(default_factory=dict)  # by a target's index: whether it has all pages
    # By market, then by part (see `parts`): why its attempt failed; "": it is done.
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    idle_until: datetime | None = None  # before then none of these markets is due; None: unknown

    @property
    def exit_code(self) -> int:
        """The exit code of all errors; EXIT_TEMPORARY if they differ, or if only some targets failed."""
        code = common_exit_code(self.errors)
        return EXIT_TEMPORARY if code != EXIT_BUG and self.is_partial else code

    def note_part(self, market: str, part: str, why: str = "") -> None:
        """Record an attempt at a part, and why it failed. A part fails if one of its attempts fails."""
        reasons = self.parts.setdefault(market, {})
        reasons[part] = "; ".join(filter(None, dict.fromkeys([reasons.get(part, ""), why])))

    @property
    def reaches_any(self) -> bool:
        """Whether at least one target has the pages."""
        return self.failed_targets < self.targets

    @property
    def is_partial(self) -> bool:
        """Whether some targets have the pages, and others do not."""
        return 0 < self.failed_targets < self.targets
