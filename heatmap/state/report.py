"""The report of a run: what its stages learned.

`run/one_run.py` and `run/steps.py` build it. Logs, the monitoring and the commands read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from heatmap.errors import EXIT_BUG, EXIT_TEMPORARY, common_exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, timedelta

    from heatmap.state.run_log import RunOutcome


@dataclass
class Messages:
    """The sentences of a run, in the order in which things happened."""

    say: Callable[[str], None]  # called with each sentence for a terminal as it happens
    warnings: list[str] = field(default_factory=list)  # printed on stderr, but no failure
    notes: list[str] = field(default_factory=list)  # for the run log; they are no warnings

    def warn(self, sentence: str) -> None:
        """Add a warning."""
        self.warnings.append(sentence)

    def note(self, sentence: str) -> None:
        """Add a sentence to the run log."""
        self.notes.append(sentence)


class PartOutcomes:
    """The attempts at the parts that follow a market's page, see `heatmap.system.parts`."""

    def __init__(self) -> None:
        self._by_market: dict[str, dict[str, str]] = {}

    def add(self, market: str, part: str, why: str = "") -> None:
        """Add an attempt, and why it failed; "": it did not. A part fails if one of its attempts fails."""
        reasons = self._by_market.setdefault(market, {})
        reasons[part] = "; ".join(filter(None, dict.fromkeys([reasons.get(part, ""), why])))

    def update(self, others: PartOutcomes) -> None:
        """Add the attempts of another stage."""
        for market, reasons in others._by_market.items():
            for part, why in reasons.items():
                self.add(market, part, why)

    def joined(self, others: PartOutcomes) -> PartOutcomes:
        """Return the attempts of both stages."""
        both = PartOutcomes()
        both.update(self)
        both.update(others)
        return both

    def of_market(self, market: str) -> Mapping[str, str]:
        """Return by part why it failed; "": it is done. A part without an attempt is left out."""
        return self._by_market.get(market, {})

    def has_failed(self, market: str, *names: str) -> bool:
        """Whether one of these parts of a market failed."""
        reasons = self.of_market(market)
        return any(reasons.get(part) for part in names)


@dataclass
class Report:
    """The report of a run."""

    messages: Messages
    errors: list[BaseException] = field(default_factory=list)  # in the order in which they happened
    targets: int = 0  # how many targets were published to
    figures: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # by market: quotes fetched, as of
    # By market: how far the source's clock was ahead of this machine's, if the difference matters.
    clocks: dict[str, timedelta] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # by market: the source of the figures
    # By market that got no page although nothing failed: the outcome's kind, and the reason.
    passed: dict[str, tuple[str, str]] = field(default_factory=dict)
    outcomes: list[RunOutcome] = field(default_factory=list)  # one for each market, after its end
    reached: dict[int, bool] = field(default_factory=dict)  # by a target's index: whether it has all pages
    parts: PartOutcomes = field(default_factory=PartOutcomes)
    idle_until: datetime | None = None  # before then none of these markets is due; None: unknown

    @property
    def warnings(self) -> list[str]:
        """The warnings of the run."""
        return self.messages.warnings

    @property
    def notes(self) -> list[str]:
        """The sentences for the run log that are no warnings."""
        return self.messages.notes

    @property
    def exit_code(self) -> int:
        """The exit code of all errors; EXIT_TEMPORARY if they differ, or if only some targets failed."""
        code = common_exit_code(self.errors)
        return EXIT_TEMPORARY if code != EXIT_BUG and self.is_partial else code

    @property
    def failed_targets(self) -> int:
        """How many targets do not have the pages."""
        return sum(not has_pages for has_pages in self.reached.values())

    @property
    def reaches_any(self) -> bool:
        """Whether at least one target has the pages."""
        return self.failed_targets < self.targets

    @property
    def is_partial(self) -> bool:
        """Whether some targets have the pages, and others do not."""
        return 0 < self.failed_targets < self.targets
