"""What became of every tick that had something to do: a line each in `<state_directory>/outcomes.jsonl`.

The file only grows at its end, so what stands in it no later fault can spoil; a torn line, or one that a
later version wrote in its own way, is passed over. From time to time its older half is forgotten.
"""

from __future__ import annotations

import json
import math
import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.errors import EXIT_OK, EXIT_TEMPORARY
from heatmap.state import json_files
from heatmap.system import files
from heatmap.system.texts import make_printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

FILE_NAME = "outcomes.jsonl"
KEPT_BYTES = 512 * 1024  # about 25 sessions of 75 ticks; once the file has twice as much, it shrinks to this
MOST_BYTES = 4 * KEPT_BYTES  # that are read; ours has half as much
TAIL_BYTES = 64 * 1024  # what is read where the latest are enough
LONGEST_SENTENCE = 600  # characters
YEARS = range(1970, 9999)  # of a moment that can be told in every zone

PUBLISHED = "published"  # the page has reached every target
RESTING = "resting"  # every source is left alone for a while, after it refused again and again
ELSEWHERE = "elsewhere"  # another machine that shares the history draws the market
KILLED = "killed"  # the run ended without a word; the next one found what it had left


class RunOutcome(NamedTuple):
    """How one run ended for one market. Times are aware; None means not known.

    `word` is one of the words above, or that of the error (heatmap/errors.py).
    """

    market: str
    at: datetime  # when the run began
    code: int  # the exit code, as far as it is this market's
    word: str
    sentence: str = ""  # why; "" where there is nothing to say
    source: str | None = None  # the one that answered
    quotes: int | None = None
    as_of: datetime | None = None  # of the figures fetched
    seconds: float | None = None  # that the run took
    clock_seconds: float | None = None  # the source's clock was ahead of this machine's; None: they agreed

    @property
    def is_good(self) -> bool:
        """Whether a page was published."""
        return self.code == EXIT_OK and self.word == PUBLISHED


class RunMarker(NamedTuple):
    """What a run leaves in the lock's file while it lasts."""

    pid: int
    began: dict[str, datetime]  # by market


def write_marker(began: Mapping[str, datetime]) -> str:
    """Return the mark of this process, whose run began then, by market."""
    return json.dumps({"pid": os.getpid(), "began": {name: at.isoformat() for name, at in began.items()}})


def read_marker(text: str) -> RunMarker | None:
    """Return what a mark says; None for one that says nothing, as the mark of no run does."""
    try:
        document = json.loads(text)
        began = {_text(name): _moment(at) for name, at in document["began"].items()}
        return RunMarker(_whole(document["pid"]), began)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def outcomes_of_killed(left: RunMarker) -> list[RunOutcome]:
    """Return the outcomes of a run that left its mark, because something ended it that cannot be caught."""
    sentence = (
        "the run ended without a word: killed, out of memory, or the machine went down; "
        "if that happens often, look at the system's log"
    )
    return [RunOutcome(name, at, EXIT_TEMPORARY, KILLED, sentence) for name, at in left.began.items()]


def _keep_quiet(_: str) -> None:
    """Say nothing."""


def append(
    directory: Path, outcomes: Iterable[RunOutcome], warn: Callable[[str], None] = _keep_quiet
) -> None:
    """Add outcomes, all in one write. Raises OSError.

    A file without any outcome is renamed, never deleted, and `warn` is called with a sentence.
    """
    lines = b"".join(_line(outcome) for outcome in outcomes)
    json_files.make_state_directory(directory)
    path = directory / FILE_NAME
    if _is_foreign(path):
        aside = json_files.find_free_name(path, "damaged")
        path.replace(aside)
        warn(f"{path} held no outcome of this program and was set aside as {aside.name}")
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            lines = b"\n" + lines  # after a line that a full disk or a power cut has torn
        os.write(descriptor, lines)
    finally:
        os.close(descriptor)
    if size + len(lines) > 2 * KEPT_BYTES:
        _shrink(path)


def _is_foreign(path: Path) -> bool:
    """Whether neither begin nor end of a file has a line of ours; an empty one may be had. Raises OSError."""
    try:
        with files.open_regular(path) as file:
            ends = file.read(TAIL_BYTES)
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            ends += file.read(TAIL_BYTES)
    except FileNotFoundError:
        return False
    return bool(ends.strip(b"\0\n ")) and b'"market": "' not in ends


