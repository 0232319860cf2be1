"""Runs git in a user's repository, with a separate folder of objects and a separate index.

git writes new objects into `heatmap/objects` in the repository's own folder (.git). It reads the user's
objects, too, but never writes or deletes one. So this program can delete objects that it no longer needs.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.git import messages, store
from heatmap.system import processes, resource_errors, secrets
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.system.deadline import Deadline

LOWEST_VERSION = (2, 31)  # the first version of git that reads configuration from the environment
REMOTE = "heatmap"  # the remote's name here; it has no fetch refspec, so git writes no tracking branches
REDIRECTING_VARIABLES = (  # variables that make git use another repository, index or folder of objects
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_CONFIG", "GIT_SHALLOW_FILE", "GIT_QUARANTINE_PATH",
)  # fmt: skip


class Repository(NamedTuple):
    """A branch in the repository of a checkout. `name` is the name of the target in messages.

    `path` is the checkout's. `folder` is the pages' place in the branch ("": at the top), without a slash at
    its ends. The branch is the one of `remote`; if `push` is false, that of the local repository. If
    `overwrite` is true, pages may replace files that this program did not write.
    """

    path: str
    name: str
    branch: str
    remote: str
    folder: str
    push: bool
    overwrite: bool

    @property
    def ref(self) -> str:
        """The branch's full name."""
        return f"refs/heads/{self.branch}"


class GitFailed(Exception):
    """A git command result with an error. `stderr` and `stdout` are its output, without secrets."""

    def __init__(self, stderr: str, stdout: str) -> None:
        super().__init__(stderr)
        self.stderr = stderr
        self.stdout = stdout


