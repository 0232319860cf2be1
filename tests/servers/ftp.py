"""Real FTP servers: vsftpd and proftpd, with and without TLS."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from pathlib import Path

from tests.servers import unpack
from tests.servers.certificates import Certificate
from tests.servers.process import Server, needed

PASSWORD = "canary-5ecret"


class Vsftpd(Server):
    """vsftpd, TLS with required session reuse where it has a certificate.

    Its logins beside anonymous ones go through PAM, which the tests must not touch: `user` is the anonymous
    account behind a list of passwords. Such an account may not change modes, so its umask is 022.
    """

    user = "ftp"
    password = PASSWORD

    def __init__(self, folder: Path, certificate: Certificate | None = None) -> None:
        super().__init__(folder)
        self.scheme = "ftps" if certificate else "ftp"
        self.ca_file = certificate and certificate.ca_file
        program = needed("vsftpd")
        (folder / "empty").mkdir()
        (folder / "passwords").write_text(f"{PASSWORD}\n", "utf-8")
        options = {
            "background": "NO",
            "listen": "YES",
            "listen_address": "127.0.0.1",
            "listen_port": self.port,
            "seccomp_sandbox": "NO",
            "run_as_launching_user": "YES",
            "ftp_username": pwd.getpwuid(os.geteuid()).pw_name,
            "anonymous_enable": "YES",
            "local_enable": "NO",
            "anon_root": self.root,
            "anon_upload_enable": "YES",
            "anon_mkdir_write_enable": "YES",
            "anon_other_write_enable": "YES",
            "anon_world_readable_only": "NO",
            "anon_umask": "022",
            "secure_email_list_enable": "YES",
            "email_password_file": folder / "passwords",
            "write_enable": "YES",
            "allow_writeable_chroot": "YES",
            "secure_chroot_dir": folder / "empty",
            "delay_failed_login": 0,
        }
        if certificate:
            options |= {
                "ssl_enable": "YES",
                "allow_anon_ssl": "YES",
                "force_anon_logins_ssl": "YES",
                "force_anon_data_ssl": "YES",
                "require_ssl_reuse": "YES",
                "rsa_cert_file": certificate.certificate,
                "rsa_private_key_file": certificate.key,
                "ssl_ciphers": "HIGH",
            }
        config = folder / "vsftpd.conf"
        config.write_text("".join(f"{key}={value}\n" for key, value in options.items()), "utf-8")
        self.start(program, config)

    def url(self, path: str = "") -> str:
        """The address of a folder on it, relative to the login folder."""
        return f"{self.scheme}://{self.user}@127.0.0.1:{self.port}/{path}"


class Proftpd(Server):
    """proftpd with a user of its own and umask 077; TLS where it has a certificate."""

    user = "blogger"
    password = PASSWORD

    def __init__(
        self, folder: Path, certificate: Certificate | None = None, *, allow_overwrite: bool = True
    ) -> None:
        super().__init__(folder)
        self.scheme = "ftps" if certificate else "ftp"
        self.ca_file = certificate and certificate.ca_file
        program = needed("proftpd")
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
        ).stdout.strip()
        users = folder / "users"
        users.write_text(
            f"{self.user}:{hashed}:{os.geteuid()}:{os.getegid()}::{self.root}:/bin/sh\n", "utf-8"
        )
        users.chmod(0o600)
        me = pwd.getpwuid(os.geteuid()).pw_name
        lines = [
            f"Port {self.port}",
            "DefaultAddress 127.0.0.1",
            "UseIPv6 off",
            "SocketBindTight on",
            f"User {me}",
            f"Group {grp.getgrgid(os.getegid()).gr_name}",
            f"ScoreboardFile {folder}/scoreboard",
            f"PidFile {folder}/pid",
            "DelayEngine off",
            "WtmpLog off",
            "RootLogin on",
            "RequireValidShell off",
            "AuthOrder mod_auth_file.c",
            f"AuthUserFile {users}",
            "Umask 077",
            f"AllowOverwrite {'on' if allow_overwrite else 'off'}",
        ]
        if certificate:
            modules = program.parents[1] / "lib/proftpd"
            if not modules.is_dir():
                modules = unpack.ROOT / "usr/lib/proftpd"
            lines += [
                f"ModulePath {modules}",
                "LoadModule mod_tls.c",
                "TLSEngine on",
                "TLSRequired on",
                f"TLSLog {folder}/tls.log",
                f"TLSECCertificateFile {certificate.certificate}",
                f"TLSECCertificateKeyFile {certificate.key}",
            ]
        config = folder / "proftpd.conf"
        config.write_text("\n".join([*lines, ""]), "utf-8")
        self.start(program, "-n", "-q", "-c", config)

    def url(self, path: str = "") -> str:
        """The address of a folder on it, relative to the login folder."""
        return f"{self.scheme}://{self.user}@127.0.0.1:{self.port}/{path}"
