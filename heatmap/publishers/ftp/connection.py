"""The primitive steps on an FTP server.

Loads ftplib and ssl, so only the method that publishes imports it.
"""

from __future__ import annotations

import ftplib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from heatmap.errors import PublishImpossible
from heatmap.publishers import address
from heatmap.publishers.connection import CannotReplace, NotFound, Unreadable
from heatmap.publishers.ftp import listing, messages, replies
from heatmap.publishers.ftp.control import IMPLICIT_PORT, REFUSALS, Control, ReplyError
from heatmap.publishers.ftp.data_connection import DataConnections
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.errors import PublishError
    from heatmap.publishers.address import Address
    from heatmap.publishers.ftp.control import Security
    from heatmap.system.deadline import Deadline

MIN_STOP_BYTES = 2 * 1024 * 1024  # a shorter file is read to its end, even if its beginning is enough


class FtpConnection:
    """A `Connection` to an FTP server. Codes differ by server: its list of files explains a refusal."""

    atomic = False
    faults = (ftplib.Error, OSError, EOFError, ValueError)

    def __init__(
        self,
        server_address: Address,
        secret: str | None,
        security: Security | None,
        deadline: Deadline,
        *,
        timeout_seconds: float,
        passive: bool,
    ) -> None:
        """Prepare, without connecting."""
        self._address = server_address
        self._secret = secret
        self._security = security
        self._make_control = partial(Control, deadline, timeout_seconds, security and security.context)
        self._passive = passive
        self._prepare()
        self._step, self._path = "connect", ""  # for messages
        self._greeting = ""
        self._features: dict[str, str] = {}
        self._home = ""
        self._existing_folders: set[str] = set()
        self.new_folders: list[str] = []
        self._reports_sizes: bool | None = None  # None: not known yet
        self._changes_modes: bool | None = None  # the same
        self._shows_modes = True  # until the server shows none

    def _prepare(self) -> None:
        self._control = self._make_control()
        self._data = DataConnections(self._control, passive=self._passive)

    def open(self) -> None:
        """Connect and log in."""
        implicit = self._security is not None and self._security.implicit
        default_port = IMPLICIT_PORT if implicit else ftplib.FTP_PORT
        self._control.open_connection(self._address.host, self._address.port or default_port)
        if implicit:
            self._step = "tls"
            self._control.secure()
        self._step = "greeting"
        self._greeting = self._control.read_greeting()
        if self._security and not implicit:
            self._step = "tls"
            self._control.voidcmd("AUTH TLS")
            self._control.secure()
        self._step = "login"
        self._control.login(self._address.user or "", self._secret or "")  # without a user: anonymous
        if self._security:
            self._step = "protect"
            self._control.voidcmd("PBSZ 0")
            self._control.voidcmd("PROT P")
        self._step = "find"
        with suppress(*REFUSALS):
            self._features = replies.parse_features(self._control.sendcmd("FEAT"))
        if not self._address.folder.isascii():
            self._control.try_command("OPTS UTF8 ON")  # most servers use UTF-8 anyway; some need this
        if not self._address.folder.startswith("/"):
            self._home = self._find_home()

    def size(self, path: str) -> int | None:
        """Return a file's size; None if the server reports no sizes. Raises NotFound."""
        self._step, self._path = "look", path
        if self._reports_sizes is False:
            return None
        self._data.use_type("I")
        try:
            size = replies.parse_size(self._control.sendcmd(f"SIZE {self._make_absolute(path)}"))
        except REFUSALS:
            is_listed = self._is_listed(path)
            if is_listed is False:
                raise NotFound from None
            self._refuse_folder(path)
            if is_listed:
                self._reports_sizes = False
            return None
        self._reports_sizes = size is not None
        return size

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        """Return a file's content. Raises NotFound; Unreadable if the file is listed all the same."""
        self._step, self._path = "read", path
        self._data.use_type("I")  # before the block: its refusal would say nothing about the file
        limit = address.MAX_BYTES if max_bytes is None else max(max_bytes, MIN_STOP_BYTES)
        command = f"RETR {self._make_absolute(path)}"
        try:
            content = self._data.receive(command, limit, stop_early=max_bytes is not None)
        except REFUSALS as error:
            if self._is_listed(path):
                raise Unreadable(str(self.describe_error(error))) from None
            raise NotFound from None
        if len(content) > limit:  # the transfer was stopped: that needs a new connection
            self._control.close()
            self._prepare()
            self.open()
        return content

    def put(self, path: str, content: bytes) -> None:
        """Store a file, readable for visitors. Make the folders that are missing."""
        self._make_folders(address.parent(path))
        self._step, self._path = "store", address.parent(path)
        absolute = self._make_absolute(path)
        self._data.send(f"STOR {absolute}", content)
        if self._changes_modes is not False:
            self._changes_modes = self._control.try_command(f"SITE CHMOD {address.FILE_MODE:o} {absolute}")
            if not self._changes_modes:
                self._refuse_unreadable(path)  # once: the same umask gives all files the same mode

    def rename_over(self, temporary: str, path: str) -> None:
        """Rename over an existing file. Raises CannotReplace if the server does not do that."""
        self._step, self._path = "rename", path
        try:
            self._control.sendcmd(f"RNFR {self._make_absolute(temporary)}")
        except REFUSALS as error:
            # Not CannotReplace: then the page would be deleted, and the new one could not be renamed either.
            if self._is_listed(temporary):
                raise PublishImpossible(str(self.describe_error(error))) from None
            raise
        self._step = "replace"
        try:
            self._control.voidcmd(f"RNTO {self._make_absolute(path)}")
        except REFUSALS as error:
            self._refuse_folder(path)
            if self._is_listed(path):
                raise CannotReplace(messages.quote_reply(error, self._secret)) from None
            raise

    def remove(self, path: str) -> None:
        """Delete a file. Raises NotFound."""
        self._step, self._path = "delete", path
        try:
            self._control.voidcmd(f"DELE {self._make_absolute(path)}")
        except REFUSALS:
            if self._is_listed(path):
                raise
            raise NotFound from None

    def list_names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, also the hidden ones."""
        self._step, self._path = "list", folder
        return self._list_names(folder) or ()

    def describe(self) -> str:
        """Return in words the server's name for itself, and what it can and cannot do."""
        return messages.describe_server(
            redact(self._greeting, [self._secret]),
            tls=self._control.tls_version,
            sizes=bool(self._reports_sizes),
            machine_lists=listing.has_mlsd(self._features),
            modes=self._describe_modes(),
        )

    def _describe_modes(self) -> str:
        if self._changes_modes:
            return "changes modes"
        return "changes no modes" if self._shows_modes else "modes can neither be changed nor seen"

    def describe_error(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence."""
        return messages.describe_error(error, self._address.name, self._step, self._path, self._secret)

    def abort(self) -> None:
        """Make each step that waits fail at once."""
        self._control.abort()

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._control.close()

    def _find_home(self) -> str:
        """Return the working folder after the login. Raises PublishImpossible if the server names none."""
        try:
            return self._control.find_working_folder()
        except ReplyError as error:
            reply = messages.quote_reply(error, self._secret)
            raise PublishImpossible(
                f"{self._address.name}: the server does not say which folder the login ends in ({reply}): "
                "write the whole path into url, with // after the host"
            ) from None

    def _make_absolute(self, path: str) -> str:
        """Return a path from the root: lists change the working folder."""
        return path if path.startswith("/") else f"{self._home.rstrip('/')}/{path}"

    def _make_folders(self, folder: str) -> None:
        """Make a folder and its ancestors if they are missing."""
        if folder in self._existing_folders:
            return
        self._step, self._path = "enter", folder
        if not self._enter(folder):
            for level in address.list_levels(folder):
                absolute = self._make_absolute(level)
                if not self._enter(level) and self._control.try_command(f"MKD {absolute}"):
                    self.new_folders.append(level)
                    self._control.try_command(f"SITE CHMOD {address.FOLDER_MODE:o} {absolute}")
            self._control.voidcmd(f"CWD {self._make_absolute(folder)}")
        self._existing_folders.add(folder)

    def _enter(self, folder: str) -> bool:
        """Make a folder the working folder. Return False if there is no such folder."""
        return self._control.try_command(f"CWD {self._make_absolute(folder)}")

    def _is_listed(self, path: str) -> bool | None:
        """Return whether the server lists this name; None if it lists nothing."""
        names = self._list_names(address.parent(path))
        return None if names is None else path.rpartition("/")[2] in names

    def _list_names(self, folder: str) -> Sequence[str] | None:
        """Return the names in a folder; None if the server refuses to list them."""
        if not self._enter(folder):
            return ()
        return listing.list_names(self._data, has_mlsd=listing.has_mlsd(self._features))

    def _refuse_folder(self, path: str) -> None:
        if self._enter(path):
            problem = f"{path} is a folder, where a file is to be put: remove or rename it"
            raise PublishImpossible(f"{self._address.name}: {problem}")

    def _refuse_unreadable(self, path: str) -> None:
        """Raise PublishImpossible if only the owner can read a stored file. Its mode cannot be changed."""
        mode = self._read_mode(path)
        self._shows_modes = mode is not None
        if mode and "r" not in mode[4:]:
            problem = f"visitors could not read what is stored ({mode}), and modes cannot be changed"
            advice = "have the server's umask set to 022 (vsftpd: anon_umask or local_umask)"
            raise PublishImpossible(f"{self._address.name}: {problem}: {advice}")

    def _read_mode(self, path: str) -> str | None:
        if not self._enter(address.parent(path)):
            return None
        return listing.read_mode(self._control, self._data, self._features, path.rpartition("/")[2])
