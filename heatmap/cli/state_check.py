"""Checks the state directory for `heatmap check`: its permissions, its place and foreign files."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from heatmap.publishers.folder import FolderPublisher
from heatmap.state import file_names, idle, memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.config.loader import Config

MOST_NAMES = 4  # in one sentence


def find_problems(config: Config) -> Iterator[str]:
    """Yield a sentence for each problem of the state directory that does not fail runs. Raises OSError."""
    directory = config.state_directory
    status = os.stat(directory)
    if status.st_uid != os.geteuid():
        yield (
            f"{directory} belongs to {_user(status.st_uid)}, but this check runs as {_user(os.geteuid())}. "
            "Run the check as the user of the runs: files of another user can block them"
        )
    writers = _writers(status)
    if writers:
        yield (
            f"{directory} can be written by {writers}: they can change the state, and stop runs. "
            f"If you do not want that: chmod go-w {directory}"
        )
    for folder in Path(os.path.realpath(directory)).parents:
        folder_status = os.stat(folder)
        writers = "" if folder_status.st_mode & stat.S_ISVTX else _writers(folder_status)
        if writers:
            yield (
                f"{folder}, a parent of {directory}, can be written by {writers}: they can replace the state "
                f"directory. If you do not want that: chmod go-w {folder}"
            )
    yield from _find_misplaced(config, status)
    yield from _find_foreign_files(config)


def _find_misplaced(config: Config, status: os.stat_result) -> Iterator[str]:
    """Yield problems of the place of the state directory, and of other files in it."""
    directory = config.state_directory
    targets = {each.name: each.folder for each in config.publishers if isinstance(each, FolderPublisher)}
    for name, folder in targets.items():
        if _is_in(directory, folder):
            yield (
                f"{directory} is in the folder of the target {name}, so visitors may read the "
                "state: set state_directory to another place"
            )
    textfile = config.monitor.textfile if config.monitor else None
    read_by_others = {**targets, **({f"textfile {textfile}": str(textfile)} if textfile else {})}
    inside = {name: path for name, path in read_by_others.items() if _is_in(path, directory, same=False)}
    if not status.st_mode & stat.S_IXOTH:
        for name in inside:
            yield (
                f"{name} is in {directory}, which other users may not enter "
                f"(mode {stat.S_IMODE(status.st_mode):04o}): nobody can read it there. Choose another place"
            )
    real = os.path.realpath(directory)
    expected = {os.path.relpath(os.path.realpath(path), real).partition("/")[0] for path in inside.values()}
    foreign = [name for name in file_names.find_foreign(directory) if name not in expected]
    if foreign:
        more = f" and {len(foreign) - MOST_NAMES} more" if len(foreign) > MOST_NAMES else ""
        yield (
            f"{directory} has other files ({', '.join(foreign[:MOST_NAMES])}{more}): "
            'set a state_directory for this program only, such as state_directory = "state"'
        )


def _find_foreign_files(config: Config) -> Iterator[str]:
    """Yield foreign files in the places of optional files of this program."""
    directory = config.state_directory
    with suppress(OSError):
        with open(os.open(directory / memory.LOCK_NAME, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            is_ours = memory.is_mark(file.read(memory.MOST_MARK_BYTES))
        if not is_ours:
            yield (
                f"{directory / memory.LOCK_NAME} has text of another program: runs do not overwrite it, and "
                "do not notice killed runs. Move the file away"
            )
    note = directory / idle.FILE_NAME
    config_path = str(config.path) if config.path else None
    is_note = not idle.is_default_directory(config_path, str(directory))  # in other places none is written
    with suppress(OSError):
        is_note = is_note or idle.is_marker(str(note))
    if not is_note:
        yield f"{note} is no file of this program, so runs outside market hours take longer. Move it away"
    from heatmap.pictures import compiled_templates

    try:
        with compiled_templates.open_folder(directory):
            pass
    except FileNotFoundError:
        return
    except OSError:
        yield (
            f"{directory / compiled_templates.FOLDER} is not a folder that only this user can write, so each "
            "run compiles the templates again. Remove it"
        )


def _writers(status: os.stat_result) -> str:
    """Return the others who may write in a folder; "" if nobody. The group's bits include access lists."""
    if status.st_mode & stat.S_IWOTH:
        return "every user of this machine"
    if status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid):
        return f"the group {_group(status.st_gid)}"
    return ""


def _is_private(group: int) -> bool:
    """Whether a group is the user's own: with the same name and without other members."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and user.pw_name == entry.gr_name and set(entry.gr_mem) <= {user.pw_name}


def _is_in(path: str | Path, folder: str | Path, *, same: bool = True) -> bool:
    """Whether a path is inside a folder, after following links; `same`: or is that folder."""
    inner, outer = os.path.realpath(path), os.path.realpath(folder)
    return (same and inner == outer) or inner.startswith(outer.rstrip("/") + "/")


def _user(number: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
