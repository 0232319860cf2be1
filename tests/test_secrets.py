"""A secret planted in every place it may come from is found nowhere else: whatever a run says, starts, writes or leaves."""

from __future__ import annotations

import base64
import html
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from heatmap.market.quotes import Quote, Snapshot
from heatmap.pages import snapshot_files
from heatmap.pictures.market_map.table import TableView
from tests.checkout import CHECKOUT
from tests.conftest import started
from tests.drawings import page_context, ranking_of, snapshot_of
from tests.servers.ftp import ProftpdSftp
from tests.servers.hooks import Hooks
from tests.servers.process import free_port
from tests.servers.scripted_ftp import ScriptedFtp
from tests.servers.scripted_s3 import ScriptedS3
from tests.servers.ssh import Sshd

OPEN = "2026-09-17T11:00:00+05:30"
CANARY = "canary-5ecret"
PLACES = ("env", "file", "command")
SLOWEST_SECONDS = 60.0


@dataclass
class Ran:
    """The result of a run: exit code, output, and what other processes could see of its children."""

    code: int
    said: str
    children: str

    def holds(self, secret: str = CANARY) -> list[str]:
        """The places that hold the secret, in any form it may be written in."""
        forms = {secret, quote(secret, safe=""), repr(secret.encode())[2:-1]}
        places = {"its words": self.said, "a child": self.children}
        return [place for place, text in places.items() if any(form in text for form in forms)]


def planted(folder: Path, place: str, key: str = "password") -> tuple[str, dict[str, str]]:
    """Plant the canary: the line of configuration that names the place, and the environment that may hold it."""
    if place == "env":
        return f'{key}_env = "CANARY_VARIABLE"', {"CANARY_VARIABLE": CANARY}
    secret = folder / "hidden" / "secret"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text(f"{CANARY}\n", "utf-8")
    secret.chmod(0o600)
    if place == "file":
        return f'{key}_file = "hidden/secret"', {}
    return f'{key}_command = ["cat", "{secret}"]', {}


def run(
    folder: Path,
    *tables: str,
    environment: dict[str, str],
    program: tuple[str, ...] = ("-m", "heatmap"),
    source: str = 'type = "recording"',
) -> Ran:
    """Run once, verbosely, with these tables of configuration; look at its children all the while."""
    (folder / "heatmap.toml").write_text(
        f'[[market]]\nname = "nse-fno"\n[market.source]\n{source}\n' + "\n".join(tables), "utf-8"
    )
    process = subprocess.Popen(
        [sys.executable, *program, "run", "-v", "--now", OPEN],
        cwd=folder,
        env={"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath, "HOME": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    seen: set[str] = set()
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, seen, done))
    watcher.start()
    out, _ = process.communicate(timeout=SLOWEST_SECONDS)
    done.set()
    watcher.join()
    return Ran(process.returncode, out, "\n".join(seen))


def watch(root: int, seen: set[str], done: threading.Event) -> None:
    """Collect the arguments of a process, and arguments and environment of all its descendants, until it is done."""
    while not done.wait(0.01):
        parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
        for pid in parents:
            if root in _line(pid, parents):
                seen |= look_at(pid, root)


def look_at(pid: int, root: int) -> set[str]:
    """The public data of a process: its arguments, and its environment if it is a child of ours.

    Between its birth and its own program a child is its parent still, in arguments and environment.
    """
    process = Path(f"/proc/{pid}")
    arguments = _read(process / "cmdline")  # first: who has its own arguments has its own environment
    environment = _read(process / "environ")
    is_ours = arguments == _read(Path(f"/proc/{root}/cmdline"))
    return {arguments} if is_ours or not arguments else {arguments, environment}


