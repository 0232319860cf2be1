"""The memory of an installation between runs, and the lock that keeps two runs apart."""

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
MARK_START = b'{"pid": '  # of every marker
# The errors of file systems without locks.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class Memory(NamedTuple):
    """The memory of one market: ISO dates and times in its own zone; None: never."""

    published_at: str | None = None  # when a page of it last reached a target
    final_date: str | None = None  # the last session whose final page every target has
    early_final: str | None = None  # the time of that page's figures, if later figures are to follow
    warned_on: str | None = None  # the last date on which the end of the calendar was reported
    holidays_asked_on: str | None = None  # the last date on which the exchange's holiday list was fetched
    holidays_failing_since: str | None = None  # no usable list since then; None: the last one was usable
    holidays_lack: str | None = None  # why the last list did not renew the calendar
    sources: Mapping[str, Any] | None = None  # of sources that blocked: see `circuit_breaker.to_plain`
    history_told: str | None = None  # the date, then a mark for each sentence on the history of that day
    closed_date: str | None = None  # the last session whose final page at least one target has
    # The last session whose part is done (see `parts`). Archive and feed are done when every target has them.
    bars_date: str | None = None
    archive_date: str | None = None
    feed_date: str | None = None
    alerts_date: str | None = None
    faults: Mapping[str, str] | None = None  # by part: why its last attempt failed


def _ignore(_: str) -> None:
    """Print no warning."""


class State:
    """The memories of all markets, in `<directory>/state.json`.

    If the file cannot be used, it is set aside, and `warn` gets a sentence about it: at the worst, one final
    run too many follows. Raises ConfigError if the file cannot be read.
    """

    def __init__(self, directory: Path, warn: Callable[[str], None] = _ignore) -> None:
        self.directory = directory
        self._path = directory / FILE_NAME
        self._former_outcomes: dict[str, object] = {}  # those of versions before 0.3, by market
        try:
            self._memories = json_files.load(self._path, VERSION, self._parse, warn, "markets") or {}
        except OSError as error:
            raise _unusable(directory, error) from error

    def __getitem__(self, market: str) -> Memory:
        return self._memories.get(market, Memory())

    def remember(self, market: str, **changes: object) -> None:
        """Change the memory of a market, and write it at once. Raises ConfigError."""
        self._memories[market] = self[market]._replace(**changes)  # type: ignore[arg-type]  # `_read` has no better check
        self._write()

    def _write(self) -> None:
        markets = {name: memory._asdict() for name, memory in sorted(self._memories.items())}
        try:
            if self._former_outcomes:
                from heatmap.state import run_log

                run_log.import_legacy(self.directory, self._former_outcomes)
            json_files.make_state_directory(self.directory)
            json_files.save(self._path, VERSION, {"markets": markets}, indent=1)
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def _parse(self, document: Mapping[str, Any]) -> dict[str, Memory]:
        """Return the memories in a document. Raises KeyError, TypeError or AttributeError."""
        markets = document["markets"]
        self._former_outcomes = {
            name: values["outcomes"] for name, values in markets.items() if "outcomes" in values
        }
        return {name: _parse_memory(values) for name, values in markets.items()}


def mark_name(part: str) -> str:
    """Return the name of the field of `Memory` that has a part's date."""
    return f"{part}_date"


def merge_faults(memory: Memory, attempts: Mapping[str, str]) -> dict[str, str] | None:
    """Return the faults of a market after attempts at these parts: why each failed; "": it did not fail."""
    faults = {**(memory.faults or {}), **attempts}
    return {part: why for part, why in faults.items() if why} or None


def _parse_memory(values: Mapping[str, Any]) -> Memory:
    """Return the memory of one market. Raises TypeError."""
    # Versions before 0.3 had no dates of parts: all parts of their final pages count as done.
    dates = {name: values.get("final_date") for name in ("closed_date", *map(mark_name, parts.OF_FINAL))}
    memory = Memory(**{key: values.get(key, dates.get(key)) for key in Memory._fields})
    faults = {} if memory.faults is None else memory.faults
    if not isinstance(faults, dict) or not all(isinstance(why, str) for why in faults.values()):
        raise TypeError(faults)
    texts = memory._replace(sources=None, faults=None)
    if any(text is not None and not isinstance(text, str) for text in texts):
        raise TypeError(texts)
    if not (memory.sources is None or isinstance(memory.sources, dict)):
        raise TypeError(memory.sources)
    return memory


@contextmanager
def lock(directory: Path, mark: str = "", warn: Callable[[str], None] = _ignore) -> Iterator[str]:
    """Hold the lock of the state directory. The directory is made if it is missing.

    The lock is released at the end of the block, at the latest when the process ends. During the block `mark`
    is in the lock file, unless that has another program's content, which stays. Yields the mark of a run that
    was killed; "": none was. On a file system without locks, such as NFS without its lock daemon, `warn` gets
    a sentence, and the run goes on. Raises LockedError if another run holds the lock, and ConfigError if the
    directory cannot be written.
    """
    # Not lockf: its lock is lost as soon as any other handle of the file is closed.
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
            yield ""  # a mark means nothing here: its run may still go on
            return
        if not mark:  # the mark of a killed run stays for the next run
            yield ""
            return
        try:
            file_names.remove_temporary(directory)
            yield _change_mark(file, mark)
        finally:
            _change_mark(file, "")


def peek(directory: Path) -> tuple[str, bool]:
    """Return the mark in the lock file, "" for none, and whether a run holds the lock. Raises OSError.

    Nothing is changed, and no permission to write is needed.
    """
    from fcntl import LOCK_NB, LOCK_SH, flock

    try:
        with files.open_regular(directory / LOCK_NAME) as file:
            mark = file.read(MOST_MARK_BYTES).decode("utf-8", "replace")
            try:
                if mark:  # not without one: a run that starts at this moment would find the lock held
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
    """Replace the mark in the lock file, and return the former one. On a full disk there may be none then."""
    with suppress(OSError):
        file.seek(0)
        former = file.read(MOST_MARK_BYTES)
        if is_mark(former):
            file.truncate(0)
            file.write(mark.encode())
            return former.decode("utf-8", "replace")
    return ""


def is_mark(content: bytes) -> bool:
    """Whether the content of a lock file is this program's: a mark, the start of one, or nothing."""
    start = content.strip(b"\0 \r\n")[: len(MARK_START)]  # a power cut may leave zeros
    return MARK_START.startswith(start) and len(content) < MOST_MARK_BYTES


def _unusable(directory: Path, error: OSError) -> ConfigError:
    """Return the error for a state directory that cannot be used. Raises ShortageError."""
    if isinstance(error, json_files.ForeignError):
        sentence = (
            f"state_directory {directory} cannot be used: {FILE_NAME} in it is another program's file. "
            "Name another state_directory, or move that file"
        )
        return ConfigError([sentence])
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        resource_errors.refuse(error)
    why = error.strerror or str(error)
    if error.errno in (errno.EINVAL, errno.EISDIR) and error.filename:  # a file in it: see `files`
        why = f"{os.path.basename(error.filename)}: {why}"
    advice = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
    return as_write_error(
        error, f"state_directory {directory} cannot be used ({why}): {advice} or name another"
    )
