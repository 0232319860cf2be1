"""SFTP: logins, names, obstacles, and their sentences."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from heatmap.errors import ConfigError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import delivery
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.sftp import askpass, connection, openssh
from heatmap.publishers.sftp.publisher import SftpPublisher
from heatmap.system import secrets
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.conftest import started
from tests.publishers.sftp.logins import SECRET, files, target
from tests.servers.ftp import PASSWORD, ProftpdSftp
from tests.servers.ssh import Sshd, make_key

PAGES = [WebFile("nse/index.html", b"n" * 100_000), WebFile("index.html", b"x")]
ARRIVED = {page.path: page.content for page in PAGES}

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, PASSWORD)
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.01)


def soon() -> Deadline:
    """Time enough for all that is well."""
    return Deadline(30)


def serve(folder: Path, login: str = "key", **options: object) -> Sshd:
    """Start OpenSSH for this way to log in; a password takes root."""
    return started(lambda: Sshd(folder / "sshd", by_password=login == "password", **options))


def serve_any(folder: Path, login: str) -> Sshd | ProftpdSftp:
    """Start a server for this way to log in, whichever takes no root."""
    return started(lambda: (Sshd if login == "key" else ProftpdSftp)(folder / "server"))


@pytest.mark.parametrize(
    "folder",
    [
        "a b",
        "é à/日本",
        "[1]",
        "*",
        "?",
        "{a,b}",
        "a\\b\\",
        "\\*?[x]{y}\\\\",
        "it's",
        '"',
        '" -l "',
        "-r",
        "~",
        "~root",
        "#",
    ]
    + ["-/-/ x", "!ls", "%h", "$HOME", "`id`"],
)
def test_every_name_means_itself(sshd: Sshd, folder: str) -> None:
    """No character in a folder's name is taken for a pattern, an option, a quotation mark or a home."""
    (sshd.root / "decoy").mkdir()
    publisher = target(sshd, quote(folder))

    assert Delivery(1, 0) == publisher.publish([WebFile("index.html", b"one")], soon())
    assert Delivery(1, 0) == publisher.publish([WebFile("index.html", b"two")], soon())
    assert Delivery(0, 1) == publisher.publish([WebFile("index.html", b"two")], soon())
    assert {f"{folder}/index.html": b"two"} == files(sshd.root)


def test_a_path_too_long_for_the_client(sshd: Sshd) -> None:
    """The client would take one line for two commands: it is refused before."""
    with pytest.raises(PublishImpossible, match="too long"):
        target(sshd, "/".join(["x" * 200] * 11)).publish([WebFile("index.html", b"x")], soon())

    assert {} == files(sshd.root)


def test_an_encrypted_key(tmp_path: Path) -> None:
    """Cron cannot ask for a passphrase: the error names the key and has advice."""
    with serve(tmp_path, passphrase="open sesame") as server:
        with pytest.raises(
            PublishRefused, match=r"client_key is encrypted: unlock it with ssh-agent"
        ) as caught:
            target(server).publish(PAGES, soon())

        assert "\n" not in str(caught.value)


def test_an_encrypted_key_that_the_agent_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that the user has unlocked works."""
    answer = tmp_path / "answer"
    answer.write_text("#!/bin/sh\necho open sesame\n", "utf-8")
    answer.chmod(0o700)
    environment = {**os.environ, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.PIPE)
    try:
        agent.stdout.readline()  # type: ignore[union-attr]  # it listens by then
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        with serve(tmp_path, passphrase="open sesame") as server:
            environment["SSH_AUTH_SOCK"] = str(tmp_path / "agent")
            subprocess.run(["ssh-add", "-q", server.identity_file], env=environment, check=True)

            assert Delivery(2, 0) == target(server).publish(PAGES, soon())
    finally:
        agent.kill()
        agent.communicate()


def test_a_key_that_the_server_does_not_have(sshd: Sshd, tmp_path: Path) -> None:
    """It is refused once, without another try, and nothing arrives."""
    make_key(tmp_path / "stranger")
    with pytest.raises(PublishRefused, match=r"login was refused .*publickey.*authorized_keys"):
        target(sshd, identity_file=tmp_path / "stranger").publish(PAGES, soon())

    assert {} == files(sshd.root)
    assert 1 == sshd.log.count("Connection closed by authenticating user")


def test_too_many_keys(sshd: Sshd, tmp_path: Path) -> None:
    """A server that counts keys as failures ends the login before the right one: say how to name it."""
    keys = [tmp_path / f"key{number}" for number in range(7)]
    for key in keys:
        make_key(key)
    config = tmp_path / "config"
    config.write_text("IdentitiesOnly yes\n" + "".join(f"IdentityFile {key}\n" for key in keys), "utf-8")
    with pytest.raises(PublishRefused, match="too many keys were tried.*identity_file"):
        target(sshd, identity_file=None, config_file=config).publish(PAGES, soon())


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[tuple[Sshd, Sshd, Path]]:
    """A server that ssh's configuration knows as `behind`, by way of a jump host; and that configuration."""
    with (
        started(lambda: Sshd(tmp_path / "sshd")) as server,
        started(lambda: Sshd(tmp_path / "jump", jump_host=True)) as jump,
    ):
        config = tmp_path / "config"
        config.write_text(
            f"Host behind\n HostName 127.0.0.1\n Port {server.port}\n ProxyJump jump\n"
            f"Host jump\n HostName 127.0.0.1\n Port {jump.port}\n User {jump.user}\n IdentitiesOnly yes\n"
            f" IdentityFile {jump.identity_file}\n UserKnownHostsFile {jump.known_hosts_file}\n",
            "utf-8",
        )
        yield server, jump, config


def behind_target(server: Sshd, config: Path, **options: object) -> SftpPublisher:
    """The server by its name in ssh's configuration."""
    usual = {"identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file}
    return SftpPublisher(f"sftp://{server.user}@behind/web", config_file=config, **{**usual, **options})


def test_a_jump_host(behind: tuple[Sshd, Sshd, Path]) -> None:
    """The name, the port and the jump host in ssh's configuration are used."""
    server, jump, config = behind

    assert Delivery(2, 0) == behind_target(server, config).publish(PAGES, soon())
    assert {f"web/{path}": content for path, content in ARRIVED.items()} == files(server.root)
    assert "Accepted publickey" in jump.log


def test_a_jump_host_whose_key_is_not_known(behind: tuple[Sshd, Sshd, Path]) -> None:
    """The sentence tells the jump host from the server behind it."""
    server, jump, config = behind
    jump.known_hosts_file.write_text("", "utf-8")
    with pytest.raises(PublishRefused, match="key of the jump host"):
        behind_target(server, config).publish(PAGES, soon())


def test_a_host_key_is_shown_by_way_of_the_jump_host(behind: tuple[Sshd, Sshd, Path], tmp_path: Path) -> None:
    """The key that is offered for trust is the one of the server that ssh would reach."""
    server, _, config = behind
    key = behind_target(server, config, known_hosts_file=tmp_path / "none").read_host_key(soon())

    assert server.host_key.split()[:2] == [key.kind, key.key]
    assert f"[127.0.0.1]:{server.port}" == key.name


def test_a_server_that_may_not_be_written(tmp_path: Path, login: str) -> None:
    """It is one sentence about storing, and what is there stays."""
    with serve(tmp_path, login, read_only=True) as server:
        (server.root / "index.html").write_bytes(b"old")
        with pytest.raises(PublishError, match=r"index.html\S*|tmp cannot be stored \(Permission denied\)"):
            target(server, login=login).publish([WebFile("index.html", b"new")], soon())

        assert {"index.html": b"old"} == files(server.root)


def test_in_a_chroot_visitors_may_read(tmp_path: Path, login: str) -> None:
    """The server's umask is 077, and still all is 0644 and 0755 in the end."""
    with serve(tmp_path, login, chroot=True) as server:
        target(server, "/web", login=login).publish(PAGES, soon())

        modes = {path.name: path.stat().st_mode & 0o777 for path in server.root.rglob("*")}
    assert {"web": 0o755, "nse": 0o755, "index.html": 0o644} == modes


def test_a_file_that_visitors_may_not_read_is_put_anew(sshd: Sshd) -> None:
    """The same bytes with the wrong mode are as good as missing."""
    (sshd.root / "index.html").write_bytes(b"x")
    (sshd.root / "index.html").chmod(0o600)

    assert Delivery(1, 0) == target(sshd).publish([WebFile("index.html", b"x")], soon())
    assert 0o644 == (sshd.root / "index.html").stat().st_mode & 0o777


def test_no_posix_rename(tmp_path: Path, login: str) -> None:
    """A server that cannot replace in one step is refused; with the option it works; nothing is left."""
    with serve(tmp_path, login, posix_rename=False) as server:
        (server.root / "index.html").write_bytes(b"old")
        with pytest.raises(PublishImpossible, match=r"delete-then-rename.*no page for a moment"):
            target(server, login=login).publish([WebFile("index.html", b"new")], soon())
        assert {"index.html": b"old"} == files(server.root)

        publisher = target(server, login=login, replace="delete-then-rename")
        assert Delivery(1, 0) == publisher.publish([WebFile("index.html", b"new")], soon())
        assert {"index.html": b"new"} == files(server.root)
        assert "has no posix-rename" in publisher.check(soon())


def test_check_tells_the_server(sshd: Sshd) -> None:
    """Which software it is, and what it can do."""
    description = target(sshd).check(soon())

    assert description.startswith("OpenSSH_")
    assert "replaces in one step (posix-rename), writes files to its disk (fsync)" in description


@pytest.mark.parametrize("link", ["elsewhere.html", "nowhere.html"])
def test_a_link_in_the_place_of_a_file(tmp_path: Path, login: str, link: str) -> None:
    """A symbolic link is the user's: it stays, whether or not it leads anywhere, and so does what it leads to."""
    with serve(tmp_path, login) as server:
        (server.root / "elsewhere.html").write_bytes(b"mine")
        (server.root / "index.html").symlink_to(link)
        with pytest.raises(PublishImpossible, match="index.html is a symbolic link"):
            target(server, login=login).publish([WebFile("index.html", b"new")], soon())

        assert b"mine" == (server.root / "elsewhere.html").read_bytes()
        assert (server.root / "index.html").is_symlink()


def test_a_folder_in_the_place_of_a_file(tmp_path: Path, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another try would find it, too, so there is none."""
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 20)
    with serve_any(tmp_path, login) as server:
        (server.root / "index.html").mkdir()
        deadline = soon()
        with pytest.raises(PublishImpossible, match="index.html is a folder"):
            target(server, login=login).publish([WebFile("index.html", b"new")], deadline)

    assert deadline.remaining() > 15


def test_a_link_to_a_folder_is_a_folder(tmp_path: Path, login: str) -> None:
    """As with public_html: pages are put and swept behind it."""
    with serve_any(tmp_path, login) as server:
        (server.root / "www").mkdir()
        (server.root / "public_html").symlink_to("www")
        (server.root / "www/.heatmap-00000001-0123456789abcdef.tmp").write_bytes(b"stale")
        target(server, "public_html", login=login).publish([WebFile("index.html", b"new")], soon())

        assert {"www/index.html": b"new"} == files(server.root)
        assert (server.root / "public_html").is_symlink()


def test_a_file_in_the_place_of_a_folder(tmp_path: Path, login: str) -> None:
    """It is one sentence, and the file stays."""
    with serve_any(tmp_path, login) as server:
        (server.root / "web").write_bytes(b"mine")
        with pytest.raises(PublishError, match="cannot be (made|stored|looked at)"):
            target(server, "web", login=login).publish([WebFile("index.html", b"new")], soon())

        assert {"web": b"mine"} == files(server.root)


def test_a_full_disk_on_the_server(tmp_path: Path, login: str) -> None:
    """The page that is there stays, whole, and nothing half is left beside it."""
    with serve(tmp_path, login, file_size_limit=50_000) as server:
        (server.root / "index.html").write_bytes(b"old")
        with pytest.raises(PublishError, match=r"cannot be stored .*space left"):
            target(server, login=login).publish([WebFile("index.html", b"n" * 200_000)], soon())

        assert {"index.html": b"old"} == files(server.root)


def test_a_full_disk_here(sshd: Sshd) -> None:
    """If this machine cannot store the copy to send, the error says so, and nothing is put."""
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "from heatmap.system.deadline import Deadline; from heatmap.system.web_file import WebFile; from pathlib import Path;"
        "from heatmap.publishers.sftp.publisher import SftpPublisher;"
        f"SftpPublisher({sshd.url()!r}, identity_file=Path({str(sshd.identity_file)!r}),"
        f" known_hosts_file=Path({str(sshd.known_hosts_file)!r}))"
        ".publish([WebFile('index.html', b'n' * 200_000)], Deadline(30))"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, timeout=30)

    assert "PublishError" in done.stderr
    assert "this machine cannot store a page's copy (File too large): make room" in done.stderr
    assert {} == files(sshd.root)


def test_without_open_files_in_dev(sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the /dev/fd of Linux a file with a name is used, and removed in the end."""
    here = tmp_path / 'it\'s "here" [1]'
    here.mkdir()
    monkeypatch.setenv("TMPDIR", str(here))
    monkeypatch.setattr(connection, "HAS_OPEN_FILES", False)

    assert Delivery(2, 0) == target(sshd, verify="all").publish(PAGES, soon())
    assert ARRIVED == files(sshd.root)
    assert [] == list(here.iterdir())


def test_no_locale(sshd: Sshd) -> None:
    """With LANG=C, as under cron, names in other alphabets arrive all the same."""
    known = sshd.known_hosts_file.rename(sshd.folder / "été")
    code = (
        "from heatmap.system.deadline import Deadline; from heatmap.system.web_file import WebFile; from pathlib import Path; import sys;"
        "from heatmap.publishers.sftp.publisher import SftpPublisher;"
        f"p = SftpPublisher({sshd.url('%C3%A9t%C3%A9')!r}, identity_file=Path({str(sshd.identity_file)!r}),"
        " known_hosts_file=Path(sys.argv[1]));"
        "found = [p.publish([WebFile('index.html', b'x')], Deadline(30)) for _ in 'ab'];"
        "print([ascii(str(each)) for each in found])"
    )
    plain = {
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", code, known], env=plain, capture_output=True, text=True, timeout=30
    )

    assert "" == done.stderr
    first = "1 file published; made the folder \\\\xe9t\\\\xe9, not there before"
    assert f"""["'{first}'", "'0 files published, 1 unchanged'"]\n""" == done.stdout
    assert {"été/index.html": b"x"} == files(sshd.root)


def test_the_client_is_missing(sshd: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`check` says it before, and a run in one sentence that tells the package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    publisher = target(sshd)

    assert ["openssh-client" in problem for problem in publisher.problems()] == [True]
    with pytest.raises(PublishImpossible, match="openssh-client"):
        publisher.publish(PAGES, soon())


def write_program(folder: Path, name: str, script: str) -> None:
    """Put a shell script into a folder of programs."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_client_that_cannot_be_given_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH before 8.4: it asks no program, and the sentence says which version does."""
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(programs, "ssh", "echo OpenSSH_8.2p1 Ubuntu-4ubuntu0.11, OpenSSL 1.1.1f >&2")
    write_program(programs, "sftp", f'exec env -u SSH_ASKPASS_REQUIRE -u DISPLAY {shutil.which("sftp")} "$@"')
    with serve(tmp_path, "password") as server:
        publisher = target(server, login="password")
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        with pytest.raises(
            PublishImpossible, match=r"since OpenSSH 8\.4, and this is 8\.2: .* or log in by key"
        ):
            publisher.publish(PAGES, soon())
        assert {} == files(server.root)


def test_temporary_files_that_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder mounted noexec: the sentence says what to do."""
    monkeypatch.setattr(askpass, "_open_executable", lambda path, flags: os.open(path, flags, 0o600))
    with (
        serve(tmp_path, "password") as server,
        pytest.raises(PublishImpossible, match="does not let programs run.*TMPDIR"),
    ):
        target(server, login="password").publish(PAGES, soon())


def test_a_wrong_password_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More would bring servers that count them to ban this machine's address."""
    monkeypatch.setenv(SECRET, "wrong")
    with serve(tmp_path, "password") as server:
        with pytest.raises(
            PublishRefused, match=r"login was refused \(.*password.*\): check user and password"
        ):
            target(server, login="password").publish(PAGES, soon())
        assert 1 == server.log.count("Failed password")


@pytest.mark.parametrize("password", ["a b", "\\n\\", "'\"$HOME`id`", "%s%n", "-n", "pässwört", "x" * 200])
def test_every_password_means_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """No character of it is a shell's or a format's."""
    monkeypatch.setenv(SECRET, password)
    with started(lambda: Sshd(tmp_path / "sshd", by_password=True, password=password)) as server:
        assert 2 == target(server, login="password").publish(PAGES, soon()).put


@pytest.mark.parametrize(
    ("seconds", "options"),
    [(0, {"password_env": SECRET}), (0.2, {"password_command": ("sleep", "5")})],
    ids=["at once", "while a command is asked"],
)
def test_no_time_for_a_login(seconds: float, options: Any) -> None:
    """The error is the deadline, which another run may meet, and no refusal."""
    publisher = SftpPublisher("sftp://me@127.0.0.1:1/web", **options)
    with pytest.raises(PublishError, match=rf"the run's {seconds} seconds are over") as caught:
        publisher.make_connection(Deadline(seconds))

    assert PublishError is type(caught.value)
    assert str(caught.value).startswith(f"{publisher.name}: ")


def test_a_password_command_that_fails_in_time() -> None:
    """It is a refusal, as without a deadline."""
    publisher = SftpPublisher("sftp://me@127.0.0.1:1/web", password_command=("false",))
    with pytest.raises(PublishRefused, match="ended with exit code 1"):
        publisher.make_connection(soon())


def test_no_time_for_a_host_key(login: str) -> None:
    """The error names the target."""
    options: Any = {}
    if login == "password":
        options = {"password_env": SECRET}
    publisher = SftpPublisher("sftp://me@127.0.0.1:1/web", **options)
    with pytest.raises(PublishError, match=rf"^{publisher.name}: its host key cannot be read \(not done"):
        publisher.read_host_key(Deadline(0))


def test_a_wrong_password_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error and its causes do not hold the password."""
    monkeypatch.setenv(SECRET, "wrong-canary")
    with serve_any(tmp_path, "password") as server:
        publisher = target(server, login="password")
        with pytest.raises(PublishRefused, match="login was refused") as caught:
            publisher.publish(PAGES, soon())

    assert "wrong-canary" not in f"{publisher!r} {caught.value!r} {caught.value.__cause__!r}"


def test_children_get_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh and its commands inherit the user's environment without the passwords."""
    monkeypatch.setenv("HEATMAP_CANARY", "canary")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    secrets.problems("HEATMAP_CANARY", None)

    assert "HEATMAP_CANARY" not in openssh.make_environment()
    assert "/agent" == openssh.make_environment()["SSH_AUTH_SOCK"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"identity_file": Path('a"b')}, "identity_file"),
        ({"config_file": Path("a\nb")}, "config_file"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"replace": "copy"}, "replace"),
        ({"verify": "none"}, "verify"),
        ({"password_env": "X"}, "no user"),
        ({"password_env": "X", "identity_file": Path("key")}, "a password is named"),
    ],
)
def test_what_cannot_be(options: dict[str, object], problem: str) -> None:
    """Values that are not valid are an error when the configuration is read."""
    with pytest.raises(ConfigError, match=problem):
        SftpPublisher("sftp://www.example.org/web", **options)
