"""Writes pages into a branch as its only commit, and detects pushes of others in between."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers import address, groups, ownership
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.git import locks as git_locks
from heatmap.publishers.git import messages
from heatmap.publishers.git.commands import REMOTE, Git, GitFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.publishers.git.commands import Repository
    from heatmap.publishers.groups import MissingPart
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

ATTEMPTS = 5  # each push of others in between costs one
FILE_MODE = "100644"
LINK_MODE = "120000"
MESSAGE = "Market heatmap"
RACES = (
    "[rejected]",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old value",
    "reference already exists",
)


class _Tree(NamedTuple):
    """The tree to commit, compared with the branch.

    `oid` is "" if no page differs from the branch's. `new_places` is in words, such as "the branch gh-pages".
    """

    oid: str
    changed_count: int  # pages
    unchanged_count: int  # pages
    new_places: tuple[str, ...] = ()
    lacks: tuple[MissingPart, ...] = ()  # the parts that are left out


def publish(repository: Repository, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
    """Make the commit, push it, and check that the branch is at it. Raises PublishError."""
    git = Git(repository, deadline)
    try:
        return _publish(git, pages, deadline)
    except PublishError:
        # git's message does not count here: this program can make all its damaged objects again.
        if not git.remove_damaged():
            raise
    return _publish(git, pages, deadline)


def _publish(git: Git, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
    repository = git.repository
    locks: list[str] = []
    error = race_error = PublishError(
        f"{repository.name}: others pushed {ATTEMPTS} times in between: the next run tries again"
    )
    for attempt in range(1, ATTEMPTS + 1):
        tip = _read_tip(git)
        if tip and not _fetch(git, tip):
            error = race_error
            continue
        tree = _write_tree(git, tip, pages)
        if not tree.oid:
            return Delivery(0, tree.unchanged_count, attempt, lacks=tree.lacks)
        commit = git.step("make a commit", "commit-tree", "-m", MESSAGE, tree.oid)
        refusal = _push(git, tip, commit)
        if refusal is None:
            git.prune(commit)
            return Delivery(
                tree.changed_count, tree.unchanged_count, attempt, tree.new_places, tuple(locks), tree.lacks
            )
        lock = git_locks.remove_stale(git, refusal, deadline)
        locks += [lock] if lock else []
        # If the branch has not moved, nobody pushed: then git's own message gives the reason.
        has_moved = _read_tip(git) != tip
        error = race_error if has_moved else messages.stuck(repository.name, repository.branch, refusal)
    raise error


def check(repository: Repository, deadline: Deadline, pages: Sequence[WebFile]) -> str:
    """Push a commit as a dry run, and return a sentence about git and the branch. Raises PublishError.

    If one of `pages` would replace a file that this program did not write, that is an error, too.
    """
    git = Git(repository, deadline)
    try:
        return _check(git, pages)
    except PublishError:
        if not git.remove_damaged():
            raise
    return _check(git, pages)


def _check(git: Git, pages: Sequence[WebFile]) -> str:
    repository = git.repository
    tip = _read_tip(git)
    new_places: Sequence[str] = ()
    if tip and pages and _fetch(git, tip):
        entries = _read_entries(git, tip)
        _refuse_foreign_files(git, entries, dict.fromkeys(pages, ""))
        new_places = _list_new_places(repository, tip, entries)
    tree = git.step("write", "hash-object", "-w", "-t", "tree", "--stdin")
    commit = git.step("make a commit", "commit-tree", "-m", MESSAGE, tree)
    if _push(git, tip, commit, "--dry-run") is not None:
        raise PublishError(f"{repository.name}: others are pushing at this moment: try again")
    place = f"{repository.branch} of {repository.remote if repository.push else 'this repository'}"
    state = f"is at {tip[:7]}" if tip else "will be made"
    state += "".join(f", {new_place} will be made" for new_place in new_places)
    return f"git {git.version}: {place} {state}, and may be pushed to, but for what its hooks say"


def find(repository: Repository, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
    """Return those of `paths`, relative to the repository's `folder`, that the branch has.

    Raises PublishError.
    """
    git = Git(repository, deadline)
    tip = _read_tip(git)
    entries = _read_entries(git, tip) if tip and _fetch(git, tip) else {}
    return frozenset(path for path in paths if address.join(repository.folder, path) in entries)


def _read_tip(git: Git) -> str:
    """Return the commit that the remote's branch is at; "" if there is no such branch."""
    ref = git.repository.ref
    lines = git.step(messages.REACH, "ls-remote", REMOTE, ref).splitlines()
    tip = next((line.split("\t")[0] for line in lines if line.endswith(f"\t{ref}")), "")
    if tip and not tip.strip("0"):
        raise messages.no_branch_tip(git.repository.name, git.repository.branch)
    return tip


