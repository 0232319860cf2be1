"""What ftplib's TLS leaves out: session reuse, and servers that close without saying so."""

from __future__ import annotations

import ssl
from ftplib import FTP, FTP_TLS
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from pathlib import Path


class _Forgiving(ssl.SSLSocket):
    """Some servers never send close_notify: their 226 and the file's size decide whether all arrived."""

    def unwrap(self) -> socket.socket:
        try:
            return super().unwrap()
        except OSError:
            return self


class ReusingFtpTls(FTP_TLS):
    """Data connections resume the control connection's session, which many servers demand as proof of identity."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open a data connection, under TLS once `prot_p` was called."""
        connection, size = FTP.ntransfercmd(self, cmd, rest)
        if isinstance(self.sock, ssl.SSLSocket) and self._prot_p:  # type: ignore[attr-defined]  # ftplib's own
            connection = self.context.wrap_socket(
                connection, server_hostname=self.host, session=self.sock.session
            )
        return connection, size


def context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name. Raises OSError where `ca_file` cannot be used."""
    result = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    result.sslsocket_class = _Forgiving
    return result
