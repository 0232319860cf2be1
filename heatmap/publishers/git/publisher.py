"""Publishes into a branch of a Git repository, from which GitHub, GitLab and others serve pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError
from heatmap.publishers.folder import FolderPublisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from heatmap.publishers.delivery import Delivery
    from heatmap.publishers.git.commands import Repository
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

SCHEME = "git+file:"
NO_REF = re.compile(r"^[-./]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|/\.|(?:[./]|\.lock)$|^@$|^$")


@dataclass(frozen=True, slots=True)
class GitPublisher:
    """A branch of the repository that a checkout on this machine belongs to.

    `url` is `git+file:checkout`; a relative path starts at the folder of the configuration. After a run the
    branch has one commit. It holds the branch's earlier files and the pages, which lie in `folder` ("": at
    the top). The commit is pushed to `remote`; if `push` is false, it is put into the local repository.
    Nothing else in the repository changes: neither the files of the checkout, nor the index, HEAD, other
    branches or reflogs. If `overwrite` is true, pages may replace files that this program did not write.
    """

    url: str
    branch: str = "gh-pages"
    remote: str = "origin"
    push: bool = True
    folder: str = ""
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError with a sentence for each value that is not valid."""
        problems: list[str] = []
        try:
            if not self.url.lower().startswith(SCHEME):
                raise ConfigError([f"url must be a checkout on this machine, as in {SCHEME}site"])
            self._parse_url()
        except ConfigError as error:
            problems.extend(problem.replace("file:", SCHEME) for problem in error.problems)
        for name, value, example in (("branch", self.branch, "gh-pages"), ("remote", self.remote, "origin")):
            if NO_REF.search(value) or not value.isprintable():
                problems.append(f"{name} must be a name that git allows, such as {name} = {example!r}")
        parts = self.folder.strip("/").split("/") if self.folder else []
        if not self.folder.isprintable() or any(part.lower() in ("", ".", "..", ".git") for part in parts):
            problems.append("folder must be a path inside the repository, such as docs/heatmap")
        if problems:
            raise ConfigError(problems)

    @property
    def name(self) -> str:
        """The name of this target in messages."""
        return f"{SCHEME}{self.path} ({self.branch})"

    @property
    def path(self) -> str:
        """The path of the checkout, decoded."""
        return self._parse_url().folder

    def resolve_paths(self, base: Path) -> GitPublisher:
        """Return the same target; if its path is relative, it now starts at `base`."""
        return replace(self, url=f"git+{self._parse_url().resolve_paths(base).url}")

    def problems(self) -> Sequence[str]:
        """Return a sentence for each thing that is missing: the command, the checkout."""
        import os
        from shutil import which

        problems = []
        if which("git") is None:
            problems.append("the command git is not installed: install it (Debian: apt-get install git)")
        if not os.path.isdir(self.path):
            problems.append(f"there is no folder {self.path}: clone the repository there")
        return problems

    def publish(self, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
        """Make one commit of the branch's files and the pages, push it, and check that the branch is at it.

        If the branch has all pages already, nothing changes. Raises PublishError.
        """
        from heatmap.publishers.git.branch import publish

        return publish(self._make_repository(), pages, deadline)

    def find(self, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
        """Return those of `paths` that the branch has. Raises PublishError."""
        from heatmap.publishers.git.branch import find

        return find(self._make_repository(), paths, deadline)

    def check(
        self,
        deadline: Deadline,
        pages: Sequence[WebFile] = (),
        visit: Callable[[str, bytes], None] | None = None,  # noqa: ARG002 -- a dry run shows visitors nothing
    ) -> str:
        """Find the repository, check that `pages` would replace no foreign file, and try a push (dry run).

        Return a sentence about the branch. Raises PublishError.
        """
        from heatmap.publishers.git.branch import check

        return check(self._make_repository(), deadline, pages)

    def _make_repository(self) -> Repository:
        from heatmap.publishers.git.commands import Repository

        return Repository(
            path=self.path,
            name=self.name,
            branch=self.branch,
            remote=self.remote,
            folder=self.folder.strip("/"),
            push=self.push,
            overwrite=self.overwrite,
        )

    def _parse_url(self) -> FolderPublisher:
        return FolderPublisher("file:" + self.url[len(SCHEME) :])
