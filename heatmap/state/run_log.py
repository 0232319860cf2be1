"""The run log: one line for each run and market, in `<state_directory>/outcomes.jsonl`.

Lines are only added at the end of the file, so a later fault cannot damage earlier lines. Torn lines, and
lines of a later version that this one cannot read, are skipped. When the file grows too long, its older half
is removed. Runs that find nothing due add no line.
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
KEPT_BYTES = 512 * 1024  # about 25 sessions of 75 runs; a file of twice this size is shortened to it
MOST_BYTES = 4 * KEPT_BYTES  # the most that is read; this program writes half as much
TAIL_BYTES = 64 * 1024  # what is read for the latest outcomes
LONGEST_SENTENCE = 600  # characters
YEARS = range(1970, 9999)  # times in these years exist in every time zone

PUBLISHED = "published"  # every target has the page
RESTING = "resting"  # the circuit breakers of all sources are open
ELSEWHERE = "elsewhere"  # another machine that shares the history draws the market
KILLED = "killed"  # something ended the run that cannot be caught; the next run found its marker


class RunOutcome(NamedTuple):
    """How one run ended for one market. Times are aware; None: unknown.

    `kind` is one of the constants above, or the kind of the error (heatmap/errors.py).
    """

    market: str
    at: datetime  # when the run started
    code: int  # the exit code, for this market alone
    kind: str
    sentence: str = ""  # the reason; "": none
    source: str | None = None  # the source that gave the figures
    quotes: int | None = None
    as_of: datetime | None = None  # of the figures that were fetched
    seconds: float | None = None  # the duration of the run
    clock_seconds: float | None = None  # how far the source's clock was ahead; None: the clocks agreed

    @property
    def is_good(self) -> bool:
        """Whether a page was published."""
        return self.code == EXIT_OK and self.kind == PUBLISHED


class RunMarker(NamedTuple):
    """The content of the lock file during a run."""

    pid: int
    started_at: dict[str, datetime]  # by market


def write_marker(started_at: Mapping[str, datetime]) -> str:
    """Return the marker of this process. `started_at`: when its run started, by market."""
    times = {market: at.isoformat() for market, at in started_at.items()}
    return json.dumps({"pid": os.getpid(), "began": times})


def read_marker(text: str) -> RunMarker | None:
    """Return the marker in a text; None if there is none, as in the lock file of an ended run."""
    try:
        document = json.loads(text)
        started_at = {_text(market): _moment(at) for market, at in document["began"].items()}
        return RunMarker(_whole(document["pid"]), started_at)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def outcomes_of_killed(marker: RunMarker) -> list[RunOutcome]:
    """Return the outcomes of a killed run, by the marker that it left."""
    sentence = (
        "the run ended without a word: killed, out of memory, or the machine went down; "
        "if that happens often, look at the system's log"
    )
    return [RunOutcome(name, at, EXIT_TEMPORARY, KILLED, sentence) for name, at in marker.started_at.items()]


def _ignore(_: str) -> None:
    """Print no warning."""


def append(directory: Path, outcomes: Iterable[RunOutcome], warn: Callable[[str], None] = _ignore) -> None:
    """Add outcomes, all in one write. Raises OSError.

    A file of that name without any outcome is renamed, never deleted, and `warn` gets a sentence about it.
    """
    lines = b"".join(_encode(outcome) for outcome in outcomes)
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
            lines = b"\n" + lines  # a full disk or a power cut tore the last line
        os.write(descriptor, lines)
    finally:
        os.close(descriptor)
    if size + len(lines) > 2 * KEPT_BYTES:
        _shorten(path)


def _is_foreign(path: Path) -> bool:
    """Whether a file has content, but no outcome at its beginning or end. Raises OSError."""
    try:
        with files.open_regular(path) as file:
            ends = file.read(TAIL_BYTES)
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            ends += file.read(TAIL_BYTES)
    except FileNotFoundError:
        return False
    return bool(ends.strip(b"\0\n ")) and b'"market": "' not in ends


def read(directory: Path) -> list[RunOutcome]:
    """Return all outcomes, in the order in which the runs ended. Raises OSError."""
    return [outcome for outcome in map(_decode, _read_lines(directory / FILE_NAME)) if outcome]


def latest(directory: Path, market: str, most: int) -> list[RunOutcome]:
    """Return the last outcomes of a market, `most` at most, oldest first. Raises OSError.

    Only the end of the file is read. If other markets had hundreds of runs since, there may be fewer.
    """
    outcomes: list[RunOutcome] = []
    for line in reversed(_read_lines(directory / FILE_NAME, TAIL_BYTES)):
        outcome = _decode(line)
        if outcome and outcome.market == market:
            outcomes.append(outcome)
            if len(outcomes) == most:
                break
    return outcomes[::-1]


def import_legacy(directory: Path, former: Mapping[str, object]) -> None:
    """Add, before all others, the outcomes that earlier versions kept in state.json: times and codes.

    `former` has a list of pairs for each market. Pairs that make no sense are skipped. Raises OSError.
    """
    path = directory / FILE_NAME
    present = {(outcome.market, outcome.at) for outcome in read(directory)}
    imports = [
        outcome
        for market, pairs in former.items()
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, list) and len(pair) == 2
        for outcome in [
            _parse({"market": market, "at": pair[0], "code": pair[1], "word": _former_kind(pair[1])})
        ]
        if outcome and (market, outcome.at) not in present
    ]
    if imports:
        lines = (line + b"\n" for line in _read_lines(path) if line)
        _replace(path, [*map(_encode, imports), *lines])


def _former_kind(code: object) -> str:
    return PUBLISHED if code == EXIT_OK else f"failed, exit {code}"


def _encode(outcome: RunOutcome) -> bytes:
    """Return an outcome as a line of the file."""
    document = {
        _KEYS.get(name, name): value for name, value in outcome._asdict().items() if value not in (None, "")
    }
    sentence = outcome.sentence[:LONGEST_SENTENCE]  # it may quote a server
    document["sentence"] = make_printable(sentence)
    for key in ("at", "as_of"):
        if key in document:
            document[key] = document[key].isoformat()
    return json.dumps(document).encode() + b"\n"


def _decode(line: bytes) -> RunOutcome | None:
    """Return the outcome in a line; None if the line cannot be read."""
    try:
        return _parse(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _parse(document: object) -> RunOutcome | None:
    if not isinstance(document, dict):
        return None
    try:
        values: dict[str, Any] = {
            name: parse(document[key])
            for name, parse in _PARSERS.items()
            for key in [_KEYS.get(name, name)]
            if document.get(key) is not None
        }
        return RunOutcome(**values)
    except (ValueError, TypeError, OverflowError):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _name(value: object) -> str:
    if not (name := _text(value)):  # `_encode` leaves out empty texts
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


_KEYS = {"kind": "word"}  # the keys in the file that differ from the fields' names
_PARSERS: Mapping[str, Callable[[object], object]] = {
    "market": _name,
    "at": _moment,
    "code": _whole,
    "kind": _name,
    "sentence": _text,
    "source": _text,
    "quotes": _whole,
    "as_of": _moment,
    "seconds": _seconds,
    "clock_seconds": _seconds,
}


def _read_lines(path: Path, most_bytes: int = MOST_BYTES) -> list[bytes]:
    """Return the whole lines in the file's last `most_bytes`; none if there is no file. Raises OSError."""
    try:
        with files.open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= most_bytes:
                return file.read(size).split(b"\n")
            file.seek(size - most_bytes)
            return file.read(most_bytes).split(b"\n")[1:]
    except FileNotFoundError:
        return []


def _shorten(path: Path) -> None:
    """Remove the older half, except the last good outcome of a market that has none in the newer half.

    A line that another process adds at the same moment, such as a run that finds the lock held, may be lost.
    """
    lines = [line for line in _read_lines(path) if line]
    room, first = KEPT_BYTES, len(lines)
    while first and room >= len(lines[first - 1]) + 1:
        first -= 1
        room -= len(lines[first]) + 1
    good: dict[str, bytes] = {}
    for line in lines[:first]:
        outcome = _decode(line)
        if outcome and outcome.is_good:
            good[outcome.market] = line
    for outcome in filter(None, map(_decode, lines[first:])):
        if outcome.is_good:
            good.pop(outcome.market, None)
    _replace(path, (line + b"\n" for line in [*good.values(), *lines[first:]]))


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    files.write(path, b"".join(lines))
