"""A real PgBouncer of Debian's packages, in transaction or session mode, before a PostgreSQL of the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tests.servers.postgresql import PASSWORD, Postgresql, become, find_account
from tests.servers.process import Server, needed


class PgBouncer(Server):
    """Listens on its `port`; `url` turns the address of a database of the server behind it into its own."""

    def __init__(self, folder: Path, behind: Postgresql, mode: str, pool_size: int = 20) -> None:
        super().__init__(folder)
        program = needed("pgbouncer")
        # Not in `folder`: pytest's folders are closed to other accounts.
        self._data = Path(tempfile.mkdtemp(prefix="heatmap-pgbouncer-"))
        self._behind = behind
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "pool_mode": mode,
            "default_pool_size": pool_size,
            "auth_type": "scram-sha-256",
            "auth_file": self._data / "users",
        }
        words = "\n".join(f"{name} = {value}" for name, value in settings.items())
        databases = f"[databases]\n* = host=127.0.0.1 port={behind.port}\n"
        (self._data / "users").write_text(f'"{behind.user}" "{PASSWORD}"\n', "utf-8")
        (self._data / "pgbouncer.ini").write_text(f"{databases}[pgbouncer]\n{words}\n", "utf-8")
        if os.geteuid() == 0:
            account = find_account()
            for path in (self._data, *self._data.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        try:
            self.start(*become(), program, self._data / "pgbouncer.ini")
        except BaseException:
            self.stop()
            raise

    def url(self, address: str) -> str:
        """Return the address by which the same database is reached through this pooler."""
        return address.replace(f":{self._behind.port}/", f":{self.port}/")

    def stop(self) -> None:
        """Stop it for good."""
        super().stop()
        shutil.rmtree(self._data, ignore_errors=True)
