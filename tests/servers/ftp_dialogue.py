"""One login at the scripted FTP server: what it answers to each command, and what can go wrong there."""

from __future__ import annotations

import posixpath
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from tests.servers.scripted_ftp import ScriptedFtp

HOST = "127.0.0.1"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, by RST
CHUNK = 65536
WITHOUT_LOGIN = {"USER", "PASS", "AUTH", "PBSZ", "PROT", "FEAT", "OPTS", "SYST", "NOOP", "QUIT"}
FEATURES = ("EPSV", "MLST type*;size*;", "PASV", "SIZE", "UTF8")
PRIVATE = "10,11,12,13"
MODE = 0o600  # what files have until they are told otherwise


class Fault(Enum):
    """The faults at a step."""

    SILENCE = auto()  # no answer, nothing done
    HANG_UP = auto()  # the connection ends, nothing done
    MUTE = auto()  # done, and no answer: at STOR the 226 that never comes
    LOST = auto()  # done, and the connection ends before the answer
    UNDONE = auto()  # answered as if done, nothing done
    ENDLESS = auto()  # a reply that never ends, line after line
    HALF = auto()  # STOR: half of the file is stored, and 226
    ELSEWHERE = auto()  # STOR: stored as NAME.1, and 226
    DATA_RESET = auto()  # STOR, RETR: the data connection breaks, and 426
    DATA_IGNORED = auto()  # STOR, RETR: the data connection stands, and nothing is read or sent
    DATA_BARE = auto()  # STOR, RETR under TLS: the data connection ends without close_notify
    REFUSED = auto()  # PASV, EPSV: nobody listens on the port that is told
    PRIVATE = auto()  # PASV: the address of a network behind the server, with the right port
    MALFORMED = auto()  # PASV, EPSV: an answer without address or port


Script = str | Fault | None


class _HungUp(Exception):
    """The control connection is to end."""


