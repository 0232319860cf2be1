"""An authority of the tests' own, and server certificates signed by it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """PEM files: the server's certificate and key, and the authority that signed it."""

    certificate: Path
    key: Path
    ca_file: Path


def make(folder: Path, name: str = "IP:127.0.0.1,IP:127.0.0.2,DNS:localhost", days: int = 30) -> Certificate:
    """Make an authority and a certificate for `name`, as openssl's subjectAltName has it.

    The certificate is good for so many days; below 0, it has been over for so long.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca_key, request, extensions = folder / "ca.key", folder / "server.csr", folder / "extensions"
    authority = [
        "-x509",
        "-days",
        "30",
        "-subj",
        "/CN=Test CA",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]
    _openssl(*new, *authority, "-keyout", ca_key, "-out", made.ca_file)
    _openssl(*new, "-subj", "/CN=server", "-keyout", made.key, "-out", request)
    # Newer Pythons verify strictly: an authority must say what its key is for, and a certificate whose it is.
    extensions.write_text(
        f"subjectAltName={name}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n", "utf-8"
    )
    signed_by = ["-CA", made.ca_file, "-CAkey", ca_key, "-CAcreateserial", "-extfile", extensions]
    _openssl("x509", "-req", "-days", str(days), "-in", request, *signed_by, "-out", made.certificate)
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