class Git:
    """Runs git commands in one repository, up to a deadline."""

    def __init__(self, repository: Repository, deadline: Deadline) -> None:
        """Find the repository's own folder, read the configuration, and make the folder of objects.

        Raises PublishError.
        """
        self.repository = repository
        self._deadline = deadline
        self._secrets: set[str] = set()  # parts of the remote's address
        self._environment = {
            name: value
            for name, value in secrets.child_environment().items()
            if name not in REDIRECTING_VARIABLES
        }
        self._environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
        self.version = self.step("be run", "version").removeprefix("git version ")
        version = re.match(r"(\d+)\.(\d+)", self.version)
        if version is None or (int(version[1]), int(version[2])) < LOWEST_VERSION:
            lowest = ".".join(map(str, LOWEST_VERSION))
            raise PublishImpossible(f"{repository.name}: git is {self.version}: install {lowest} or newer")
        self._folder = os.path.join(repository.path, self._find_folder())
        self._configure()
        self._make_store()

    def step(self, action: str, *arguments: str, content: bytes = b"", index: str | None = None) -> str:
        """Return the output of a command. Raises PublishError with the sentence "git cannot `action`"."""
        try:
            return self.run(*arguments, content=content, index=index)
        except GitFailed as failure:
            raise self.describe_error(failure, action) from None

    def run(self, *arguments: str, content: bytes = b"", index: str | None = None) -> str:
        """Return the output of a command, without its last line break. Raises GitFailed, PublishError.

        The command reads `content`. `index` is the path of the index to use; None: the repository's own.
        """
        from subprocess import PIPE

        index_variable = {"GIT_INDEX_FILE": index} if index else {}
        result: processes.CompletedProcess | None = None
        try:
            result = processes.run(
                ["git", "-C", self.repository.path, *arguments],
                self._deadline.remaining(),
                environment={**self._environment, **index_variable},
                content=content,
                stderr=PIPE,
                deadline=self._deadline,
            )
        except TimeoutError:
            pass
        except OSError as error:
            resource_errors.refuse(error)
            raise PublishImpossible(
                f"{self.repository.name}: git cannot be run ({error.strerror}): install it"
            ) from error
        if result is None or not self._deadline.remaining():
            seconds = f"{self._deadline.seconds:.3g}"
            raise PublishError(
                f"{self.repository.name}: the run's {seconds} seconds were over before git {arguments[0]} "
                "was done: the next run tries again"
            )
        output = os.fsdecode(result.stdout).removesuffix("\n")
        if result.code:
            message = result.stderr.decode(errors="replace")
            raise GitFailed(redact(message, self._secrets), redact(output, self._secrets))
        return output

    def describe_error(self, failure: GitFailed, action: str) -> PublishError:
        """Return the error of a command that failed. `action`: what git could not do."""
        return messages.describe_error(self.repository.name, self.repository.path, failure.stderr, action)

    def prune(self, commit: str) -> None:
        """Delete old objects that `commit` does not need. If that fails, they stay."""
        with suppress(GitFailed, PublishError, OSError):
            needed = set(self.run("rev-list", "--objects", "--no-object-names", commit).split())
            store.remove_unneeded(self._store, needed)

    def remove_damaged(self) -> bool:
        """Remove damaged objects of this program.

        Return whether another attempt makes sense: some were removed, and there is time left.
        """
        has_removed = store.remove_damaged(self._store, lambda: self._deadline.remaining() > 0)
        return has_removed and self._deadline.remaining() > 0

    def _find_folder(self) -> str:
        """Return the path of the repository's own folder (.git), relative to the checkout."""
        try:
            return self.run("rev-parse", "--git-common-dir")
        except GitFailed as failure:
            raise messages.make_missing_repository_error(
                self.repository.name, self.repository.path, failure.stderr
            ) from None

    def _configure(self) -> None:
        """Configure the remote, the committer and ssh for later commands; the user's own values hold."""
        user_keys = self._read_lines("config", "--name-only", "--get-regexp", r"^(user|core)\.")
        settings = {
            "gc.auto": "0",
            "maintenance.auto": "false",
            "fetch.unpackLimit": "1000000",  # each object is then a file, which this program can delete
        }
        if self.repository.push:
            for key, option in (("url", ()), ("pushurl", ("--push",))):
                settings[f"remote.{REMOTE}.{key}"] = self._read_remote_url(*option)
        else:
            settings[f"remote.{REMOTE}.url"] = os.path.abspath(self._folder)
            settings[f"remote.{REMOTE}.receivepack"] = "git -c core.logAllRefUpdates=false receive-pack"
        for role in ("AUTHOR", "COMMITTER"):
            for part, value in (("name", "heatmap"), ("email", "heatmap@localhost")):
                if f"user.{part}" not in user_keys:
                    self._environment.setdefault(f"GIT_{role}_{part.upper()}", value)
        if "core.sshcommand" not in user_keys and "GIT_SSH" not in self._environment:
            self._environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20")
        self._environment |= _make_variables(self._environment, settings)

    def _read_lines(self, *arguments: str) -> list[str]:
        try:
            return self.run(*arguments).splitlines()
        except GitFailed:  # so ends git config if no key matches
            return []

    def _read_remote_url(self, *options: str) -> str:
        try:
            url = self.run("remote", "get-url", *options, self.repository.remote)
        except GitFailed:
            raise PublishImpossible(
                f"{self.repository.name}: the repository has no remote {self.repository.remote!r}: "
                f"name one that `git -C {quote(self.repository.path)} remote` shows, or set push = false"
            ) from None
        self._secrets |= messages.find_secrets(url)
        return url

    def _make_store(self) -> None:
        try:
            self._store = store.make_store(self._folder)
        except OSError as error:
            kind = PublishRefused if isinstance(error, PermissionError) else PublishError
            folder = os.path.join(self._folder, store.FOLDERS[1])
            raise kind(
                f"{self.repository.name}: {folder} cannot be written ({error.strerror}): "
                "let this user write there, or make room"
            ) from error
        self._environment["GIT_OBJECT_DIRECTORY"] = os.path.abspath(self._store)


def _make_variables(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that give git these settings, and leave those that `environment` already gives."""
    count = environment.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isascii() and count.isdigit() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings.items(), first):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables
