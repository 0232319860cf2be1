"""What a run came to for one of its markets, of all that its report and what it raised tell."""

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
    """Return how a run ended for a market; None where it was drawn by another run in the meantime."""
    word, why = report.passed.get(name, (PUBLISHED, ""))
    own = [error for error in errors if getattr(error, "market", None) == name]
    of_all = [error for error in errors if getattr(error, "market", None) is None]
    if not own and name not in report.passed:
        own = of_all
    code = common_exit_code(own)
    if own:
        word = getattr(own[0], "kind", HeatmapError.kind)
        why = "; ".join(_sentence(error) for error in own)
        if own is of_all and report.is_partial and code != EXIT_BUG:
            code = EXIT_TEMPORARY
    elif name not in report.passed and name not in report.figures:
        return None
    mine = f"{name}: "
    beside = [*report.warnings, *report.notes]
    told = [sentence.removeprefix(mine) for sentence in beside if sentence.startswith(mine)]
    quotes, as_of = report.figures.get(name, (None, None))
    clock = report.clocks.get(name)
    return RunOutcome(
        market=name,
        at=at,
        code=code,
        word=word,
        sentence="; ".join([*filter(None, [why.removeprefix(mine)]), *told]),
        source=report.sources.get(name),
        quotes=quotes,
        as_of=as_of and as_of.astimezone(at.tzinfo),
        seconds=seconds,
        clock_seconds=round(clock.total_seconds()) if clock else None,
    )


def _sentence(error: BaseException) -> str:
    if is_known_error(error):
        return str(error).replace("\n", "; ")
    return f"a bug ({type(error).__name__}): see the run's own output"
