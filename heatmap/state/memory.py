"""What an installation remembers between ticks, and the lock that keeps two runs apart."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from heatmap.errors import ConfigError, LockedError, as_write_error
from heatmap.state import file_names, json_files
from heatmap.system import files, parts, resource_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import FileIO
    from pathlib import Path

VERSION = 1
FILE_NAME = "state.json"
LOCK_NAME = "lock"
MOST_MARK_BYTES = 4096
MARK_START = b'{"pid": '  # of every mark
# What file systems without locks answer.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class Memory(NamedTuple):
    """What is remembered of one market: ISO dates and times in its own zone; None for never."""

    published_at: str | None = None  # when a page of it last reached a target
    final_date: str | None = None  # the last session whose final page every target has
    early_final: str | None = None  # when that page's figures were true, if later ones are to follow
    warned_on: str | None = None  # the last date on which the end of the calendar was reported
    holidays_asked_on: str | None = None  # the last date on which the exchange's holiday list was asked for
    holidays_failing_since: str | None = (
        None  # since then each day's list could not be had or used; None: it could
    )
    holidays_lack: str | None = None  # why the last answer did not renew the calendar
    sources: Mapping[str, Any] | None = None  # of sources that blocked: see `breaker.to_plain`
    history_told: str | None = None  # the date, then a mark for each sentence on the history told that day
    closed_date: str | None = None  # the last session whose final page one target has at least
    # The last session of which the part is done (see `parts`): of archive and feed, which every target has.
    bars_date: str | None = None
    archive_date: str | None = None
    feed_date: str | None = None
    alerts_date: str | None = None
    faults: Mapping[str, str] | None = None  # by part: why it failed when it was last tried


def _keep_quiet(_: str) -> None:
    """Say nothing."""


class State:
    """The memories of all markets, kept in `<directory>/state.json`.

    `warn` is told of a file that cannot be used and was set aside: the worst that follows is one final run
    too many. Raises ConfigError where it cannot be read.
    """

    def __init__(self, directory: Path, warn: Callable[[str], None] = _keep_quiet) -> None:
        self.directory = directory
        self._path = directory / FILE_NAME
        self._former: dict[str, object] = {}  # outcomes as versions before 0.3 kept them here, by market
        try:
            self._memories = json_files.load(self._path, VERSION, self._made, warn, "markets") or {}
        except OSError as error:
            raise _unusable(directory, error) from error

    def __getitem__(self, market: str) -> Memory:
        return self._memories.get(market, Memory())

    def remember(self, market: str, **changes: object) -> None:
        """Change what is remembered of a market and write it down at once. Raises ConfigError."""
        self._memories[market] = self[market]._replace(**changes)  # type: ignore[arg-type]  # `_read` has no better check
        self._write()

    def _write(self) -> None:
        markets = {name: memory._asdict() for name, memory in sorted(self._memories.items())}
        try:
            if self._former:
                from heatmap.state import run_log

                run_log.import_legacy(self.directory, self._former)
            json_files.make_state_directory(self.directory)
            json_files.save(self._path, VERSION, {"markets": markets}, indent=1)
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def _made(self, document: Mapping[str, Any]) -> dict[str, Memory]:
        """Return what a document remembers. Raises KeyError, TypeError or AttributeError."""
        markets = document["markets"]
        self._former = {name: kept["outcomes"] for name, kept in markets.items() if "outcomes" in kept}
        return {name: _memory(kept) for name, kept in markets.items()}


def mark_name(part: str) -> str:
    """Return the name of the field of `Memory` that has a part's mark."""
    return f"{part}_date"


def merge_faults(memory: Memory, tried: Mapping[str, str]) -> dict[str, str] | None:
    """Return the faults of a market after these parts were tried: why each failed, "" for what did not."""
    faults = {**(memory.faults or {}), **tried}
    return {part: why for part, why in faults.items() if why} or None


