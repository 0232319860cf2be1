"""A `steps.Session` by OpenSSH's own client: one `sftp` process, led through pipes one step at a time."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers import address, options
from heatmap.publishers.connection import CannotReplace, Hidden, NotFound, Unreadable
from heatmap.publishers.sftp import askpass, messages, openssh
from heatmap.publishers.sftp.messages import ConnectionLostError, SftpError
from heatmap.system import processes, resource_errors
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import Popen
    from typing import IO

    from heatmap.publishers.sftp.openssh import Server
    from heatmap.system.deadline import Deadline

PROMPT = "sftp> "  # in batch mode the client repeats each command behind it before it obeys
SENTINEL = "version"  # a command that is answered without the server, so that a step's words have an end
SENTINEL_ANSWER = re.compile(r"SFTP protocol version (\d+)")
HAS_OPEN_FILES = sys.platform == "linux"  # where /dev/fd/N is as good as a path, for files that have none
MAX_COMMAND_BYTES = 2000  # the client takes what is longer for two commands
MAX_WORDS_BYTES = 4 * 1024 * 1024  # a folder of tens of thousands of files is told in less
REAP_SECONDS = 1  # what a killed process may take to be gone
NO_SUCH_FILE = ("No such file", "not found")  # the client's own words
# Type and mode, owners (a group's name may hold spaces), size, the time if it is told, and the path.
LIST_LINE = re.compile(r"(.)([-rwxsStT]{9}).*? (\d+) (?:[A-Z][a-z]{2} [ \d]\d +[\d:]{4,5})? ?(\.?/.*)")
OTHERS_MAY_READ = re.compile(r"......r..")


class SftpConnection:
    """A connection by the command `sftp`. Paths that do not begin with "/" start at the login folder.

    `password` None: the login is by key.
    """

    atomic = False
    faults = (OSError, SftpError)

    def __init__(self, server: Server, deadline: Deadline, password: str | None = None) -> None:
        self._server = server
        self._deadline = deadline
        self._password = password
        self._client: Popen[bytes] | None = None
        self._copy: IO[bytes] | None = None  # a file by which content goes to and from the client
        self._step, self._what = "connect", ""
        self._protocol = ""
        self._stored = ""  # what was put last
        self._size = 0  # what was found last
        self.new_folders: list[str] = []
        self._folders: dict[str, dict[str, str]] = {}  # the kinds of what they held at first: "-", "d", "l"

    def open(self) -> None:
        """Start the client and wait until it has logged in."""
        from subprocess import PIPE, STDOUT

        self._step = "keep"
        file = self._copy = _make_copy_file()
        os.fchmod(file.fileno(), address.FILE_MODE)  # which the client gives to what it stores
        self._step = "ask"
        with askpass.serve_password(self._password) as answers:
            self._step = "connect"
            try:
                self._client = processes.start(
                    openssh.make_sftp_command(self._server, "-"),
                    {**openssh.make_environment(), **answers},
                    stdin=PIPE,
                    stderr=STDOUT,  # so that words and sentinel stay in order
                    pass_fds=[file.fileno()],
                    bufsize=0,
                )
            except OSError as error:
                resource_errors.refuse(error)
                raise openssh.make_missing_command_error(self._server.name, error) from error
            self._ask("")

    def size(self, path: str) -> int:
        """Return a file's size. Raises Missing, and Hidden for one that visitors may not read."""
        self._step, self._what = "look", path
        if self._held(address.parent(path)).get(path.rpartition("/")[2]) == "l":  # `ls` of it looks behind it
            raise messages.make_obstacle_error(self._server.name, path, "a symbolic link")
        words = self._ask(f"-ls -lna {_quoted_for_list(path)}")
        if any(word in line for line in words for word in NO_SUCH_FILE) and "Can't ls" in words[0]:
            raise NotFound
        listed = [found for found in map(LIST_LINE.fullmatch, words) if found]
        if len(listed) != 1 or listed[0][4].count("/") > _named(path).count("/"):
            raise (
                messages.make_obstacle_error(self._server.name, path, "a folder")
                if listed
                else SftpError(_told(words))
            )
        kind, mode, size, _ = listed[0].groups()
        self._size = int(size)
        if kind != "-":
            what = "a symbolic link that leads nowhere" if kind == "l" else "no ordinary file"
            raise messages.make_obstacle_error(self._server.name, path, what)
        if not OTHERS_MAY_READ.fullmatch(mode):
            if path == self._stored:
                raise messages.make_unreadable_error(self._server.name, path, kind + mode)
            raise Hidden(self._size)
        return self._size

    def read(self, path: str, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 -- `get` has no such option
        """Return what a file holds, all of it. Raises Missing, Unreadable."""
        self._step, self._what = "read", path
        file, local = self._emptied()
        words = self._ask(f"-get {_quoted(path)} {local}", self._size)
        if words:
            if "Permission denied" in words[0]:
                raise Unreadable(str(self.describe_error(SftpError(_told(words)))))
            raise NotFound if any(word in words[0] for word in NO_SUCH_FILE) else SftpError(_told(words))
        file.seek(0)
        return file.read()

    def put(self, path: str, content: bytes) -> None:
        """Store under exactly this name, readable for visitors, in folders made where they are missing."""
        self._step, self._what = "keep", ""
        file, local = self._emptied()
        with os.fdopen(os.dup(file.fileno()), "wb") as writer:  # which stops at nothing less than all
            writer.write(content)
        self._step, self._what = "store", path
        # -f: the server brings it to its disk, if it can, before it says that all is well
        command = f"-put -f {local} {_quoted(path)}"
        words = self._ask(command, len(content))
        if words and NO_SUCH_FILE[0] in words[0]:
            self._make_folders(address.parent(path))
            words = self._ask(command, len(content))
        if words:
            raise SftpError(_told(words))
        self._ask(f"-chmod {address.FILE_MODE:o} {_quoted(path)}")  # if that is refused, the umask decides
        self._stored = path

    def rename_over(self, temporary: str, path: str) -> None:
        """Rename over what is there, in one step. Raises CannotReplace."""
        self._step, self._what = "replace", path
        words = self._ask(f"-rename {_quoted(temporary)} {_quoted(path)}")
        if words:
            if "Permission denied" not in words[0] and self._is_there(path):
                raise CannotReplace(_told(words))
            raise SftpError(_told(words))

    def remove(self, path: str) -> None:
        """Delete a file. Raises Missing."""
        self._step, self._what = "delete", path
        words = self._ask(f"-rm {_quoted(path)}")
        if words:
            raise NotFound if NO_SUCH_FILE[0] in words[0] else SftpError(_told(words))

    def list_names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, hidden ones too; nothing where there is no such folder."""
        self._step, self._what = "list", folder
        return [*self._held(folder)]

    def describe(self) -> str:
        """Say which server this is, as it tells on a second connection that repeats all it hears."""
        said = ""
        with suppress(OSError):
            seconds = self._deadline.timeout(self._server.timeout_seconds)
            said = openssh.read_server_messages(self._server, seconds, self._password)
        return messages.describe_server(said, self._protocol)

    def describe_error(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence, by the step it came at."""
        if self._step == "connect" and isinstance(error, ConnectionLostError):
            return self._explain_login(str(error))
        return messages.describe_error(self._server.name, self._step, self._what, error)

    def abort(self) -> None:
        """Kill the client and all that it started."""
        if self._client:
            processes.kill(self._client)

    def close(self) -> None:
        """End the client: each command was answered, so nothing is lost by not waiting for a farewell."""
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

    def _explain_login(self, said: str) -> PublishError:
        """Return why there is no connection, as a sentence; `said` is the client's words."""
        said = redact(said, [self._password])
        if self._password is not None:
            return messages.make_password_error(self._server.name, said, openssh.read_version())
        locked = openssh.find_locked_key(self._server) if messages.is_refused_login(said) else ""
        return messages.make_connection_error(self._server.name, said, locked)

    def _ask(self, command: str, size: int = 0) -> list[str]:
        """Give a command, "" for none; return what was said to it: nothing, mostly, where all went well.

        `size`: how many bytes are to go through, where the command carries any.
        """
        client = self._client
        if client is None or client.stdin is None or client.stdout is None:
            raise ConnectionLostError("there is no connection")
        line = f"{command}\n".encode()
        if len(line) > MAX_COMMAND_BYTES:
            raise PublishImpossible(f"{self._server.name}: the path {self._what} is too long for sftp")
        with suppress(BrokenPipeError):  # then its last words tell more
            client.stdin.write((line if command else b"") + f"{SENTINEL}\n".encode())
        seconds = options.allowed_seconds(self._server.timeout_seconds, size)
        words = self._listen(client.stdout.fileno(), self._deadline.timeout(seconds))
        self._protocol = words.pop()
        return [word for word in words if word and not word.startswith(PROMPT)]

    def _listen(self, pipe: int, seconds: float) -> list[str]:
        """Return the lines before the sentinel's answer, and last the protocol's version from it."""
        import select
        import time

        until = time.monotonic() + seconds
        said = b""
        while True:
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            heard = os.read(pipe, options.BLOCK_BYTES)
            said += heard
            words = said.decode(errors="replace").splitlines()
            if not heard:
                raise ConnectionLostError("\n".join(word for word in words if not word.startswith(PROMPT)))
            if len(said) > MAX_WORDS_BYTES:
                raise SftpError("it says too much")
            ended = SENTINEL_ANSWER.fullmatch(words[-1]) if said.endswith(b"\n") else None
            if ended and words[-2:-1] == [PROMPT + SENTINEL]:
                return [*words[:-2], ended[1]]

    def _emptied(self) -> tuple[IO[bytes], str]:
        """Return the local file, emptied, and its path as the client reads it."""
        file = self._copy
        if file is None:
            raise ConnectionLostError("there is no connection")
        file.seek(0)
        file.truncate()
        return file, f"/dev/fd/{file.fileno()}" if HAS_OPEN_FILES else _quoted(file.name)

    def _held(self, folder: str) -> dict[str, str]:
        """Return the names in a folder when it was first looked into, and of which kind they were."""
        if folder not in self._folders:
            inside = f"{folder.rstrip('/')}/." if folder else "."  # a link to a folder is one, too
            listed = map(LIST_LINE.fullmatch, self._ask(f"-ls -lna {_quoted_for_list(inside)}"))
            self._folders[folder] = {line[4].rpartition("/")[2]: line[1] for line in listed if line}
        return self._folders[folder]

    def _is_there(self, path: str) -> bool:
        return "Can't ls" not in _told(self._ask(f"-ls -lna {_quoted_for_list(path)}"))

    def _make_folders(self, folder: str) -> None:
        self._step, self._what = "make", folder
        for level in address.list_levels(folder):
            if not self._ask(f"-mkdir {_quoted(level)}"):  # else it is there, or the next step tells
                self.new_folders.append(level)
                self._ask(f"-chmod {address.FOLDER_MODE:o} {_quoted(level)}")


def _make_copy_file() -> IO[bytes]:
    """Return a new file; where it can be had, one of which nothing is left however this process ends."""
    from heatmap.system import temporary

    return temporary.make_unnamed_file() if HAS_OPEN_FILES else temporary.make_file()


def _named(path: str) -> str:
    """Return a path that cannot be taken for an option, nor for somebody's home."""
    return path if path.startswith("/") else f"./{path}"


def _quoted(path: str) -> str:
    """Return a path as the client reads it: in quotation marks, where no sign means more than itself."""
    return '"' + _named(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted_for_list(path: str) -> str:
    """Return a path as `ls` reads it, which alone knows what braces mean in a shell."""
    return _quoted(path).replace("{", "\\{")


def _told(words: Sequence[str]) -> str:
    """Return the reason in a line such as `remote open "/path": Permission denied`."""
    return words[0].rpartition('": ')[2].strip() if words else "no reason given"
