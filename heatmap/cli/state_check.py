"""What `heatmap check` says of the state directory: who may write in it, and what else is in it."""

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
    """Yield a sentence for each problem of the state directory that fails no run. Raises OSError."""
    directory = config.state_directory
    status = os.stat(directory)
    if status.st_uid != os.geteuid():
        yield (
            f"{directory} belongs to {_user(status.st_uid)}, and this is {_user(os.geteuid())}. Run the "
            "check as the user that the runs have: files of another user can be in their way"
        )
    writers = _writers(status)
    if writers:
        yield (
            f"{directory} can be written by {writers}: they can change what is remembered, and stop runs. "
            f"If that is not on purpose: chmod go-w {directory}"
        )
    for folder in Path(os.path.realpath(directory)).parents:
        above = os.stat(folder)
        writers = "" if above.st_mode & stat.S_ISVTX else _writers(above)
        if writers:
            yield (
                f"{folder}, which {directory} is in, can be written by {writers}: they can put another state "
                f"directory in its place. If that is not on purpose: chmod go-w {folder}"
            )
    yield from _find_misplaced(config, status)
    yield from _find_foreign_files(config)


def _find_misplaced(config: Config, found: os.stat_result) -> Iterator[str]:
    """Yield what is wrong with where the state directory is, and with what else is in it."""
    directory = config.state_directory
    targets = {each.name: each.folder for each in config.publishers if isinstance(each, FolderPublisher)}
    for name, folder in targets.items():
        if _is_in(directory, folder):
            yield (
                f"{directory} is in the folder of the target {name}, so visitors may read what is "
                "remembered: name a state_directory elsewhere"
            )
    textfile = config.monitor.textfile if config.monitor else None
    read_by_others = {**targets, **({f"textfile {textfile}": str(textfile)} if textfile else {})}
    inside = {name: path for name, path in read_by_others.items() if _is_in(path, directory, same=False)}
    if not found.st_mode & stat.S_IXOTH:
        for name in inside:
            yield (
                f"{name} is in {directory}, which other users may not enter "
                f"(mode {stat.S_IMODE(found.st_mode):04o}): nobody can read it there. Put it elsewhere"
            )
    real = os.path.realpath(directory)
    known = {os.path.relpath(os.path.realpath(path), real).partition("/")[0] for path in inside.values()}
    foreign = [name for name in file_names.find_foreign(directory) if name not in known]
    if foreign:
        more = f" and {len(foreign) - MOST_NAMES} more" if len(foreign) > MOST_NAMES else ""
        yield (
            f"{directory} has other files in it ({', '.join(foreign[:MOST_NAMES])}{more}): "
            'name a state_directory for this program alone, such as state_directory = "state"'
        )


def _find_foreign_files(config: Config) -> Iterator[str]:
    """Yield what stands in the place of files that runs can do without."""
    directory = config.state_directory
    with suppress(OSError):
        with open(os.open(directory / memory.LOCK_NAME, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            is_ours = memory.is_mark(file.read(memory.MOST_MARK_BYTES))
        if not is_ours:
            yield (
                f"{directory / memory.LOCK_NAME} holds words of another program: runs leave them there, and "
                "do not notice one that was killed. Move the file away"
            )
    note = directory / idle.FILE_NAME
    given = str(config.path) if config.path else None
    is_note = not idle.is_default_directory(given, str(directory))  # elsewhere none is written
    with suppress(OSError):
        is_note = is_note or idle.is_marker(str(note))
    if not is_note:
        yield f"{note} is not of this program: runs outside market hours take longer. Move it away"
    from heatmap.pictures import compiled_templates

    try:
        with compiled_templates.open_folder(directory):
            pass
    except FileNotFoundError:
        return
    except OSError:
        yield (
            f"{directory / compiled_templates.FOLDER} is not a folder that this user alone can write: each "
            "run compiles the templates anew. Remove it"
        )


def _writers(found: os.stat_result) -> str:
    """Return who else may write in a folder; "" if nobody. Access control lists show in the group's bits."""
    if found.st_mode & stat.S_IWOTH:
        return "every user of this machine"
    if found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid):
        return f"the group {_group(found.st_gid)}"
    return ""


def _is_private(group: int) -> bool:
    """Whether a group is this user's own, of the same name and with nobody else in it."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return user.pw_gid == group and user.pw_name == entry.gr_name and set(entry.gr_mem) <= {user.pw_name}


def _is_in(path: str | Path, folder: str | Path, *, same: bool = True) -> bool:
    """Whether a path leads into a folder, links followed; `same`: or is that folder."""
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
