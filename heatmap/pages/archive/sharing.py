"""Shares the archive's record and its newest days between machines, through their history."""

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

# The errors that damaged values cause.
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
RECORD, DAYS = "archive", "archive days"  # the names of the shared values
PAGES = "archive pages"  # the newest pages alone, for and from versions before 0.3


def pull_record(store: Store, directory: Path, market: str, warn: Callable[[str], None]) -> None:
    """Merge the record of the machine that published last into this machine's. Raises HistoryError.

    Days that only this machine has stay: it may have published while it could not reach the others.
    """
    content = store.shared_value(market, RECORD)
    if content is None:
        return
    try:
        theirs = record.parse(content)
    except DAMAGE:
        warn("the archive's record in the history is damaged: this machine uses its own record")
        return
    ours = record.load(directory, market, warn)
    own = {
        day: entry
        for day, entry in ours.days.items()
        if entry.page and not (day in theirs.days and theirs.days[day].page)
    }
    targets = {
        name: _without_days(
            _merge_flags(target, ours.targets.get(name)) if own else target,
            own.keys() - _days_of_target(ours, name),
        )
        for name, target in theirs.targets.items()
    }
    merged = record.Record({**ours.days, **theirs.days, **own}, {**ours.targets, **targets})
    if merged != ours:
        try:
            record.save(directory, market, merged)
        except OSError as error:
            raise _write_failure(record.path(directory, market), error) from error


def _merge_flags(target: record.Target, ours: record.Target | None) -> record.Target:
    """Return a target whose list and feed are up to date only if both records say so.

    It is for days that only this machine has, such as after a run that was killed between the day and the
    list: the other machines do not know that the list lacks the day.
    """
    if ours is None:
        return target
    return target._replace(
        is_listed=target.is_listed and ours.is_listed, has_feed=target.has_feed and ours.has_feed
    )


def _without_days(target: record.Target, days: set[date]) -> record.Target:
    """Return a target that also lacks these days."""
    return target._replace(lacks=target.lacks | days, is_listed=False) if days else target


def _days_of_target(own_record: record.Record, target: str) -> set[date]:
    """Return the days that a target has by this record."""
    entry = own_record.targets.get(target)
    return {*own_record.pages} - entry.lacks if entry else set()


def pull_days(store: Store, directory: Path, market: str) -> None:
    """Save the newest days' files of the machine that published last. Raises HistoryError."""
    pages, days = store.shared_value(market, PAGES), store.shared_value(market, DAYS)
    try:
        # Only a valid date may become part of a file's name.
        newest = {
            date.fromisoformat(day): _check(b64decode(content, validate=True))
            for day, content in json.loads(days or b"{}").items()
        }
        own = day_files.find(directory, market)
        for text, page in json.loads(pages or b"{}").items():
            day = date.fromisoformat(text)
            if day not in own and day not in newest:
                newest[day] = day_files.pack({PAGE_NAME: day_files.whole_page(page.encode())})
    except DAMAGE as error:
        raise HistoryNonsense(
            "the archive's newest days in the history are damaged: this machine uses its own days"
        ) from error
    for day, content in newest.items():
        try:
            day_files.save(directory, market, day, content)
        except OSError as error:
            raise _write_failure(day_files.path(directory, market, day), error) from error


def push_days(store: Store, directory: Path, market: str, warn: Callable[[str], None]) -> None:
    """Share the record and the files that the machine that publishes next needs. Raises HistoryError."""
    own_record = record.load(directory, market, warn)
    stored_days = day_files.find(directory, market)
    missing_days = {day for target in own_record.targets.values() for day in target.lacks}
    shared_days = {*sorted(stored_days)[-day_files.LEAST_DAYS :], *(missing_days & stored_days.keys())}
    newest = {
        day: files for day in sorted(shared_days) if (files := day_files.load(directory, market, day, warn))
    }
    try:
        content = read(record.path(directory, market), limits.DOCUMENT_BYTES)
    except OSError as error:
        raise HistoryNonsense(
            f"the archive's record of {market} cannot be read ({error.strerror}), so other machines do not "
            "get the day: let this user read the state directory"
        ) from error
    pages = {
        str(day): target_days.fill_previous(files[PAGE_NAME], market, _previous_day(own_record, day)).decode()
        for day, files in newest.items()
    }
    days = {str(day): b64encode(day_files.pack(files)).decode() for day, files in newest.items()}
    values = {RECORD: content, PAGES: json.dumps(pages).encode(), DAYS: json.dumps(days).encode()}
    store.share_values(market, values)


def _previous_day(own_record: record.Record, day: date) -> date | None:
    return max((other for other in own_record.pages if other < day), default=None)


def _check(content: bytes) -> bytes:
    """Return a packed day, unchanged. Raises ValueError if it is not whole."""
    day_files.unpack(content)
    return content


def _write_failure(file: Path, error: OSError) -> HistoryNonsense:
    return HistoryNonsense(
        f"{file} cannot be written ({error.strerror}), so the archive lacks days that other machines "
        "published: make room in the state directory"
    )
