"""A real pure-ftpd, with and without TLS."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.servers import unpack
from tests.servers.certificates import Certificate
from tests.servers.ftp import NO_PASSIVE, PASSWORD, FtpServer
from tests.servers.process import Missing, needed

OWNER = 65534  # nobody: it lets nobody in as root
MODES = "133:022"


class Pureftpd(FtpServer):
    """pure-ftpd with a user of its own; TLS for the control and the data connection where it has a certificate.

    Only root can start it, and may not log in: `root` and what is stored there belong to the account nobody.

    `autorename`: it answers 226 to an upload over an existing file, and stores that as NAME.1.
    `masks` are those for files and for folders; `options` further words of its command line, such as
    "-P", "10.0.0.7" for the address in passive answers. It lets in one login for every two `passive_ports`.
    """

    def __init__(
        self,
        folder: Path,
        certificate: Certificate | None = None,
        *,
        autorename: bool = False,
        masks: str = MODES,
        passive_ports: range = NO_PASSIVE,
        file_size_limit: int | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        if os.geteuid() != 0:
            raise Missing("pure-ftpd needs root: run the tests as root for this one")
        super().__init__(folder, certificate, passive_ports)
        program, pure_pw = needed("pure-ftpd"), needed("pure-pw")
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
        ).stdout.strip()
        os.chown(self.root, OWNER, OWNER)
        users, database = folder / "users", folder / "users.pdb"
        users.write_text(f"{self.user}:{hashed}:{OWNER}:{OWNER}::{self.root}/./::::::::::::\n", "utf-8")
        subprocess.run(
            [pure_pw, "mkdb", database, "-f", users],
            check=True,
            capture_output=True,
            env=unpack.environment(),
        )
        words: list[str | Path] = [
            "-S",
            f"127.0.0.1,{self.port}",
            "-l",
            f"puredb:{database}",
            "-g",
            folder / "pid",
        ]
        words += ["-E", "-H", "-4", "-A", "-j", "-u", "1", "-U", masks]
        if autorename:
            words.append("-r")
        if passive_ports:
            words += ["-p", f"{passive_ports[0]}:{passive_ports[-1]}"]
        if certificate:
            words += ["-Y", "3", "-2", f"{certificate.certificate},{certificate.key}"]
        self.start(program, *words, *options, file_size_limit=file_size_limit)
