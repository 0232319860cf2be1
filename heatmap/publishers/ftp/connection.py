"""The primitive steps on an FTP server.

Loads ftplib and ssl, so it is imported by the method that publishes.
"""

from __future__ import annotations

import ftplib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from heatmap.errors import PublishImpossible
from heatmap.publishers import address
from heatmap.publishers.connection import CannotReplace, NotFound, Unreadable
from heatmap.publishers.ftp import messages, replies
from heatmap.publishers.ftp.control import IMPLICIT_PORT, REFUSALS, Control, ReplyError
from heatmap.publishers.ftp.data_connection import Data
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.errors import PublishError
    from heatmap.publishers.address import Address
    from heatmap.publishers.ftp.control import Security
    from heatmap.system.deadline import Deadline

UNCUT_BYTES = 2 * 1024 * 1024  # what is read to its end, although its beginning would do


class FtpConnection:
    """A `steps.Session`. A refusal means what the server's own list of files says it means, not its code."""

    atomic = False
    faults = (ftplib.Error, OSError, EOFError, ValueError)

    def __init__(
        self,
        where: Address,
        secret: str | None,
        security: Security | None,
        deadline: Deadline,
        *,
        timeout_seconds: float,
        passive: bool,
    ) -> None:
        """Prepare, without connecting."""
        self._where = where
        self._secret = secret
        self._security = security
        self._control = partial(Control, deadline, timeout_seconds, security and security.context)
        self._passive = passive
        self._prepare()
        self._step, self._what = "connect", ""
        self._greeting = ""
        self._features: dict[str, str] = {}
        self._home = ""
        self._entered: set[str] = set()  # folders that are there
        self.made: list[str] = []
        self._tells_sizes: bool | None = None  # None: not known yet
        self._changes_modes: bool | None = None
        self._shows_modes = True  # until one was looked for in vain

    def _prepare(self) -> None:
        self._ftp = self._control()
        self._data = Data(self._ftp, passive=self._passive)
        self._type = ""

    def open(self) -> None:
        """Connect and log in."""
        implicit = self._security is not None and self._security.implicit
        self._ftp.dial(self._where.host, self._where.port or (IMPLICIT_PORT if implicit else ftplib.FTP_PORT))
        if implicit:
            self._step = "tls"
            self._ftp.secure()
        self._step = "greeting"
        self._greeting = self._ftp.greet()
        if self._security and not implicit:
            self._step = "tls"
            self._ftp.voidcmd("AUTH TLS")
            self._ftp.secure()
        self._step = "login"
        self._ftp.login(self._where.user or "", self._secret or "")  # without a user: anonymous
        if self._security:
            self._step = "protect"
            self._ftp.voidcmd("PBSZ 0")
            self._ftp.voidcmd("PROT P")
        self._step = "find"
        with suppress(*REFUSALS):
            self._features = replies.features(self._ftp.sendcmd("FEAT"))
        if not self._where.folder.isascii():
            self._ftp.obeys("OPTS UTF8 ON")  # most speak UTF-8 unasked; some must be asked
        if not self._where.folder.startswith("/"):
            self._home = self._ask_home()

    def size(self, path: str) -> int | None:
        """Return a file's size; None where the server does not tell. Raises Missing."""
        self._step, self._what = "look", path
        if self._tells_sizes is False:
            return None
        self._use_type("I")
        try:
            size = replies.size(self._ftp.sendcmd(f"SIZE {self._whole(path)}"))
        except REFUSALS:
            found = self._is_listed(path)
            if found is False:
                raise NotFound from None
            self._refuse_folder(path)
            if found:
                self._tells_sizes = False
            return None
        self._tells_sizes = size is not None
        return size

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return what a file holds. Raises Missing, and Unreadable where it is there all the same."""
        self._step, self._what = "read", path
        self._use_type("I")
        limit = address.MAX_BYTES if most is None else max(most, UNCUT_BYTES)
        try:
            content = self._data.receive(f"RETR {self._whole(path)}", limit, cut=most is not None)
        except REFUSALS as error:
            if self._is_listed(path):
                raise Unreadable(str(self.explain(error))) from None
            raise NotFound from None
        if len(content) > limit:  # then it was cut, at the price of another login
            self._ftp.close()
            self._prepare()
            self.open()
        return content

    def put(self, path: str, content: bytes) -> None:
        """Store a file, readable for visitors. Folders are made where they are missing."""
        self._enter(address.parent(path))
        self._step, self._what = "store", address.parent(path)
        self._use_type("I")
        self._data.send(f"STOR {self._whole(path)}", content)
        if self._changes_modes is not False:
            self._changes_modes = self._ftp.obeys(f"SITE CHMOD {address.FILE_MODE:o} {self._whole(path)}")
            if not self._changes_modes:
                self._refuse_unreadable(path)  # once: the same umask makes the modes of all

    def replace(self, temporary: str, path: str) -> None:
        """Rename over what is there. Raises CannotReplace where the server does not."""
        self._step, self._what = "rename", path
        try:
            self._ftp.sendcmd(f"RNFR {self._whole(temporary)}")
        except REFUSALS as error:
            # No CannotReplace: who deleted the page on its account could not put the new one there either.
            if self._is_listed(temporary):
                raise PublishImpossible(str(self.explain(error))) from None
            raise
        self._step = "replace"
        try:
            self._ftp.voidcmd(f"RNTO {self._whole(path)}")
        except REFUSALS as error:
            self._refuse_folder(path)
            if self._is_listed(path):
                raise CannotReplace(messages.quote_reply(error, self._secret)) from None
            raise

    def remove(self, path: str) -> None:
        """Delete a file. Raises Missing."""
        self._step, self._what = "delete", path
        try:
            self._ftp.voidcmd(f"DELE {self._whole(path)}")
        except REFUSALS:
            if self._is_listed(path):
                raise
            raise NotFound from None

    def names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, hidden ones too."""
        self._step, self._what = "list", folder
        return self._list(folder) or ()

    def describe(self) -> str:
        """Say what the server calls itself, and what it can and cannot do."""
        return messages.description(
            redact(self._greeting, [self._secret]),
            tls=self._ftp.tls_version,
            sizes=bool(self._tells_sizes),
            machine_lists=self._lists_for_machines,
            modes=self._modes(),
        )

    def _modes(self) -> str:
        if self._changes_modes:
            return "changes modes"
        return "changes no modes" if self._shows_modes else "modes can neither be changed nor seen"

    def explain(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence."""
        return messages.explain(error, self._where.name, self._step, self._what, self._secret)

    def abort(self) -> None:
        """Make whatever is waited for fail at once."""
        self._ftp.abort()

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(OSError):
            self._ftp.close()

    def _ask_home(self) -> str:
        """Return the folder in which the login ends. Raises PublishImpossible where that cannot be known."""
        try:
            return self._ftp.login_folder()
        except ReplyError as error:
            said = messages.quote_reply(error, self._secret)
            raise PublishImpossible(
                f"{self._where.name}: the server does not say which folder the login ends in ({said}): "
                "write the whole path into url, with // after the host"
            ) from None

    def _whole(self, path: str) -> str:
        """Return a path from the root: the working folder is wherever a list was last asked for."""
        return path if path.startswith("/") else f"{self._home.rstrip('/')}/{path}"

    def _use_type(self, letter: str) -> None:
        """Have the server send bytes as they are (I), as it also counts them, or lines (A), as in lists."""
        if letter != self._type:
            self._ftp.voidcmd(f"TYPE {letter}")
            self._type = letter

    def _enter(self, folder: str) -> None:
        """See that a folder is there; make it and those above it where they are not."""
        if folder in self._entered:
            return
        self._step, self._what = "enter", folder
        if not self._is_folder(folder):
            for level in address.levels(folder):
                if not self._is_folder(level) and self._ftp.obeys(f"MKD {self._whole(level)}"):
                    self.made.append(level)
                    self._ftp.obeys(f"SITE CHMOD {address.FOLDER_MODE:o} {self._whole(level)}")
            self._ftp.voidcmd(f"CWD {self._whole(folder)}")
        self._entered.add(folder)

    def _is_folder(self, path: str) -> bool:
        return self._ftp.obeys(f"CWD {self._whole(path)}")

    def _is_listed(self, path: str) -> bool | None:
        """Whether there is anything of this name; None where the server lists nothing."""
        names = self._list(address.parent(path))
        return None if names is None else path.rpartition("/")[2] in names

    def _list(self, folder: str) -> Sequence[str] | None:
        """Return the names in a folder; None where the server refuses to list them."""
        if not self._is_folder(folder):
            return ()
        if self._lists_for_machines:
            with suppress(*REFUSALS):
                return messages.machine_names(self._lines("MLSD"))
        listed = False
        for command in ("NLST -a", "NLST"):  # to some servers -a is a name, and without it some hide ours
            with suppress(*REFUSALS):
                names = messages.names(self._lines(command))
                listed = True
                if names:
                    return names
        return () if listed else None

    @property
    def _lists_for_machines(self) -> bool:
        return "MLSD" in self._features or "MLST" in self._features  # to know one is to know both

    def _lines(self, command: str) -> list[str]:
        self._use_type("A")
        content = self._data.receive(command, address.MAX_BYTES)
        return content.decode(self._ftp.encoding, "surrogateescape").replace("\r\n", "\n").split("\n")

    def _refuse_folder(self, path: str) -> None:
        if self._is_folder(path):
            what = f"{path} is a folder, where a file is to be put: remove or rename it"
            raise PublishImpossible(f"{self._where.name}: {what}")

    def _refuse_unreadable(self, path: str) -> None:
        """Raise PublishImpossible where a file was stored for its owner alone, and that cannot be changed."""
        mode = self._mode(path)
        self._shows_modes = mode is not None
        if mode and "r" not in mode[4:]:
            what = f"visitors could not read what is stored ({mode}), and modes cannot be changed"
            advice = "have the server's umask set to 022 (vsftpd: anon_umask or local_umask)"
            raise PublishImpossible(f"{self._where.name}: {what}: {advice}")

    def _mode(self, path: str) -> str | None:
        """Return a file's mode, as in `-rw-r--r--`; None where the server shows none."""
        name = path.rpartition("/")[2]
        if not self._is_folder(address.parent(path)):
            return None
        mode = None
        if self._lists_for_machines:
            if "UNIX.MODE" in self._features.get("MLST", "").split(";"):  # to be had, but not unasked
                self._ftp.obeys("OPTS MLST type;UNIX.mode;")
            with suppress(*REFUSALS):
                mode = messages.machine_mode(self._lines("MLSD"), name)
        if mode is None:
            with suppress(*REFUSALS):
                mode = messages.mode(self._lines("LIST -a"), name)
        return mode
