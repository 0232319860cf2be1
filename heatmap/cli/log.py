"""Prints the messages of a run: as plain sentences, or as log lines with their time, plain or JSON.

Information goes to standard output, warnings and errors go to standard error. The program opens and rotates
no log file: the system does that.
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
    """Print an error on stderr: its sentence, or for a bug its traceback.

    If stderr is a full disk or a pipe without a reader, only the exit code shows the error.
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
    """Prints the messages of one run. `form` is one of FORMATS, or None for plain sentences.

    `verbose`: print information, too, not only warnings and errors. `markets` are the names with which a
    sentence may begin.
    """

    def __init__(self, form: str | None, now: datetime, *, verbose: bool) -> None:
        self.markets: Collection[str] = ()
        self._form = form
        self._verbose = verbose
        self._now = now
        self._start = time.monotonic()

    def info(self, sentence: str) -> None:
        """Print information, if verbose."""
        if self._verbose:
            self._write(INFO, sentence, sentence)

    def warning(self, sentence: str) -> None:
        """Print a problem that is no failure."""
        self._write(WARNING, sentence, f"heatmap: {sentence}")

    def error(self, error: BaseException) -> None:
        """Print a failure."""
        if self._form is None:
            print_error(error)
            return
        kind = getattr(error, "kind", HeatmapError.kind)
        if is_known_error(error):
            for problem in getattr(error, "problems", (str(error),)):
                self._write(ERROR, problem, "", error=kind, exit_code=error.exit_code)
            return
        from traceback import format_exception

        sentence = f"this is a bug, please report it with its traceback: {error!r}"
        trace = "".join(format_exception(error))
        self._write(ERROR, sentence, "", error=kind, exit_code=common_exit_code([error]), traceback=trace)

    def error_line(self, error: HeatmapError, seconds: float) -> bytes:
        """Return the line that `error` would print `seconds` from now."""
        sentence = str(error)
        if self._form is None:
            return f"heatmap: {sentence}\n".encode()
        fields = {"error": error.kind, "exit_code": error.exit_code}
        return f"{self._line(ERROR, sentence, fields, seconds)}\n".encode()

    def summary(self, code: int, outcomes: Sequence[RunOutcome] = ()) -> None:
        """Print the result of the run, in a log only; nothing if there was no work and it is not verbose."""
        if self._form is None or not (self._verbose or code or outcomes):
            return
        result = "; ".join(map(_summary_line, outcomes)) or ("nothing was done" if code else "nothing to do")
        seconds = round(time.monotonic() - self._start, 2)
        kinds = {outcome.market: outcome.kind for outcome in outcomes}
        self._write(
            INFO,
            f"exit {code} after {seconds} s: {result}",
            "",
            exit_code=code,
            seconds=seconds,
            outcomes=kinds,
        )

    def _write(self, level: str, sentence: str, bare: str, **fields: object) -> None:
        """Print a line. If nobody reads it, or the disk is full, the run continues without it."""
        if "`" in sentence:
            from heatmap.cli.commands import complete

            sentence, bare = complete(sentence), complete(bare)
        stream = sys.stdout if level == INFO else sys.stderr
        with suppress(OSError, ValueError):
            print(
                bare if self._form is None else self._line(level, sentence, fields), file=stream, flush=True
            )

    def _line(self, level: str, sentence: str, fields: dict[str, object], after: float = 0.0) -> str:
        """Return a line of the log, with the time `after` seconds from now."""
        now = self._now.astimezone(UTC) + timedelta(seconds=time.monotonic() - self._start + after)
        at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._form == "plain":
            text = "\n".join(
                [sentence, *(str(fields[key]).rstrip() for key in ("traceback",) if key in fields)]
            )
            return f"{at} {level.upper()} {text}"
        import json

        market, colon, message = sentence.partition(": ")
        if colon and market in self.markets:
            return json.dumps({"time": at, "level": level, "market": market, "message": message, **fields})
        return json.dumps({"time": at, "level": level, "message": sentence, **fields})


def _summary_line(outcome: RunOutcome) -> str:
    """Return the outcome of a market in few words. Errors have lines of their own."""
    text = f"{outcome.market} {outcome.kind}"
    if outcome.is_good and outcome.as_of:
        text += f", {outcome.quotes} quotes as of {outcome.as_of:%H:%M:%S}"
    return f"{text} from {outcome.source}" if outcome.is_good and outcome.source else text
