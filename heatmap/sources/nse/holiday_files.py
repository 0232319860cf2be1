"""The files that store the exchange's holiday list: the overrides file, or one in the state directory.

A market's calendar is the packaged calendar, with the file of the state directory merged over it, and the
overrides file merged over both. A list is stored in the overrides file, if the configuration names one and it
can be written; else in the file of the state directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import ConfigError, as_write_error
from heatmap.market.calendar import overrides, overrides_file, packaged
from heatmap.sources.nse import calendar_update
from heatmap.state import json_files
from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from heatmap.market.calendar.packaged import SessionOptions
    from heatmap.market.calendar.phases import Calendar
    from heatmap.sources.nse.calendar_update import Update
    from heatmap.sources.nse.holidays import Holidays

HEADER = (
    "# The exchange's holiday list, kept by heatmap. Entries of your own belong into the file that\n"
    "# `overrides` under [market.session] names.\n"
)


class HolidayFile(NamedTuple):
    """One file and its text; for a missing file, the beginning of a new one.

    `beneath` is the calendar without the file; `above` is the text of the overrides file that is merged over
    it.
    """

    path: Path
    text: str
    beneath: Calendar
    above: str = ""


def find_files(options: SessionOptions, base: Path, state_directory: Path) -> list[HolidayFile]:
    """Return the files that can store a list for these options, in the order of attempts.

    Relative paths start at `base`. A calendar without such a list has none. Raises ConfigError if the
    overrides file cannot be read.
    """
    in_state = packaged.find_holiday_file(options, state_directory)
    if in_state is None:
        return []
    calendar = packaged.load_packaged(options)
    text = _read_usable(in_state, calendar)
    if options.overrides is None:
        return [HolidayFile(in_state, text, calendar)]
    path = (base / options.overrides).resolve()  # the target of a link is replaced, not the link
    own = overrides.read(path)
    beneath = overrides.merge(calendar, text, in_state.name, [])
    return [HolidayFile(path, own, beneath), HolidayFile(in_state, text, calendar, own)]


def drop_incomplete_years(lists: Sequence[Holidays]) -> tuple[Holidays, ...]:
    """Return the lists without incomplete earlier years, which have the days still to come only."""
    return tuple(listed for listed in lists if listed is lists[-1] or not listed.missing)


def merge(file: HolidayFile, lists: Sequence[Holidays], today: date) -> tuple[str, list[Update]]:
    """Return the file's new text, and the update by each list. Raises SourceNonsense and ConfigError."""
    text, updates = file.text, []
    for listed in lists:
        updates.append(
            calendar_update.update(file.beneath, text, file.path.name, listed, today, above=file.above)
        )
        text = updates[-1].text
    return text, updates


def save(
    files: Sequence[HolidayFile], lists: Sequence[Holidays], today: date
) -> tuple[HolidayFile, list[Update]]:
    """Merge the lists into the first file that can be written; return it and the update by each list.

    An unchanged file is not written. Raises SourceNonsense, and ConfigError with the reasons for all files.
    """
    failures: list[ConfigError] = []
    for file in files:
        try:
            text, updates = merge(file, lists, today)
            if file.above:
                _refuse_hidden(file, updates)
            if text != file.text:
                _write(file.path, text)
        except ConfigError as error:
            failures.append(error)
        else:
            return file, updates
    raise type(failures[-1])([problem for failure in failures for problem in failure.problems])


def _read_usable(path: Path, calendar: Calendar) -> str:
    """Return the text of the state directory's file; if it cannot be used, the beginning of a new one."""
    problems: list[str] = []
    try:
        text = overrides.read(path)
        overrides_file.remove_block(text)
        overrides.merge(calendar, text, path.name, problems)
    except ConfigError:
        return HEADER
    return HEADER if problems else text


def _refuse_hidden(file: HolidayFile, updates: Sequence[Update]) -> None:
    """Raise ConfigError if an older block of the overrides file overrides a date of a list."""
    own = overrides.read_dates(overrides_file.remove_block(file.above))
    hidden = [change for update in updates for change in update.user_differences if change.day not in own]
    if hidden:
        problem = (
            f"{file.path} cannot keep the list, because an older one in the overrides file has another entry "
            f"for {hidden[0].day}: make the overrides file writable"
        )
        raise ConfigError([problem])


def _write(path: Path, text: str) -> None:
    """Replace the file, whole or not at all, with the same permissions. Raises ConfigError."""
    from stat import S_IMODE

    try:
        json_files.make_state_directory(path.parent)
        mode = None
        if path.exists():
            path.open("r+b").close()  # a folder that may be written lets even a read-only file be replaced
            mode = S_IMODE(path.stat().st_mode)
        files.write(path, text.encode(), mode=mode)
    except OSError as error:
        raise as_write_error(
            error, f"{path} cannot be written ({error.strerror}): make it writable"
        ) from error
