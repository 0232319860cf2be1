"""Puts pages into a branch as its only commit, and notices whoever pushed in between."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers import address, git_locks, git_words, groups, ownership
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.git_commands import REMOTE, Git, GitFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heatmap.deadline import Deadline
    from heatmap.model import Page
    from heatmap.publishers.git import GitPublisher
    from heatmap.publishers.groups import Lack

ATTEMPTS = 5  # how often others may push in between
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
    """The tree to commit, how many pages differ from the branch's, and what of the way to them is new."""

    oid: str
    put: int
    kept: int
    made: tuple[str, ...] = ()
    lacks: tuple[Lack, ...] = ()  # the parts that are left out


def publish(target: GitPublisher, pages: Sequence[Page], deadline: Deadline) -> Delivery:
    """Make the commit, push it, and look whether the branch has it. Raises PublishError."""
    git = Git(target, deadline)
    try:
        return _publish(git, pages, deadline)
    except PublishError:
        # Whatever git says of it: objects of ours that are damaged can all be made again.
        if not git.remove_damaged():
            raise
    return _publish(git, pages, deadline)


def _publish(git: Git, pages: Sequence[Page], deadline: Deadline) -> Delivery:
    target = git.target
    removed: list[str] = []
    fault = others = PublishError(
        f"{target.name}: others pushed {ATTEMPTS} times in between: the next run tries again"
    )
    for attempt in range(1, ATTEMPTS + 1):
        tip = _tip(git)
        if tip and not _fetched(git, tip):
            fault = others  # it has moved on meanwhile
            continue
        tree = _tree(git, tip, pages)
        if not tree.put:
            return Delivery(0, tree.kept, attempt, lacks=tree.lacks)
        commit = git.step("make a commit", "commit-tree", "-m", MESSAGE, tree.oid)
        refusal = _push(git, tip, commit)
        if refusal is None:
            git.prune(commit)
            return Delivery(tree.put, tree.kept, attempt, tree.made, tuple(removed), tree.lacks)
        lock = git_locks.remove_stale(git, refusal, deadline)
        removed += [lock] if lock else []
        # Where the branch is still where it was, nobody pushed: then git's own words say why.
        fault = others if _tip(git) != tip else git_words.stuck(target.name, target.branch, refusal)
    raise fault


def check(target: GitPublisher, deadline: Deadline, pages: Sequence[Page]) -> str:
    """Say what repository that is, after a push that is only rehearsed. Raises PublishError.

    None of `pages` may stand in the place of a file that this program did not write.
    """
    git = Git(target, deadline)
    try:
        return _check(git, pages)
    except PublishError:
        if not git.remove_damaged():
            raise
    return _check(git, pages)


def _check(git: Git, pages: Sequence[Page]) -> str:
    target = git.target
    tip = _tip(git)
    missing: Sequence[str] = ()
    if tip and pages and _fetched(git, tip):
        before = _entries(git, tip)
        _refuse_foreign(git, before, dict.fromkeys(pages, ""))
        missing = _missing(target, tip, before)
    tree = git.step("write", "hash-object", "-w", "-t", "tree", "--stdin")
    commit = git.step("make a commit", "commit-tree", "-m", MESSAGE, tree)
    if _push(git, tip, commit, "--dry-run") is not None:
        raise PublishError(f"{target.name}: others are pushing at this moment: try again")
    there = f"{target.branch} of {target.remote if target.push else 'this repository'}"
    now = f"is at {tip[:7]}" if tip else "will be made"
    now += "".join(f", {what} will be made" for what in missing)
    return f"git {git.version}: {there} {now}, and may be pushed to, but for what its hooks say"


