"""Faults of FTP servers and connections, at each step, and their results."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import pytest

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import delivery, options
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.ftp.publisher import FtpPublisher, FtpsPublisher
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.servers.certificates import Certificate
from tests.servers.ftp_dialogue import Login
from tests.servers.scripted_ftp import Fault, ScriptedFtp

SECRET = "HEATMAP_TEST_PASSWORD"
OLD, NEW = b"old" * 3000, b"new" * 3000  # of one size, so that a size alone tells nothing
BEFORE, AFTER = {"/web/index.html": OLD}, {"/web/index.html": NEW}
PAGES = [WebFile("index.html", NEW)]
SECONDS = 0.3  # for each wait
NO_EPSV = {"EPSV": "500 What?"}
TLS = ("AUTH", "PBSZ", "PROT")
Faults = Mapping[str, Any]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, ScriptedFtp.password)
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.01)


def publisher(server: ScriptedFtp, *, seconds: float = SECONDS, **options: Any) -> FtpPublisher:
    """A publisher for a folder that is there; `seconds` may be shorter than a configuration can have it."""
    if server.ca_file:
        made: FtpPublisher = FtpsPublisher(
            server.url("web"), password_env=SECRET, ca_file=server.ca_file, **options
        )
    else:
        made = FtpPublisher(server.url("web"), password_env=SECRET, **options)
    object.__setattr__(made, "timeout_seconds", seconds)
    return made


def publish(server: ScriptedFtp, *, seconds: float = 10, **options: Any) -> Delivery:
    """Publish, in `seconds` at most."""
    return publisher(server, **options).publish(PAGES, Deadline(seconds))


def connections(server: ScriptedFtp) -> list[list[str]]:
    """The commands of each connection that came as far as its first."""
    first = "AUTH" if server.ca_file else "USER"
    logins_seen: list[list[str]] = []
    for command in server.commands:
        if command.startswith(first):
            logins_seen.append([])
        logins_seen[-1].append(command)
    return logins_seen


def verb(command: str) -> str:
    """The first word of a command."""
    return command.split(" ", maxsplit=1)[0]


PASSING: dict[str, Faults] = {
    "greeting-421": {"GREETING": "421 Too many."},
    "greeting-hangs-up": {"GREETING": Fault.HANG_UP},
    "greeting-endless": {"GREETING": Fault.ENDLESS},
    "greeting-silent": {"GREETING": Fault.SILENCE},
    "greeting-is-no-ftp": {"GREETING": "SSH-2.0-OpenSSH_9.2"},
    "login-421": {"USER": "421 Too many of you."},
    "login-hangs-up": {"PASS": Fault.HANG_UP},
    "features-421": {"FEAT": "421 Timeout."},
    "pasv-and-epsv-malformed": {"PASV": Fault.MALFORMED, "EPSV": Fault.MALFORMED},
    "data-port-refused": {"PASV": Fault.REFUSED},
    "stor-421": {"STOR": "421 Going down."},
    "stor-425": {"STOR": "425 No data connection."},
    "stor-450": {"STOR": "450 Busy."},
    "stor-550": {"STOR": "550 Not now."},
    "stor-552": {"STOR": "552 Full."},
    "stor-hangs-up": {"STOR": Fault.HANG_UP},
    "stored-426": {"STORED": "426 The connection broke."},
    "stored-451": {"STORED": "451 Local error."},
    "data-reset": {"STOR": Fault.DATA_RESET},
    "226-never-comes": {"STOR": Fault.MUTE},
    "226-lost": {"STOR": Fault.LOST},
    "226-with-half-stored": {"STOR": Fault.HALF},
    "226-with-nothing-stored": {"STOR": Fault.UNDONE},
    "rnfr-hangs-up": {"RNFR": Fault.HANG_UP},
    "rnto-hangs-up": {"RNTO": Fault.HANG_UP},
    "250-lost": {"RNTO": Fault.LOST},
    "250-never-comes": {"RNTO": Fault.MUTE},
    "250-but-unchanged": {"RNTO": Fault.UNDONE},
    "read-back-reset": {"RETR": (None, Fault.DATA_RESET)},
    "read-back-hangs-up": {"RETR": (None, Fault.HANG_UP)},
    "read-back-550": {"RETR": (None, "550 Locked by another process.")},
}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_healed(faults: Faults) -> None:
    """A fault that strikes once: the page is there at the second attempt, and nothing else."""
    with ScriptedFtp(faults, times=1, files=BEFORE) as server:
        delivered = publish(server)

        assert (1, 2) == (delivered.put, delivered.attempts)
        assert AFTER == server.files
        assert 0o644 == server.modes["/web/index.html"]


LAST: dict[str, str] = {  # the last command of the connection on which a fault struck; "": there was none
    **{name: "" for name in PASSING if name.startswith("greeting")},
    "login-421": "USER",
    "login-hangs-up": "PASS",
    "features-421": "FEAT",
    "pasv-and-epsv-malformed": "EPSV",
    "data-port-refused": "PASV",
    **{name: "STOR" for name in PASSING if name.startswith(("stor", "data-reset", "226"))},
    "226-with-half-stored": "SIZE",
    "226-with-nothing-stored": "MLSD",
    "rnfr-hangs-up": "RNFR",
    "rnto-hangs-up": "RNTO",
    **{name: "RNTO" for name in PASSING if name.startswith("250")},
    "250-but-unchanged": "RETR",
    "read-back-reset": "RETR",
    "read-back-hangs-up": "RETR",
    "read-back-550": "MLSD",
}


@pytest.mark.parametrize("name", PASSING)
def test_after_a_fault_the_connection_is_thrown_away(name: str) -> None:
    """No command follows on it, as it may be one reply behind; only what a refusal means is asked first."""
    with ScriptedFtp(PASSING[name], times=1, files=BEFORE) as server:
        publish(server)

        *struck, healed = connections(server)
        assert [LAST[name]] == [verb(commands[-1]) for commands in struck] or ["", []] == [LAST[name], struck]
        assert "MLSD" == verb(healed[-1])
        assert 2 == server.logins


NO_FAULT: dict[str, Faults] = {
    "greeting-120": {"GREETING": "120 In a minute.\r\n220-Now.\r\n220 Ready."},
    "private-pasv": {"PASV": Fault.PRIVATE},
    "malformed-pasv": {"PASV": Fault.MALFORMED},
    "pasv-unsupported": {"PASV": "502 What?"},
    "epsv-unsupported": NO_EPSV,
    "no-size": {"SIZE": "500 What?"},
    "no-features": {"FEAT": "500 What?"},
    "no-modes": {"SITE": "500 What?"},
    "mlsd-refused": {"MLSD": "500 What?"},
    "no-list-at-all": {"MLSD": "500 What?", "NLST": "500 What?"},
    "no-size-and-no-list": {"SIZE": "500 What?", "MLSD": "550 No.", "NLST": "550 No."},
}


@pytest.mark.parametrize("old", [BEFORE, {"/web/other": b""}, {}], ids=["page", "no-page", "no-folder"])
@pytest.mark.parametrize("faults", NO_FAULT.values(), ids=NO_FAULT.keys())
def test_what_a_server_need_not_know(faults: Faults, old: dict[str, bytes]) -> None:
    """The page is there at the first attempt; told to be anew, it is seen to be there."""
    with ScriptedFtp(faults, files=old) as server:
        delivered, again = publish(server), publish(server)

        assert [Delivery(1, 0), Delivery(0, 1)] == [delivered, again]
        assert {**old, **AFTER} == server.files


LASTING: dict[str, tuple[Faults, type[PublishError], str, int]] = {
    "530": ({"PASS": "530 Wrong."}, PublishRefused, "the login was refused (530 Wrong.)", 1),
    "530-at-user": ({"USER": "530 Only by TLS."}, PublishRefused, "whether the server wants ftps:", 1),
    "430": ({"PASS": "430 Wrong."}, PublishRefused, "the login was refused (430 Wrong.)", 1),
    "332": ({"PASS": "332 And the account?"}, PublishRefused, "the login was refused (", 1),
    "greeting-421": (
        {"GREETING": "421 Full."},
        PublishError,
        "accepts no connection now (421 Full.), perhaps it has too many",
        3,
    ),
    "login-421": (
        {"USER": "421 Full."},
        PublishError,
        "accepts no connection now (421 Full.), perhaps it has too many",
        3,
    ),
    "greeting-554": ({"GREETING": "554 Go away."}, PublishError, "sends no greeting (554 Go away.)", 3),
    "greeting-endless": (
        {"GREETING": Fault.ENDLESS},
        PublishError,
        "sends no greeting (its reply has no end)",
        3,
    ),
    "greeting-hangs-up": ({"GREETING": Fault.HANG_UP}, PublishError, "the server hung up", 3),
    "no-login-folder": ({"PWD": "550 Where?"}, PublishError, "login folder cannot be found (550 Where?)", 3),
    "pasv-malformed": (
        {"PASV": Fault.MALFORMED, **NO_EPSV},
        PublishError,
        "(no data connection: 227 Entering Passive Mode.)",
        3,
    ),
    "data-port-refused": ({"PASV": Fault.REFUSED}, PublishError, "no data connection: port ", 3),
    "stor-450": ({"STOR": "450 Busy."}, PublishError, "nothing can be stored in web (450 Busy.)", 4),
    "stor-550": ({"STOR": "550 No."}, PublishError, "look at the folder's permissions and the space left", 4),
    "stor-552": ({"STOR": "552 Full."}, PublishError, "nothing can be stored in web (552 Full.)", 4),
    "data-reset": ({"STOR": Fault.DATA_RESET}, PublishError, "nothing can be stored in web (", 4),
    "226-never-comes": ({"STOR": Fault.MUTE}, PublishError, "in web (no answer in time)", 4),
    "226-with-half-stored": ({"STOR": Fault.HALF}, PublishError, "4,500 of 9,000 bytes arrived", 4),
    "226-with-nothing-stored": ({"STOR": Fault.UNDONE}, PublishError, "does not have it under its name", 4),
    "rnto-550": ({"RNTO": "550 No."}, PublishImpossible, 'replace = "delete-then-rename"', 2),
    "rnto-553": ({"RNTO": "553 No."}, PublishImpossible, 'replace = "delete-then-rename"', 2),
    "rnto-451": ({"RNTO": "451 No."}, PublishImpossible, 'replace = "delete-then-rename"', 2),
    "rnfr-500": ({"RNFR": "500 What?"}, PublishImpossible, "nothing can be renamed (500 What?)", 2),
    "250-but-unchanged": ({"RNTO": Fault.UNDONE}, PublishError, "other bytes came back than were sent", 4),
}


@pytest.mark.parametrize(("faults", "kind", "words", "logins"), LASTING.values(), ids=LASTING.keys())
def test_what_lasts_is_told(faults: Faults, kind: type[PublishError], words: str, logins: int) -> None:
    """The old page stays as it was, no temporary file stays beside it, and one sentence says what to do."""
    with ScriptedFtp(faults, files=BEFORE) as server:
        with pytest.raises(PublishError) as caught:
            publish(server)

        sentence = str(caught.value)
        assert kind is type(caught.value)
        assert words in sentence
        assert re.fullmatch(r"ftp://blogger@127\.0\.0\.1:\d+/web: .+", sentence)
        assert ScriptedFtp.password not in sentence
        assert BEFORE == server.files
        assert logins == server.logins


PLACES = [
    ("/srv", '257 "{}" is where you are.'),
    ("/srv", '257 there is rubbish all over "{}" in these words'),
    ("/srv", "257 {} is where you are."),
    ("/srv/my files", "257 {} is where you are."),
    ("/srv/my files", "257 {}"),
    ('/srv/"mine"', '257 "/srv/""mine""" is where you are.'),
    ("/srv", '257-Well.\r\n2570 folders\r\n257 "{}" is where you are.'),
]


