"""Deliveries to an imaginary server that fails at each step in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from heatmap.errors import DeadlineError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import delivery, ownership
from heatmap.publishers.connection import CannotReplace, Hidden, NotFound, Unreadable
from heatmap.publishers.probe import probe
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile

PAGES = [WebFile("nse/snapshot.json", b"{}"), WebFile("index.html", b"new page")]
OLD = {"web/index.html": b"old page", "web/nse/snapshot.json": b"[]", "web/mine.html": b"mine"}
NEW = {"web/index.html": b"new page", "web/nse/snapshot.json": b"{}", "web/mine.html": b"mine"}
LONG_AGO = ".heatmap-00000001-0123456789abcdef.tmp"


@dataclass
class Imaginary:
    """A target and its server in one. `fails` names the steps (counted from 0) that fail, before or after
    their effect; after a failure the connection is over, and the test fails if it is used again."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(OLD))
    fails: frozenset[int] = frozenset()
    after_its_effect: bool = False
    error: type[Exception] = ConnectionResetError
    name: str = "imaginary"
    folder: str = "web"
    verify: str = "page"
    replace: str = "rename"
    attempts: int = 3
    overwrite: bool = False
    overwrites: bool = True
    tells_sizes: bool = True
    atomic: bool = False
    steps: list[str] = field(default_factory=list)
    seen: set[bytes | None] = field(default_factory=set)

    def make_connection(self, deadline: Deadline) -> ImaginaryConnection:
        return ImaginaryConnection(self)


class ImaginaryConnection:
    """A connection to the imaginary server."""

    faults = (OSError,)
    new_folders: tuple[str, ...] = ()

    def __init__(self, server: Imaginary) -> None:
        self.server = server
        self.atomic = server.atomic
        self.over = False

    def _step(self, what: str, effect: Callable[[], Any] = lambda: None) -> Any:
        assert not self.over, f"{what} after a fault, on the same connection"
        server = self.server
        fails = len(server.steps) in server.fails
        server.steps.append(what)
        if fails and not server.after_its_effect:
            self.over = True
            raise server.error(what)
        if fails:
            self.over = True
            with suppress(NotFound, CannotReplace):
                effect()
            server.seen.add(server.files.get("web/index.html"))
            raise server.error(what)
        result = effect()
        server.seen.add(server.files.get("web/index.html"))
        return result

    def open(self) -> None:
        self._step("open")

    def size(self, path: str) -> int | None:
        def effect() -> int | None:
            if path not in self.server.files:
                raise NotFound
            return len(self.server.files[path]) if self.server.tells_sizes else None

        return self._step(f"size {path}", effect)

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        def effect() -> bytes:
            if path not in self.server.files:
                raise NotFound
            return self.server.files[path]

        return self._step(f"read {path}", effect)

    def put(self, path: str, content: bytes) -> None:
        assert path not in self.server.files or self.atomic
        self._step(f"put {path}", lambda: self.server.files.__setitem__(path, content))

    def rename_over(self, temporary: str, path: str) -> None:
        def effect() -> None:
            if path in self.server.files and not self.server.overwrites:
                raise CannotReplace("550 it is there")
            self.server.files[path] = self.server.files.pop(temporary)

        self._step(f"replace {path}", effect)

    def remove(self, path: str) -> None:
        def effect() -> None:
            if self.server.files.pop(path, None) is None:
                raise NotFound

        self._step(f"remove {path}", effect)

    def list_names(self, folder: str) -> list[str]:
        names = [path.rpartition("/")[2] for path in self.server.files if path.rpartition("/")[0] == folder]
        return self._step(f"names {folder}", lambda: names)

    def describe(self) -> str:
        return "imaginary"

    def describe_error(self, error: BaseException) -> PublishError:
        return PublishError(f"imaginary: {error}")

    def abort(self) -> None:
        self.over = True

    def close(self) -> None:
        self.over = True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.0)


def deliver(server: Imaginary, pages: list[WebFile] = PAGES, seconds: float = 30) -> delivery.Delivery:
    """Deliver pages to the server."""
    return delivery.deliver(server, pages, Deadline(seconds))


def steps_of(server: Imaginary) -> int:
    """Return how many steps a delivery takes without a fault."""
    deliver(server)
    return len(server.steps)


