"""Publishes into a branch of a Git repository, as the pages of GitHub, GitLab and others are."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError
from heatmap.publishers.file import FilePublisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from heatmap.deadline import Deadline
    from heatmap.model import Page
    from heatmap.publishers.delivery import Delivery

SCHEME = "git+file:"
NO_REF = re.compile(r"^[-./]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|/\.|(?:[./]|\.lock)$|^@$|^$")


@dataclass(frozen=True, slots=True)
class GitPublisher:
    """A branch, found through a checkout on this machine: `git+file:checkout`, relative to the configuration.

    The branch holds one commit, whose files are the branch's own with the pages put in `folder` ("": at the
    top); it is pushed to `remote`, or, with `push` false, put into the repository at hand. Nothing else there
    changes: not the files checked out, the index, HEAD, another branch, or a reflog.
    """

    url: str
    branch: str = "gh-pages"
    remote: str = "origin"
    push: bool = True
    folder: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems: list[str] = []
        try:
            if not self.url.lower().startswith(SCHEME):
                raise ConfigError([f"url must be a checkout on this machine, as in {SCHEME}site"])
            self._place()
        except ConfigError as error:
            problems.extend(problem.replace("file:", SCHEME) for problem in error.problems)
        for name, value in (("branch", self.branch), ("remote", self.remote)):
            if NO_REF.search(value) or not value.isprintable():
                problems.append(f"{name} must be a name that git allows, such as {name} = {_default(name)!r}")
        parts = self.folder.strip("/").split("/") if self.folder else []
        if not self.folder.isprintable() or any(part.lower() in ("", ".", "..", ".git") for part in parts):
            problems.append("folder must be a path inside the repository, such as docs/heatmap")
        if problems:
            raise ConfigError(problems)

    @property
    def name(self) -> str:
        """What messages call this target."""
        return f"{SCHEME}{self.path} ({self.branch})"

    @property
    def path(self) -> str:
        """Where the repository is, decoded."""
        return self._place().folder

    def located(self, base: Path) -> GitPublisher:
        """Return the same target with a relative path taken from `base`."""
        return replace(self, url=f"git+{self._place().located(base).url}")

    def problems(self) -> Sequence[str]:
        """Say what is missing: the command, the checkout."""
        import os
        from shutil import which

        found = []
        if which("git") is None:
            found.append("the command git is not installed: install it (Debian: apt-get install git)")
        if not os.path.isdir(self.path):
            found.append(f"there is no folder {self.path}: clone the repository there")
        return found

    def publish(self, pages: Sequence[Page], deadline: Deadline) -> Delivery:
        """Make one commit of the branch's files and the pages, and see that the branch has it.

        Where all pages are there already nothing is done. Raises PublishError.
        """
        from heatmap.publishers.git_branch import publish

        return publish(self, pages, deadline)

    def find(self, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of these files that the branch holds. Raises PublishError."""
        from heatmap.publishers.git_branch import find

        return find(self, paths, deadline)

    def check(
        self,
        deadline: Deadline,
        pages: Sequence[Page] = (),
        visit: Callable[[str, bytes], None] | None = None,  # noqa: ARG002 -- what is not pushed cannot be seen
    ) -> str:
        """Find the repository, see whose `pages` the branch has, try a push that changes nothing.

        Raises PublishError.
        """
        from heatmap.publishers.git_branch import check

        return check(self, deadline, pages)

    def _place(self) -> FilePublisher:
        return FilePublisher("file:" + self.url[len(SCHEME) :])


def _default(name: str) -> str:
    return {"branch": "gh-pages", "remote": "origin"}[name]
