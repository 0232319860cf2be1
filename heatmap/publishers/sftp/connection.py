"""The primitive steps on an SSH server, by OpenSSH's own client: one `sftp` process that reads commands."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers import address, options
from heatmap.publishers.connection import CannotReplace, Hidden, NotFound, Unreadable
from heatmap.publishers.sftp import askpass, batch, messages, openssh
from heatmap.publishers.sftp.messages import ConnectionLostError, SftpError
from heatmap.system import processes, resource_errors
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import Popen
    from typing import IO

    from heatmap.publishers.sftp.openssh import Server
    from heatmap.system.deadline import Deadline

PROMPT = "sftp> "  # in batch mode the client repeats each command after it
SENTINEL = "version"  # the client answers it without the server: the mark of an answer's end
SENTINEL_ANSWER = re.compile(r"SFTP protocol version (\d+)")
HAS_OPEN_FILES = sys.platform == "linux"  # there /dev/fd/N is the path of a file without a name
MAX_COMMAND_BYTES = 2000  # the client takes a longer command for two
MAX_ANSWER_BYTES = 4 * 1024 * 1024  # the list of a folder with tens of thousands of files is shorter
REAP_SECONDS = 1  # the time for a killed process to end
OTHERS_MAY_READ = re.compile(r".{6}r..")


class SftpConnection:
    """A `Connection` by the command `sftp`. Relative paths start at the login folder.

    `password` None: the login is by key.
    """

    atomic = False
    faults = (OSError, SftpError)

    def __init__(self, server: Server, deadline: Deadline, password: str | None = None) -> None:
        self._server = server
        self._deadline = deadline
        self._password = password
        self._client: Popen[bytes] | None = None
        self._copy: IO[bytes] | None = None  # the local file that the client sends and receives
        self._step, self._path = "connect", ""  # for messages
        self._protocol = ""
        self._stored_path = ""  # of the last `put`
        self._size = 0  # bytes, of the last `size`
        self.new_folders: list[str] = []
        self._kinds: dict[str, dict[str, str]] = {}  # by folder and name, when the folder was first listed

    def open(self) -> None:
        """Start the client and wait until it has logged in."""
        from subprocess import PIPE, STDOUT

        self._step = "keep"
        file = self._copy = _make_copy_file()
        os.fchmod(file.fileno(), address.FILE_MODE)  # the client gives stored files the same mode
        self._step = "ask"
        with askpass.serve_password(self._password) as password_variables:
            self._step = "connect"
            try:
                self._client = processes.start(
                    openssh.make_sftp_command(self._server, "-"),
                    {**openssh.make_environment(), **password_variables},
                    stdin=PIPE,
                    stderr=STDOUT,  # so that all output stays in order
                    pass_fds=[file.fileno()],
                    bufsize=0,
                )
            except OSError as error:
                resource_errors.refuse(error)
                raise openssh.make_missing_command_error(self._server.name, error) from error
            self._run("")

    def size(self, path: str) -> int:
        """Return a file's size. Raises NotFound; Hidden if visitors may not read the file."""
        self._step, self._path = "look", path
        kinds = self._list_kinds(address.parent(path))
        if kinds.get(path.rpartition("/")[2]) == "l":  # `ls` of a link shows the file to which it leads
            raise messages.make_obstacle_error(self._server.name, path, "a symbolic link")
        lines = self._run(f"-ls -lna {batch.quote_for_ls(path)}")
        if any(map(batch.is_not_found, lines)) and batch.CANNOT_LIST in lines[0]:
            raise NotFound
        listed = batch.parse_list(lines)
        if len(listed) != 1 or listed[0].path.count("/") > batch.make_explicit(path).count("/"):
            if listed:
                raise messages.make_obstacle_error(self._server.name, path, "a folder")
            raise SftpError(batch.find_reason(lines))
        file = listed[0]
        self._size = file.size
        if file.kind != "-":
            is_link = file.kind == "l"
            kind = "a symbolic link that leads nowhere" if is_link else "no ordinary file"
            raise messages.make_obstacle_error(self._server.name, path, kind)
        if not OTHERS_MAY_READ.fullmatch(file.mode):
            if path == self._stored_path:
                raise messages.make_unreadable_error(self._server.name, path, file.kind + file.mode)
            raise Hidden(file.size)
        return file.size

    def read(self, path: str, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 -- `get` has no such option
        """Return a file's content, all of it. Raises NotFound, Unreadable."""
        self._step, self._path = "read", path
        file, local = self._empty_copy()
        lines = self._run(f"-get {batch.quote(path)} {local}", self._size)
        if lines:
            if "Permission denied" in lines[0]:
                raise Unreadable(str(self.describe_error(SftpError(batch.find_reason(lines)))))
            raise NotFound if batch.is_not_found(lines[0]) else SftpError(batch.find_reason(lines))
        file.seek(0)
        return file.read()

    def put(self, path: str, content: bytes) -> None:
        """Store a file, readable for visitors. Make the folders that are missing."""
        self._step, self._path = "keep", ""
        file, local = self._empty_copy()
        with os.fdopen(os.dup(file.fileno()), "wb") as writer:  # it writes all; a raw file may write less
            writer.write(content)
        self._step, self._path = "store", path
        # -f: the server writes the file to its disk, if it can, before it answers
        command = f"-put -f {local} {batch.quote(path)}"
        lines = self._run(command, len(content))
        if lines and batch.NO_SUCH_FILE in lines[0]:
            self._make_folders(address.parent(path))
            lines = self._run(command, len(content))
        if lines:
            raise SftpError(batch.find_reason(lines))
        self._run(f"-chmod {address.FILE_MODE:o} {batch.quote(path)}")  # if refused, the umask decides
        self._stored_path = path

    def rename_over(self, temporary: str, path: str) -> None:
        """Rename over an existing file, in one step. Raises CannotReplace."""
        self._step, self._path = "replace", path
        lines = self._run(f"-rename {batch.quote(temporary)} {batch.quote(path)}")
        if lines:
            if "Permission denied" not in lines[0] and self._is_there(path):
                raise CannotReplace(batch.find_reason(lines))
            raise SftpError(batch.find_reason(lines))

    def remove(self, path: str) -> None:
        """Delete a file. Raises NotFound."""
        self._step, self._path = "delete", path
        lines = self._run(f"-rm {batch.quote(path)}")
        if lines:
            raise NotFound if batch.NO_SUCH_FILE in lines[0] else SftpError(batch.find_reason(lines))

    def list_names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, also the hidden ones; none if there is no such folder."""
        self._step, self._path = "list", folder
        return [*self._list_kinds(folder)]

    def describe(self) -> str:
        """Return in words which server this is. A second, verbose connection is made for it."""
        output = ""
        with suppress(OSError):
            seconds = self._deadline.timeout(self._server.timeout_seconds)
            output = openssh.read_server_messages(self._server, seconds, self._password)
        return messages.describe_server(output, self._protocol)

    def describe_error(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence. The step that failed decides."""
        if self._step == "connect" and isinstance(error, ConnectionLostError):
            return self._make_login_error(str(error))
        return messages.describe_error(self._server.name, self._step, self._path, error)

    def abort(self) -> None:
        """Kill the client and all that it started."""
        if self._client:
            processes.kill(self._client)

    def close(self) -> None:
        """End the client. Each command was answered, so it need not end by itself."""
        from subprocess import TimeoutExpired

        self.abort()
        if self._client:
            with suppress(TimeoutExpired):
                self._client.wait(REAP_SECONDS)
            for pipe in (self._client.stdin, self._client.stdout):
                if pipe:
                    pipe.close()
            self._client = None
        if self._copy:
            self._copy.close()
            self._copy = None

    def _make_login_error(self, output: str) -> PublishError:
        """Return the error if there is no connection. `output` is the client's."""
        output = redact(output, [self._password])
        if self._password is not None:
            return messages.make_password_error(self._server.name, output, openssh.read_version())
        locked_key = openssh.find_locked_key(self._server) if messages.is_refused_login(output) else ""
        return messages.make_connection_error(self._server.name, output, locked_key)

    def _run(self, command: str, size: int = 0) -> list[str]:
        """Run a command and return the lines of its answer; no lines if it succeeds and lists nothing.

        "" is no command: it waits for the login. `size`: the bytes that the command transfers.
        """
        client = self._client
        if client is None or client.stdin is None or client.stdout is None:
            raise ConnectionLostError("there is no connection")
        command_line = f"{command}\n".encode()
        if len(command_line) > MAX_COMMAND_BYTES:
            raise PublishImpossible(f"{self._server.name}: the path {self._path} is too long for sftp")
        with suppress(BrokenPipeError):  # then its last output gives the reason
            client.stdin.write((command_line if command else b"") + f"{SENTINEL}\n".encode())
        seconds = options.allowed_seconds(self._server.timeout_seconds, size)
        lines = self._read_answer(client.stdout.fileno(), self._deadline.timeout(seconds))
        self._protocol = lines.pop()
        return [line for line in lines if line and not line.startswith(PROMPT)]

    def _read_answer(self, pipe: int, seconds: float) -> list[str]:
        """Return the lines before the sentinel's answer, and then the protocol's version from that answer."""
        import select
        import time

        end = time.monotonic() + seconds
        output = b""
        while True:
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError
            chunk = os.read(pipe, options.BLOCK_BYTES)
            output += chunk
            lines = output.decode(errors="replace").splitlines()
            if not chunk:
                raise ConnectionLostError("\n".join(line for line in lines if not line.startswith(PROMPT)))
            if len(output) > MAX_ANSWER_BYTES:
                raise SftpError("its answer is too long")
            answer = SENTINEL_ANSWER.fullmatch(lines[-1]) if output.endswith(b"\n") else None
            if answer and lines[-2:-1] == [PROMPT + SENTINEL]:
                return [*lines[:-2], answer[1]]

    def _empty_copy(self) -> tuple[IO[bytes], str]:
        """Empty the local file. Return it, and its path as the client reads it."""
        file = self._copy
        if file is None:
            raise ConnectionLostError("there is no connection")
        file.seek(0)
        file.truncate()
        return file, f"/dev/fd/{file.fileno()}" if HAS_OPEN_FILES else batch.quote(file.name)

    def _list_kinds(self, folder: str) -> dict[str, str]:
        """Return the kinds of a folder's files by their names, when the folder was first listed."""
        if folder not in self._kinds:
            inside = f"{folder.rstrip('/')}/." if folder else "."  # so that a link to a folder is listed, too
            listed = batch.parse_list(self._run(f"-ls -lna {batch.quote_for_ls(inside)}"))
            self._kinds[folder] = {file.path.rpartition("/")[2]: file.kind for file in listed}
        return self._kinds[folder]

    def _is_there(self, path: str) -> bool:
        return batch.CANNOT_LIST not in batch.find_reason(self._run(f"-ls -lna {batch.quote_for_ls(path)}"))

    def _make_folders(self, folder: str) -> None:
        self._step, self._path = "make", folder
        for level in address.list_levels(folder):
            if not self._run(f"-mkdir {batch.quote(level)}"):  # else it exists, or the next step fails
                self.new_folders.append(level)
                self._run(f"-chmod {address.FOLDER_MODE:o} {batch.quote(level)}")


def _make_copy_file() -> IO[bytes]:
    """Return a new file. If possible it has no name, so that nothing is left if this process is killed."""
    from heatmap.system import temporary

    return temporary.make_unnamed_file() if HAS_OPEN_FILES else temporary.make_file()
