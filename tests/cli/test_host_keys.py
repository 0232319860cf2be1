"""`heatmap check --trust-host-key`: a key is trusted by its user alone."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heatmap.cli import host_keys
from heatmap.errors import ConfigError, PublishRefused
from heatmap.publishers.sftp.publisher import SftpPublisher
from tests.conftest import started
from tests.publishers.sftp.logins import files
from tests.servers.ssh import Sshd

WRONG = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

pytestmark = pytest.mark.real


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Sshd, Path]]:
    """A server that nobody knows yet, and a configuration that publishes there."""
    with started(lambda: Sshd(tmp_path / "server")) as server:
        home = tmp_path / "home"
        home.mkdir()
        (home / "heatmap.toml").write_text(
            f'[[publish]]\nurl = "{server.url()}"\nidentity_file = "{server.identity_file}"\n'
            '[[market]]\nname = "none"\nsource = { type = "file", path = "none" }\n',
            "utf-8",
        )
        yield server, home


def fingerprint(server: Sshd) -> str:
    """As OpenSSH tells it."""
    command = ["ssh-keygen", "-lf", str(server.folder / "host_key.pub")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


def check(home: Path, *options: str) -> str:
    """The lines of `heatmap check` about the target, without a terminal."""
    command = [sys.executable, "-m", "heatmap", "check", "--config", str(home / "heatmap.toml"), *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.stdout


def test_without_the_option_nothing_is_trusted(place: tuple[Sshd, Path]) -> None:
    """The sentence names the option."""
    _, home = place

    assert "--trust-host-key" in check(home)
    assert not (home / "known_hosts").exists()


def test_nobody_to_ask(place: tuple[Sshd, Path]) -> None:
    """Without a terminal the key is shown, and not trusted."""
    server, home = place
    said = check(home, "--trust-host-key")

    assert f"ssh-ed25519  {fingerprint(server)}\n" in said
    assert "there is no terminal for a question" in said
    assert not (home / "known_hosts").exists()


def test_no_input_at_all(place: tuple[Sshd, Path]) -> None:
    """Nor is anybody at an input that is closed."""
    server, home = place
    command = [sys.executable, "-m", "heatmap", "check", "--config", str(home / "heatmap.toml")]
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command, "--trust-host-key"]
    done = subprocess.run(closed, capture_output=True, text=True, timeout=60)

    assert fingerprint(server) in done.stdout
    assert "there is no terminal for a question" in done.stdout
    assert "Traceback" not in done.stderr
    assert not (home / "known_hosts").exists()


def test_the_right_fingerprint(place: tuple[Sshd, Path]) -> None:
    """A script that has the fingerprint from elsewhere may give it; the target is then tried."""
    server, home = place
    said = check(home, f"--trust-host-key={WRONG}", f"--trust-host-key={fingerprint(server)}")

    assert f"ok    {server.url()}: OpenSSH_" in said
    assert [f"[127.0.0.1]:{server.port}", *server.host_key.split()[:2]] == (
        home / "known_hosts"
    ).read_text().split()
    assert {} == files(server.root)
    assert f"ok    {server.url()}: OpenSSH_" in check(home)


def test_another_fingerprint(place: tuple[Sshd, Path]) -> None:
    """It is not trusted."""
    _, home = place

    assert "not the one you gave" in check(home, f"--trust-host-key={WRONG}")
    assert not (home / "known_hosts").exists()


def test_a_changed_key_is_never_replaced(place: tuple[Sshd, Path]) -> None:
    """Not even by its own fingerprint: the old line is the user's to remove."""
    server, home = place
    check(home, f"--trust-host-key={fingerprint(server)}")
    before = (home / "known_hosts").read_bytes()
    server.change_host_key()
    said = check(home, f"--trust-host-key={fingerprint(server)}")

    assert "has changed" in said
    assert f"line 1 of {home}/known_hosts has another" in said
    assert before == (home / "known_hosts").read_bytes()


@pytest.mark.parametrize(("answer", "trusted"), [("yes", True), ("y", True), ("", False), ("no", False)])
def test_the_user_is_asked(place: tuple[Sshd, Path], answer: str, trusted: bool) -> None:
    """At a terminal only yes is yes."""
    server, home = place
    terminal, end = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "heatmap",
        "check",
        "--config",
        str(home / "heatmap.toml"),
        "--trust-host-key",
    ]
    os.write(terminal, f"{answer}\n".encode())
    try:
        done = subprocess.run(command, stdin=end, capture_output=True, text=True, timeout=60)
    finally:
        os.close(terminal)
        os.close(end)

    assert fingerprint(server) in done.stdout
    assert trusted == (home / "known_hosts").exists()
    assert trusted == (f"ok    {server.url()}: OpenSSH_" in done.stdout)


def test_a_file_that_cannot_be_written(place: tuple[Sshd, Path]) -> None:
    """It is one sentence."""
    server, home = place
    publisher = SftpPublisher(server.url(), known_hosts_file=home / "missing/known_hosts")
    with pytest.raises(ConfigError, match="cannot be written"):
        host_keys.confirm(publisher, [fingerprint(server)], 30)


def test_the_end_of_the_input_is_no_answer(place: tuple[Sshd, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing the terminal is not a yes."""
    server, home = place

    class Closed(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Closed())
    with pytest.raises(PublishRefused, match="was not confirmed"):
        host_keys.confirm(SftpPublisher(server.url(), known_hosts_file=home / "known_hosts"), [""], 30)

    assert not (home / "known_hosts").exists()