@pytest.mark.parametrize(("home", "place"), PLACES)
def test_pages_go_where_the_login_ends(monkeypatch: pytest.MonkeyPatch, home: str, place: str) -> None:
    """However the server says which folder that is: never at its root instead."""
    monkeypatch.setattr(ScriptedFtp, "home", home)
    monkeypatch.setattr(ScriptedFtp, "place", place)
    with ScriptedFtp(files={f"{home}/web/other": b"", "/srv/other": b""}) as server:
        assert Delivery(1, 0) == publish(server)

        assert NEW == server.files[f"{home}/web/index.html"]
        assert 3 == len(server.files)


@pytest.mark.parametrize(
    "place",
    [
        "257 You are somewhere.",
        "257 /nowhere is where you are.",
        '257 "" is where you are.',
        '257 "web" is where you are.',
        '257 "/srv is where you are.',
        "250 Fine.",
    ],
)
def test_a_login_folder_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Nothing is put anywhere. The error has advice, and the advice works."""
    monkeypatch.setattr(ScriptedFtp, "home", "/srv")
    monkeypatch.setattr(ScriptedFtp, "place", place)
    with ScriptedFtp(files={"/srv/web/other": b"", "/web/other": b""}) as server:
        with pytest.raises(
            PublishImpossible, match="which folder the login ends in .*with // after the host"
        ):
            publish(server)
        assert {"/srv/web/other": b"", "/web/other": b""} == server.files

        password = {"password_env": "HEATMAP_TEST_PASSWORD"}
        absolute = FtpPublisher(server.url("/srv/web"), **password)
        assert 1 == absolute.publish([WebFile("index.html", NEW)], Deadline(20)).put
        assert NEW == server.files["/srv/web/index.html"]


@pytest.mark.parametrize("size", ["213 12 bytes", "213 -1", "213 9_000", "213 "])
def test_a_size_that_is_none(size: str) -> None:
    """The size is not used: the page is put and read back."""
    with ScriptedFtp({"SIZE": size}, files=BEFORE) as server:
        assert [Delivery(1, 0), Delivery(0, 1)] == [publish(server), publish(server)]
        assert AFTER == server.files


def test_groups_with_a_space_in_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLSD tells them as they are: what lies there is found all the same, and ours of long ago is swept."""
    monkeypatch.setattr(ScriptedFtp, "facts", "UNIX.groupname=domain users;")
    stale = {"/web/.heatmap-00000001-0123456789abcdef.tmp": b"", "/web/my; own page.html": b"mine"}
    with ScriptedFtp({"RETR": ("550 Busy.", None)}, files=BEFORE | stale) as server:
        publish(server)

        assert AFTER | {"/web/my; own page.html": b"mine"} == server.files


