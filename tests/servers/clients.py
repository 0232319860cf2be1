"""Plain clients, none of ours, by which the tests of the test servers see what those do."""

from __future__ import annotations

import ftplib
import os
import shlex
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

SECONDS = 10


class Tls(ftplib.FTP_TLS):
    """Takes the control connection's TLS session for the data, which vsftpd and proftpd demand."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """See ftplib."""
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        wrapped = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        return wrapped, size


class ImplicitTls(Tls):
    """Speaks TLS from the first byte on."""

    def connect(self, host: str = "", port: int = 0, *_: Any) -> str:
        """See ftplib."""
        self.host = host
        connection = socket.create_connection((host, port), SECONDS)
        self.af = connection.family
        self.sock = self.context.wrap_socket(connection, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome


def log_in(
    server: Any, host: str = "127.0.0.1", port: int | None = None, *, implicit: bool = False
) -> ftplib.FTP:
    """Return a login to an FTP server, or to a proxy before it; over TLS where the server has a certificate."""
    ftp = ftplib.FTP(timeout=SECONDS)
    if server.ca_file:
        context = ssl.create_default_context(cafile=server.ca_file)
        ftp = (ImplicitTls if implicit else Tls)(context=context, timeout=SECONDS)
    ftp.connect(host, port or server.port)
    ftp.login(server.user, server.password)
    if isinstance(ftp, Tls):
        ftp.prot_p()
    return ftp


def sftp(
    server: Any,
    *commands: str,
    answer: str | None = None,
    config: Path | None = None,
    host: str = "127.0.0.1",
) -> subprocess.CompletedProcess[str]:
    """Run OpenSSH's client; `answer` is what it is told when it asks for a password or a passphrase."""
    environment = {**os.environ}
    options = ["-q", "-oIdentitiesOnly=yes", "-oStrictHostKeyChecking=yes"]
    if config:
        options += ["-F", str(config)]
    else:
        known_hosts = f"-oUserKnownHostsFile={server.known_hosts_file}"
        options += [
            "-P",
            str(server.port),
            "-oUser=" + server.user,
            "-i",
            str(server.identity_file),
            known_hosts,
        ]
    if answer is None:
        options.append("-oBatchMode=yes")
    else:
        asked = server.folder / "answer"
        asked.write_text(f"#!/bin/sh\necho {shlex.quote(answer)}\n", "utf-8")
        asked.chmod(0o700)
        environment |= {"SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force"}
    return subprocess.run(
        ["sftp", *options, host],
        check=False,
        capture_output=True,
        text=True,
        input="".join(f"{command}\n" for command in commands),
        env=environment,
        timeout=30,
        start_new_session=True,
    )
