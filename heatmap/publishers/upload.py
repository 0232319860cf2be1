"""Puts files on a target in primitive steps, checks them, and removes leftovers. `delivery` retries."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from heatmap.errors import DeadlineError, PublishError, PublishImpossible
from heatmap.publishers import address, comparison, groups, obstacles, ownership, sweeping
from heatmap.publishers.comparison import DamagedError
from heatmap.publishers.connection import CannotReplace, Hidden, NotFound, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.connection import Connection, Target
    from heatmap.publishers.groups import Key, MissingPart
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile

CLEANUP_SECONDS = 10  # the time to remove leftovers after a failure

T = TypeVar("T")


class Upload:
    """The state of one delivery: the files that are in place, and the leftovers of failed attempts."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.target = target
        self.deadline = deadline
        self.replaced: set[str] = set()  # the replacement has started; its reply may be lost
        self.in_place: set[str] = set()  # the paths of files that are known to be in place
        self.missing_parts: list[MissingPart] = []
        self.leftovers: list[str] = []  # the paths of temporary files on the server
        self.deletes_first = False  # whether a file had to be deleted before another could have its name
        self._new_folders: list[str] = []
        self._current_group: Key | None = None
        self._current_page: WebFile | None = None
        self._snapshot_paths: list[str] = []  # a snapshot proves that the page beside or above it is ours
        self._sizes: dict[str, int | None] = {}  # by page, as `comparison.read_size` returns them

    @property
    def new_places(self) -> tuple[str, ...]:
        """The target's folder, and those above it, that were made. Folders below it are our own."""
        folder = self.target.folder
        paths = [path for path in self._new_folders if address.is_same_or_parent(path, folder)]
        return tuple(f"the folder {path}" for path in paths)

    def attempt(self, pages: Sequence[WebFile]) -> None:
        """Put all pages that are not in place yet, over one connection. Raises PublishError."""
        self._current_group = self._current_page = None
        pending = groups.group_files(self._list_pending(pages))
        if not pending:
            return

        def put_all(connection: Connection) -> None:
            self._remove_temporary_files(connection)
            for self._current_group, group in pending.items():
                self._current_page = group[0]
                published = [page for page in pages if page.path in self.in_place]
                doubtful = groups.select_doubtful(group, published)
                self.refuse_foreign_files(
                    connection, [page for page in doubtful if page.path not in self.in_place]
                )
                for page in group:
                    if page.path not in self.in_place:
                        self._current_page = page
                        self.put_page(connection, page, read_back=self._must_read_back(page))
                        self.in_place.add(page.path)
            if not connection.atomic:
                present = groups.leave_out(pages, self.missing_parts)
                sweeping.remove_leftovers(connection, self.target.folder, present)

        self.use_connection(put_all)

    def leave_out_parts(self, pages: Sequence[WebFile], error: PublishError) -> bool:
        """Leave out the part that failed; all, if none was started. Return False if a page is missing."""
        pending = groups.group_files(self._list_pending(pages))
        if groups.PAGES in pending:
            return False
        failed_groups = [self._current_group] if self._current_group else [*pending]
        self.missing_parts += groups.list_missing_parts(pages, failed_groups, str(error))
        return True

    def explain_obstacle(self, error: PublishError) -> PublishError:
        """Return an error that names the file in place of a part's folder; `error` if there is none.

        Servers give no clear error for such a file: see `obstacles`.
        """
        page = self._current_page
        if page is None or not page.part:
            return error
        path = address.join(self.target.folder, page.path)
        with suppress(PublishError):
            obstacle = self.use_connection(
                lambda connection: obstacles.find_obstacle(connection, self.target.folder, path)
            )
            if obstacle:
                self.leftovers.clear()  # nothing can lie below a file
                return obstacles.make_obstacle_error(self.target.name, obstacle)
        return error

    def _list_pending(self, pages: Sequence[WebFile]) -> list[WebFile]:
        present = groups.leave_out(pages, self.missing_parts)
        return [page for page in present if page.path not in self.in_place]

    def put_page(self, connection: Connection, page: WebFile, *, read_back: bool) -> None:
        """Put a file in place, if it is not there already, and check it.

        Raises one of the connection's faults, PublishError, DamagedError, CannotReplace.
        """
        path = address.join(self.target.folder, page.path)
        is_known = page.path in self._sizes
        size = self._sizes.pop(page.path) if is_known else comparison.read_size(connection, path)
        if size in (None, len(page.content)):  # a file of another size need not be read: it is another file
            with suppress(NotFound):
                if connection.read(path) == page.content:
                    return
                read_back = True  # the size does not tell whether it was replaced
        if connection.atomic:
            self.replaced.add(page.path)
            connection.put(path, page.content)
        else:
            temporary = address.make_temporary_name(path)
            self.leftovers.append(temporary)
            connection.put(temporary, page.content)
            comparison.check_content(connection, temporary, page.content, read_back=False)
            self.replaced.add(page.path)
            self._rename_over(connection, temporary, path)
        comparison.check_content(connection, path, page.content, read_back=read_back)
        self.leftovers.clear()

    def refuse_foreign_files(self, connection: Connection, pages: Sequence[WebFile]) -> None:
        """Raise PublishImpossible if a page would replace a file that this program did not write.

        Pages that have the right content already are noted as in place. Raises the connection's faults, too.
        """
        if self.target.overwrite:
            return

        def read(page: WebFile) -> bytes | None:
            content = self._read_head(connection, page)
            if content == page.content and self._sizes.get(page.path) == len(page.content):
                self.in_place.add(page.path)
            return content

        self._sizes.clear()
        self._snapshot_paths = [
            page.path for page in pages if page.path.endswith(f"/{ownership.SNAPSHOT_NAME}")
        ]
        ownership.check(self.target.name, pages, read)

    def _read_head(self, connection: Connection, page: WebFile) -> bytes | None:
        """Return the first bytes of the file in a page's place, all if its size is the page's; None: no file.

        Raises PublishImpossible if the file exists and cannot be read.
        """
        path = address.join(self.target.folder, page.path)
        try:
            size = self._sizes[page.path] = connection.size(path)
        except Hidden as hidden:
            size, self._sizes[page.path] = hidden.size, -1
        except NotFound:
            self._sizes[page.path] = -1
            return None
        if size is not None and size > ownership.MAX_PAGE_BYTES:
            raise ownership.make_foreign_error(self.target.name, page.path)
        if size == 0:
            return b""
        may_be_same = size == len(page.content)
        try:
            return connection.read(path, None if may_be_same else ownership.HEAD_BYTES)
        except NotFound as missing:
            if size is None and not isinstance(missing, Unreadable):
                return None
        # Some users may write and not read: then a snapshot beside or below the page is the proof.
        folder = page.path.removesuffix(ownership.PAGE_NAME)
        proofs = [proof for proof in self._snapshot_paths if proof.startswith(folder)]
        if any(comparison.is_there(connection, address.join(self.target.folder, proof)) for proof in proofs):
            return ownership.SAMPLE
        raise ownership.make_unreadable_error(self.target.name, page.path)

    def remove_leftovers(self) -> None:
        """Try to remove what failed attempts have left, over a new connection. Never raises PublishError."""
        from heatmap.system.deadline import Deadline

        seconds = min(CLEANUP_SECONDS, self.deadline.remaining())
        if self.leftovers and seconds:
            self.deadline = Deadline(seconds)
            with suppress(PublishError):
                self.use_connection(self._remove_temporary_files)

    def use_connection(self, action: Callable[[Connection], T]) -> T:
        """Return what `action` returns for a new connection. Its faults are raised as PublishError."""
        try:
            connection = self.target.make_connection(self.deadline)
        except DeadlineError as error:
            raise PublishError(f"{self.target.name}: {error}: the next run tries again") from None
        faults: tuple[type[BaseException], ...] = (DeadlineError, *connection.faults)
        try:
            with self.deadline.abort_at_deadline(connection.abort):
                connection.open()
                return action(connection)
        except (DamagedError, CannotReplace) as error:
            raise PublishError(f"{self.target.name}: {error}: the next run tries again") from error
        except faults as error:
            cause: BaseException = error
            if not self.deadline.remaining():  # then the error only shows how the connection was aborted
                cause = DeadlineError(f"the run's {self.deadline.seconds:.3g} seconds are over")
            raise connection.describe_error(cause) from None  # the library's own error may hold a secret
        finally:
            self._new_folders += connection.new_folders
            connection.close()

    def _rename_over(self, connection: Connection, temporary: str, path: str) -> None:
        try:
            connection.rename_over(temporary, path)
        except CannotReplace as refusal:
            if self.target.replace != "delete-then-rename":
                raise PublishImpossible(
                    f"{self.target.name}: the server does not rename a file over an existing one "
                    f"({refusal}): have it allow that (proftpd: AllowOverwrite; SSH: posix-rename), or set "
                    'replace = "delete-then-rename", at the price that visitors may meet no page for a moment'
                ) from refusal
            self.deletes_first = True
            with suppress(NotFound):
                connection.remove(path)
            try:
                connection.rename_over(temporary, path)
            except CannotReplace as again:
                problem = f"{path} is there again after it was deleted ({again}): the next run tries again"
                raise PublishError(f"{self.target.name}: {problem}") from again

    def _must_read_back(self, page: WebFile) -> bool:
        is_page = page.path.rpartition("/")[2] == ownership.PAGE_NAME
        return self.target.verify == "all" or (self.target.verify == "page" and is_page)

    def _remove_temporary_files(self, connection: Connection) -> None:
        while self.leftovers:
            with suppress(NotFound):
                connection.remove(self.leftovers.pop())  # if the server refuses, it is not tried again
