"""A real PostgreSQL of Debian's packages, as the history needs one: with a password, on 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from tests.servers import unpack
from tests.servers.certificates import Certificate
from tests.servers.process import READY_SECONDS, STOP_SECONDS, Missing, Server

PASSWORD = "canary-5ecret"
ACCOUNTS = (
    "postgres",
    "nobody",
)  # which of them PostgreSQL runs as where the tests are root's: it refuses root


class Postgresql(Server):
    """A cluster of its own, whose words sort as in English; `url()` is that of a new, empty database.

    `user` may make schemas in its databases, but is no superuser. `sql(statement)` runs as the superuser.
    """

    user = "blogger"
    password = PASSWORD

    def __init__(self, folder: Path, certificate: Certificate | None = None) -> None:
        """With a `certificate` it offers TLS."""
        super().__init__(folder)
        self._certificate = certificate
        self._programs = _programs()
        # Not in `folder`: pytest's folders are closed to other accounts.
        self._data = Path(tempfile.mkdtemp(prefix="heatmap-postgresql-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        secret = self._data / "password"
        secret.write_text(PASSWORD, "utf-8")
        if os.geteuid() == 0:
            account = find_account()
            for path in (self._data, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._become = become()
        cluster = self._data / "cluster"
        options = [
            "-D",
            cluster,
            "-U",
            "keeper",
            "-A",
            "scram-sha-256",
            "--pwfile",
            secret,
            "--no-sync",
            "-E",
            "UTF8",
        ]
        made = subprocess.run(
            [*self._become, self._programs / "initdb", *options, "--locale-provider=icu", "--icu-locale=en", "--locale=C.UTF-8"],
            cwd=self._data,
            env=unpack.environment(),
            capture_output=True,
            text=True,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stdout}{made.stderr}")
        self.resume()
        self.sql(f"CREATE ROLE {self.user} LOGIN PASSWORD '{PASSWORD}'")

    def resume(self) -> None:
        """Start it, also after a `halt`."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": "100",
        }
        if self._certificate:
            settings |= {"ssl": "on"}
            for name, file in (("cert", self._certificate.certificate), ("key", self._certificate.key)):
                copy = self._data / name
                copy.unlink(missing_ok=True)
                shutil.copyfile(file, copy)
                copy.chmod(0o600)
                if os.geteuid() == 0:
                    account = find_account()
                    os.chown(copy, account.pw_uid, account.pw_gid)
                settings[f"ssl_{name}_file"] = str(copy)
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.start(*self._become, self._programs / "postgres", "-D", self._data / "cluster", *words)
        ready = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        until = time.monotonic() + READY_SECONDS
        while subprocess.run(ready, env=unpack.environment(), check=False).returncode:  # it listens before
            if time.monotonic() > until:
                raise RuntimeError(f"postgres did not start: {self.log}")
            time.sleep(0.02)

    def halt(self) -> None:
        """Stop it, whoever is connected, and keep its databases."""
        if self._process is not None:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self._process.send_signal(signal.SIGINT)  # a SIGTERM would wait for the clients
                self._process.wait(STOP_SECONDS)
        super().stop()

    def stop(self) -> None:
        """Stop it for good."""
        self.halt()
        shutil.rmtree(self._data, ignore_errors=True)

    def url(self, user: str | None = None) -> str:
        """The address of a new database that belongs to `self.user`."""
        name = f"heatmap_{uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name} OWNER {self.user}")
        return f"postgresql://{user or self.user}@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; return the rows that it gives."""
        return subprocess.run(
            [self._programs / "psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p", str(self.port), "-U", "keeper",
             "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement],
            env=unpack.environment() | {"PGPASSWORD": PASSWORD},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()  # fmt: skip


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs. Raises Missing."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise Missing("setpriv is not here: install util-linux")
    tops = (Path("/usr/lib/postgresql"), unpack.ROOT / "usr/lib/postgresql")
    found = [file.parent for top in tops for file in sorted(top.glob("*/bin/initdb"), reverse=True)]
    plain = shutil.which("initdb")  # where it is not kept by version
    if not found and plain:
        found = [Path(plain).resolve().parent]
    if not found:
        raise Missing("PostgreSQL is not here: install postgresql (Debian: apt-get install postgresql)")
    return found[0]


def become() -> list[str]:
    """Return what goes before a command that refuses to be root's; nothing where we are not root."""
    if os.geteuid() != 0:
        return []
    account = find_account()
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]


def find_account() -> pwd.struct_passwd:
    """Return the account that such a command runs as. Raises Missing."""
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing(f"PostgreSQL does not run as root, and there is no account {' or '.join(ACCOUNTS)}")