def test_226_under_another_name() -> None:
    """The old page stays; what lies under a name that nobody told us bears our pattern, and is swept later."""
    with ScriptedFtp({"STOR": Fault.ELSEWHERE}, files=BEFORE) as server:
        with pytest.raises(PublishError, match="does not have it under its name"):
            publish(server)

        left = [path for path in server.files if path != "/web/index.html"]
        assert OLD == server.files["/web/index.html"]
        assert [] == [path for path in left if not re.fullmatch(r"/web/\.heatmap-\w{8}-\w{16}\.tmp\.1", path)]

    aged = {re.sub("heatmap-....", "heatmap-0000", path): b"" for path in left}
    with ScriptedFtp(files=BEFORE | aged) as server:
        publish(server)
        assert AFTER == server.files


@pytest.mark.parametrize("faults", [{"RNTO": "550 No."}, {"RNTO": "553 No."}], ids=["550", "553"])
def test_a_server_that_does_not_overwrite_may_be_told_to_delete(faults: Faults) -> None:
    """With delete-then-rename the page is replaced; the first refusal is that of an existing file."""
    with ScriptedFtp({"RNTO": (faults["RNTO"],)}, files=BEFORE) as server:
        assert Delivery(1, 0) == publish(server, replace="delete-then-rename")

        assert AFTER == server.files
        assert ["RNFR", "RNTO", "DELE", "RNFR", "RNTO"] == [
            verb(command) for command in server.commands if verb(command) in ("RNFR", "RNTO", "DELE")
        ]