def _parent(process: Path) -> int:
    fields = _read(process / "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _line(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid:
        yield pid
        pid = parents.get(pid, 0)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def written(folder: Path) -> list[str]:
    """The files below a folder that hold the canary, but for the one it was planted in."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "hidden" and CANARY.encode() in path.read_bytes()
    ]


@pytest.mark.process
@pytest.mark.parametrize("place", PLACES)
def test_ftp(tmp_path: Path, place: str) -> None:
    """All goes well: pages, words, state and children do not hold it."""
    line, environment = planted(tmp_path, place)
    with ScriptedFtp() as server:
        ran = run(tmp_path, f'[[publish]]\nurl = "{server.url("web")}"\n{line}', environment=environment)

        assert 0 == ran.code, ran.said
        assert [] == [path for path, content in server.files.items() if CANARY.encode() in content]
    assert "files published" in ran.said
    assert [] == ran.holds() + written(tmp_path)


@pytest.mark.process
@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_repeats_it(tmp_path: Path, place: str) -> None:
    """A refusal that quotes the password, and another at a later step, are told without it."""
    line, environment = planted(tmp_path, place)
    for fault in (
        {"PASS": f"530 Wrong: {CANARY}"},
        {"STOR": f"553 {CANARY} may not"},
        {"PASS": f"x{CANARY}"},
    ):
        with ScriptedFtp(fault) as server:
            ran = run(tmp_path, f'[[publish]]\nurl = "{server.url("web")}"\n{line}', environment=environment)

        assert ran.code in (75, 77), ran.said
        assert [] == ran.holds() + written(tmp_path), fault


@pytest.mark.real
@pytest.mark.parametrize("place", PLACES)
def test_sftp_by_password(tmp_path: Path, place: str) -> None:
    """Well, and refused; a second target, by key, starts OpenSSH's client at the same time."""
    line, environment = planted(tmp_path, place)
    with started(lambda: ProftpdSftp(tmp_path / "server")) as server:
        known = f'known_hosts_file = "{server.known_hosts_file}"'
        tables = [
            f'[[publish]]\nurl = "{server.url("web")}"\n{known}\n{line}',
            f'[[publish]]\nurl = "{server.url("by-key")}"\n{known}\nidentity_file = "{server.identity_file}"',
        ]
        ran = run(tmp_path, *tables, environment=environment)

        assert 0 == ran.code, ran.said
        assert "sftp" in ran.children
        assert [] == ran.holds() + written(server.root) + written(tmp_path / "state")


@pytest.mark.real  # for its library is an extra
@pytest.mark.parametrize("place", PLACES)
def test_s3(tmp_path: Path, place: str) -> None:
    """A store that cannot be reached, and one that answers with rubbish that holds the key."""
    line, environment = planted(tmp_path, place, "secret_access_key")
    with Hooks("error") as hooks:
        table = f'[[publish]]\nurl = "s3://bucket/web"\nendpoint_url = "{hooks.url}"\naccess_key_id = "AKIA"\n{line}'
        ran = run(tmp_path, table, environment=environment)

        assert 75 == ran.code, ran.said
        assert hooks.calls
        assert [] == [call for call in hooks.calls if CANARY in f"{call.path}{call.headers}"]
    assert [] == ran.holds() + written(tmp_path)


@pytest.mark.real  # for its library is an extra
@pytest.mark.parametrize("encoding", ["percent", "base64", "html", "json"])
def test_a_store_that_repeats_it(tmp_path: Path, encoding: str) -> None:
    """In whatever encoding: neither the run's words nor its outcomes hold it."""
    pytest.importorskip("requests_aws4auth", reason="it is not here: pip install 'market-heatmap[s3]'")
    repeated = {
        "percent": "".join(f"%{byte:02x}" for byte in CANARY.encode()),
        "base64": base64.b64encode(f"AKIA:{CANARY}".encode()).decode(),
        "html": "".join(f"&amp;#{byte};" for byte in CANARY.encode()),
        "json": "".join(f"\\u{byte:04x}" for byte in CANARY.encode()),
    }[encoding]
    line, environment = planted(tmp_path, "env", "secret_access_key")
    body = f"<Error><Code>AccessDenied</Code><Message>the key {repeated} may not</Message></Error>".encode()
    with ScriptedS3() as store:
        store.fail("PUT", lambda handler: handler.answer(403, body), times=9)
        table = f'[[publish]]\nurl = "s3://pages/web"\nendpoint_url = "{store.url}"\naccess_key_id = "AKIA"\n{line}'
        ran = run(tmp_path, table, environment=environment)

    assert 77 == ran.code, ran.said
    outcomes = (tmp_path / "state/outcomes.jsonl").read_text("utf-8")
    for text in (ran.said, outcomes):
        assert "the key *** may not" in text
        assert html.unescape(repeated) not in text


@pytest.mark.real
def test_a_token_in_the_address_of_a_remote(tmp_path: Path) -> None:
    """git repeats the whole address: neither the run's words nor its outcomes hold it."""
    site = tmp_path / "hidden/site"
    subprocess.run(["git", "init", "-q", site], check=True)
    address = f"http://127.0.0.1:{free_port()}/x.git?private_token={CANARY}"
    subprocess.run(["git", "-C", site, "remote", "add", "origin", address], check=True)
    ran = run(tmp_path, '[[publish]]\nurl = "git+file:hidden/site"', environment={})

    assert 75 == ran.code, ran.said
    assert "cannot reach the remote" in ran.said
    assert [] == [place for place in ran.holds() if place == "its words"] + written(tmp_path / "state")


@pytest.mark.process
@pytest.mark.parametrize("place", ["env", "file"])
@pytest.mark.parametrize("manner", ["ok", "error", "redirect", "rubbish"])
def test_the_address_to_ping(tmp_path: Path, place: str, manner: str) -> None:
    """The address is a secret, for it can silence the alarm: only its own server gets it."""
    line, environment = planted(tmp_path, place, "ping_url")
    with Hooks(manner) as hooks:
        address = f"{hooks.url}/{CANARY}"
        environment = {name: address for name in environment}
        if place == "file":
            (tmp_path / "hidden/secret").write_text(address, "utf-8")
        ran = run(tmp_path, '[[publish]]\nurl = "file:site"', f"[monitor]\n{line}", environment=environment)

        assert 0 == ran.code, ran.said
        assert hooks.calls
    assert [] == ran.holds() + written(tmp_path)


@pytest.mark.parametrize("place", ["env", "file"])
@pytest.mark.parametrize("manner", ["ok", "error", "refuse", "redirect", "rubbish"])
def test_the_address_of_a_web_hook(tmp_path: Path, sshd: Sshd, place: str, manner: str) -> None:
    """The password is a secret: only its own server gets it, and no child of the run but OpenSSH's client."""
    line, environment = planted(tmp_path, place, "url")
    figures = snapshot_of(Quote("TCS", 9.0))
    as_of = replace(figures, as_of=datetime.fromisoformat(OPEN))
    (tmp_path / "snapshot.json").write_bytes(written_as_json(as_of))
    keys = f'identity_file = "{sshd.identity_file}"\nknown_hosts_file = "{sshd.known_hosts_file}"'
    with Hooks(manner) as hooks:
        address = f"{hooks.url}/{CANARY}"
        environment = {name: address for name in environment}
        if place == "file":
            (tmp_path / "hidden/secret").write_text(address, "utf-8")
        ran = run(
            tmp_path,
            f'[[alert]]\nname = "movers"\nchange_percent = 5.0\n{line}',
            f'[[publish]]\nurl = "{sshd.url("web")}"\n{keys}',
            environment=environment,
            source='type = "file"\npath = "snapshot.json"',
        )

        assert 0 == ran.code, ran.said
        assert hooks.calls
        assert [] == [call for call in hooks.calls if CANARY.encode() in call.body]
    assert "sftp" in ran.children
    assert (manner != "ok") == ("alerts: movers: the web hook " in ran.said)
    assert [] == ran.holds() + written(tmp_path / "state") + written(sshd.root)


def written_as_json(snapshot: Snapshot) -> bytes:
    """The snapshot.json of another installation."""
    view = TableView(13, "contrast", "green", "rank")
    return snapshot_files.to_json(
        snapshot, view.draw(snapshot, ranking_of(snapshot, "change")), page_context()
    )


@pytest.mark.process
@pytest.mark.parametrize("place", PLACES)
def test_a_bug_in_the_middle_of_a_login(tmp_path: Path, place: str) -> None:
    """The traceback is shown whole, and does not hold it."""
    line, environment = planted(tmp_path, place)
    bug = (
        "import sys, ftplib\n"
        "def login(self, user='', passwd='', *_, **__): raise ZeroDivisionError('a bug')\n"
        "ftplib.FTP.login = ftplib.FTP_TLS.login = login\n"
        "from heatmap import cli\n"
        "sys.exit(cli.main())"
    )
    with ScriptedFtp() as server:
        table = f'[[publish]]\nurl = "{server.url("web")}"\n{line}'
        ran = run(tmp_path, table, environment=environment, program=("-c", bug))

    assert 70 == ran.code, ran.said
    assert "Traceback" in ran.said
    assert [] == ran.holds() + written(tmp_path)


@pytest.mark.process
@pytest.mark.parametrize("place", PLACES)
def test_check_and_the_rest_say_nothing_of_it(tmp_path: Path, place: str) -> None:
    """Every other command that reads the configuration."""
    line, environment = planted(tmp_path, place)
    with ScriptedFtp({"RNTO": f"553 {CANARY}"}) as server:
        run(tmp_path, f'[[publish]]\nurl = "{server.url("web")}"\n{line}', environment=environment)
        for command in ("check", "session", "schedule", "embed"):
            done = subprocess.run(
                [sys.executable, "-m", "heatmap", command],
                cwd=tmp_path,
                env={"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath, **environment},
                capture_output=True,
                text=True,
                timeout=SLOWEST_SECONDS,
            )

            assert CANARY not in done.stdout + done.stderr, command


@pytest.mark.process
def test_the_watch_sees_what_children_hold(tmp_path: Path) -> None:
    """The watch of these tests finds a secret in a child's arguments and environment."""
    leak = (
        "import subprocess, sys; from heatmap.config import loader\n"
        f"subprocess.run(['sleep', '0.5'], env={{'LEAK': '{CANARY}', 'PATH': '/usr/bin:/bin'}})"
    )
    ran = run(tmp_path, environment={}, program=("-c", leak))

    assert ["a child"] == ran.holds()
