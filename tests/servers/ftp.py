"""Real FTP servers: vsftpd and proftpd, with and without TLS, and proftpd's SFTP."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import unpack
from tests.servers.certificates import Certificate
from tests.servers.process import Server, needed
from tests.servers.ssh import make_key

PASSWORD = "canary-5ecret"
NO_PASSIVE = range(0)


class FtpServer(Server):
    """The attributes of all these servers: `user`, `password`, `scheme`, `ca_file`, `passive_ports`, `url`."""

    user = "blogger"
    password = PASSWORD

    def __init__(self, folder: Path, certificate: Certificate | None, passive_ports: range) -> None:
        super().__init__(folder)
        self.scheme = "ftps" if certificate else "ftp"
        self.ca_file = certificate and certificate.ca_file
        self.passive_ports = passive_ports

    def url(self, path: str = "", port: int | None = None, host: str = "127.0.0.1") -> str:
        """The address of a folder on it, relative to the login folder; or the way there by a proxy."""
        return f"{self.scheme}://{self.user}@{host}:{port or self.port}/{path}"


class Vsftpd(FtpServer):
    """vsftpd, TLS with required session reuse where it has a certificate; implicit: from the first byte on.

    Its logins beside anonymous ones go through PAM, which the tests must not touch: `user` is the anonymous
    account behind a list of passwords. Such an account may not change modes, so its umask is 022.
    `settings` are lines of its configuration, such as pasv_enable="NO" for a server that is active only,
    pasv_address="10.0.0.7", or cmds_denied="EPSV". `passive_ports` (process.free_ports) fixes those.
    """

    user = "ftp"

    def __init__(
        self,
        folder: Path,
        certificate: Certificate | None = None,
        *,
        implicit: bool = False,
        umask: str = "022",
        passive_ports: range = NO_PASSIVE,
        file_size_limit: int | None = None,
        **settings: str,
    ) -> None:
        super().__init__(folder, certificate, passive_ports)
        program = needed("vsftpd")
        (folder / "empty").mkdir()
        (folder / "passwords").write_text(f"{PASSWORD}\n", "utf-8")
        options: dict[str, object] = {
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
            "anon_umask": umask,
            "secure_email_list_enable": "YES",
            "email_password_file": folder / "passwords",
            "write_enable": "YES",
            "allow_writeable_chroot": "YES",
            "secure_chroot_dir": folder / "empty",
            "delay_failed_login": 0,
        }
        if passive_ports:
            options |= {"pasv_min_port": passive_ports[0], "pasv_max_port": passive_ports[-1]}
        if certificate:
            options |= {
                "ssl_enable": "YES",
                "allow_anon_ssl": "YES",
                "force_anon_logins_ssl": "YES",
                "force_anon_data_ssl": "YES",
                "require_ssl_reuse": "YES",
                "implicit_ssl": "YES" if implicit else "NO",
                "rsa_cert_file": certificate.certificate,
                "rsa_private_key_file": certificate.key,
                "ssl_ciphers": "HIGH",
            }
        options |= settings
        config = folder / "vsftpd.conf"
        config.write_text("".join(f"{key}={value}\n" for key, value in options.items()), "utf-8")
        self.start(program, config, file_size_limit=file_size_limit)


class Proftpd(FtpServer):
    """proftpd with a user of its own and umask 077; TLS where it has a certificate.

    `settings` are lines of its configuration, such as {"MasqueradeAddress": "10.0.0.7"}, HiddenStores or
    TLSRequired. `passive_ports` (process.free_ports) fixes those; `allow_overwrite` by renaming, too.
    """

    def __init__(
        self,
        folder: Path,
        certificate: Certificate | None = None,
        *,
        allow_overwrite: bool = True,
        hidden_stores: bool = False,
        implicit: bool = False,
        umask: str = "077",
        passive_ports: range = NO_PASSIVE,
        file_size_limit: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, certificate, passive_ports)
        options = {
            "Umask": umask,
            "AllowOverwrite": "on" if allow_overwrite else "off",
            "HiddenStores": "on" if hidden_stores else "off",
        }
        if passive_ports:
            options["PassivePorts"] = f"{passive_ports[0]} {passive_ports[-1]}"
        if certificate:
            options |= {
                "TLSEngine": "on",
                "TLSRequired": "on",
                "TLSLog": f"{folder}/tls.log",
                "TLSECCertificateFile": f"{certificate.certificate}",
                "TLSECCertificateKeyFile": f"{certificate.key}",
            }
        if implicit:
            options["TLSOptions"] = "UseImplicitSSL"
        options |= settings or {}
        start_proftpd(self, ["mod_tls.c"] if certificate else [], options, file_size_limit)


class ProftpdSftp(Server):
    """proftpd as an SFTP server (mod_sftp), by key (`identity_file`) or by `password`; umask 077."""

    user = "blogger"
    password = PASSWORD

    def __init__(
        self,
        folder: Path,
        *,
        methods: str = "publickey password",
        umask: str = "077",
        file_size_limit: int | None = None,
    ) -> None:
        super().__init__(folder)
        self.identity_file = folder / "client_key"
        self.known_hosts_file = folder / "known_hosts"
        for name in ("client_key", "host_key"):
            make_key(folder / name)
        kind, key = (folder / "host_key.pub").read_text("utf-8").split()[:2]
        self.known_hosts_file.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n", "utf-8")
        # It reads users' keys in the form of RFC 4716 only.
        converted = subprocess.run(
            ["ssh-keygen", "-e", "-f", folder / "client_key.pub"], check=True, capture_output=True
        ).stdout
        (folder / "authorized_keys").write_bytes(converted)
        options = {
            "SFTPEngine": "on",
            "SFTPLog": f"{folder}/sftp.log",
            "SFTPHostKey": f"{folder}/host_key",
            "SFTPAuthorizedUserKeys": f"file:{folder}/authorized_keys",
            "SFTPAuthMethods": methods,
            "Umask": umask,
            "AllowOverwrite": "on",
        }
        if os.geteuid() == 0:  # only root may shut logins into their folder
            options["DefaultRoot"] = "~"
        start_proftpd(self, ["mod_sftp.c"], options, file_size_limit)

    def url(self, path: str = "", port: int | None = None, host: str = "127.0.0.1") -> str:
        """The address of a folder on it, relative to the login folder; or the way there by a proxy."""
        return f"sftp://{self.user}@{host}:{port or self.port}/{path}"


def start_proftpd(
    server: FtpServer | ProftpdSftp,
    modules: Sequence[str],
    options: Mapping[str, str],
    file_size_limit: int | None,
) -> None:
    """Start proftpd for `server.user`, whose files belong to who runs the tests."""
    program, folder = needed("proftpd"), server.folder
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", server.password], check=True, capture_output=True, text=True
    ).stdout.strip()
    users = folder / "users"
    users.write_text(
        f"{server.user}:{hashed}:{os.geteuid()}:{os.getegid()}::{server.root}:/bin/sh\n", "utf-8"
    )
    users.chmod(0o600)
    lines = []
    if modules:
        shelf = program.parents[1] / "lib/proftpd"
        if not shelf.is_dir():
            shelf = unpack.ROOT / "usr/lib/proftpd"
        lines = [f"ModulePath {shelf}", *(f"LoadModule {module}" for module in modules)]
    every = {
        "Port": f"{server.port}",
        "DefaultAddress": "127.0.0.1",
        "UseIPv6": "off",
        "SocketBindTight": "on",
        "User": pwd.getpwuid(os.geteuid()).pw_name,
        "Group": grp.getgrgid(os.getegid()).gr_name,
        "ScoreboardFile": f"{folder}/scoreboard",
        "PidFile": f"{folder}/pid",
        "DelayEngine": "off",
        "WtmpLog": "off",
        "RootLogin": "on",
        "RequireValidShell": "off",
        "AuthOrder": "mod_auth_file.c",
        "AuthUserFile": f"{users}",
    }
    lines += [f"{key} {value}" for key, value in {**every, **options}.items()]
    config = folder / "proftpd.conf"
    config.write_text("\n".join([*lines, ""]), "utf-8")
    server.start(program, "-n", "-q", "-c", config, file_size_limit=file_size_limit)