def test_a_page_that_was_deleted_in_vain() -> None:
    """The server says 250 and deletes nothing: an error, and the page stays."""
    with ScriptedFtp({"RNTO": "550 No.", "DELE": Fault.UNDONE}, files=BEFORE) as server:
        with pytest.raises(PublishError, match=r"is there again after it was deleted \(550 No"):
            publish(server, replace="delete-then-rename")

        assert OLD == server.files["/web/index.html"]


def test_a_server_that_cannot_rename_keeps_its_page() -> None:
    """Nothing is deleted for a renaming that would fail as well."""
    with ScriptedFtp({"RNFR": "500 What?"}, files=BEFORE) as server:
        with pytest.raises(PublishImpossible, match="nothing can be renamed"):
            publish(server, replace="delete-then-rename")

        assert BEFORE == server.files
        assert "DELE /web/index.html" not in server.commands


def test_what_cannot_be_read_back_is_told_and_may_be_left_unread() -> None:
    """If reading is refused, the error says so. With verify = "size" the page is put, again in each run."""
    with ScriptedFtp({"RETR": "550 Only for putting."}, files=BEFORE) as server:
        with pytest.raises(PublishError, match=r'cannot be read back \(550 .*verify = "size"'):
            publish(server)

        assert [Delivery(1, 0)] * 2 == [publish(server, verify="size") for _ in range(2)]
        assert AFTER == server.files