def read(directory: Path) -> list[RunOutcome]:
    """Return all that are kept, in the order in which the runs ended. Raises OSError."""
    return [outcome for outcome in map(_outcome, _lines(directory / FILE_NAME)) if outcome]


def latest(directory: Path, market: str, most: int) -> list[RunOutcome]:
    """Return the last outcomes of a market, `most` at most, oldest first. Raises OSError.

    Only the file's end is read: they are too few where other markets had hundreds of runs since.
    """
    found: list[RunOutcome] = []
    for line in reversed(_lines(directory / FILE_NAME, TAIL_BYTES)):
        outcome = _outcome(line)
        if outcome and outcome.market == market:
            found.append(outcome)
            if len(found) == most:
                break
    return found[::-1]


def import_legacy(directory: Path, former: Mapping[str, object]) -> None:
    """Put before all others what earlier versions kept in state.json: times and codes, by market.

    What makes no sense is passed over. Raises OSError.
    """
    path = directory / FILE_NAME
    known = {(outcome.market, outcome.at) for outcome in read(directory)}
    taken = [
        outcome
        for market, kept in former.items()
        for pair in (kept if isinstance(kept, list) else ())
        if isinstance(pair, list) and len(pair) == 2
        for outcome in [
            _made({"market": market, "at": pair[0], "code": pair[1], "word": _former_word(pair[1])})
        ]
        if outcome and (market, outcome.at) not in known
    ]
    if taken:
        _replace(
            path, [*(_line(outcome) for outcome in taken), *(line + b"\n" for line in _lines(path) if line)]
        )


def _former_word(code: object) -> str:
    return PUBLISHED if code == EXIT_OK else f"failed, exit {code}"


def _line(outcome: RunOutcome) -> bytes:
    document = {key: value for key, value in outcome._asdict().items() if value not in (None, "")}
    sentence = outcome.sentence[:LONGEST_SENTENCE]  # whose words may be a server's
    document["sentence"] = make_printable(sentence)
    for key in ("at", "as_of"):
        if key in document:
            document[key] = document[key].isoformat()
    return json.dumps(document).encode() + b"\n"


def _outcome(line: bytes) -> RunOutcome | None:
    """Return what a line tells; None where it tells nothing that can be understood."""
    try:
        return _made(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _made(document: object) -> RunOutcome | None:
    if not isinstance(document, dict):
        return None
    try:
        values: dict[str, Any] = {
            key: _KINDS[key](document[key]) for key in RunOutcome._fields if document.get(key) is not None
        }
        return RunOutcome(**values)
    except (ValueError, TypeError, OverflowError):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _name(value: object) -> str:
    if not (name := _text(value)):  # an empty one would not be written again
        raise ValueError
    return name


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.utcoffset() is None or moment.year not in YEARS:
        raise ValueError
    return moment


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


_KINDS = {
    "market": _name,
    "at": _moment,
    "code": _whole,
    "word": _name,
    "sentence": _text,
    "source": _text,
    "quotes": _whole,
    "as_of": _moment,
    "seconds": _seconds,
    "clock_seconds": _seconds,
}


def _lines(path: Path, most_bytes: int = MOST_BYTES) -> list[bytes]:
    """Return the lines that are whole in the file's last `most_bytes`; none where it is missing."""
    try:
        with files.open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= most_bytes:
                return file.read(size).split(b"\n")
            file.seek(size - most_bytes)
            return file.read(most_bytes).split(b"\n")[1:]
    except FileNotFoundError:
        return []


def _shrink(path: Path) -> None:
    """Forget the older half, but for the last good outcome of a market that has none in the newer half.

    What another process writes in this very moment, such as a run that met this one's lock, may be lost.
    """
    lines = [line for line in _lines(path) if line]
    room, first = KEPT_BYTES, len(lines)
    while first and room >= len(lines[first - 1]) + 1:
        first -= 1
        room -= len(lines[first]) + 1
    good: dict[str, bytes] = {}
    for line in lines[:first]:
        outcome = _outcome(line)
        if outcome and outcome.is_good:
            good[outcome.market] = line
    for outcome in filter(None, map(_outcome, lines[first:])):
        if outcome.is_good:
            good.pop(outcome.market, None)
    _replace(path, (line + b"\n" for line in [*good.values(), *lines[first:]]))


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    files.write(path, b"".join(lines))
