"""A real Apache, in which the shipped deploy/apache.htaccess speaks for the folder of the pages."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from tests.servers import unpack
from tests.servers.process import Missing, Server, needed

HTACCESS = Path(__file__).parents[2] / "deploy/apache.htaccess"
PAGES = "heatmap"
NOBODY = 65534
SITE = "/run/site"  # in the server's own mount namespace
MODULES = (
    "mpm_event",
    "authz_core",
    "authz_host",
    "alias",
    "dir",
    "mime",
    "headers",
    "filter",
    "deflate",
    "env",
    "setenvif",
)
KINDS = {
    "text/html": "html",
    "application/json": "json",
    "text/csv": "csv",
    "image/png": "png",
    "image/svg+xml": "svg",
}


class Apache(Server):
    """Apache; `root` is what visitors see, `pages` the folder in it that has the shipped .htaccess.

    Started by root it serves as nobody, so that what others may not read is a 403, as with every host. Only
    `modules` are there: a host's Apache may have fewer, and may `allow` less. `lines` go into its configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        modules: tuple[str, ...] = MODULES,
        allow: str = "All",
        lines: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder)
        program = needed("apache2")
        shelf = unpack.library("apache2/modules")
        if shelf is None:
            raise Missing("Apache's modules are not here: run python tests/servers/unpack.py")
        self.pages = self.root / PAGES
        self.pages.mkdir()
        shutil.copyfile(HTACCESS, self.pages / ".htaccess")
        as_root = os.geteuid() == 0
        site = SITE if as_root else str(self.root)
        kinds = [f"AddType {kind} .{ending}" for kind, ending in KINDS.items()]
        config = folder / "apache.conf"
        config.write_text(
            "\n".join(
                [
                    *(f"LoadModule {name}_module {shelf}/mod_{name}.so" for name in modules),
                    f"ServerRoot {folder}",
                    f"Listen 127.0.0.1:{self.port}",
                    "ServerName localhost",
                    f"PidFile {folder}/pid",
                    f"DefaultRuntimeDir {folder}",
                    "ErrorLog /dev/stderr",
                    "LogLevel warn",
                    *(("TypesConfig /dev/null", *kinds) if "mime" in modules else ()),
                    "StartServers 1",
                    "ThreadsPerChild 4",
                    "MinSpareThreads 1",
                    "MaxSpareThreads 4",
                    "MaxRequestWorkers 4",
                    "ServerLimit 1",
                    *((f"User #{NOBODY}", f"Group #{NOBODY}") if as_root else ()),
                    f"DocumentRoot {site}",
                    "<Directory />",
                    "AllowOverride None",
                    "Require all denied",
                    "</Directory>",
                    f"<Directory {site}>",
                    f"AllowOverride {allow}",
                    "Require all granted",
                    "</Directory>",
                    *lines,
                    "",
                ]
            ),
            "utf-8",
        )
        command: list[str | Path] = [program, "-D", "FOREGROUND", "-f", config]
        if as_root:  # the tests' folders are closed to nobody, who gets a way in of its own
            script = (
                "mount -t tmpfs -o mode=755 tmpfs /run"
                f" && mkdir {SITE} && mount --bind {shlex.quote(str(self.root))} {SITE}"
                f" && exec {shlex.join(map(str, command))}"
            )
            command = ["unshare", "-m", "sh", "-c", script]
        self.start(*command)

    def url(self, path: str = "") -> str:
        """The address of a path below `root`."""
        return f"http://127.0.0.1:{self.port}/{path}"