def test_words_in_another_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not speak UTF-8 is heard, and its own folder's name goes back as it came."""

    def say(login: Login, reply: str) -> None:
        login._connection.sendall(reply.encode("latin-1") + b"\r\n")

    monkeypatch.setattr(Login, "_say", say)
    faults = {"GREETING": "220 B\u00e9b\u00e9", "PWD": '257 "/\u00e9" is here.'}
    with ScriptedFtp(faults, files=BEFORE) as server:
        with pytest.raises(PublishError, match="the folder web cannot be entered or made"):
            publish(server)

        assert (
            "SIZE /\ufffd/web/index.html" in server.commands
        )  # the byte E9, as the scripted server reads it


def test_more_than_was_asked_for_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot fill our memory."""
    monkeypatch.setattr("heatmap.publishers.address.MAX_BYTES", 1000)
    with ScriptedFtp(files=BEFORE) as server, pytest.raises(PublishError, match="more than 1,000 bytes"):
        publish(server)


STEPS: dict[str, tuple[Faults, str]] = {
    "greeting": ({"GREETING": Fault.SILENCE}, "sends no greeting"),
    "auth": ({"AUTH": Fault.SILENCE}, "no TLS connection"),
    "user": ({"USER": Fault.SILENCE}, "the login failed"),
    "pass": ({"PASS": Fault.SILENCE}, "the login failed"),
    "pbsz": ({"PBSZ": Fault.SILENCE}, "cannot be secured"),
    "prot": ({"PROT": Fault.SILENCE}, "cannot be secured"),
    "feat": ({"FEAT": Fault.SILENCE}, "login folder"),
    "pwd": ({"PWD": Fault.SILENCE}, "login folder"),
    "type": ({"TYPE": Fault.SILENCE}, "the size of web/index.html"),
    "size": ({"SIZE": Fault.SILENCE}, "the size of web/index.html"),
    "pasv": ({"PASV": Fault.SILENCE}, "web/index.html cannot be read back"),
    "retr": ({"RETR": Fault.SILENCE}, "web/index.html cannot be read back"),
    "data-of-retr": ({"RETR": Fault.DATA_IGNORED}, "web/index.html cannot be read back"),
    "sent": ({"SENT": Fault.SILENCE}, "web/index.html cannot be read back"),
    "cwd": ({"CWD": Fault.SILENCE}, "the folder web cannot be entered"),
    "stor": ({"STOR": Fault.SILENCE}, "nothing can be stored in web"),
    "data-of-stor": ({"STOR": Fault.DATA_IGNORED}, "nothing can be stored in web"),
    "stored": ({"STORED": Fault.SILENCE}, "nothing can be stored in web"),
    "site-chmod": ({"SITE": Fault.SILENCE}, "nothing can be stored in web"),
    "rnfr": ({"RNFR": Fault.SILENCE}, "nothing can be renamed"),
    "rnto": ({"RNTO": Fault.SILENCE}, "cannot be replaced by renaming"),
}


@pytest.mark.serial
@pytest.mark.parametrize("by", ["timeout", "deadline"])
@pytest.mark.parametrize(
    ("step", "faults", "words"), [(key, *case) for key, case in STEPS.items()], ids=STEPS
)
def test_a_stall_ends(
    step: str, faults: Faults, words: str, by: str, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step that gets no answer ends by its timeout, or by the deadline where that is sooner."""
    monkeypatch.setattr(options, "ATTEMPTS", 1)
    tls = certificate if step.upper() in TLS else None
    timeout, deadline = (0.2, 20) if by == "timeout" else (20, 0.3)
    with ScriptedFtp(faults, files=BEFORE, certificate=tls) as server:
        started_at = time.monotonic()
        content = NEW * 1000 if step == "data-of-stor" else NEW  # more than the way there holds
        with pytest.raises(PublishError, match=words) as caught:
            publisher(server, seconds=timeout).publish([WebFile("index.html", content)], Deadline(deadline))

        assert time.monotonic() - started_at < 2
        assert PublishError is type(caught.value)
        assert {"timeout": "no answer in time", "deadline": "the run's 0.3 seconds are over"}[by] in str(
            caught.value
        )
        assert OLD == server.files["/web/index.html"]


def test_no_close_notify(certificate: Certificate) -> None:
    """A server that never says goodbye: the final reply, the size and what is read back decide."""
    fault = Fault.DATA_BARE
    with ScriptedFtp(
        {"STOR": fault, "RETR": fault, "MLSD": fault}, files=BEFORE, certificate=certificate
    ) as server:
        assert [Delivery(1, 0), Delivery(0, 1)] == [publish(server), publish(server)]
        assert AFTER == server.files
