"""Brings pages to a target so that no visitor ever meets a broken one: what all kinds of servers share.

Each kind of target offers its primitive steps; only here is anything retried, compared, swept or given up.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import DeadlineError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import address, comparison, groups, obstacles, ownership, sweeping
from heatmap.publishers.comparison import DamagedError
from heatmap.publishers.connection import CannotReplace, Hidden, NotFound, Unreadable
from heatmap.system.retry import backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.connection import Connection, Target
    from heatmap.publishers.groups import Key, MissingPart
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

# Before the second attempt; twice as long before the third; each by chance up to half less or more.
BACKOFF_SECONDS = 1.0
CLEANING_SECONDS = 10  # what tidying up after a failure may take

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a target took: files put, files that were there already, and how many attempts it needed.

    `made` is what was missing on the way to the pages and was made, such as "the folder web". `removed` are
    the paths of locks that killed processes had left there. `lacks` are the parts that could not be put.
    """

    put: int
    kept: int
    attempts: int = 1
    made: tuple[str, ...] = field(default=(), compare=False)
    removed: tuple[str, ...] = field(default=(), compare=False)
    lacks: tuple[MissingPart, ...] = ()

    def __str__(self) -> str:
        """Return it in words."""
        kept = f", {self.kept} unchanged" if self.kept else ""
        attempts = f", at attempt {self.attempts}" if self.attempts > 1 else ""
        files = "file" if self.put == 1 else "files"
        made = f"; made {' and '.join(self.made)}, not there before" if self.made else ""
        lacks = ", ".join(f"{lack.part} of {lack.market}" for lack in self.lacks)
        return f"{self.put} {files} published{kept}{attempts}{made}{lacks and f'; without {lacks}'}"


def deliver(target: Target, pages: Sequence[WebFile], deadline: Deadline) -> Delivery:
    """Put every page in place, in order, each whole at every instant. Raises PublishError.

    After a fault that may pass everything begins anew, on a new connection and under new names, while
    there is time; what is in place by then is kept. So a lost reply is settled by looking, not by guessing.
    Files of parts come last: a part that cannot be put is left out, and the delivery tells of it.
    """
    work = Upload(target, deadline)
    attempt = 1
    while True:
        try:
            work.attempt(pages)
            break
        except PublishError as error:
            may_pass = not isinstance(error, PublishRefused | PublishImpossible)
            if may_pass and attempt < target.attempts and _backed_off(attempt, deadline):
                attempt += 1
                continue
            known = work.look_for_obstacle(error)
            if not work.give_up(pages, known):
                work.tidy()
                raise known from error.__cause__
    work.tidy()
    kept = sum(page.path in work.settled and page.path not in work.put for page in pages)
    return Delivery(len(work.put & work.settled), kept, attempt, work.made, lacks=tuple(work.lacks))