def find(target: GitPublisher, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
    """Return those of these files, as pages name them, that the branch holds. Raises PublishError."""
    git = Git(target, deadline)
    tip = _tip(git)
    held = _entries(git, tip) if tip and _fetched(git, tip) else {}
    return frozenset(path for path in paths if address.join(target.folder.strip("/"), path) in held)


def _tip(git: Git) -> str:
    """Return the commit that the branch is at; "" where there is no such branch."""
    found = git.step(git_words.REACH, "ls-remote", REMOTE, _ref(git))
    tip = next((line.split("\t")[0] for line in found.splitlines() if line.endswith(f"\t{_ref(git)}")), "")
    if tip and not tip.strip("0"):
        raise git_words.no_branch_tip(git.target.name, git.target.branch)
    return tip


def _fetched(git: Git, tip: str) -> bool:
    """Whether the branch's present files are at hand, after they were fetched where need be."""
    for fetch in (True, False):
        try:
            git.run("rev-list", "--objects", "--no-walk", "--quiet", tip)  # fails where a file is missing
        except GitFailed as failure:
            if not fetch and git_words.DAMAGED.search(failure.words):
                raise git.explain(failure, "read the branch") from None
            if fetch:
                options = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--quiet")
                git.step("fetch the branch", "fetch", *options, REMOTE, _ref(git))
        else:
            return True
    return False


def _tree(git: Git, tip: str, pages: Sequence[Page]) -> _Tree:
    """Store the branch's files with the pages among them. Raises PublishError."""
    from heatmap import temporary

    before = _entries(git, tip) if tip else {}
    entries: dict[Page, str] = {}
    lacks: list[Lack] = []
    for key, group in groups.group(pages).items():
        if groups.without(group, lacks):
            try:
                entries |= _stored(git, before, group, groups.doubted(group, entries))
            except PublishImpossible as error:
                if key == groups.PAGES:
                    raise
                lacks += groups.lacks(pages, [key], str(error))
    changed = {page: entry for page, entry in entries.items() if before.get(_path(git, page)) != entry}
    if not changed:
        return _Tree("", 0, len(entries), lacks=tuple(lacks))
    lines = b"".join(os.fsencode(f"{entry}\t{_path(git, page)}\0") for page, entry in changed.items())
    with temporary.make_folder() as place:
        index = os.path.join(place, "index")
        git.step("read the branch", "read-tree", tip or "--empty", index=index)
        git.step("place a page", "update-index", "-z", "--index-info", content=lines, index=index)
        oid = git.step("write", "write-tree", index=index)
    kept = len(entries) - len(changed)
    return _Tree(oid, len(changed), kept, _missing(git.target, tip, before), tuple(lacks))


def _stored(
    git: Git, before: Mapping[str, str], pages: Sequence[Page], doubted: Sequence[Page]
) -> dict[Page, str]:
    """Store pages and return their entries. Raises PublishImpossible where one of them may not be put.

    Those that are `doubted` may be somebody else's.
    """
    for page in pages:
        _refuse_other_things(git.target, before, _path(git, page))
    entries = {}
    for page in pages:
        oid = git.step("store a page", "hash-object", "-w", "--stdin", content=page.content)
        entries[page] = f"{FILE_MODE} blob {oid}"
    _refuse_foreign(git, before, {page: entries[page] for page in doubted})
    return entries


def _entries(git: Git, tip: str) -> dict[str, str]:
    """Return mode, kind and object of all that is in the branch, folders too, by their paths."""
    found = git.step("read the branch", "ls-tree", "-r", "-t", "-z", "--full-tree", tip)
    return {path: entry for entry, _, path in (line.partition("\t") for line in found.split("\0"))}


def _refuse_other_things(target: GitPublisher, before: Mapping[str, str], path: str) -> None:
    """Raise PublishImpossible where what is no file, or no folder, stands in a page's way."""
    for level in address.levels(path):
        mode, kind, _ = before.get(level, "none none none").split()
        if kind in ("none", "blob" if level == path else "tree") and mode != LINK_MODE:
            continue
        what = {"tree": "a folder", "commit": "a submodule"}.get(
            kind, "a symbolic link" if mode == LINK_MODE else "a file"
        )
        due = "file" if level == path else "folder"
        raise PublishImpossible(
            f"{target.name}: in the branch {level} is {what}, where a {due} is due: remove or rename it"
        )


def _refuse_foreign(git: Git, before: Mapping[str, str], entries: Mapping[Page, str]) -> None:
    """Raise PublishImpossible where a page would replace a file that this program did not write.

    `before` and `entries` are what the branch holds by path, and what it is to hold by page.
    """

    def read(page: Page) -> bytes | None:
        _refuse_other_things(git.target, before, _path(git, page))
        entry = before.get(_path(git, page))
        if entry is None:
            return None
        if entry == entries[page]:
            return page.content
        oid = entry.split()[2]
        size = int(git.step("read the branch", "cat-file", "-s", oid))
        if size > ownership.MAX_PAGE_BYTES:
            raise ownership.foreign(git.target.name, page.path)
        return os.fsencode(git.step("read the branch", "cat-file", "blob", oid))

    if not git.target.overwrite:
        ownership.check(git.target.name, [*entries], read)


def _missing(target: GitPublisher, tip: str, before: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is not there yet of the way to the pages: the branch, or the folder in it."""
    if not tip:
        return (f"the branch {target.branch}",)
    folder = target.folder.strip("/")
    return (f"the folder {folder} in it",) if folder and folder not in before else ()


def _path(git: Git, page: Page) -> str:
    return address.join(git.target.folder.strip("/"), page.path)


def _push(git: Git, tip: str, commit: str, *options: str) -> str | None:
    """Push `commit` onto `tip`. Return None: the branch is at it; else git's words: another try may do it.

    Raises PublishError where none will. What counts is what the branch is at afterwards: an answer may be
    lost.
    """
    lease = f"--force-with-lease={_ref(git)}:{tip}"
    alone = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no")
    failure = None
    try:
        git.run("push", *alone, *options, lease, REMOTE, f"{commit}:{_ref(git)}")
    except GitFailed as error:
        failure = error
    if options and failure is None:
        return None
    if not options and _tip(git) == commit:
        return None
    if failure is None:
        return ""
    said = next((line for line in failure.output.splitlines() if line.startswith("!")), "")
    if any(race in failure.output for race in RACES) and not git_words.NAME_TAKEN.search(failure.words):
        return failure.words or said
    if not said or git_words.DAMAGED.search(failure.words):
        raise git.explain(failure, "push")
    raise git_words.rejected(git.target.name, git.target.branch, said, failure.words)


def _ref(git: Git) -> str:
    return f"refs/heads/{git.target.branch}"