def _memory(kept: Mapping[str, Any]) -> Memory:
    # Versions before 0.3 had no marks: what they called final counts as done.
    marks = {name: kept.get("final_date") for name in ("closed_date", *map(mark_name, parts.OF_FINAL))}
    memory = Memory(**{key: kept.get(key, marks.get(key)) for key in Memory._fields})
    faults = {} if memory.faults is None else memory.faults
    if not isinstance(faults, dict) or not all(isinstance(why, str) for why in faults.values()):
        raise TypeError(faults)
    words = memory._replace(sources=None, faults=None)
    if any(word is not None and not isinstance(word, str) for word in words):
        raise TypeError(words)
    if not (memory.sources is None or isinstance(memory.sources, dict)):
        raise TypeError(memory.sources)
    return memory


@contextmanager
def lock(directory: Path, mark: str = "", warn: Callable[[str], None] = _keep_quiet) -> Iterator[str]:
    """Hold the state directory, made if need be; released at the latest when the process ends.

    `mark` stands in the lock's file meanwhile, unless that holds another program's words, which stay. Yields
    the mark of a holder that was killed, "" if none was.
    `warn` is told of a file system without locks, such as NFS without its lock daemon: the run goes on.
    Raises LockedError where another run holds it, ConfigError where it cannot be written.
    """
    # flock, not lockf: the latter is lost as soon as any other handle of the file is closed.
    from fcntl import LOCK_EX, LOCK_NB, flock

    path = directory / LOCK_NAME
    try:
        json_files.make_state_directory(directory)
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise _unusable(directory, error) from error
    with file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            message = f"another run holds {path}: this one leaves; if that happens often, run it less often"
            raise LockedError(message) from error
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise _unusable(directory, error) from error
            warn(
                f"{path} cannot be locked ({error.strerror}), so two runs at once are not kept apart: name a "
                "state_directory on a disk of this machine"
            )
            yield ""  # nor would a mark tell anything: its run may go on
            return
        if not mark:  # what was left waits for whoever has a use for it
            yield ""
            return
        try:
            file_names.remove_temporary(directory)
            yield _change_mark(file, mark)
        finally:
            _change_mark(file, "")


def peek(directory: Path) -> tuple[str, bool]:
    """Return what stands in the lock's file, "" for nothing, and whether somebody holds it. Raises OSError.

    Nothing is changed, and leave to write is not needed.
    """
    from fcntl import LOCK_NB, LOCK_SH, flock

    try:
        with files.open_regular(directory / LOCK_NAME) as file:
            mark = file.read(MOST_MARK_BYTES).decode("utf-8", "replace")
            try:
                if mark:  # only then: a run that begins in this very moment would find the lock held
                    flock(file, LOCK_SH | LOCK_NB)
            except BlockingIOError:
                return mark, True
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
    except FileNotFoundError:
        return "", False
    return mark, False


def _change_mark(file: FileIO, mark: str) -> str:
    """Put a mark in place of another and return that; a full disk may well keep it from standing there."""
    with suppress(OSError):
        file.seek(0)
        former = file.read(MOST_MARK_BYTES)
        if is_mark(former):
            file.truncate(0)
            file.write(mark.encode())
            return former.decode("utf-8", "replace")
    return ""


def is_mark(content: bytes) -> bool:
    """Whether the content of a lock's file is this program's: a mark, the begin of one, or nothing."""
    begin = content.strip(b"\0 \r\n")[: len(MARK_START)]  # a power cut may leave zeros
    return MARK_START.startswith(begin) and len(content) < MOST_MARK_BYTES


def _unusable(directory: Path, error: OSError) -> ConfigError:
    """Return the error of a state directory that cannot be used. Raises ShortageError."""
    if isinstance(error, json_files.ForeignError):
        sentence = (
            f"state_directory {directory} cannot be used: {FILE_NAME} in it is another program's file. "
            "Name another state_directory, or move that file"
        )
        return ConfigError([sentence])
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        resource_errors.refuse(error)
    why = error.strerror or str(error)
    if error.errno in (errno.EINVAL, errno.EISDIR) and error.filename:  # of a file in it, see `files`
        why = f"{os.path.basename(error.filename)}: {why}"
    advice = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
    return as_write_error(
        error, f"state_directory {directory} cannot be used ({why}): {advice} or name another"
    )