class Upload:
    """One delivery: what has been brought, and what failed attempts have left on the server."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.target = target
        self.deadline = deadline
        self.put: set[str] = set()  # files whose replacement was begun, whether or not we heard more
        self.settled: set[str] = set()  # the files known to be in place
        self.lacks: list[MissingPart] = []
        self.leftovers: list[str] = []
        self.deleted_first = False  # whether a file had to be deleted for another to take its place
        self._made: list[str] = []  # folders
        self._at: Key | None = None  # the group that is being brought
        self._page: WebFile | None = None  # the file of it
        self._proofs: list[str] = []  # paths of files that nobody else has beside a page, or below it
        self._sizes: dict[str, int | None] = {}  # by page, as `comparison.size` returns them

    @property
    def made(self) -> tuple[str, ...]:
        """The target's folder and those above it that were not there before; what is below it is our own."""
        folder = self.target.folder
        return tuple(f"the folder {path}" for path in self._made if address.is_way_to(path, folder))

    def attempt(self, pages: Sequence[WebFile]) -> None:
        """Bring all pages that are not in place yet, in one session. Raises PublishError."""
        self._at = self._page = None
        pending = groups.group(self._pending(pages))
        if not pending:
            return

        def bring_all(session: Connection) -> None:
            self._remove_leftovers(session)
            for self._at, group in pending.items():
                self._page = group[0]
                doubted = groups.doubted(group, [page for page in pages if page.path in self.settled])
                self.refuse_foreign(session, [page for page in doubted if page.path not in self.settled])
                for page in group:
                    if page.path not in self.settled:
                        self._page = page
                        self.bring(session, page, read_back=self._is_read_back(page))
                        self.settled.add(page.path)
            if not session.atomic:
                sweeping.remove_leftovers(session, self.target.folder, groups.leave_out(pages, self.lacks))

        self.within_session(bring_all)

    def give_up(self, pages: Sequence[WebFile], error: PublishError) -> bool:
        """Leave out the part that failed, or all where none was begun; False where a page is missing."""
        pending = groups.group(self._pending(pages))
        if groups.PAGES in pending:
            return False
        self.lacks += groups.missing_parts(pages, [self._at] if self._at else [*pending], str(error))
        return True

    def look_for_obstacle(self, error: PublishError) -> PublishError:
        """Return an error that names the file in whose place a part's folder is due; `error` without one.

        Servers say of such a file that there is no such folder, or nothing at all.
        """
        page = self._page
        if page is None or not page.part:
            return error
        with suppress(PublishError):
            path = address.join(self.target.folder, page.path)
            found = self.within_session(lambda session: obstacles.find(session, self.target.folder, path))
            if found:
                self.leftovers.clear()  # nothing can lie below a file
                return obstacles.explain(self.target.name, found)
        return error

    def _pending(self, pages: Sequence[WebFile]) -> list[WebFile]:
        return [page for page in groups.leave_out(pages, self.lacks) if page.path not in self.settled]

    def bring(self, session: Connection, page: WebFile, *, read_back: bool) -> None:
        """See that a file is in place, whole. Raises one of the session's faults, PublishError, Damaged."""
        path = address.join(self.target.folder, page.path)
        stands = self._sizes.pop(page.path) if page.path in self._sizes else comparison.size(session, path)
        if stands in (None, len(page.content)):  # else it need not be read to know that it is another
            with suppress(NotFound):
                if session.read(path) == page.content:
                    return
                read_back = True  # for its size will not tell whether it was replaced
        if session.atomic:
            self.put.add(page.path)
            session.put(path, page.content)
        else:
            temporary = address.temporary(path)
            self.leftovers.append(temporary)
            session.put(temporary, page.content)
            comparison.compare(session, temporary, page.content, read_back=False)
            self.put.add(page.path)
            self._replace(session, temporary, path)
        comparison.compare(session, path, page.content, read_back=read_back)
        self.leftovers.clear()

    def refuse_foreign(self, session: Connection, pages: Sequence[WebFile]) -> None:
        """See that no file of somebody else is replaced. Raises PublishImpossible, or a session's fault.

        What is found to be in place already is settled by that.
        """
        if self.target.overwrite:
            return

        def read(page: WebFile) -> bytes | None:
            content = self._read_head(session, page)
            if content == page.content and self._sizes.get(page.path) == len(page.content):
                self.settled.add(page.path)
            return content

        self._sizes.clear()
        self._proofs = [page.path for page in pages if page.path.endswith(f"/{ownership.SNAPSHOT_NAME}")]
        ownership.check(self.target.name, pages, read)

    def _read_head(self, session: Connection, page: WebFile) -> bytes | None:
        """Return the beginning of what stands in a page's place, all where it may be the same; None: nothing.

        Raises PublishImpossible where it cannot be read, although it is there.
        """
        path = address.join(self.target.folder, page.path)
        try:
            size = self._sizes[page.path] = session.size(path)
        except Hidden as hidden:
            size, self._sizes[page.path] = hidden.size, -1
        except NotFound:
            self._sizes[page.path] = -1
            return None
        if size is not None and size > ownership.MAX_PAGE_BYTES:
            raise ownership.foreign(self.target.name, page.path)
        if size == 0:
            return b""
        may_be_same = size == len(page.content)
        try:
            return session.read(path, None if may_be_same else ownership.HEAD_BYTES)
        except NotFound as missing:
            if size is None and not isinstance(missing, Unreadable):
                return None
        # There are users who may write and not read: then a snapshot beside or below the page is the proof.
        folder = page.path.removesuffix(ownership.PAGE_NAME)
        proofs = [proof for proof in self._proofs if proof.startswith(folder)]
        if any(comparison.is_there(session, address.join(self.target.folder, proof)) for proof in proofs):
            return ownership.SAMPLE
        raise ownership.unreadable(self.target.name, page.path)

    def tidy(self) -> None:
        """Remove what failed attempts have left, on a new connection, as well as can be."""
        from heatmap.system.deadline import Deadline

        left = min(CLEANING_SECONDS, self.deadline.remaining())
        if self.leftovers and left:
            self.deadline = Deadline(left)
            with suppress(PublishError):
                self.within_session(self._remove_leftovers)

    def within_session(self, do: Callable[[Connection], T]) -> T:
        """Return what `do` returns; a fault becomes a PublishError, and its session is thrown away."""
        try:
            session = self.target.session(self.deadline)
        except DeadlineError as error:
            raise PublishError(f"{self.target.name}: {error}: the next run tries again") from None
        faults: tuple[type[BaseException], ...] = (DeadlineError, *session.faults)
        try:
            with self.deadline.interrupting(session.abort):
                session.open()
                return do(session)
        except (DamagedError, CannotReplace) as damage:
            raise PublishError(f"{self.target.name}: {damage}: the next run tries again") from damage
        except faults as error:
            if self.deadline.remaining():
                fault = session.explain(error)
            else:  # then the error is only how the session took it
                fault = session.explain(
                    DeadlineError(f"the run's {self.deadline.seconds:.3g} seconds are over")
                )
            raise fault from None  # what the library raised may hold a secret
        finally:
            self._made += session.made
            session.close()

    def _replace(self, session: Connection, temporary: str, path: str) -> None:
        try:
            session.replace(temporary, path)
        except CannotReplace as refusal:
            if self.target.replace != "delete-then-rename":
                raise PublishImpossible(
                    f"{self.target.name}: the server does not let a file take another's place by renaming "
                    f"({refusal}): have it allow that (proftpd: AllowOverwrite; SSH: posix-rename), or set "
                    'replace = "delete-then-rename", at the price that visitors may meet no page for a moment'
                ) from refusal
            self.deleted_first = True
            with suppress(NotFound):
                session.remove(path)
            try:
                session.replace(temporary, path)
            except CannotReplace as again:
                what = f"{path} is there again after it was deleted ({again}): the next run tries again"
                raise PublishError(f"{self.target.name}: {what}") from again

    def _is_read_back(self, page: WebFile) -> bool:
        is_page = page.path.rpartition("/")[2] == ownership.PAGE_NAME
        return self.target.verify == "all" or (self.target.verify == "page" and is_page)

    def _remove_leftovers(self, session: Connection) -> None:
        while self.leftovers:
            with suppress(NotFound):
                session.remove(self.leftovers.pop())  # a server that refuses this is not asked twice


def _backed_off(attempt: int, deadline: Deadline) -> bool:
    """Wait before another attempt, never twice the same time; False where the deadline leaves none for it."""
    import time

    seconds = backoff_seconds(BACKOFF_SECONDS, attempt)
    if deadline.remaining() <= seconds:
        return False
    time.sleep(seconds)
    return True
