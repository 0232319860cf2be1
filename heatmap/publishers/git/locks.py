"""Removes the lock that a killed git process left on the branch, in a repository on this machine.

git needs the lock for a few milliseconds while it changes the branch. If git is killed (SIGKILL) in that
time, the lock stays, and every later push fails.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.publishers.git import messages
from heatmap.publishers.git.commands import REMOTE, GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.publishers.git.commands import Git
    from heatmap.system.deadline import Deadline

STALE_DEADLINES = 3  # the age of a stale lock, in deadlines: no push of this program lasts longer
ON_ANOTHER_HOST = re.compile(r"[^/]*:")  # host:path, scheme://, helper::address
FILE_URL = "file://"
PROCESSES = "/proc"


def remove_stale(git: Git, stderr: str, deadline: Deadline) -> str | None:
    """Remove the lock that git's message names. Return its path; None if the lock stays, or there is none.

    It is removed if it locks the branch, or the HEAD that points to it, in a repository on this machine; if
    it is older than STALE_DEADLINES deadlines; and if no git process that may have made it works there. If
    processes cannot be listed (no /proc), it stays.
    """
    match = messages.LOCK.search(stderr)
    folder = _find_remote_folder(git) if match else None
    if match is None or folder is None:
        return None
    lock = os.path.realpath(match[1])
    names = (f"{git.repository.ref}.lock", "HEAD.lock")
    if lock not in [os.path.join(folder, name) for name in names]:
        return None
    with suppress(OSError):
        before = os.lstat(lock)
        if time.time() - before.st_mtime < STALE_DEADLINES * deadline.seconds:
            return None
        if _has_git_process(folder, before.st_uid):
            return None
        after = os.lstat(lock)  # another push may have removed this lock and made a new one
        if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
            os.unlink(lock)
            return lock
    return None


def _find_remote_folder(git: Git) -> str | None:
    """Return the real path of the remote repository's own folder; None if it is not on this machine."""
    from urllib.parse import unquote

    url = _read_push_url(git)
    path = unquote(url.removeprefix(FILE_URL)) if url.startswith(f"{FILE_URL}/") else url
    if path is url and ON_ANOTHER_HOST.match(url):
        return None
    for name in (path, f"{path}.git"):  # git accepts a path without its ".git"
        with suppress(GitFailed, PublishError):
            folder = git.run("-C", name, "rev-parse", "--path-format=absolute", "--git-common-dir")
            return os.path.realpath(folder)
    return None


def _read_push_url(git: Git) -> str:
    """Return the address that git pushes to. git_commands has configured it."""
    for key in ("pushurl", "url"):
        with suppress(GitFailed):
            return git.run("config", "--get", f"remote.{REMOTE}.{key}")
    raise AssertionError("a push has an address")


def _has_git_process(folder: str, user_id: int) -> bool:
    """Return whether a git process of a user works, or may work, in a repository with this own folder.

    A process whose working directory cannot be read may work there. Raises OSError if processes cannot be
    listed.
    """
    repository = os.path.dirname(folder) if os.path.basename(folder) == ".git" else folder
    for process in _list_git_processes(user_id):
        try:
            directory = os.readlink(f"{process}/cwd")
        except FileNotFoundError:  # it has just ended
            continue
        except OSError:
            return True
        if os.path.commonpath((directory, repository)) == repository:
            return True
    return False


def _list_git_processes(user_id: int) -> Iterator[str]:
    """Yield the folder below /proc of each git process of a user."""
    for name in filter(str.isdecimal, os.listdir(PROCESSES)):
        process = f"{PROCESSES}/{name}"
        with suppress(OSError):  # most likely it has just ended
            if os.stat(process).st_uid == user_id:
                with open(f"{process}/comm", encoding="utf-8", errors="replace") as file:
                    is_git = file.read().startswith("git")
                if is_git:
                    yield process
