"""How a run's words are written: as bare sentences, or as a log's lines, plain or JSON, each with its time.

What tells goes to standard output, what warns or fails to standard error, in every form. No file is opened
and none rotated: that is the system's, which knows how.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, HeatmapError, common_exit_code, is_known_error

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from heatmap.state.run_log import RunOutcome

FORMATS = ("plain", "json")
INFO, WARNING, ERROR = "info", "warning", "error"


def print_error(error: BaseException) -> None:
    """Tell of an error on stderr: its sentence; a bug with its traceback.

    Where nobody can be told, on a full disk or a pipe without a reader, the exit code has to say it alone.
    """
    with suppress(OSError, ValueError):
        if is_known_error(error):
            from heatmap.cli.commands import complete

            problems = error.problems if isinstance(error, ConfigError) else (str(error),)
            for problem in problems:
                print(f"heatmap: {complete(problem)}", file=sys.stderr)
            return
        from traceback import print_exception

        print_exception(error)
        print(f"heatmap: this is a bug, please report it with the lines above: {error!r}", file=sys.stderr)


class Console:
    """Where one run writes. `form` is one of FORMATS, or None for bare sentences.

    `verbose` tells whether what goes well is of interest, too. `markets` are the names that a sentence may
    begin with.
    """

    def __init__(self, form: str | None, now: datetime, *, verbose: bool) -> None:
        self.markets: Collection[str] = ()
        self._form = form
        self._verbose = verbose
        self._now = now
        self._start = time.monotonic()

    def info(self, sentence: str) -> None:
        """Tell what is done."""
        if self._verbose:
            self._write(INFO, sentence, sentence)

    def warning(self, sentence: str) -> None:
        """Tell what is not as it should be, and fails nothing."""
        self._write(WARNING, sentence, f"heatmap: {sentence}")

    def error(self, error: BaseException) -> None:
        """Tell what failed."""
        if self._form is None:
            print_error(error)
            return
        word = getattr(error, "kind", HeatmapError.kind)
        if is_known_error(error):
            for problem in getattr(error, "problems", (str(error),)):
                self._write(ERROR, problem, "", error=word, exit_code=error.exit_code)
            return
        from traceback import format_exception

        sentence = f"this is a bug, please report it with its traceback: {error!r}"
        told = "".join(format_exception(error))
        self._write(ERROR, sentence, "", error=word, exit_code=common_exit_code([error]), traceback=told)

    def error_line(self, error: HeatmapError, seconds: float) -> bytes:
        """Return the line that `error` would write of an error `seconds` from now."""
        sentence = str(error)
        if self._form is None:
            return f"heatmap: {sentence}\n".encode()
        more = {"error": error.kind, "exit_code": error.exit_code}
        return f"{self._line(ERROR, sentence, more, seconds)}\n".encode()

    def summary(self, code: int, outcomes: Sequence[RunOutcome] = ()) -> None:
        """Tell how it ended, in a log; not of a run that found nothing to do, and nobody to tell of it."""
        if self._form is None or not (self._verbose or code or outcomes):
            return
        came = "; ".join(map(_summary_line, outcomes)) or ("nothing was done" if code else "nothing to do")
        seconds = round(time.monotonic() - self._start, 2)
        words = {outcome.market: outcome.kind for outcome in outcomes}
        self._write(
            INFO,
            f"exit {code} after {seconds} s: {came}",
            "",
            exit_code=code,
            seconds=seconds,
            outcomes=words,
        )

    def _write(self, level: str, sentence: str, bare: str, **more: object) -> None:
        """Write a line; where nobody reads any more, or the disk is full, the run goes on without."""
        if "`" in sentence:
            from heatmap.cli.commands import complete

            sentence, bare = complete(sentence), complete(bare)
        stream = sys.stdout if level == INFO else sys.stderr
        with suppress(OSError, ValueError):
            print(bare if self._form is None else self._line(level, sentence, more), file=stream, flush=True)

    def _line(self, level: str, sentence: str, more: dict[str, object], after: float = 0.0) -> str:
        """Return a line of the log, of the moment that is `after` seconds from now."""
        now = self._now.astimezone(UTC) + timedelta(seconds=time.monotonic() - self._start + after)
        at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._form == "plain":
            told = "\n".join([sentence, *(str(more[key]).rstrip() for key in ("traceback",) if key in more)])
            return f"{at} {level.upper()} {told}"
        import json

        market, colon, rest = sentence.partition(": ")
        if colon and market in self.markets:
            return json.dumps({"time": at, "level": level, "market": market, "message": rest, **more})
        return json.dumps({"time": at, "level": level, "message": sentence, **more})


def _summary_line(outcome: RunOutcome) -> str:
    """Say what became of a market, in few words: an error has had its line."""
    told = f"{outcome.market} {outcome.kind}"
    if outcome.is_good and outcome.as_of:
        told += f", {outcome.quotes} quotes as of {outcome.as_of:%H:%M:%S}"
    return f"{told} from {outcome.source}" if outcome.is_good and outcome.source else told
