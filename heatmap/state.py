"""What an installation remembers between ticks, and the lock that keeps two runs apart."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, LockedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VERSION = 1
FILE_NAME = "state.json"
MOST_OUTCOMES = 20  # of one market


class Memory(NamedTuple):
    """What is remembered of one market: ISO dates and times in its own zone; None for never."""

    published_at: str | None = None  # when a page of it last reached a target
    final_date: str | None = None  # the last session whose final page every target has
    warned_on: str | None = None  # the last date on which the end of the calendar was reported
    history_told: str | None = None  # the date, then a mark for each sentence on the history told that day
    # Of the last runs, oldest first: when each began, and its exit code.
    outcomes: tuple[tuple[str, int], ...] = ()


class State:
    """The memories of all markets, kept in `<directory>/state.json`.

    A damaged file is set aside and forgotten: the worst that follows is one final run too many.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / FILE_NAME
        self._memories = self._read()

    def __getitem__(self, market: str) -> Memory:
        return self._memories.get(market, Memory())

    def remember(self, market: str, **changes: str) -> None:
        """Change what is remembered of a market and write it down at once. Raises ConfigError."""
        self._memories[market] = self[market]._replace(**changes)  # type: ignore[arg-type]  # outcomes are note's
        self._write()

    def note(self, began_at: Mapping[str, str], exit_code: int) -> None:
        """Write down how a run ended for each market it was for, by the time it began. Raises ConfigError."""
        for market, moment in began_at.items():
            memory = self[market]
            outcomes = (*memory.outcomes, (moment, exit_code))[-MOST_OUTCOMES:]
            self._memories[market] = memory._replace(outcomes=outcomes)
        self._write()

    def _write(self) -> None:
        document = {
            "version": VERSION,
            "markets": {name: memory._asdict() for name, memory in sorted(self._memories.items())},
        }
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(document, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def _read(self) -> dict[str, Memory]:
        try:
            markets = json.loads(self._path.read_text("utf-8"))["markets"]
            return {
                name: Memory(
                    **{key: kept.get(key) for key in Memory._fields if key != "outcomes"},
                    outcomes=tuple(
                        (str(moment), _whole(code)) for moment, code in kept.get("outcomes") or ()
                    ),
                )
                for name, kept in markets.items()
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unusable(self.directory, error) from error
        except (ValueError, KeyError, TypeError, AttributeError):
            self._path.replace(self._path.with_suffix(".damaged.json"))
            return {}


def _whole(code: object) -> int:
    """Return an exit code as it was kept. Raises TypeError for what is none."""
    if not isinstance(code, int):
        raise TypeError
    return code


@contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Hold the state directory, made if need be; released at the latest when the process ends.

    Raises LockedError where another run holds it, ConfigError where it cannot be written.
    """
    # flock, not lockf: the latter is lost as soon as any other handle of the file is closed.
    from fcntl import LOCK_EX, LOCK_NB, flock

    path = directory / "lock"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise _unusable(directory, error) from error
    with file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            message = f"another run holds {path}: this one leaves; if that happens often, run it less often"
            raise LockedError(message) from error
        yield


def _unusable(directory: Path, error: OSError) -> ConfigError:
    why = error.strerror or str(error)
    return ConfigError(
        [f"state_directory {directory} cannot be used ({why}): make it writable or name another"]
    )