class Login:
    """One control connection."""

    def __init__(self, server: ScriptedFtp, connection: socket.socket) -> None:
        self._server = server
        self._connection = connection
        self._lines: BinaryIO = connection.makefile("rb")
        self._folder = server.home
        self._renamed = ""
        self._passive: socket.socket | None = None
        self._logged_in = self._binary = False
        self._private = False  # PROT P: data goes over TLS
        self._fault: Script = None

    def serve(self) -> None:
        """Answer until the client or a fault ends it."""
        with suppress(OSError, ValueError, _HungUp):
            self._step("GREETING", lambda: "220 At your service.")
            while line := self._lines.readline():
                command = line.decode("utf-8", "replace").rstrip("\r\n")
                verb, _, argument = command.partition(" ")
                verb = verb.upper()
                self._server.commands.append(verb if verb == "PASS" else command)
                self._step(verb, partial(self._do, verb, argument))
                if verb == "QUIT":
                    break
        self._lines.close()
        close(self._connection)
        if self._passive:
            close(self._passive)

    def _step(self, step: str, act: Callable[[], str]) -> None:
        fault = self._fault = self._met(step)
        reply = fault if isinstance(fault, str) else act()
        if fault is Fault.MUTE:
            self._server.ending.wait()
        if fault in (Fault.MUTE, Fault.LOST):
            raise _HungUp
        self._say(reply)
        if reply.startswith("421"):
            raise _HungUp
        if step == "AUTH" and reply.startswith("234") and self._server.context:
            self._lines.close()
            self._connection = self._server.held(
                self._server.context.wrap_socket(self._connection, server_side=True)
            )
            self._lines = self._connection.makefile("rb")

    def _met(self, step: str) -> Script:
        """Return the fault of a step, after suffering it where it leaves no room for the step."""
        fault = self._server.fault(step)
        if fault is Fault.SILENCE:
            self._server.ending.wait()
        while fault is Fault.ENDLESS and not self._server.ending.wait(0.001):
            self._say("220-and so on, and so forth")
        if fault in (Fault.SILENCE, Fault.ENDLESS, Fault.HANG_UP):
            raise _HungUp
        return fault

    def _say(self, reply: str) -> None:
        self._connection.sendall(reply.encode() + b"\r\n")

    def _do(self, verb: str, argument: str) -> str:
        if verb not in WITHOUT_LOGIN and not self._logged_in:
            return "530 Log in first."
        command: Callable[[str], str] | None = getattr(self, f"_do_{verb.lower()}", None)
        return command(argument) if command else "502 Not here."

    def _path(self, argument: str) -> str:
        return posixpath.normpath(posixpath.join(self._folder, argument))

    def _do_user(self, _: str) -> str:
        return "331 And the password?"

    def _do_pass(self, password: str) -> str:
        self._logged_in = password == self._server.password
        return "230 Welcome." if self._logged_in else "530 That is not it."

    def _do_auth(self, _: str) -> str:
        return "234 Go ahead." if self._server.context else "502 Not here."

    def _do_pbsz(self, _: str) -> str:
        return "200 PBSZ=0"

    def _do_prot(self, level: str) -> str:
        self._private = level == "P"
        return "200 As you wish."

    def _do_feat(self, _: str) -> str:
        tls = ("AUTH TLS", "PBSZ", "PROT") if self._server.context else ()
        return "\r\n".join(["211-What there is:", *(f" {name}" for name in (*FEATURES, *tls)), "211 End."])

    def _do_opts(self, _: str) -> str:
        return "200 As always."

    def _do_type(self, kind: str) -> str:
        self._binary = kind.upper().startswith("I")
        return "200 As you wish."

    def _do_noop(self, _: str) -> str:
        return "200 Nothing done."

    def _do_syst(self, _: str) -> str:
        return "215 UNIX Type: L8"

    def _do_quit(self, _: str) -> str:
        return "221 Bye."

    def _do_pwd(self, _: str) -> str:
        return self._server.place.format(self._folder)

    def _do_cwd(self, argument: str) -> str:
        if self._path(argument) not in self._server.folders:
            return "550 No such folder."
        self._folder = self._path(argument)
        return "250 Gone there."

    def _do_mkd(self, argument: str) -> str:
        path = self._path(argument)
        if path in self._server.folders or path in self._server.files:
            return "550 There is one already."
        if posixpath.dirname(path) not in self._server.folders:
            return "550 No such folder."
        if self._fault is not Fault.UNDONE:
            self._server.folders.add(path)
        return f'257 "{path}" made.'

    def _do_size(self, argument: str) -> str:
        if not self._binary:
            return "550 Not while the type is ASCII."
        content = self._server.files.get(self._path(argument))
        return "550 No such file." if content is None else f"213 {len(content)}"

    def _do_dele(self, argument: str) -> str:
        path = self._path(argument)
        if path not in self._server.files:
            return "550 No such file."
        if self._fault is not Fault.UNDONE:
            del self._server.files[path]
        return "250 Deleted."

    def _do_rnfr(self, argument: str) -> str:
        self._renamed = self._path(argument)
        return "350 To what?" if self._renamed in self._server.files else "550 No such file."

    def _do_rnto(self, argument: str) -> str:
        path, files = self._path(argument), self._server.files
        if self._renamed not in files:
            return "503 RNFR first."
        if path in self._server.folders or posixpath.dirname(path) not in self._server.folders:
            return "553 Not there."
        if self._fault is not Fault.UNDONE:
            files[path] = files.pop(self._renamed)
            self._server.modes[path] = self._server.modes.pop(self._renamed, MODE)
        return "250 Renamed."

    def _do_site(self, argument: str) -> str:
        words = argument.split(" ", 2)
        if len(words) < 3 or words[0].upper() != "CHMOD":
            return "502 Not here."
        path = self._path(words[2])
        if path not in self._server.files and path not in self._server.folders:
            return "550 No such file."
        if self._fault is not Fault.UNDONE:
            self._server.modes[path] = int(words[1], 8)
        return "200 Mode changed."

    def _listen(self) -> int:
        if self._passive:
            close(self._passive)
        self._passive = self._server.listen()
        port = int(self._passive.getsockname()[1])
        if self._fault is Fault.REFUSED:
            close(self._passive)
        return port

    def _do_pasv(self, _: str) -> str:
        port = self._listen()
        if self._fault is Fault.MALFORMED:
            return "227 Entering Passive Mode."
        host = PRIVATE if self._fault is Fault.PRIVATE else HOST.replace(".", ",")
        return f"227 Entering Passive Mode ({host},{port >> 8},{port & 255})."

    def _do_epsv(self, _: str) -> str:
        port = self._listen()
        if self._fault is Fault.MALFORMED:
            return "229 Entering Extended Passive Mode."
        return f"229 Entering Extended Passive Mode (|||{port}|)"

    def _do_stor(self, argument: str) -> str:
        path = self._path(argument)
        if path in self._server.folders or posixpath.dirname(path) not in self._server.folders:
            return "553 Not there."
        data = self._open_data()
        content = bytearray()
        while chunk := data.recv(CHUNK):
            content += chunk
            if self._fault is Fault.DATA_RESET:
                break
        if self._fault is Fault.ELSEWHERE:
            path += ".1"
        if self._fault in (Fault.HALF, Fault.DATA_RESET):
            del content[len(content) // 2 :]
        if self._fault is not Fault.UNDONE:
            self._server.files[path] = bytes(content)
            self._server.modes.setdefault(path, MODE)
        return self._close_data(data, "STORED")

    def _do_retr(self, argument: str) -> str:
        content = self._server.files.get(self._path(argument))
        return "550 No such file." if content is None else self._send(content)

    def _do_nlst(self, argument: str) -> str:
        return self._send("".join(f"{name}\r\n" for name in self._names(argument)).encode())

    def _do_mlsd(self, argument: str) -> str:
        folder = self._path(argument)
        lines = []
        for name in self._names(argument):
            content = self._server.files.get(posixpath.join(folder, name))
            facts = "type=dir;" if content is None else f"type=file;size={len(content)};"
            lines.append(f"{self._server.facts}{facts} {name}\r\n")
        return self._send("".join(lines).encode())

    def _names(self, argument: str) -> list[str]:
        folder = self._path(argument)
        every = {*self._server.files, *self._server.folders} - {"/"}
        return sorted(posixpath.basename(path) for path in every if posixpath.dirname(path) == folder)

    def _send(self, content: bytes) -> str:
        data = self._open_data()
        broken = self._fault is Fault.DATA_RESET
        data.sendall(content[: len(content) // 2] if broken else content)
        return self._close_data(data, "SENT")

    def _open_data(self) -> socket.socket:
        if self._passive is None:
            raise _HungUp
        self._say("150 Here we go.")
        data = self._server.held(self._passive.accept()[0])
        if self._fault is Fault.DATA_IGNORED:
            self._server.ending.wait()
            raise _HungUp
        if self._private and self._server.context:
            data = self._server.held(self._server.context.wrap_socket(data, server_side=True))
        return data

    def _close_data(self, data: socket.socket, step: str) -> str:
        if self._fault is Fault.DATA_RESET:
            data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            data.close()
            return "426 The connection broke."
        if isinstance(data, ssl.SSLSocket) and self._fault is not Fault.DATA_BARE:
            with suppress(OSError):
                data = data.unwrap()
        close(data)
        fault = self._met(step)
        return fault if isinstance(fault, str) else "226 All done."


def close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
