"""What machines that share a history tell each other of the archive: its record, and its newest pages."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

from heatmap import documents
from heatmap.archive import record
from heatmap.errors import HistoryNonsense

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from heatmap.history.store import Store

# What comes of reading what none of these machines has written.
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
RECORD, PAGES = "archive", "archive pages"  # what the notes are called
DATED = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"  # what no market's name goes on with


def pages(directory: Path, market: str) -> Mapping[str, Path]:
    """Return the newest days' pages that are kept, by date as ISO text."""
    return {file.stem[-10:]: file for file in directory.glob(f"archive-{market}-{DATED}.html")}


def take_record(store: Store, directory: Path, market: str, warn: Callable[[str], None]) -> None:
    """Take over what the machine that published last knows; what is known here alone stays.

    That happens: a machine that cannot reach the others publishes by itself. Raises HistoryError.
    """
    content = store.note(market, RECORD)
    if content is None:
        return
    try:
        theirs = record.parse(content)
    except DAMAGE:
        warn("the archive's record in the history is damaged: this machine's own holds")
        return
    ours = record.load(directory, market, warn)
    own = {
        day: known for day, known in ours.items() if known.page and not (day in theirs and theirs[day].page)
    }
    days = {**ours, **theirs, **own}
    if days != ours:
        try:
            record.save(directory, market, days.values())
        except OSError as error:
            raise _unwritten(record.path(directory, market), error) from error


def take_pages(store: Store, directory: Path, market: str) -> None:
    """Take over the newest days' pages. Raises HistoryError."""
    content = store.note(market, PAGES)
    try:
        found = json.loads(content or b"{}")
        # A date and nothing else: it becomes part of a file's name.
        newest = {date.fromisoformat(day).isoformat(): page.encode() for day, page in found.items()}
    except DAMAGE as error:
        raise HistoryNonsense(
            "the archive's newest pages in the history are damaged: this machine's own hold"
        ) from error
    for day, page in newest.items():
        _write(directory / f"archive-{market}-{day}.html", page)


def give(store: Store, directory: Path, market: str) -> None:
    """Note down what this machine keeps, for the others. Raises HistoryError."""
    try:
        newest = {day: file.read_text("utf-8") for day, file in pages(directory, market).items()}
        content = record.path(directory, market).read_bytes()
    except OSError as error:
        raise HistoryNonsense(
            f"the archive's record of {market} cannot be read ({error.strerror}), so other machines are not "
            "told of the day: let this user read the state directory"
        ) from error
    store.keep_notes(market, {RECORD: content, PAGES: json.dumps(newest).encode()})


def _write(file: Path, content: bytes) -> None:
    try:
        documents.write(file, content)
    except OSError as error:
        raise _unwritten(file, error) from error


def _unwritten(file: Path, error: OSError) -> HistoryNonsense:
    return HistoryNonsense(
        f"{file} cannot be written ({error.strerror}), so the archive lacks what other machines published: "
        "make room in the state directory"
    )
