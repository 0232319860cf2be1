"""Passes the archive's record and its newest days between machines that share a history."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import date
from typing import TYPE_CHECKING

from heatmap.errors import HistoryNonsense
from heatmap.pages.archive import day_files, record, target_days
from heatmap.pages.archive.day_files import PAGE_NAME
from heatmap.system import limits
from heatmap.system.files import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from heatmap.history.store import Store

# What comes of reading what none of these machines has written.
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
RECORD, DAYS = "archive", "archive days"  # what the notes are called
PAGES = "archive pages"  # the newest pages alone, as versions before 0.3 give and take them


def pull_record(store: Store, directory: Path, market: str, warn: Callable[[str], None]) -> None:
    """Take over what the machine that published last knows; what is known here alone stays.

    That happens: a machine that cannot reach the others publishes by itself. Raises HistoryError.
    """
    content = store.shared_value(market, RECORD)
    if content is None:
        return
    try:
        theirs = record.parse(content)
    except DAMAGE:
        warn("the archive's record in the history is damaged: this machine's own holds")
        return
    ours = record.load(directory, market, warn)
    own = {
        day: known
        for day, known in ours.days.items()
        if known.page and not (day in theirs.days and theirs.days[day].page)
    }
    targets = {
        name: _without_days(
            _as_known_here(target, ours.targets.get(name)) if own else target, own.keys() - _had(ours, name)
        )
        for name, target in theirs.targets.items()
    }
    merged = record.Record({**ours.days, **theirs.days, **own}, {**ours.targets, **targets})
    if merged != ours:
        try:
            record.save(directory, market, merged)
        except OSError as error:
            raise _unwritten(record.path(directory, market), error) from error


def _as_known_here(target: record.Target, ours: record.Target | None) -> record.Target:
    """Return what a target has, where days are known here alone: a list or feed without them is not right.

    So it is after a run that was ended between the day and the list, and could not tell the other machines.
    """
    if ours is None:
        return target
    return target._replace(
        is_listed=target.is_listed and ours.is_listed, has_feed=target.has_feed and ours.has_feed
    )


def _without_days(target: record.Target, days: set[date]) -> record.Target:
    """Return what a target has, without days that the other machines do not know of."""
    return target._replace(lacks=target.lacks | days, is_listed=False) if days else target


def _had(known: record.Record, target: str) -> set[date]:
    """Return the days that a target has, as far as this record knows."""
    entry = known.targets.get(target)
    return {*known.pages} - entry.lacks if entry else set()


def pull_days(store: Store, directory: Path, market: str) -> None:
    """Take over the newest days' files as the machine that published last has them. Raises HistoryError."""
    pages, days = store.shared_value(market, PAGES), store.shared_value(market, DAYS)
    try:
        # A date and nothing else: it becomes part of a file's name.
        newest = {
            date.fromisoformat(day): _checked(b64decode(content, validate=True))
            for day, content in json.loads(days or b"{}").items()
        }
        own = day_files.find(directory, market)
        for text, page in json.loads(pages or b"{}").items():
            day = date.fromisoformat(text)
            if day not in own and day not in newest:
                newest[day] = day_files.pack({PAGE_NAME: day_files.whole_page(page.encode())})
    except DAMAGE as error:
        raise HistoryNonsense(
            "the archive's newest days in the history are damaged: this machine's own hold"
        ) from error
    for day, content in newest.items():
        try:
            day_files.save(directory, market, day, content)
        except OSError as error:
            raise _unwritten(day_files.path(directory, market, day), error) from error


def push_days(store: Store, directory: Path, market: str, warn: Callable[[str], None]) -> None:
    """Note down what the machine that publishes next needs of this one. Raises HistoryError."""
    known = record.load(directory, market, warn)
    stored_days = day_files.find(directory, market)
    lacking = {day for target in known.targets.values() for day in target.lacks}
    wanted = {*sorted(stored_days)[-day_files.LEAST_DAYS :], *(day for day in stored_days if day in lacking)}
    newest = {day: files for day in sorted(wanted) if (files := day_files.load(directory, market, day, warn))}
    try:
        content = read(record.path(directory, market), limits.DOCUMENT_BYTES)
    except OSError as error:
        raise HistoryNonsense(
            f"the archive's record of {market} cannot be read ({error.strerror}), so other machines are not "
            "told of the day: let this user read the state directory"
        ) from error
    pages = {
        str(day): target_days.fill_before(files[PAGE_NAME], market, _before(known, day)).decode()
        for day, files in newest.items()
    }
    days = {str(day): b64encode(day_files.pack(files)).decode() for day, files in newest.items()}
    notes = {RECORD: content, PAGES: json.dumps(pages).encode(), DAYS: json.dumps(days).encode()}
    store.share_values(market, notes)


def _before(known: record.Record, day: date) -> date | None:
    return max((each for each in known.pages if each < day), default=None)


def _checked(content: bytes) -> bytes:
    """Return a packed day as it came. Raises ValueError where it is not whole."""
    day_files.unpack(content)
    return content


def _unwritten(file: Path, error: OSError) -> HistoryNonsense:
    return HistoryNonsense(
        f"{file} cannot be written ({error.strerror}), so the archive lacks what other machines published: "
        "make room in the state directory"
    )
