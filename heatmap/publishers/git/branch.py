"""Writes pages into a branch as its only commit, and detects pushes of others in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import PublishError
from heatmap.publishers import address
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.git import locks, messages, trees
from heatmap.publishers.git.commands import REMOTE, Git, GitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.git.commands import Repository
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

ATTEMPTS = 5  # each push of others in between costs one
MESSAGE = "Market heatmap"
RACES = (
    "[rejected]",
    "failed to update ref",
    "cannot lock ref",
    "incorrect old value",
    "reference already exists",
)

T = TypeVar("T")


def publish(repository: Repository, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
    """Make the commit, push it, and check that the branch is at it. Raises PublishError."""
    git = Git(repository, deadline)
    return _repair_and_retry(git, lambda: _publish(git, pages, deadline))


def check(repository: Repository, deadline: Deadline, pages: Sequence[WebFile]) -> str:
    """Push a commit as a dry run, and return a sentence about git and the branch. Raises PublishError.

    If one of `pages` would replace a file that this program did not write, that is an error, too.
    """
    git = Git(repository, deadline)
    return _repair_and_retry(git, lambda: _check(git, pages))


def find(repository: Repository, paths: Sequence[str], deadline: Deadline) -> frozenset[str]:
    """Return those of `paths`, relative to the repository's `folder`, that the branch has.

    Raises PublishError.
    """
    git = Git(repository, deadline)
    tip = _read_tip(git)
    entries = trees.read_entries(git, tip) if tip and _fetch(git, tip) else {}
    return frozenset(path for path in paths if address.join(repository.folder, path) in entries)


def _repair_and_retry(git: Git, action: Callable[[], T]) -> T:
    """Return the result of `action`. If it fails, and damaged objects are removed, try it once more.

    git's message does not count here: this program can make all its damaged objects again.
    """
    try:
        return action()
    except PublishError:
        if not git.remove_damaged():
            raise
    return action()


def _publish(git: Git, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
    repository = git.repository
    removed_locks: list[str] = []
    error = race_error = PublishError(
        f"{repository.name}: others pushed {ATTEMPTS} times in between: the next run tries again"
    )
    for attempt in range(1, ATTEMPTS + 1):
        tip = _read_tip(git)
        if tip and not _fetch(git, tip):
            error = race_error
            continue
        tree = trees.write_tree(git, tip, pages)
        if not tree.oid:
            return Delivery(0, tree.unchanged_count, attempt, missing_parts=tree.missing_parts)
        commit = git.step("make a commit", "commit-tree", "-m", MESSAGE, tree.oid)
        refusal = _push(git, tip, commit)
        if refusal is None:
            git.prune(commit)
            return Delivery(
                tree.changed_count,
                tree.unchanged_count,
                attempt,
                tree.new_places,
                tuple(removed_locks),
                tree.missing_parts,
            )
        lock = locks.remove_stale(git, refusal, deadline)
        removed_locks += [lock] if lock else []
        # If the branch has not moved, nobody pushed: then git's own message gives the reason.
        has_moved = _read_tip(git) != tip
        error = (
            race_error
            if has_moved
            else messages.make_failed_push_error(repository.name, repository.branch, refusal)
        )
    raise error


def _check(git: Git, pages: Sequence[WebFile]) -> str:
    repository = git.repository
    tip = _read_tip(git)
    new_places: Sequence[str] = ()
    if tip and pages and _fetch(git, tip):
        entries = trees.read_entries(git, tip)
        trees.refuse_foreign_files(git, entries, dict.fromkeys(pages, ""))
        new_places = trees.list_new_places(repository, tip, entries)
    tree = git.step("write", "hash-object", "-w", "-t", "tree", "--stdin")
    commit = git.step("make a commit", "commit-tree", "-m", MESSAGE, tree)
    if _push(git, tip, commit, "--dry-run") is not None:
        raise PublishError(f"{repository.name}: others are pushing at this moment: try again")
    place = f"{repository.branch} of {repository.remote if repository.push else 'this repository'}"
    state = f"is at {tip[:7]}" if tip else "will be made"
    state += "".join(f", {new_place} will be made" for new_place in new_places)
    return f"git {git.version}: {place} {state}, and may be pushed to, unless its hooks refuse"


def _read_tip(git: Git) -> str:
    """Return the commit that the remote's branch is at; "" if there is no such branch."""
    ref = git.repository.ref
    lines = git.step(messages.REACH, "ls-remote", REMOTE, ref).splitlines()
    tip = next((line.split("\t")[0] for line in lines if line.endswith(f"\t{ref}")), "")
    if tip and not tip.strip("0"):
        raise messages.make_missing_tip_error(git.repository.name, git.repository.branch)
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
                raise git.describe_error(failure, "read the branch") from None
            if may_fetch:
                options = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--quiet")
                git.step("fetch the branch", "fetch", *options, REMOTE, git.repository.ref)
        else:
            return True
    return False


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
        raise git.describe_error(failure, "push")
    raise messages.make_rejection_error(git.repository.name, git.repository.branch, rejection, failure.stderr)