def _fetch(git: Git, tip: str) -> bool:
    """Fetch the commit `tip` with its files, if they are not here already. Raises PublishError.

    Return False if they are still missing: the branch has moved on in the meantime.
    """
    for may_fetch in (True, False):
        try:
            git.run("rev-list", "--objects", "--no-walk", "--quiet", tip)  # fails if a file is missing
        except GitFailed as failure:
            if not may_fetch and messages.DAMAGED.search(failure.stderr):
                raise git.explain(failure, "read the branch") from None
            if may_fetch:
                options = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--quiet")
                git.step("fetch the branch", "fetch", *options, REMOTE, git.repository.ref)
        else:
            return True
    return False


def _write_tree(git: Git, tip: str, pages: Sequence[WebFile]) -> _Tree:
    """Store a tree with the branch's files and the pages. Raises PublishError."""
    from heatmap.system import temporary

    branch_entries = _read_entries(git, tip) if tip else {}
    page_entries: dict[WebFile, str] = {}
    lacks: list[MissingPart] = []
    for key, group in groups.group(pages).items():
        if groups.leave_out(group, lacks):
            try:
                page_entries |= _store_pages(git, branch_entries, group, groups.doubted(group, page_entries))
            except PublishImpossible as error:
                if key == groups.PAGES:
                    raise
                lacks += groups.missing_parts(pages, [key], str(error))
    changes = {
        page: entry
        for page, entry in page_entries.items()
        if branch_entries.get(_join_path(git, page)) != entry
    }
    unchanged_count = len(page_entries) - len(changes)
    if not changes:
        return _Tree("", 0, unchanged_count, lacks=tuple(lacks))
    lines = b"".join(os.fsencode(f"{entry}\t{_join_path(git, page)}\0") for page, entry in changes.items())
    with temporary.make_folder() as folder:
        index = os.path.join(folder, "index")
        git.step("read the branch", "read-tree", tip or "--empty", index=index)
        git.step("place a page", "update-index", "-z", "--index-info", content=lines, index=index)
        oid = git.step("write", "write-tree", index=index)
    new_places = _list_new_places(git.repository, tip, branch_entries)
    return _Tree(oid, len(changes), unchanged_count, new_places, tuple(lacks))


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
    _refuse_foreign_files(git, branch_entries, {page: entries[page] for page in doubtful})
    return entries


def _read_entries(git: Git, tip: str) -> dict[str, str]:
    """Return the mode, kind and object of each file and folder in the branch, by its path."""
    output = git.step("read the branch", "ls-tree", "-r", "-t", "-z", "--full-tree", tip)
    return {path: entry for entry, _, path in (line.partition("\t") for line in output.split("\0"))}


def _refuse_obstacle(git: Git, branch_entries: Mapping[str, str], page: WebFile) -> None:
    """Raise PublishImpossible if the page's path is no file in the branch, or one of its folders no folder.

    A path that is not in the branch is no obstacle.
    """
    path = _join_path(git, page)
    for level in address.levels(path):
        mode, kind, _ = branch_entries.get(level, "none none none").split()
        if kind in ("none", "blob" if level == path else "tree") and mode != LINK_MODE:
            continue
        obstacle = {"tree": "a folder", "commit": "a submodule"}.get(
            kind, "a symbolic link" if mode == LINK_MODE else "a file"
        )
        due = "file" if level == path else "folder"
        raise PublishImpossible(
            f"{git.repository.name}: in the branch {level} is {obstacle}, where a {due} is due: "
            "remove or rename it"
        )


def _refuse_foreign_files(
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
            raise ownership.foreign(git.repository.name, page.path)
        return os.fsencode(git.step("read the branch", "cat-file", "blob", oid))

    if not git.repository.overwrite:
        ownership.check(git.repository.name, [*page_entries], read)


def _list_new_places(repository: Repository, tip: str, branch_entries: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words what the remote lacks and a push makes: the branch, or the folder in it."""
    if not tip:
        return (f"the branch {repository.branch}",)
    folder = repository.folder
    return (f"the folder {folder} in it",) if folder and folder not in branch_entries else ()


def _join_path(git: Git, page: WebFile) -> str:
    return address.join(git.repository.folder, page.path)


def _push(git: Git, tip: str, commit: str, *options: str) -> str | None:
    """Push `commit` in place of `tip`. Return None if the branch is at it, and if a dry run succeeds.

    Else return git's message: another attempt may succeed. Raises PublishError if no attempt can. After the
    push the branch is read, because git's answer may have been lost.
    """
    ref = git.repository.ref
    lease = f"--force-with-lease={ref}:{tip}"
    fixed_options = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no")
    failure = None
    try:
        git.run("push", *fixed_options, *options, lease, REMOTE, f"{commit}:{ref}")
    except GitFailed as error:
        failure = error
    if options and failure is None:
        return None
    if not options and _read_tip(git) == commit:
        return None
    if failure is None:
        return ""
    rejection = next((line for line in failure.stdout.splitlines() if line.startswith("!")), "")
    is_race = any(race in failure.stdout for race in RACES)
    if is_race and not messages.NAME_TAKEN.search(failure.stderr):
        return failure.stderr or rejection
    if not rejection or messages.DAMAGED.search(failure.stderr):
        raise git.explain(failure, "push")
    raise messages.rejected(git.repository.name, git.repository.branch, rejection, failure.stderr)
