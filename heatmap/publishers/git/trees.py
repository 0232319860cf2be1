"""Makes the tree of the commit: the files of the branch and the pages, without foreign files replaced."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import PublishImpossible
from heatmap.publishers import address, groups, ownership

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.publishers.git.commands import Git, Repository
    from heatmap.publishers.groups import MissingPart
    from heatmap.system.web_file import WebFile

FILE_MODE = "100644"
LINK_MODE = "120000"


class Tree(NamedTuple):
    """The tree to commit, compared with the branch.

    `oid` is "" if no page differs from the branch's. `new_places` is in words, such as "the branch gh-pages".
    """

    oid: str
    changed_count: int  # pages
    unchanged_count: int  # pages
    new_places: tuple[str, ...] = ()
    missing_parts: tuple[MissingPart, ...] = ()  # the parts that are left out


def write_tree(git: Git, tip: str, pages: Sequence[WebFile]) -> Tree:
    """Store a tree with the branch's files and the pages. Raises PublishError."""
    from heatmap.system import temporary

    branch_entries = read_entries(git, tip) if tip else {}
    page_entries: dict[WebFile, str] = {}
    missing_parts: list[MissingPart] = []
    for key, group in groups.group_files(pages).items():
        if groups.leave_out(group, missing_parts):
            try:
                page_entries |= _store_pages(
                    git, branch_entries, group, groups.select_doubtful(group, page_entries)
                )
            except PublishImpossible as error:
                if key == groups.PAGES:
                    raise
                missing_parts += groups.list_missing_parts(pages, [key], str(error))
    changes = {
        page: entry
        for page, entry in page_entries.items()
        if branch_entries.get(_join_path(git, page)) != entry
    }
    unchanged_count = len(page_entries) - len(changes)
    if not changes:
        return Tree("", 0, unchanged_count, missing_parts=tuple(missing_parts))
    lines = b"".join(os.fsencode(f"{entry}\t{_join_path(git, page)}\0") for page, entry in changes.items())
    with temporary.make_folder() as folder:
        index = os.path.join(folder, "index")
        git.step("read the branch", "read-tree", tip or "--empty", index=index)
        git.step("place a page", "update-index", "-z", "--index-info", content=lines, index=index)
        oid = git.step("write", "write-tree", index=index)
    new_places = list_new_places(git.repository, tip, branch_entries)
    return Tree(oid, len(changes), unchanged_count, new_places, tuple(missing_parts))


def _store_pages(
    git: Git, branch_entries: Mapping[str, str], pages: Sequence[WebFile], doubtful: Sequence[WebFile]
) -> dict[WebFile, str]:
    """Store pages as objects and return their entries. Raises PublishImpossible if one must not be written.

    `doubtful` are those of `pages` in whose place another program may have written a file.
    """
    for page in pages:
        _refuse_obstacle(git, branch_entries, page)
    entries = {}
    for page in pages:
        oid = git.step("store a page", "hash-object", "-w", "--stdin", content=page.content)
        entries[page] = f"{FILE_MODE} blob {oid}"
    refuse_foreign_files(git, branch_entries, {page: entries[page] for page in doubtful})
    return entries


def read_entries(git: Git, tip: str) -> dict[str, str]:
    """Return the mode, kind and object of each file and folder in the branch, by its path."""
    output = git.step("read the branch", "ls-tree", "-r", "-t", "-z", "--full-tree", tip)
    return {path: entry for entry, _, path in (line.partition("\t") for line in output.split("\0"))}


def _refuse_obstacle(git: Git, branch_entries: Mapping[str, str], page: WebFile) -> None:
    """Raise PublishImpossible if the page's path is no file in the branch, or one of its folders no folder.

    A path that is not in the branch is no obstacle.
    """
    path = _join_path(git, page)
    for level in address.list_levels(path):
        mode, kind, _ = branch_entries.get(level, "none none none").split()
        if kind in ("none", "blob" if level == path else "tree") and mode != LINK_MODE:
            continue
        obstacle = {"tree": "a folder", "commit": "a submodule"}.get(
            kind, "a symbolic link" if mode == LINK_MODE else "a file"
        )
        expected = "file" if level == path else "folder"
        raise PublishImpossible(
            f"{git.repository.name}: in the branch {level} is {obstacle}, where a {expected} is due: "
            "remove or rename it"
        )


def refuse_foreign_files(
    git: Git, branch_entries: Mapping[str, str], page_entries: Mapping[WebFile, str]
) -> None:
    """Raise PublishImpossible if a page would replace a file that this program did not write.

    `page_entries` are the entries that the pages will have; "" if they are not stored.
    """

    def read(page: WebFile) -> bytes | None:
        _refuse_obstacle(git, branch_entries, page)
        entry = branch_entries.get(_join_path(git, page))
        if entry is None:
            return None
        if entry == page_entries[page]:
            return page.content
        oid = entry.split()[2]
        size = int(git.step("read the branch", "cat-file", "-s", oid))
        if size > ownership.MAX_PAGE_BYTES:
            raise ownership.make_foreign_error(git.repository.name, page.path)
        return os.fsencode(git.step("read the branch", "cat-file", "blob", oid))

    if not git.repository.overwrite:
        ownership.check(git.repository.name, [*page_entries], read)


def list_new_places(repository: Repository, tip: str, branch_entries: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words what the remote lacks and a push makes: the branch, or the folder in it."""
    if not tip:
        return (f"the branch {repository.branch}",)
    folder = repository.folder
    return (f"the folder {folder} in it",) if folder and folder not in branch_entries else ()


def _join_path(git: Git, page: WebFile) -> str:
    return address.join(git.repository.folder, page.path)
