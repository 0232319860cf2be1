"""Publishing into a branch: real repositories, real pushes, and remotes that refuse, hang and move."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import ConfigError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.git import branch as git_branch
from heatmap.publishers.git import commands, locks, messages
from heatmap.publishers.git import store as git_store
from heatmap.publishers.git.publisher import GitPublisher
from heatmap.publishers.ownership import MAX_PAGE_BYTES, SAMPLE
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.checkout import CHECKOUT
from tests.conftest import started
from tests.servers.git import GitDaemon
from tests.servers.proxy import Fault, Proxy

pytestmark = pytest.mark.process

PAGES = [WebFile("nse/snapshot.json", b"{}"), WebFile("index.html", "<p>été".encode() * 1000)]
PUT = {page.path: page.content for page in PAGES}


def soon() -> Deadline:
    """Time enough for all that is well."""
    return Deadline(30)


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration but the tests' own."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "EMAIL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


class Place:
    """A bare repository, and a checkout of it that a user works in."""

    def __init__(self, folder: Path, remote: str = "remote") -> None:
        self.remote = folder / f"{remote}.git"
        self.checkout = folder / "my été site"
        self.run(folder, "init", "-q", "--bare", "-b", "main", str(self.remote))
        self.run(folder, "clone", "-q", str(self.remote), str(self.checkout))
        (self.checkout / "README").write_text("mine")
        self.run(self.checkout, "switch", "-q", "-c", "main")
        self.commit("README", "first")
        self.run(self.checkout, "push", "-q", "origin", "main")

    def run(self, folder: Path, *words: str) -> str:
        """Return the output of git, run as the user of this checkout."""
        identity = ["-c", "user.name=Me", "-c", "user.email=me@example.org"]
        done = subprocess.run(
            ["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, path: str, message: str) -> None:
        """Commit a file of the checkout to the branch that it is on."""
        self.run(self.checkout, "add", path)
        self.run(self.checkout, "commit", "-q", "-m", message)

    def start_pages(self, files: dict[str, str]) -> None:
        """Push a branch of pages with a history of two commits, as users make it."""
        self.run(self.checkout, "switch", "-q", "--orphan", "gh-pages")
        for number in range(2):
            for name, content in files.items():
                (self.checkout / name).parent.mkdir(exist_ok=True)
                (self.checkout / name).write_text(content)
                self.run(self.checkout, "add", name)
            self.run(self.checkout, "commit", "-q", "--allow-empty", "-m", f"number {number}")
        self.run(self.checkout, "push", "-q", "origin", "gh-pages")
        self.run(self.checkout, "switch", "-q", "main")

    def push_by_another(self, name: str, folder: Path) -> None:
        """Change a file in the branch from elsewhere, as a colleague would."""
        other = folder / f"other{time.monotonic_ns()}"
        self.run(folder, "clone", "-q", "-b", "gh-pages", str(self.remote), str(other))
        (other / name).write_text(f"theirs{time.monotonic_ns()}")
        self.run(other, "add", name)
        self.run(other, "commit", "-q", "-m", "theirs")
        self.run(other, "push", "-q")

    def publisher(self, **more: Any) -> GitPublisher:
        """A publisher for the checkout."""
        return replace(GitPublisher("git+file:x"), url=f"git+file:{self.checkout}", **more)

    def files(self, branch: str = "gh-pages", repository: Path | None = None) -> dict[str, bytes]:
        """All that a branch of the remote holds, read without our code."""
        where = repository or self.remote
        names = self.run(where, "ls-tree", "-r", "--name-only", "-z", branch).split("\0")
        show = ["git", "-C", where, "show"]
        return {name: subprocess.check_output([*show, f"{branch}:{name}"]) for name in names if name}

    def hook(self, name: str, script: str, repository: Path | None = None) -> None:
        """Give the remote a hook."""
        hook = (repository or self.remote) / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{script}\n")
        hook.chmod(0o755)

    def sizes(self) -> int:
        """The bytes of all that is in the checkout's repository."""
        return sum(file.stat().st_size for file in (self.checkout / ".git").rglob("*") if file.is_file())

    def state(self) -> tuple[str, ...]:
        """All of the checkout that is the user's own."""
        git = self.checkout / ".git"
        return (
            self.run(self.checkout, "--no-optional-locks", "status", "--porcelain", "--branch"),
            self.run(self.checkout, "for-each-ref"),
            self.run(self.checkout, "stash", "list"),
            self.run(self.checkout, "reflog", "--all"),
            self.run(self.checkout, "count-objects"),
            (git / "HEAD").read_text(),
            (git / "config").read_text(),
            str((git / "index").stat().st_mtime_ns),
            str(sorted(path.name for path in git.iterdir() if path.name != "heatmap")),
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A remote and a checkout, without a branch of pages."""
    return Place(tmp_path)


def caught(
    publisher: GitPublisher,
    kind: type[PublishError],
    match: str,
    deadline: Deadline | None = None,
    pages: Sequence[WebFile] = PAGES,
) -> str:
    """The sentence of a publish that must fail."""
    with pytest.raises(kind, match=match) as error:
        publisher.publish(pages, deadline or soon())
    assert type(error.value) is kind
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(publisher.name)
    return str(error.value)


def test_a_branch_is_made(place: Place) -> None:
    """A new branch has one commit without parents, with the pages and nothing else."""
    assert Delivery(2, 0) == place.publisher().publish(PAGES, soon())
    assert PUT == place.files()
    assert "1" == place.run(place.remote, "rev-list", "--count", "gh-pages")
    assert "Market heatmap" == place.run(place.remote, "log", "--format=%B", "gh-pages")


@pytest.mark.parametrize("folder", ["", "docs/heatmap/"])
def test_files_of_the_branch_are_found(place: Place, folder: str) -> None:
    """Without a branch there is none; nothing is changed by looking."""
    publisher, names = place.publisher(folder=folder), [page.path for page in PAGES]
    assert frozenset() == publisher.find(names, soon())
    publisher.publish(PAGES[:1], soon())
    place.push_by_another("beside.html", place.remote.parent)
    tip = place.run(place.remote, "rev-parse", "gh-pages")

    assert {names[0]} == publisher.find([*names, "beside"], soon())
    assert tip == place.run(place.remote, "rev-parse", "gh-pages")


def test_the_history_never_grows(place: Place) -> None:
    """Each publish leaves one commit, and what else is in the branch stays, hidden and executable files too."""
    place.start_pages({"CNAME": "www.example.org", ".nojekyll": "", "about/run": "x", "index.html": "old"})
    for version in (b"1", b"2"):
        place.publisher().publish([WebFile("index.html", version)], soon())

    assert "1" == place.run(place.remote, "rev-list", "--count", "gh-pages")
    other_files = {"CNAME": b"www.example.org", ".nojekyll": b"", "about/run": b"x"}
    assert {**other_files, "index.html": b"2"} == place.files()


def test_unchanged_pages_are_not_pushed(place: Place) -> None:
    """The same pages make no commit; one that differs makes one, and the others count as kept."""
    place.publisher().publish(PAGES, soon())
    before = place.run(place.remote, "rev-parse", "gh-pages")
    place.hook("pre-receive", "echo called >> called")

    assert Delivery(0, 2) == place.publisher().publish(PAGES, soon())
    assert before == place.run(place.remote, "rev-parse", "gh-pages")
    assert not (place.remote / "called").exists()
    assert Delivery(1, 1) == place.publisher().publish([PAGES[0], WebFile("index.html", b"new")], soon())
    assert (place.remote / "called").exists()


@pytest.mark.parametrize("branch", ["gh-pages", "main"])
def test_nothing_of_the_users_changes(place: Place, branch: str) -> None:
    """Files, index, HEAD, branches, stash, reflogs, objects and settings stay, the branch checked out or not."""
    place.start_pages({"index.html": "old"})
    (place.checkout / "README").write_text("under work")
    (place.checkout / "untracked").write_text("x")
    place.run(place.checkout, "add", "README")
    place.run(place.checkout, "stash", "push", "-q", "--keep-index")
    before = place.state()
    place.publisher(branch=branch).publish(PAGES, soon())
    place.publisher(branch=branch).publish([WebFile("index.html", b"new")], soon())
    place.publisher(branch=branch).check(soon())

    assert before == place.state()
    assert b"new" == place.files(branch)["index.html"]
    assert "" == place.run(place.checkout, "fsck", "--strict", "--no-dangling")


def test_a_folder_of_the_branch(place: Place) -> None:
    """`docs/heatmap` of main: beside all else that is there; the checkout may be named by a folder in it."""
    (place.checkout / "docs").mkdir()
    publisher = place.publisher(branch="main", folder="docs/heatmap")
    inside = replace(publisher, url=f"{publisher.url}/docs")

    assert Delivery(2, 0) == inside.publish(PAGES, soon())
    assert [Delivery(0, 2)] * 2 == [each.publish(PAGES, soon()) for each in (publisher, inside)]
    assert {"README": b"mine", **{f"docs/heatmap/{name}": each for name, each in PUT.items()}} == place.files(
        "main"
    )


def test_a_push_in_between(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push of another user in between is noticed, and its files stay."""
    place.start_pages({"index.html": "old"})
    honest = commands.Git.run
    times = iter(range(100))

    def run(git: commands.Git, *words: str, **more: Any) -> str:
        if words[0] == "push" and next(times) < 2:
            place.push_by_another("theirs", tmp_path)
        return honest(git, *words, **more)

    monkeypatch.setattr(commands.Git, "run", run)

    assert Delivery(2, 0, 3) == place.publisher().publish(PAGES, soon())
    assert {*PUT, "theirs"} == set(place.files())


def test_pushes_in_between_without_end(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few attempts it is an error. The files of the others stay."""
    place.start_pages({"index.html": "old"})
    honest = commands.Git.run
    count = iter(range(100))

    def run(git: commands.Git, *words: str, **more: Any) -> str:
        if words[0] == "push":
            place.push_by_another(f"theirs{next(count)}", tmp_path)
        return honest(git, *words, **more)

    monkeypatch.setattr(commands.Git, "run", run)
    caught(place.publisher(), PublishError, "others pushed 5 times")

    assert {"index.html", *(f"theirs{number}" for number in range(5))} == set(place.files())


@pytest.mark.parametrize("push", [True, False])
def test_a_lock_that_was_left_behind(place: Place, push: bool) -> None:
    """A killed git's lock is told by its path, with what to do; nobody pushed. Without it all is well."""
    place.publisher(push=push).publish(PAGES, soon())
    repository = place.remote if push else place.checkout / ".git"
    lock = repository / "refs/heads/gh-pages.lock"
    lock.touch()
    newer = [replace(PAGES[0], content=b"newer" + PAGES[0].content), *PAGES[1:]]

    def publish() -> Delivery:
        return place.publisher(push=push).publish(newer, soon())

    with pytest.raises(PublishError, match=re.escape(str(lock))) as caught:
        publish()
    assert PublishError is type(caught.value)
    assert "the branch gh-pages cannot be changed, for there is a lock" in str(caught.value)
    assert "delete the file" in str(caught.value)
    assert "others" not in str(caught.value)

    lock.unlink()
    assert 1 == publish().put


NEWER = [WebFile("index.html", b"<p>newer" * 1000)]
STALE_SECONDS = 100  # older than three times the deadline of `soon`
FRESH_SECONDS = 80


def aged(lock: Path, seconds: float = STALE_SECONDS) -> Path:
    """Make a lock of this age, as a killed git process leaves it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    os.utime(lock, (time.time() - seconds,) * 2)
    return lock


@pytest.mark.parametrize("address", ["{remote}", "file://{remote}", "../remote.git", "../remote", "itself"])
@pytest.mark.parametrize("branch", ["gh-pages", "pages/été"])
def test_an_old_lock_is_removed(place: Place, address: str, branch: str) -> None:
    """In a repository of this machine, however it is addressed: the push succeeds and names the file."""
    repository = place.remote
    if address == "itself":
        repository = place.checkout / ".git"
    else:
        url = address.format(remote=place.remote)
        place.run(place.checkout, "remote", "set-url", "origin", url)
    publisher = place.publisher(branch=branch, push=address != "itself")
    publisher.publish(PAGES, soon())
    lock = aged(repository / f"refs/heads/{branch}.lock")
    done = publisher.publish(NEWER, soon())

    assert Delivery(1, 0, 2) == done
    assert (str(lock),) == done.removed_locks
    assert not lock.exists()
    assert NEWER[0].content == place.files(branch, repository)["index.html"]


def test_an_old_lock_of_a_branch_that_is_not_there(place: Place) -> None:
    """The push that would have made the branch was killed."""
    lock = aged(place.remote / "refs/heads/gh-pages.lock")

    assert (str(lock),) == place.publisher().publish(PAGES, soon()).removed_locks
    assert PUT == place.files()


def test_an_old_lock_of_head(place: Place) -> None:
    """If the remote's HEAD is the branch, git locks both. A lock of another kind stays."""
    place.run(place.remote, "symbolic-ref", "HEAD", "refs/heads/gh-pages")
    place.publisher().publish(PAGES, soon())
    lock, other = aged(place.remote / "HEAD.lock"), aged(place.remote / "refs/heads/main.lock")

    assert (str(lock),) == place.publisher().publish(NEWER, soon()).removed_locks
    assert other.exists()


@pytest.mark.parametrize("seconds", [0, FRESH_SECONDS, -3600], ids=["new", "fresh", "to come"])
def test_a_fresh_lock_stays(place: Place, seconds: float) -> None:
    """It may be held; a clock that was set back makes none of them old."""
    lock = aged(place.remote / "refs/heads/gh-pages.lock", seconds)

    caught(place.publisher(), PublishError, re.escape(str(lock)))
    assert lock.exists()


def test_an_old_lock_that_may_be_held_stays(place: Place) -> None:
    """While a git process works in that repository, be it suspended; once it has ended the lock goes."""
    lock = aged(place.remote / "refs/heads/gh-pages.lock")
    command = ["git", "-C", place.remote, "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as working:
        assert working.stdin is not None
        assert working.stdout is not None
        working.stdin.write(b"main\n")
        working.stdin.flush()
        working.stdout.readline()
        caught(place.publisher(), PublishError, re.escape(str(lock)))
        assert lock.exists()
        working.kill()

    assert (str(lock),) == place.publisher().publish(PAGES, soon()).removed_locks


def test_where_processes_are_not_shown_an_old_lock_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine without /proc: nobody can tell whether it is held."""
    monkeypatch.setattr(locks, "PROCESSES", "/nowhere")
    lock = aged(place.remote / "refs/heads/gh-pages.lock")

    caught(place.publisher(), PublishError, re.escape(str(lock)))
    assert lock.exists()


def test_a_lock_named_by_another_host_stays(place: Place, ssh: Callable[[str], Path]) -> None:
    """A path in its words is that host's, though there is such a file here, too."""
    ssh(SSH)
    lock = aged(place.remote / "refs/heads/gh-pages.lock")

    caught(place.publisher(), PublishError, re.escape(str(lock)))
    assert lock.exists()


def test_a_lock_elsewhere_stays(place: Place, tmp_path: Path) -> None:
    """A remote's hook may print of another repository, such as one that it mirrors to."""
    lock = aged(tmp_path / "other.git/refs/heads/gh-pages.lock")
    place.publisher().publish(PAGES, soon())
    place.hook(
        "update", f"echo \"error: cannot lock ref: Unable to create '{lock}': File exists\" >&2; exit 1"
    )
    caught(place.publisher(), PublishError, re.escape(str(lock)), pages=NEWER)
    assert lock.exists()


def test_a_lock_on_the_files_of_a_remote(place: Place) -> None:
    """With updateInstead the remote changes its files, too; another lock is in the way of that."""
    place.publisher(push=False).publish(PAGES, soon())
    place.run(place.checkout, "checkout", "-q", "gh-pages")
    place.run(place.checkout, "config", "receive.denyCurrentBranch", "updateInstead")
    (place.checkout / ".git/index.lock").touch()
    newer = [replace(PAGES[0], content=b"newer" + PAGES[0].content), *PAGES[1:]]

    with pytest.raises(PublishError, match=r"delete the (?:file|index\.lock)"):
        place.publisher(push=False).publish(newer, soon())


def test_a_lock_that_is_let_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another git that works there for a moment costs an attempt."""
    place.publisher().publish(PAGES, soon())
    lock = place.remote / "refs/heads/gh-pages.lock"
    lock.touch()
    honest = git_branch._push

    def push(*words: Any) -> str | None:
        said = honest(*words)
        lock.unlink(missing_ok=True)
        return said

    monkeypatch.setattr(git_branch, "_push", push)
    newer = [replace(PAGES[0], content=b"newer" + PAGES[0].content), *PAGES[1:]]

    assert Delivery(1, 1, 2) == place.publisher().publish(newer, soon())


def test_a_name_that_is_taken(place: Place) -> None:
    """A branch cannot stand below another one: nobody pushed, and no other try helps."""
    place.publisher().publish(PAGES, soon())
    caught(place.publisher(branch="gh-pages/map"), PublishImpossible, "there is a branch gh-pages: choose")


def test_a_branch_made_in_between(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was not there when we looked, and is when we push, is not overwritten."""
    honest = commands.Git.run
    once = iter([True])

    def run(git: commands.Git, *words: str, **more: Any) -> str:
        if words[0] == "push" and next(once, False):
            place.start_pages({"CNAME": "www.example.org"})
        return honest(git, *words, **more)

    monkeypatch.setattr(commands.Git, "run", run)

    assert Delivery(2, 0, 2) == place.publisher().publish(PAGES, soon())
    assert {**PUT, "CNAME": b"www.example.org"} == place.files()


def test_a_lost_answer(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that arrived, and whose answer did not, is settled by looking."""
    honest = commands.Git.run

    def run(git: commands.Git, *words: str, **more: Any) -> str:
        said = honest(git, *words, **more)
        if words[0] == "push":
            raise commands.GitFailed("fatal: the remote end hung up unexpectedly", "")
        return said

    monkeypatch.setattr(commands.Git, "run", run)

    assert Delivery(2, 0) == place.publisher().publish(PAGES, soon())
    assert PUT == place.files()


def test_tidying_up_after_the_deadline(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that was checked is a success, even if no time is left after it."""
    honest = commands.Git.prune
    deadline = soon()

    def prune(git: commands.Git, commit: str) -> None:
        deadline.expire()
        honest(git, commit)

    monkeypatch.setattr(commands.Git, "prune", prune)

    assert Delivery(2, 0) == place.publisher().publish(PAGES, deadline)


def test_a_push_that_did_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Success means verified: a push that says it is done, and is not, is no success."""
    honest = commands.Git.run
    monkeypatch.setattr(
        commands.Git,
        "run",
        lambda git, *words, **more: "" if words[0] == "push" else honest(git, *words, **more),
    )
    caught(place.publisher(), PublishError, "tries again")


@pytest.mark.parametrize(
    ("prepare", "match"),
    [
        (lambda place: place.hook("pre-receive", "echo no >&2; exit 1"), "pre-receive hook declined"),
        (lambda place: place.hook("update", "exit 1"), "hook declined"),
        (
            lambda place: place.run(place.remote, "config", "receive.denyNonFastForwards", "true"),
            r"non-fast-forward\)\): let this user replace the commit of gh-pages",
        ),
    ],
)
def test_a_remote_that_refuses(place: Place, prepare: Callable[[Place], None], match: str) -> None:
    """The sentence has its reason; the old page stays, and nothing is tried again."""
    place.start_pages({"index.html": "old"})
    prepare(place)
    caught(place.publisher(), PublishImpossible, match)

    assert {"index.html": b"old"} == place.files()


def test_a_hook_of_the_users_that_refuses(place: Place) -> None:
    """A pre-push hook has its say."""
    place.hook("pre-push", "echo error: not today >&2; exit 1", place.checkout / ".git")
    caught(place.publisher(), PublishError, "not today")

    assert "" == place.run(place.remote, "branch", "--list", "gh-pages")


@pytest.mark.serial
@pytest.mark.parametrize("hook", ["pre-receive", "post-receive"])
def test_a_remote_that_hangs(place: Place, hook: str, tmp_path: Path) -> None:
    """At the deadline all is ended, with everything that git started."""
    place.start_pages({"index.html": "old"})
    place.hook(hook, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    started_at = time.monotonic()
    caught(place.publisher(), PublishError, "seconds were over", Deadline(2))

    assert time.monotonic() - started_at < 4
    assert place.files()["index.html"] in (b"old", PUT["index.html"])
    hooks = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while _alive(hooks) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(hooks)


def _alive(process: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def test_a_signal_ends_it(place: Place) -> None:
    """git is stopped when the run must end."""
    place.hook("pre-receive", "exec sleep 60")
    deadline = Deadline(60)
    started_at = time.monotonic()
    timer = threading.Timer(1, deadline.expire)
    timer.start()
    caught(place.publisher(), PublishError, "over", deadline)
    timer.join()

    assert time.monotonic() - started_at < 5


def test_in_the_repository_itself(place: Place) -> None:
    """Without push the branch is made in the local repository, and the remote is not contacted."""
    shutil.rmtree(place.remote)
    publisher = place.publisher(push=False)

    assert [Delivery(2, 0), Delivery(0, 2)] == [publisher.publish(PAGES, soon()) for _ in range(2)]
    assert PUT == place.files(repository=place.checkout)
    assert "gh-pages" not in place.run(place.checkout, "reflog", "--all")  # which would keep every commit
    assert "" == place.run(place.checkout, "fsck", "--strict", "--no-dangling")


def test_the_branch_that_is_checked_out(place: Place) -> None:
    """Without push: it is refused, because the files would no longer be those of the branch; or git updates them."""
    publisher = place.publisher(push=False, branch="main")
    caught(publisher, PublishImpossible, "check out another branch")
    place.run(place.checkout, "config", "receive.denyCurrentBranch", "updateInstead")
    publisher.publish(PAGES, soon())

    assert PUT["index.html"] == (place.checkout / "index.html").read_bytes()
    assert "" == place.run(place.checkout, "status", "--porcelain")


def test_a_bare_repository_at_hand(place: Place) -> None:
    """One without a checkout, such as on the web server itself."""
    publisher = replace(place.publisher(push=False), url=f"git+file:{place.remote}")
    publisher.publish(PAGES, soon())

    assert PUT == place.files()


def test_the_repository_stays_small(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects of earlier publishes are deleted, but none of the user's, such as those of a dropped stash."""
    monkeypatch.setattr(git_store, "MIN_AGE_SECONDS", 0)
    (place.checkout / "README").write_text("dropped")
    place.run(place.checkout, "stash", "-q")
    dropped = place.run(place.checkout, "rev-parse", "stash")
    place.run(place.checkout, "stash", "drop", "-q")
    sizes = []
    for _ in range(6):
        place.publisher().publish([WebFile("index.html", random.randbytes(100_000))], soon())
        time.sleep(0.01)  # a file's age is told by its clock, which ticks every few milliseconds
        sizes.append(place.sizes())

    assert max(sizes) - sizes[0] < 1000
    assert "commit" == place.run(place.checkout, "cat-file", "-t", dropped)


def test_files_of_the_branch_that_got_lost_here(place: Place) -> None:
    """Objects that the branch needs, and that the user's own gc deleted, are fetched again."""
    place.start_pages({"CNAME": "www.example.org", "index.html": "old"})
    place.publisher().publish(PAGES, soon())
    place.run(place.checkout, "branch", "-q", "-D", "gh-pages")
    place.run(place.checkout, "update-ref", "-d", "refs/remotes/origin/gh-pages")
    place.run(place.checkout, "reflog", "expire", "--expire=now", "--all")
    place.run(place.checkout, "gc", "-q", "--prune=now")
    place.publisher().publish([WebFile("index.html", b"new")], soon())

    assert {**PUT, "index.html": b"new", "CNAME": b"www.example.org"} == place.files()


def test_a_reader_never_sees_half_a_file(place: Place) -> None:
    """While 30 publishes run, every read of the remote's branch gives a whole file."""
    versions = [bytes([65 + number]) * 200_000 for number in range(30)]
    place.publisher().publish([WebFile("index.html", versions[0])], soon())
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            command = ["git", "-C", place.remote, "show", "gh-pages:index.html"]
            seen.add(subprocess.run(command, capture_output=True, check=True).stdout)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for version in versions:
            place.publisher().publish([WebFile("index.html", version)], soon())
    finally:
        done.set()
        reader.join()

    assert len(seen) > 1
    assert seen <= set(versions)


def test_what_was_fetched_is_deleted_too(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where others push much, it does not stay here in a pack of which one file is still needed."""
    monkeypatch.setattr(git_store, "MIN_AGE_SECONDS", -1)
    place.start_pages({"index.html": "old"})
    other = tmp_path / "other"
    place.run(tmp_path, "clone", "-q", "-b", "gh-pages", str(place.remote), str(other))
    for number in range(200):
        (other / f"{number}").write_text(f"{number}")
    place.run(other, "add", ".")
    place.run(other, "commit", "-q", "-m", "many")
    place.run(other, "push", "-q")
    place.publisher().publish(PAGES, soon())
    store = place.checkout / ".git/heatmap/objects"

    assert 200 < sum(1 for path in store.rglob("*") if path.is_file())
    assert [] == [path for path in store.rglob("*") if path.suffix in (".pack", ".idx")]
    assert 202 == len(place.files())


def test_whoever_runs_beside_it_is_left_in_peace(place: Place) -> None:
    """Objects of the last hour stay: another run may need them still."""
    for version in (b"1", b"2"):
        place.publisher().publish([WebFile("index.html", version)], soon())
    store = place.checkout / ".git/heatmap/objects"

    assert 6 == sum(len(list(folder.iterdir())) for folder in store.iterdir() if len(folder.name) == 2)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("link", "a symbolic link"),
        ("folder", "a folder"),
        ("file/below", "file is a file, where a folder is due"),
    ],
)
def test_what_stands_in_the_way(place: Place, name: str, what: str) -> None:
    """A link, a folder, or a file in place of a folder is an error, and it stays."""
    place.run(place.checkout, "switch", "-q", "--orphan", "gh-pages")
    (place.checkout / "link").symlink_to("elsewhere")
    (place.checkout / "folder").mkdir()
    (place.checkout / "folder/mine").write_text("x")
    (place.checkout / "file").write_text("x")
    place.run(place.checkout, "add", "link", "folder", "file")
    place.run(place.checkout, "commit", "-q", "-m", "pages")
    place.run(place.checkout, "push", "-q", "origin", "gh-pages")
    before = place.run(place.remote, "rev-parse", "gh-pages")
    with pytest.raises(PublishImpossible, match=what) as error:
        place.publisher().publish([WebFile(name, b"x")], soon())

    assert "\n" not in str(error.value)
    assert before == place.run(place.remote, "rev-parse", "gh-pages")


def test_what_stands_in_the_way_of_a_part(place: Place) -> None:
    """The page and the other parts are pushed; nothing links to what is not there."""
    place.run(place.checkout, "switch", "-q", "--orphan", "gh-pages")
    (place.checkout / "nse/status.json").mkdir(parents=True)
    (place.checkout / "nse/status.json/mine").write_text("x")
    (place.checkout / "nse/2026").write_text("x")
    place.run(place.checkout, "add", "nse")
    place.run(place.checkout, "commit", "-q", "-m", "pages")
    place.run(place.checkout, "push", "-q", "origin", "gh-pages")
    pages = [
        WebFile("nse/2026/09/17/index.html", b"day", "archive"),
        WebFile("nse/archive.html", b"list", "archive"),
        WebFile("nse/feed.xml", b"feed", "feed", needs="archive"),
        WebFile("nse/status.json", b"status", "status"),
        WebFile("nse/index.html", b"page"),
    ]
    first = place.publisher().publish(pages, soon())

    assert {"nse/2026", "nse/index.html", "nse/status.json/mine"} == set(place.files())
    sentences = {part: sentence for _, part, sentence in first.missing_parts}
    assert ["archive", "feed", "status"] == sorted(sentences)
    assert sentences["archive"].endswith("nse/2026 is a file, where a folder is due: remove or rename it")
    assert sentences["status"].endswith(
        "nse/status.json is a folder, where a file is due: remove or rename it"
    )
    place.publisher().publish([WebFile("nse/feed.xml", b"feed", "feed")], soon())  # as a later run does
    assert "nse/feed.xml" in place.files()
    again = place.publisher().publish(pages, soon())
    assert (0, 1, 3) == (again.put, again.unchanged, len(again.missing_parts))


def test_names_that_git_would_take_for_patterns(place: Place) -> None:
    """Stars, brackets, colons, spaces and other alphabets are what they are."""
    names = [":(top)a*.html", "été [1] x.html", "a b/?.html", '"q".html']
    pages = [WebFile(name, name.encode()) for name in names]
    place.publisher().publish(pages, soon())

    assert Delivery(0, 4) == place.publisher().publish(pages, soon())
    assert {page.path: page.content for page in pages} == place.files()


def test_the_committer(place: Place) -> None:
    """As configured; where nothing is, a name of our own, whatever the machine is called."""
    place.publisher().publish(PAGES, soon())
    nobody = place.run(place.remote, "log", "--format=%an <%ae> %cn <%ce>", "gh-pages")
    place.run(place.checkout, "config", "user.email", "re@example.org")
    place.publisher().publish([WebFile("index.html", b"half")], soon())
    half = place.run(place.remote, "log", "--format=%an <%ae>", "gh-pages")
    place.run(place.checkout, "config", "user.name", "Ré")
    place.publisher().publish([WebFile("index.html", b"x")], soon())

    assert "heatmap <heatmap@localhost> heatmap <heatmap@localhost>" == nobody
    assert "heatmap <re@example.org>" == half
    assert "Ré <re@example.org> Ré <re@example.org>" == place.run(
        place.remote, "log", "--format=%an <%ae> %cn <%ce>", "gh-pages"
    )


def test_variables_that_lead_elsewhere(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run from another repository's hook, or with settings in variables, it is still this repository."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    for name, value in (("COUNT", "1"), ("KEY_0", "user.email"), ("VALUE_0", "ci@example.org")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "CI")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "CI")
    place.publisher().publish(PAGES, soon())
    for name in [name for name in os.environ if name.startswith("GIT_") and "GLOBAL" not in name]:
        monkeypatch.delenv(name)

    assert PUT == place.files()
    assert "ci@example.org" == place.run(place.remote, "log", "--format=%ce", "gh-pages")


def test_no_locale(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under cron there is none."""
    for name in ("LANG", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    place.publisher(folder="été").publish(PAGES, soon())

    assert {f"été/{name}": content for name, content in PUT.items()} == place.files()


@pytest.mark.parametrize(
    "address",
    [
        "http://me:canary@127.0.0.1:9/x.git",
        "git://me:canary@127.0.0.1:9/x.git",
        "http://127.0.0.1:9/x.git?private_token=canary",
        "http://127.0.0.1:9/x.git?a=1&b=can%61ry",
    ],
)
def test_secrets_stay_out_of_messages(place: Place, address: str) -> None:
    """A password or a token that the remote's address holds is not repeated, where git repeats it, either."""
    place.run(place.checkout, "remote", "set-url", "origin", address)
    sentence = caught(place.publisher(), PublishError, "cannot reach the remote")

    assert "127.0.0.1:9" in sentence or "***" in sentence
    assert "canary" not in sentence
    assert "can%61ry" not in sentence


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://h.example/x.git?private_token=canary-1", {"canary-1", "private_token=canary-1"}),
        ("https://me:c%40nary@h.example/x.git", {"c%40nary", "c@nary"}),
        ("https://ghp_0123456789abcdef0123@h.example/x.git", {"ghp_0123456789abcdef0123"}),
        ("https://me@h.example/x.git?v=1", set()),
        ("ssh://git@h.example/x.git", set()),
        ("git@h.example:x.git", set()),
        ("https://[::1/x.git", set()),
        ("/srv/x.git", set()),
    ],
)
def test_what_is_secret_in_an_address(url: str, secrets: set[str]) -> None:
    """Password, token and query, as written and decoded; no ordinary user, for it stands in other words too."""
    assert secrets == messages.find_secrets(url)


def test_words_of_a_remote_that_repeat_a_token() -> None:
    """The query of an address is never shown, and secrets of the remote's address neither."""
    words = "fatal: unable to access 'http://h.example/x.git?t=canary&u=1/': The requested URL returned error: 403"

    assert "canary" not in messages.quote_message(words)
    assert "http://h.example/x.git'" in messages.quote_message(words)


@pytest.mark.parametrize(
    ("url", "kind", "match"),
    [
        ("/nowhere/x.git", PublishImpossible, "not appear to be a git repository"),
        ("http://127.0.0.1:9/x.git", PublishError, "cannot reach the remote"),
        ("ssh://nobody@no-such-host.invalid/x.git", PublishError, "no-such-host.invalid"),
    ],
)
def test_a_remote_that_is_not_there(place: Place, url: str, kind: type[PublishError], match: str) -> None:
    """git's message decides the advice."""
    place.run(place.checkout, "remote", "set-url", "origin", url)
    caught(place.publisher(), kind, match)


def test_a_password_that_would_be_asked_for(place: Place) -> None:
    """Nobody is there to type it: it is refused at once."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Asks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Asks)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        place.run(
            place.checkout, "remote", "set-url", "origin", f"http://127.0.0.1:{server.server_port}/x.git"
        )
        caught(place.publisher(), PublishRefused, "could not read Username")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_what_is_missing(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is no repository, a remote that has no name, a folder that is not there, no git."""
    (tmp_path / "plain").mkdir()
    plain = replace(place.publisher(), url=f"git+file:{tmp_path}/plain")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    caught(plain, PublishImpossible, "no repository that git can use")
    caught(place.publisher(remote="upstream"), PublishImpossible, "no remote 'upstream'")
    assert [] == place.publisher().problems()
    gone = replace(plain, url=f"git+file:{tmp_path}/gone")
    assert ["there is no folder"] == [problem[:18] for problem in gone.problems()]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in place.publisher().problems()[0]
    caught(place.publisher(), PublishImpossible, "git cannot be run")


NOBODY = 65534


def test_a_clone_of_another_user(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit 78 and the right advice, which works: as its owner, or safe.directory."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    command = f"git config --global --add safe.directory '{place.checkout}'"
    said = caught(place.publisher(), PublishImpossible, "dubious ownership.*run this as its owner, or ")

    assert said.endswith(command)
    assert "clone it" not in said
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    subprocess.run(shlex.split(command), check=True)
    subprocess.run(shlex.split(command.replace(str(place.checkout), str(place.remote))), check=True)
    place.publisher().publish(PAGES, soon())
    assert PUT == place.files()


def test_a_remote_of_another_user(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A remote that is a path on this machine has the same fault, and its own path in the advice."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    command = ["git", "config", "--global", "--add", "safe.directory", str(place.checkout)]
    subprocess.run(command, check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    caught(place.publisher(), PublishImpossible, f"safe.directory {place.remote}$")


@pytest.mark.parametrize(
    ("damage", "advice"),
    [
        (lambda git: (git / "config").write_text("[["), "bad config.*: correct that file"),
        (lambda git: (git / "HEAD").unlink(), "it is damaged: clone it anew"),
        (
            lambda git: (git / "config").write_text("[core]\nrepositoryformatversion = 9\n"),
            "repo version.*: install a newer git",
        ),
        (
            lambda git: git.rename(git.with_name("x")) and git.write_text("gitdir: /gone"),
            "leads nowhere: clone",
        ),
    ],
    ids=["configuration", "head", "version", "worktree"],
)
def test_a_clone_that_cannot_be_used(
    place: Place, damage: Callable[[Path], Any], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault of the clone has advice of its own."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(place.checkout.parent))
    damage(place.checkout / ".git")

    caught(place.publisher(), PublishImpossible, advice)


@pytest.mark.parametrize(
    ("words", "kind", "advice"),
    [
        (
            "fatal: unsafe repository ('/srv/my site' is owned by someone else)",
            PublishImpossible,
            "safe.directory '/srv/my site'",
        ),
        (
            "fatal: detected dubious ownership in repository at '/srv/it's'\nTo add an exception:",
            PublishImpossible,
            "safe.directory '/srv/it'\"'\"'s'",
        ),
        (
            "fatal: cannot use bare repository '/srv/x.git' (safe.bareRepository is 'explicit')",
            PublishImpossible,
            "git config --global safe.bareRepository all",
        ),
        (
            (
                "warning: unable to access '.git/config': Permission denied\n"
                "fatal: unable to access '.git/config': Permission denied"
            ),
            PublishImpossible,
            "let this user read it",
        ),
        ("fatal: cannot change to '/srv/x': Permission denied", PublishImpossible, "let this user read it"),
        ("fatal: unable to access 'https://h/x.git/': Could not resolve host", PublishError, "tries again"),
        ("fatal: unable to access 'https://h/x.git/': returned error: 403", PublishRefused, "who runs this"),
        ("git@example.org: Permission denied (publickey).", PublishRefused, "as the user who runs this"),
        ("fatal: '/srv/x' does not appear to be a git repository", PublishImpossible, "remote -v`"),
        ("error: out of tea", PublishError, "the next run tries again"),
    ],
)
def test_advice_by_words(words: str, kind: type[PublishError], advice: str) -> None:
    """As git words it, of this version and of others."""
    fault = messages.describe_error("target", "/srv/x", words, "be used")

    assert kind is type(fault)
    assert str(fault).endswith(advice)


@pytest.mark.parametrize(
    ("said", "words", "kind", "advice"),
    [
        (
            "!\tHEAD:refs/heads/x\t[remote rejected] (unpacker error)",
            "error: remote unpack failed: unable to create temporary object directory",
            PublishError,
            r"remote repository \(.*unable to create temporary object directory\), or make room",
        ),
        (
            "!\tx\t[remote rejected] (Could not update working tree to new HEAD)",
            "fatal: Unable to create '/srv/site/.git/./index.lock': File exists.",
            PublishError,
            r"there is a lock \(/srv/site/\.git/index\.lock\).*delete the file$",
        ),
        (
            "!\tx\t[remote rejected] (failed to update ref)",
            "remote: error: Unable to create '/srv/x/refs/heads/x.lock': Permission denied",
            PublishError,
            "let this user write in the remote repository",
        ),
        ("!\tx\t[remote rejected] (pre-receive hook declined)", "", PublishImpossible, "remote's hook wants"),
        ("!\tx\t[remote rejected] (protected branch hook declined)", "", PublishImpossible, "push by force"),
        (
            "!\tx\t[remote rejected] (branch is currently checked out)",
            "",
            PublishImpossible,
            "another branch",
        ),
    ],
)
def test_advice_for_a_rejected_push(said: str, words: str, kind: type[PublishError], advice: str) -> None:
    """Each reason has its own."""
    fault = messages.make_rejection_error("target", "gh-pages", said, words)

    assert kind is type(fault)
    assert re.search(advice, str(fault))


def test_an_old_git(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old git is an error that names its version."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text("#!/bin/sh\necho git version 2.30.2\n")
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    caught(place.publisher(), PublishImpossible, "git is 2.30.2: install 2.31 or newer")


def test_check_changes_nothing(place: Place) -> None:
    """It rehearses a push, and says what it found."""
    before = place.run(place.remote, "for-each-ref")

    assert "gh-pages of origin will be made" in place.publisher().check(soon())
    assert before == place.run(place.remote, "for-each-ref")
    place.publisher().publish(PAGES, soon())
    tip = place.run(place.remote, "rev-parse", "gh-pages")
    assert f"gh-pages of origin is at {tip[:7]}" in place.publisher().check(soon())
    assert tip == place.run(place.remote, "rev-parse", "gh-pages")


MARKED = [WebFile("nse/index.html", SAMPLE + b"market"), WebFile("index.html", SAMPLE + b"first")]


@pytest.mark.parametrize("path", ["index.html", "nse/index.html"])
def test_a_page_of_somebody_else_is_never_replaced(place: Place, path: str) -> None:
    """Exit 78, by a run and by check; the branch stays as it is; overwrite replaces that page alone."""
    theirs = {"index.html": SAMPLE.decode() + "old", "CNAME": "www.example.org"}
    place.start_pages(theirs | {path: "<h1>My blog</h1>"})
    before = place.run(place.remote, "rev-parse", "gh-pages")
    publisher = place.publisher()
    for attempt in (publisher.publish, lambda pages, deadline: publisher.check(deadline, pages)):
        with pytest.raises(PublishImpossible, match=f"{path} .*another folder.*overwrite = true"):
            attempt(MARKED, soon())
        assert before == place.run(place.remote, "rev-parse", "gh-pages")

    assert 2 == replace(publisher, overwrite=True).publish(MARKED, soon()).put
    assert {page.path: page.content for page in MARKED} | {"CNAME": b"www.example.org"} == place.files()


def test_pages_of_ours_are_replaced(place: Place) -> None:
    """Pages with the mark, by a run and by check, in a folder of the branch, too."""
    place.start_pages({"index.html": "<h1>My blog</h1>", "map/index.html": SAMPLE.decode() + "old\n"})
    publisher = place.publisher(folder="map")

    assert "may be pushed to" in publisher.check(soon(), MARKED)
    assert Delivery(2, 0) == publisher.publish(MARKED, soon())
    assert Delivery(0, 2) == publisher.publish(MARKED, soon())
    assert b"<h1>My blog</h1>" == place.files()["index.html"]


def test_what_is_made_is_told(place: Place) -> None:
    """A branch or a folder in it that was not there, which a misspelt name makes; once, and before it by check."""
    assert "gh-page of origin will be made" in place.publisher(branch="gh-page").check(soon(), MARKED)
    assert ("the branch gh-page",) == place.publisher(branch="gh-page").publish(MARKED, soon()).new_places
    there = place.publisher(branch="gh-page", folder="docs/map")
    assert "the folder docs/map in it will be made" in there.check(soon(), MARKED)
    assert ("the folder docs/map in it",) == there.publish(MARKED, soon()).new_places
    assert () == there.publish([WebFile("index.html", SAMPLE)], soon()).new_places
    assert "docs/map" not in there.check(soon(), MARKED)


def test_a_large_page_of_somebody_else(place: Place) -> None:
    """It is not read."""
    place.start_pages({"index.html": SAMPLE.decode() + "0" * MAX_PAGE_BYTES})

    caught(place.publisher(), PublishImpossible, r"index\.html there was not written", pages=MARKED)


def test_killed_at_any_moment(place: Place) -> None:
    """After SIGKILL at random the branch is valid and holds one whole page; the next run needs no help."""
    place.start_pages({"index.html": "0" * 200_000})
    script = (
        "import sys\nfrom heatmap.system.deadline import Deadline\nfrom heatmap.system.web_file import WebFile\n"
        "from heatmap.publishers.git.publisher import GitPublisher\nprint(flush=True)\n"
        "GitPublisher(sys.argv[1]).publish([WebFile('index.html', sys.argv[2].encode() * 200_000)], Deadline(30))\n"
    )
    chance = random.Random(4)
    for number in range(1, 16):
        command = [sys.executable, "-c", script, f"git+file:{place.checkout}", chr(65 + number)]
        child = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, start_new_session=True)
        with child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0, 0.25))
            for process in [*_descendants(child.pid), child.pid]:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        assert len(set(place.files()["index.html"])) == 1
        assert "" == place.run(place.remote, "fsck", "--strict", "--no-dangling")
        for lock in place.remote.rglob("*.lock"):
            aged(lock)  # as if the next tick came some minutes later

    assert Delivery(2, 0) == place.publisher().publish(PAGES, soon())
    assert PUT == place.files()


def _descendants(process: int) -> list[int]:
    """Return the children of a process, and their children."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(stat.read_text().rpartition(")")[2].split()[1]), []).append(
                int(stat.parent.name)
            )
    found = parents.get(process, [])
    return [*found, *(each for child in found for each in _descendants_of(child, parents))]


def _descendants_of(process: int, parents: dict[int, list[int]]) -> list[int]:
    return [each for child in parents.get(process, []) for each in (child, *_descendants_of(child, parents))]


def test_cut_at_any_byte(place: Place) -> None:
    """Broken off at 40 places all over a push, the old page or the new one is there, whole; then it heals."""
    place.start_pages({"index.html": "old", "CNAME": "x"})
    new = random.Random(1).randbytes(60_000)
    old = place.run(place.remote, "rev-parse", "gh-pages")

    def publish(fault: Fault | None) -> int:
        with Proxy(server.port, fault) as proxy:
            url = f"git://127.0.0.1:{proxy.port}/{place.remote.name}"
            place.run(place.checkout, "remote", "set-url", "--push", "origin", url)
            place.publisher().publish([WebFile("index.html", new)], soon())
            return len(proxy.sent)

    with started(lambda: GitDaemon(place.remote.parent / "daemon", place.remote.parent)) as server:
        total = publish(None)
        outcomes = []
        for number in range(40):
            place.run(place.remote, "update-ref", "refs/heads/gh-pages", old)
            with suppress(PublishError):
                publish(Fault.reset(after=total * number // 40))
            outcomes.append(place.files()["index.html"])
            assert "" == place.run(place.remote, "fsck", "--strict", "--no-dangling")
            assert outcomes[-1] in (b"old", new)
        publish(None)

    assert outcomes.count(b"old") > 30
    assert {"index.html": new, "CNAME": b"x"} == place.files()


SSH = """#!/bin/sh
printf '%s\\n' "$*" >> "$(dirname "$0")/log"
for command; do :; done
exec sh -c "$command"
"""


@pytest.fixture
def ssh(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An ssh that runs the command on this machine, or does something else; returns its log."""

    def make(script: str) -> Path:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/ssh").write_text(script)
        (tmp_path / "bin/ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        place.run(place.checkout, "remote", "set-url", "origin", f"ssh://me@www.example.org{place.remote}")
        return tmp_path / "bin/log"

    return make


def test_by_ssh(place: Place, ssh: Callable[[str], Path]) -> None:
    """It never asks, and waits only so long for a connection; a command of the user's own is left as it is."""
    log = ssh(SSH)
    place.publisher().publish(PAGES, soon())

    assert PUT == place.files()
    assert all("BatchMode=yes" in line and "ConnectTimeout=" in line for line in log.read_text().splitlines())
    log.unlink()
    place.run(place.checkout, "config", "core.sshCommand", "ssh -p 22")
    place.publisher().publish([WebFile("index.html", b"x")], soon())
    assert "BatchMode" not in log.read_text()


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("me@www.example.org: Permission denied (publickey).", PublishRefused),
        ("Host key verification failed.", PublishRefused),
        ("ssh: connect to host www.example.org port 22: Connection timed out", PublishError),
        ("ERROR: Repository not found.", PublishImpossible),
    ],
)
def test_what_ssh_says(
    place: Place, ssh: Callable[[str], Path], words: str, kind: type[PublishError]
) -> None:
    """The sentence has the reason, not git's general advice behind it."""
    ssh(f"#!/bin/sh\necho '{words}' >&2\nexit 255\n")

    assert words.rstrip(".") in caught(place.publisher(), kind, "cannot|may not")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "git+file:"},
        {"url": "git+file://host/x"},
        {"url": "git+file:a%0ab"},
        {"branch": "-d"},
        {"branch": "a..b"},
        {"branch": "a b"},
        {"branch": ""},
        {"branch": "x.lock"},
        {"branch": "x:y"},
        {"remote": "--upload-pack=x"},
        {"folder": "../x"},
        {"folder": "a//b"},
        {"folder": "a/.git/hooks"},
        {"folder": "a\nb"},
    ],
    ids=str,
)
def test_what_cannot_be(wrong: dict[str, str]) -> None:
    """Each is a ConfigError."""
    with pytest.raises(ConfigError):
        GitPublisher(**({"url": "git+file:site"} | wrong))


def test_relative_to_the_configuration(tmp_path: Path) -> None:
    """As with file:, and other branches and folders keep their names."""
    publisher = GitPublisher("git+file:my%20site", branch="pages/été", folder="/docs/").resolve_paths(
        tmp_path
    )

    assert f"git+file:{tmp_path}/my site (pages/été)" == publisher.name
