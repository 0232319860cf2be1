"""The client's output is parsed in forms that the servers of this machine do not send."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

import pytest

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.connection import CannotReplace, NotFound, Unreadable
from heatmap.publishers.sftp import messages
from heatmap.publishers.sftp.connection import SftpConnection
from heatmap.publishers.sftp.known_hosts import UnknownHostKey
from heatmap.publishers.sftp.messages import SftpError
from heatmap.publishers.sftp.publisher import SftpPublisher
from heatmap.system.deadline import Deadline

TARGET = SftpPublisher("sftp://me@www.example.org/web", identity_file=Path("key"))


class ScriptedConnection(SftpConnection):
    """A connection whose client gives to each command the answer of a table, by the command's name."""

    def __init__(self, **answers: str) -> None:
        super().__init__(TARGET, Deadline(30))
        self.answers = answers
        self.commands: list[str] = []

    def _run(self, command: str, size: int = 0) -> list[str]:
        self.commands.append(command)
        return self.answers.get(command.lstrip("-").partition(" ")[0], "").splitlines()


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("-rw-r--r--    ? 0        0          150000 Nov 21 08:43 ./web/a", 150_000),
        ("-rw-r--r--    1 blogger  Domain Users          7 Nov  1  2025 ./web/a", 7),
        ("-rw-r--r--    1 CORP\\jane doe 1 2 3        12 Jan  1 00:00 ./web/a", 12),
        ("-rwxrwxrwx    1 0        0                5  ./web/a", 5),  # a server that tells no times
        ("-rw-r--r--.   1 0        0          4294967297 Feb 29  2024 ./web/a", 2**32 + 1),
    ],
)
def test_sizes_are_read_from_all_kinds_of_lists(line: str, size: int) -> None:
    """Owners may be numbers or names with spaces, and a time need not be there."""
    assert size == ScriptedConnection(ls=line).size("web/a")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (
            "drwxr-xr-x 2 0 0 4096 Nov 21 08:43 ./web/a/.\ndrwxr-xr-x 2 0 0 4096 Nov 21 08:43 ./web/a/..",
            "a folder",
        ),
        ("-rw-r--r-- 1 0 0 4096 Nov 21 08:43 ./web/a/only", "a folder"),  # where . and .. are not told
        ("prw-r--r-- 1 0 0 0 Nov 21 08:43 ./web/a", "no ordinary file"),
        ("lrwxrwxrwx 1 0 0 7 Nov 21 08:43 ./web/a", "a symbolic link"),
    ],
)
def test_what_is_no_file(words: str, what: str) -> None:
    """It is an error, and it is not overwritten."""
    with pytest.raises(PublishImpossible, match=f"web/a is {what}.*: remove or rename it"):
        ScriptedConnection(ls=words).size("web/a")


def test_a_file_that_is_kept_from_visitors() -> None:
    """A server gives files a private mode and does not change it: an error says so."""
    session = ScriptedConnection(
        ls="-rw-r----- 1 0 0 1 Nov 21 08:43 ./web/a", chmod='remote setstat "/web/a": Operation unsupported'
    )
    with pytest.raises(NotFound):
        session.size("web/a")
    session._copy = TemporaryFile(buffering=0)
    session.put("web/a", b"")

    with pytest.raises(PublishImpossible, match=r"visitors \(-rw-r-----\).*umask 022"):
        session.size("web/a")
    session.close()


@pytest.mark.parametrize(
    ("rename", "ls", "outcome"),
    [
        ('remote rename "/a" to "/b": Failure', "-rw-r--r-- 1 0 0 1 Nov 21 08:43 ./b", CannotReplace),
        ('remote rename "/a" to "/b": Unknown status', "-rw-r--r-- 1 0 0 1 Nov 21 08:43 ./b", CannotReplace),
        ('remote rename "/a" to "/b": Permission denied', "-rw-r--r-- 1 0 0 1 Nov 21 08:43 ./b", SftpError),
        ('remote rename "/a" to "/b": Failure', 'Can\'t ls: "/b" not found', SftpError),
    ],
)
def test_refusals_to_rename(rename: str, ls: str, outcome: type[Exception]) -> None:
    """It is a refusal to replace only if the file exists and the reason is no permission."""
    with pytest.raises(outcome) as caught:
        ScriptedConnection(rename=rename, ls=ls).rename_over("a", "b")

    assert rename.rpartition(": ")[2] == str(caught.value)


def test_a_file_that_may_be_written_but_not_read() -> None:
    """It is not taken for a missing file."""
    session = ScriptedConnection(get='open "/web/a": Permission denied')
    session._copy = TemporaryFile(buffering=0)
    with pytest.raises(Unreadable, match=r"web/a cannot be read back \(Permission denied\)"):
        session.read("web/a")
    session.close()


@pytest.mark.parametrize(
    ("said", "kind", "phrase"),
    [
        ("ssh: Could not resolve hostname x: Name or service not known", PublishError, "Could not resolve"),
        ("ssh: connect to host x port 22: Connection refused", PublishError, r"no connection \(ssh: connect"),
        ("kex_exchange_identification: read: Connection reset by peer", PublishError, "no connection"),
        ("", PublishError, "Connection closed"),
        (
            "No ED25519 host key is known for x\nHost key verification failed.",
            UnknownHostKey,
            "--trust-host-key",
        ),
        ("REVOKED HOST KEY DETECTED!\nHost key verification failed.", PublishRefused, "revoked"),
        (
            "Host key verification failed.\nConnection closed by UNKNOWN port 65535",
            PublishRefused,
            "key of the jump host",
        ),
        (
            'Load key "k": invalid format\nme@x: Permission denied (publickey).',
            PublishRefused,
            r"Permission denied \(publickey\).; Load key .*authorized_keys",
        ),
        (
            "Received disconnect from x port 22:2: Too many authentication failures",
            PublishRefused,
            "identity_file",
        ),
        ("subsystem request failed on channel 0", PublishImpossible, "offers this user no SFTP"),
        ("Received message too long 1752132965", PublishImpossible, "silence its profile"),
        (
            "Unable to negotiate with x port 22: no matching host key type found. Their offer: ssh-dss",
            PublishImpossible,
            "no longer trusts",
        ),
        ("config: line 1: Bad configuration option: x", PublishImpossible, "ssh's own configuration"),
    ],
)
def test_why_there_is_no_connection(said: str, kind: type[PublishError], phrase: str) -> None:
    """Each of ssh's ways to end is one sentence of the right class: what may pass is tried again, the rest is not."""
    error = messages.make_connection_error("sftp://x/", f"{said}\nConnection closed")

    assert kind is type(error)
    assert "\n" not in str(error)
    with pytest.raises(kind, match=phrase):
        raise error
