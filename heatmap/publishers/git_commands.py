"""Runs git in a user's repository, with objects and index apart, and tells of its failures.

What is written goes into `heatmap/objects` in the repository's own folder (.git), which borrows from the
repository's objects: so what is no longer needed can be deleted, and nothing of the user's is.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from shlex import quote
from typing import TYPE_CHECKING

from heatmap import credentials, shortage
from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import git_store, git_words
from heatmap.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.deadline import Deadline
    from heatmap.publishers.git import GitPublisher

LOWEST = (2, 31)  # the version that takes configuration from the environment
REMOTE = "heatmap"  # the name under which the remote is known here: git keeps no notes of such a one
ELSEWHERE = (  # variables that would lead git to another repository
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_CONFIG", "GIT_SHALLOW_FILE", "GIT_QUARANTINE_PATH",
)  # fmt: skip


class GitFailed(Exception):
    """A git command ended with an error. `words`: all it said."""

    def __init__(self, words: str, output: str) -> None:
        super().__init__(words)
        self.words = words
        self.output = output


class Git:
    """One repository and one deadline."""

    def __init__(self, target: GitPublisher, deadline: Deadline) -> None:
        """Find the repository and what is configured for it. Raises PublishError."""
        self.target = target
        self._deadline = deadline
        self._secrets: set[str] = set()  # of the remote's address
        self._environment = {
            name: value for name, value in credentials.child_environment().items() if name not in ELSEWHERE
        }
        self._environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        self.version = self.step("be run", "version").removeprefix("git version ")
        found = re.match(r"(\d+)\.(\d+)", self.version)
        if found is None or (int(found[1]), int(found[2])) < LOWEST:
            raise PublishImpossible(
                f"{target.name}: git is {self.version}: install {LOWEST[0]}.{LOWEST[1]} or newer"
            )
        self._folder = os.path.join(target.path, self._repository())
        self._remember()
        self._make_store()

    def step(self, what: str, *words: str, content: bytes = b"", index: str | None = None) -> str:
        """Return what a command prints. Raises PublishError saying that git cannot `what`."""
        try:
            return self.run(*words, content=content, index=index)
        except GitFailed as failure:
            raise self.explain(failure, what) from None

    def run(self, *words: str, content: bytes = b"", index: str | None = None) -> str:
        """Return what a command prints, without the last line's end. Raises GitFailed, PublishError.

        `index` is the file to take for the index.
        """
        from subprocess import PIPE, Popen, TimeoutExpired

        more = {"GIT_INDEX_FILE": index} if index else {}
        try:
            child = Popen(
                ["git", "-C", self.target.path, *words],
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**self._environment, **more},
                start_new_session=True,  # a group of its own, so that it ends with all that it started
            )
        except OSError as error:
            shortage.refuse(error)
            raise PublishImpossible(
                f"{self.target.name}: git cannot be run ({error.strerror}): install it"
            ) from error

        with child:
            try:
                with self._deadline.interrupting(lambda: _kill(child.pid)):
                    out, err = child.communicate(content, timeout=self._deadline.remaining())
            except TimeoutExpired:
                out, err = b"", b""
            finally:
                if child.returncode is None:
                    _kill(child.pid)
        if not self._deadline.remaining():
            seconds = f"{self._deadline.seconds:.3g}"
            raise PublishError(
                f"{self.target.name}: the run's {seconds} seconds were over before git {words[0]} was done: "
                "the next run tries again"
            )
        output = os.fsdecode(out).removesuffix("\n")
        if child.returncode:
            said = err.decode(errors="replace")
            raise GitFailed(redact(said, self._secrets), redact(output, self._secrets))
        return output

    def explain(self, failure: GitFailed, what: str) -> PublishError:
        """Return a failed command as a sentence."""
        return git_words.explain(self.target.name, self.target.path, failure.words, what)

    def prune(self, commit: str) -> None:
        """Delete what was stored for earlier commits, as well as can be."""
        with suppress(GitFailed, PublishError, OSError):
            needed = set(self.run("rev-list", "--objects", "--no-object-names", commit).split())
            git_store.remove_unneeded(self._store, needed)

    def remove_damaged(self) -> bool:
        """Remove damaged objects of ours; return whether there were any, and time is left to try again."""
        is_healed = git_store.remove_damaged(self._store, lambda: self._deadline.remaining() > 0)
        return is_healed and self._deadline.remaining() > 0

    def _repository(self) -> str:
        """Return the repository's own folder, relative to the checkout."""
        try:
            return self.run("rev-parse", "--git-common-dir")
        except GitFailed as failure:
            raise git_words.no_repository(self.target.name, self.target.path, failure.words) from None

    def _remember(self) -> None:
        """Take over what is configured: the remote's address, the committer, how to call ssh."""
        known = dict.fromkeys(self._lines("config", "--name-only", "--get-regexp", r"^(user|core)\."))
        settings = {
            "gc.auto": "0",
            "maintenance.auto": "false",
            "fetch.unpackLimit": "1000000",  # so that all objects are files of their own, and can be deleted
        }
        if self.target.push:
            for key, option in (("url", ()), ("pushurl", ("--push",))):
                settings[f"remote.{REMOTE}.{key}"] = self._remote_url(*option)
        else:
            settings[f"remote.{REMOTE}.url"] = os.path.abspath(self._folder)
            settings[f"remote.{REMOTE}.receivepack"] = "git -c core.logAllRefUpdates=false receive-pack"
        for role in ("AUTHOR", "COMMITTER"):
            for part, value in (("name", "heatmap"), ("email", "heatmap@localhost")):
                if f"user.{part}" not in known:
                    self._environment.setdefault(f"GIT_{role}_{part.upper()}", value)
        if "core.sshcommand" not in known and "GIT_SSH" not in self._environment:
            self._environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20")
        self._environment |= _configuration(self._environment, settings)

    def _lines(self, *words: str) -> list[str]:
        try:
            return self.run(*words).splitlines()
        except GitFailed:  # git config finds nothing
            return []

    def _remote_url(self, *options: str) -> str:
        try:
            url = self.run("remote", "get-url", *options, self.target.remote)
        except GitFailed:
            raise PublishImpossible(
                f"{self.target.name}: the repository has no remote {self.target.remote!r}: "
                f"name one that `git -C {quote(self.target.path)} remote` shows, or set push = false"
            ) from None
        self._secrets |= git_words.secrets(url)
        return url

    def _make_store(self) -> None:
        try:
            self._store = git_store.make(self._folder)
        except OSError as error:
            kind = PublishRefused if isinstance(error, PermissionError) else PublishError
            raise kind(
                f"{self.target.name}: {os.path.join(self._folder, git_store.FOLDERS[1])} cannot be written "
                f"({error.strerror}): "
                "let this user write there, or make room"
            ) from error
        self._environment["GIT_OBJECT_DIRECTORY"] = os.path.abspath(self._store)


def _configuration(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return variables that add settings to those that come by variables already."""
    found = environment.get("GIT_CONFIG_COUNT", "")
    first = int(found) if found.isascii() and found.isdigit() else 0
    more = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings.items(), first):
        more |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return more


def _kill(group: int) -> None:
    """End a command with all that it started, if anything is left of it."""
    import signal

    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