@pytest.mark.parametrize("tells_sizes", [True, False])
@pytest.mark.parametrize("after_its_effect", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
def test_a_fault_at_any_step_is_healed(tells_sizes: bool, after_its_effect: bool, atomic: bool) -> None:
    """Any step may fail, before or after its effect: both pages arrive, never in part, and nothing else stays."""
    many = steps_of(Imaginary(tells_sizes=tells_sizes, atomic=atomic))
    assert many >= 7
    for number in range(many):
        server = Imaginary(
            tells_sizes=tells_sizes,
            after_its_effect=after_its_effect,
            atomic=atomic,
            fails=frozenset({number}),
        )
        done = deliver(server)

        assert (2, 0) == (done.put, done.unchanged), server.steps
        assert NEW == server.files, server.steps
        assert server.seen <= {b"old page", b"new page"}


@pytest.mark.parametrize("after_its_effect", [False, True])
def test_where_all_attempts_fail_the_old_page_or_the_new_one_stands(after_its_effect: bool) -> None:
    """The same step fails over every connection: an error, each page old or new, and the next delivery succeeds."""
    for number in range(steps_of(Imaginary())):
        server = Imaginary(after_its_effect=after_its_effect, attempts=1, fails=frozenset({number}))
        try:
            deliver(server)
        except PublishError:
            assert 1 == sum(step == "open" for step in server.steps[: number + 1])
        ours = {path: content for path, content in server.files.items() if ".heatmap-" not in path}

        assert ours.keys() == OLD.keys()
        assert all(content in (OLD[path], NEW[path]) for path, content in ours.items())
        server.fails = frozenset()
        deliver(server)
        assert NEW == {path: content for path, content in server.files.items() if ".heatmap-" not in path}


def test_what_a_failed_delivery_left_is_removed_at_once() -> None:
    """The upload breaks each time: a connection of its own removes the temporary file."""
    server = Imaginary(after_its_effect=True)
    put = next(number for number, step in enumerate(_steps(server)) if step.startswith("put"))
    server = Imaginary(after_its_effect=True, attempts=1, fails=frozenset({put}))
    with pytest.raises(PublishError):
        deliver(server)

    assert OLD == server.files
    assert 2 == server.steps.count("open")


def _steps(server: Imaginary) -> list[str]:
    deliver(server)
    return server.steps


def test_the_same_pages_again_are_not_sent_again() -> None:
    """A repeated delivery puts nothing."""
    server = Imaginary()
    deliver(server)
    before = len(server.steps)

    assert delivery.Delivery(0, 2, 1) == deliver(server)
    assert not [step for step in server.steps[before:] if step.startswith(("put", "replace"))]


def test_a_page_of_another_size_is_not_read_to_see_that_it_is_another() -> None:
    """Its size shows that it differs."""
    server = Imaginary()
    deliver(server, [WebFile("index.html", b"a longer page")])

    assert 1 == sum(step == "read web/index.html" for step in server.steps)  # to verify it


@pytest.mark.parametrize(
    ("verify", "read"),
    [
        ("page", ["web/index.html"]),
        ("all", ["web/nse/snapshot.json", "web/index.html"]),
        ("size", []),
    ],
)
def test_what_is_read_back(verify: str, read: list[str]) -> None:
    """By default only the page itself is read back."""
    server = Imaginary(verify=verify, files={})
    deliver(server)

    assert read == [step.removeprefix("read ") for step in server.steps if step.startswith("read")]


@pytest.mark.parametrize("page", [WebFile("index.html", b"other bytes"), WebFile("a.json", b"[ ]")])
def test_a_rename_that_did_nothing_is_noticed(page: WebFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server says yes and changes nothing: an error, also if the old file has the same size."""
    server = Imaginary(files={f"web/{page.path}": bytes(len(page.content))})
    monkeypatch.setattr(
        ImaginaryConnection, "rename_over", lambda self, temporary, path: self._step("rename_over")
    )
    with pytest.raises(PublishError, match="other bytes came back"):
        deliver(server, [page])

    assert {f"web/{page.path}": bytes(len(page.content))} == server.files


def test_half_a_file_never_takes_the_place_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server stores half of a file and says yes: the old page stays."""
    server = Imaginary()

    def put(self: ImaginaryConnection, path: str, content: bytes) -> None:
        self._step("put", lambda: self.server.files.__setitem__(path, content[: len(content) // 2]))

    monkeypatch.setattr(ImaginaryConnection, "put", put)
    with pytest.raises(PublishError, match="1 of 2 bytes arrived"):
        deliver(server)

    assert OLD == server.files


def test_a_file_stored_under_another_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old page stays. A later run removes the file of the other name."""
    server = Imaginary()

    def put(self: ImaginaryConnection, path: str, content: bytes) -> None:
        self._step("put", lambda: self.server.files.__setitem__(f"{path}.1", content))

    monkeypatch.setattr(ImaginaryConnection, "put", put)
    with pytest.raises(PublishError, match="does not have it under its name"):
        deliver(server)

    assert OLD == {path: content for path, content in server.files.items() if ".heatmap-" not in path}


def test_a_refusal_is_not_repeated() -> None:
    """A refused login is not tried again: repeated logins lock accounts."""

    class Refusing(ImaginaryConnection):
        def describe_error(self, error: BaseException) -> PublishError:
            return PublishRefused("no")

    server = Imaginary(fails=frozenset({0}))
    server.make_connection = lambda deadline: Refusing(server)
    with pytest.raises(PublishRefused):
        deliver(server)

    assert ["open"] == server.steps


def test_a_server_that_does_not_replace_is_refused() -> None:
    """The error names the option that would help, and its price. Nothing is changed, nothing is left."""
    server = Imaginary(overwrites=False)
    with pytest.raises(PublishImpossible, match='replace = "delete-then-rename".*no page for a moment'):
        deliver(server)

    assert OLD == server.files


def test_delete_then_rename_where_it_was_asked_for() -> None:
    """An old file is deleted first. For a new file nothing is deleted."""
    server = Imaginary(overwrites=False, replace="delete-then-rename")
    deliver(server)

    assert NEW == server.files
    assert ["remove web/nse/snapshot.json", "remove web/index.html"] == [
        step for step in server.steps if step.startswith("remove")
    ]


MARKED = [
    WebFile("nse/snapshot.json", b'{"schema": "market-heatmap/1"}'),
    WebFile("index.html", ownership.SAMPLE),
]


def test_what_it_costs_to_know_whose_the_page_is() -> None:
    """A page that is the same is read once; a page that differs is read once more."""
    server = Imaginary(files={f"web/{page.path}": page.content for page in MARKED})
    deliver(server, MARKED)
    same = [step for step in server.steps if step.endswith("index.html")]
    server.steps.clear()
    deliver(server, [WebFile("index.html", ownership.SAMPLE + b"new")])
    other = [step for step in server.steps if step.endswith("index.html")]

    assert ["size web/index.html", "read web/index.html"] == same
    assert 2 == other.count("read web/index.html")  # before it is put and after
    assert 2 == other.count("size web/index.html")


def test_what_is_not_ours_is_left_alone_at_every_step() -> None:
    """Any step may fail before: a foreign page is never replaced, and nothing is left beside it."""
    many = len(_refused(Imaginary()).steps)
    assert many >= 3
    for number in range(many):
        for after_its_effect in (False, True):
            server = _refused(Imaginary(fails=frozenset({number}), after_its_effect=after_its_effect))
            assert OLD == server.files, server.steps


def _refused(server: Imaginary) -> Imaginary:
    with pytest.raises(PublishImpossible, match="overwrite = true"):
        deliver(server, MARKED)
    return server


def test_a_page_that_the_server_hides_from_visitors_is_looked_at() -> None:
    """If it is ours, it is put again; if not, it stays."""

    class Hiding(ImaginaryConnection):
        def size(self, path: str) -> int | None:
            size = super().size(path)
            if path == "web/index.html" and server.files[path] in (b"old page", ownership.SAMPLE + b"old"):
                raise Hidden(size)
            return size

    server = Imaginary()
    server.make_connection = lambda deadline: Hiding(server)
    _refused(server)
    server.files["web/index.html"] = ownership.SAMPLE + b"old"
    server.files["web/nse/snapshot.json"] = MARKED[0].content
    deliver(server, MARKED)

    assert ownership.SAMPLE == server.files["web/index.html"]


@pytest.mark.parametrize("refusal", [NotFound, Unreadable])
@pytest.mark.parametrize("is_ours", [False, True])
def test_a_page_that_the_server_does_not_give_back(refusal: type[NotFound], is_ours: bool) -> None:
    """It exists, because it has a size. It is refused, unless a snapshot of ours lies below it."""

    class Blind(ImaginaryConnection):
        def read(self, path: str, max_bytes: int | None = None) -> bytes:
            self._step(f"read {path}")
            raise refusal("550 No.")

    files = {"web/index.html": b"old page"} | ({"web/nse/snapshot.json": b"any"} if is_ours else {})
    server = Imaginary(files=dict(files), verify="size")
    server.make_connection = lambda deadline: Blind(server)
    if is_ours:
        deliver(server, MARKED)
        assert {f"web/{page.path}": page.content for page in MARKED} == server.files
    else:
        with pytest.raises(PublishImpossible, match=r"index\.html there cannot be read"):
            deliver(server, MARKED)
        assert files == server.files


def test_the_snapshot_of_another_market_proves_nothing() -> None:
    """Names may begin alike: the folder `nse` is not ours because `nse-fno` is."""
    files = {"web/nse/index.html": b"theirs", "web/nse-fno/snapshot.json": b"ours"}
    server = Imaginary(files=dict(files), verify="size")
    pages = [WebFile(f"nse/{page.path.rpartition('/')[2]}", page.content) for page in MARKED]
    pages.append(WebFile("nse-fno/snapshot.json", MARKED[0].content))

    class Blind(ImaginaryConnection):
        def read(self, path: str, max_bytes: int | None = None) -> bytes:
            raise Unreadable("550 No.")

    server.make_connection = lambda deadline: Blind(server)
    with pytest.raises(PublishImpossible, match=r"nse/index\.html there cannot be read"):
        deliver(server, pages)

    assert files == server.files


def test_a_page_too_large_for_ours_is_not_read() -> None:
    """Its size shows that it is foreign."""
    server = Imaginary(files={"web/index.html": bytes(ownership.MAX_PAGE_BYTES + 1)})
    _refused(server)

    assert [] == [step for step in server.steps if step.startswith("read")]


def test_old_temporaries_of_ours_are_swept_and_nothing_else() -> None:
    """Fresh files stay, because another run may be writing them, and so do files with other names."""
    fresh = f".heatmap-{int(time.time()) - 60:08x}-0123456789abcdef.tmp"
    others = [fresh, ".heatmap-notes.tmp", "heatmap-00000001-0123456789abcdef.tmp", f"{LONG_AGO}.html"]
    gone = [LONG_AGO, f"{LONG_AGO}.1", f".in.{LONG_AGO}.", LONG_AGO.replace("tmp", "probe")]
    server = Imaginary(files={**OLD, **{f"web/{name}": b"" for name in others + gone}})
    deliver(server)

    assert {f"web/{name}" for name in others} | OLD.keys() == server.files.keys()


def test_a_sweep_that_fails_spoils_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages are in place before it."""

    def refuse(self: ImaginaryConnection, folder: str) -> list[str]:
        raise PermissionError(folder)

    monkeypatch.setattr(ImaginaryConnection, "list_names", refuse)

    assert 2 == deliver(Imaginary()).put


def test_no_attempt_begins_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the wait before the next attempt would pass the deadline, the first error is raised at once."""
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 60.0)
    server = Imaginary(fails=frozenset({0}))
    started_at = time.monotonic()
    with pytest.raises(PublishError):
        deliver(server, seconds=5)

    assert 1 == server.steps.count("open")
    assert time.monotonic() - started_at < 5


def test_what_waits_is_broken_off_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that would never end is aborted, and the error names the run's time."""
    from threading import Event

    aborted = Event()

    def wait(self: ImaginaryConnection) -> None:
        assert aborted.wait(20)
        raise ConnectionAbortedError

    monkeypatch.setattr(ImaginaryConnection, "open", wait)
    monkeypatch.setattr(ImaginaryConnection, "abort", lambda self: aborted.set())
    with pytest.raises(PublishError, match="the run's 0.2 seconds are over"):
        deliver(Imaginary(), seconds=0.2)


def test_a_probe_leaves_nothing_even_where_it_fails() -> None:
    """Any step may fail."""
    server = Imaginary()
    assert "imaginary; writes, replaces, reads back and deletes" == probe(server, Deadline(30))
    assert OLD == server.files
    for number in range(len(server.steps) - 1):  # the last one sweeps, and may fail
        for after_its_effect in (False, True):
            failing = Imaginary(fails=frozenset({number}), after_its_effect=after_its_effect)
            with pytest.raises(PublishError):
                probe(failing, Deadline(30))

            assert OLD == failing.files, failing.steps


def test_a_probe_does_as_deliveries_do() -> None:
    """The sentence says if nothing is read back, and if a file is deleted before another gets its name."""
    blind = Imaginary(verify="size")
    description = probe(blind, Deadline(30))
    deleting = Imaginary(overwrites=False, replace="delete-then-rename")

    assert "imaginary; writes, replaces and deletes" == description
    assert [] == [step for step in blind.steps if step.startswith("read")]
    assert "does not rename over a file" in probe(deleting, Deadline(30))


def test_a_file_that_cannot_be_swept_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run starts with another file, so that all others are removed in the end."""
    stale = {f"web/.heatmap-0000000{number}-0123456789abcdef.tmp": b"" for number in range(6)}
    stuck = next(iter(stale))
    server = Imaginary(files={**NEW, **stale})
    remove = ImaginaryConnection.remove

    def refusing(self: ImaginaryConnection, path: str) -> None:
        if path == stuck:
            raise PermissionError(path)
        remove(self, path)

    monkeypatch.setattr(ImaginaryConnection, "remove", refusing)
    for _ in range(100):
        deliver(server)

    assert {*NEW, stuck} == server.files.keys()


def test_a_session_for_which_there_is_no_time_names_its_target() -> None:
    """The error names the target."""
    server = Imaginary()

    def late(deadline: Deadline) -> ImaginaryConnection:
        raise DeadlineError("not done within 5 seconds")

    server.make_connection = late
    with pytest.raises(PublishError, match="imaginary: not done within 5 seconds"):
        deliver(server)
