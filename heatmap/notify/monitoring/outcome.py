"""Derives the outcome of one market from the report and the errors of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import EXIT_BUG, EXIT_TEMPORARY, HeatmapError, common_exit_code, is_known_error
from heatmap.state.run_log import PUBLISHED, RunOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from heatmap.state.report import Report


def outcome_for(
    report: Report, name: str, at: datetime, seconds: float, errors: Sequence[BaseException]
) -> RunOutcome | None:
    """Return the outcome of the market `name`; None if another run drew the market in the meantime.

    `at` is the start of the run in the market's time zone, `seconds` its duration.
    """
    kind, reason = report.passed.get(name, (PUBLISHED, ""))
    own_errors = [error for error in errors if getattr(error, "market", None) == name]
    run_errors = [error for error in errors if getattr(error, "market", None) is None]
    if not own_errors and name not in report.passed:
        own_errors = run_errors
    code = common_exit_code(own_errors)
    if own_errors:
        kind = getattr(own_errors[0], "kind", HeatmapError.kind)
        reason = "; ".join(_describe(error) for error in own_errors)
        if own_errors is run_errors and report.is_partial and code != EXIT_BUG:
            code = EXIT_TEMPORARY
    elif name not in report.passed and name not in report.figures:
        return None
    prefix = f"{name}: "
    remarks = [
        sentence.removeprefix(prefix)
        for sentence in [*report.warnings, *report.notes]
        if sentence.startswith(prefix)
    ]
    quotes, as_of = report.figures.get(name, (None, None))
    clock = report.clocks.get(name)
    return RunOutcome(
        market=name,
        at=at,
        code=code,
        kind=kind,
        sentence="; ".join([*filter(None, [reason.removeprefix(prefix)]), *remarks]),
        source=report.sources.get(name),
        quotes=quotes,
        as_of=as_of and as_of.astimezone(at.tzinfo),
        seconds=seconds,
        clock_seconds=round(clock.total_seconds()) if clock else None,
    )


def _describe(error: BaseException) -> str:
    if is_known_error(error):
        return str(error).replace("\n", "; ")
    return f"a bug ({type(error).__name__}): see the run's own output"
