"""Removes the lock that a killed git left on our branch, in a repository of this machine.

git holds such a lock for milliseconds while it changes the branch. After SIGKILL the lock stays, and every
later push fails.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.publishers import git_words
from heatmap.publishers.git_commands import REMOTE, GitFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heatmap.deadline import Deadline
    from heatmap.publishers.git_commands import Git

STALE_DEADLINES = 3  # a lock is removed once it is older than so many deadlines: no push of ours lasts longer
ON_ANOTHER_HOST = re.compile(r"[^/]*:")  # host:path, scheme://, helper::address
FILE_URL = "file://"
PROCESSES = "/proc"


def remove_stale(git: Git, words: str, deadline: Deadline) -> str | None:
    """Remove the lock that git's `words` name; return its path, or None where it must stay.

    It is removed if it locks our branch (or the HEAD that leads to it) in a repository of this machine, is
    older than STALE_DEADLINES deadlines, and no git process that could hold it works there. Where processes
    cannot be seen (no /proc), it stays.
    """
    found = git_words.LOCK.search(words)
    repository = _repository(git) if found else None
    if found is None or repository is None:
        return None
    lock = os.path.realpath(found[1])
    ours = (f"refs/heads/{git.target.branch}.lock", "HEAD.lock")
    if lock not in [os.path.join(repository, name) for name in ours]:
        return None
    with suppress(OSError):
        before = os.lstat(lock)
        if time.time() - before.st_mtime < STALE_DEADLINES * deadline.seconds:
            return None
        if _is_worked_in(repository, before.st_uid):
            return None
        after = os.lstat(lock)  # another push may have removed the lock and made its own
        if (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns):
            os.unlink(lock)
            return lock
    return None


def _repository(git: Git) -> str | None:
    """Return the folder of the remote's repository, without links; None where it is on another host."""
    from urllib.parse import unquote

    url = _push_url(git)
    path = unquote(url.removeprefix(FILE_URL)) if url.startswith(f"{FILE_URL}/") else url
    if path is url and ON_ANOTHER_HOST.match(url):
        return None
    for name in (path, f"{path}.git"):  # git finds it under either
        with suppress(GitFailed, PublishError):
            where = git.run("-C", name, "rev-parse", "--path-format=absolute", "--git-common-dir")
            return os.path.realpath(where)
    return None


def _push_url(git: Git) -> str:
    """Return the address that a push goes to, as git_commands has configured it."""
    for key in ("pushurl", "url"):
        with suppress(GitFailed):
            return git.run("config", "--get", f"remote.{REMOTE}.{key}")
    raise AssertionError("a push has an address")


def _is_worked_in(repository: str, owner: int) -> bool:
    """Return whether a git process of this user works in a repository, or may: where it works is not shown.

    Raises OSError where processes cannot be seen.
    """
    folder = os.path.dirname(repository) if os.path.basename(repository) == ".git" else repository
    for process in _git_processes(owner):
        try:
            place = os.readlink(f"{process}/cwd")
        except FileNotFoundError:  # it has just ended
            continue
        except OSError:
            return True
        if os.path.commonpath((place, folder)) == folder:
            return True
    return False


def _git_processes(owner: int) -> Iterator[str]:
    """Yield the folder below /proc of each git process of a user."""
    for name in filter(str.isdecimal, os.listdir(PROCESSES)):
        process = f"{PROCESSES}/{name}"
        with suppress(OSError):  # most likely it has just ended
            if os.stat(process).st_uid == owner:
                with open(f"{process}/comm", encoding="utf-8", errors="replace") as file:
                    is_git = file.read().startswith("git")
                if is_git:
                    yield process
