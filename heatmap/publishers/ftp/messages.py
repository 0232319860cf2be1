"""Turns the greeting, the refusals and the faults of an FTP server into sentences with advice."""

from __future__ import annotations

import ssl

from heatmap.errors import DeadlineError, PublishError, PublishRefused
from heatmap.publishers.ftp.control import REFUSALS, ClosingError
from heatmap.system.redaction import holds
from heatmap.system.texts import make_printable

QUOTE_CHARACTERS = 200  # of a server's reply, in a sentence of ours
NAME_CHARACTERS = 60  # of the server's name for itself
LATER = "the next run tries again"
HUNG_UP = "the server hung up"
WITHHELD = "its reply holds the password"


def describe_server(greeting: str, *, tls: str | None, sizes: bool, machine_lists: bool, modes: str) -> str:
    """Return in words a server's name for itself, and what it can and cannot do. `modes`: in words, too."""
    lines = (line[4:].strip(" -*=#") for line in greeting.split("\n"))
    name = _make_one_line(next(filter(None, lines), "no name"))[:NAME_CHARACTERS]
    return ", ".join(
        [
            f'an FTP server that calls itself "{name}"',
            tls or "no TLS",
            "reports sizes" if sizes else "reports no sizes",
            "lists by MLSD" if machine_lists else "lists by NLST",
            modes,
        ]
    )


def quote_reply(error: BaseException, secret: str | None) -> str:
    """Return the server's reply, or the system's message, in one line.

    A text that holds the secret is withheld as a whole: a gap in it would show what is missing.
    """
    if isinstance(error, DeadlineError):
        return str(error)  # our own text
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, EOFError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return HUNG_UP
    if isinstance(error, ssl.SSLCertVerificationError):
        text = error.verify_message
    elif isinstance(error, ssl.SSLError):
        code = getattr(error, "reason", None)  # of OpenSSL; its message also names lines of C code
        text = code.lower().replace("_", " ") if code else str(error)
    elif isinstance(error, OSError):
        text = error.strerror or str(error)
    else:
        text = str(error)
    if holds(text, [secret]):
        return WITHHELD
    return _make_one_line(text)[:QUOTE_CHARACTERS] or type(error).__name__


def describe_error(error: BaseException, name: str, step: str, path: str, secret: str | None) -> PublishError:
    """Return a fault at a step as a sentence. `path` is the file or folder of the step."""
    reason = quote_reply(error, secret)
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = "check the host's name, or give the authority that signed it as ca_file"
        return PublishRefused(f"{name}: the server's certificate is not accepted ({reason}): {advice}")
    if isinstance(error, ClosingError) and step in {"greeting", "tls", "login"}:
        return PublishError(
            f"{name}: the server accepts no connection now ({reason}), perhaps it has too many: {LATER}"
        )
    if isinstance(error, REFUSALS) and step in REFUSED:
        return PublishRefused(f"{name}: {REFUSED[step].format(reason=reason)}")
    is_tls_error = isinstance(error, ssl.SSLError) and reason != HUNG_UP
    if step == "tls" and is_tls_error:
        advice = "check that port and `implicit` are those of the server, and that it speaks TLS 1.2 or newer"
        return PublishRefused(f"{name}: no TLS connection ({reason}), so nothing is sent: {advice}")
    advice = REFUSAL_ADVICE.get(step, LATER) if isinstance(error, REFUSALS) else LATER
    sentence = FAILED[step].format(path=path or "the login folder", reason=reason)
    return PublishError(
        f"{name}: {sentence}" if step in {"connect", "greeting"} else f"{name}: {sentence}: {advice}"
    )


REFUSED = {
    "tls": "the server offers no TLS ({reason}), so nothing is sent: check the port, or use sftp:",
    "login": "the login was refused ({reason}): check user and password, and whether the server wants ftps:",
    "protect": "the server does not secure files by TLS ({reason}), so nothing is sent: use sftp:",
}
FAILED = {
    "connect": "no connection ({reason}): check host and port, or wait",
    "greeting": "the server sends no greeting ({reason}): check host, port and `implicit` of ftps:, or wait",
    "tls": "no TLS connection ({reason})",
    "login": "the login failed ({reason})",
    "protect": "the data cannot be secured ({reason})",
    "find": "the login folder cannot be found ({reason})",
    "enter": "the folder {path} cannot be entered or made ({reason})",
    "look": "the size of {path} cannot be read ({reason})",
    "read": "{path} cannot be read back ({reason})",
    "store": "nothing can be stored in {path} ({reason})",
    "rename": "{path} cannot be replaced, as nothing can be renamed ({reason})",
    "replace": "{path} cannot be replaced by renaming ({reason})",
    "delete": "{path} cannot be deleted ({reason})",
    "list": "the files in {path} cannot be listed ({reason})",
}
REFUSAL_ADVICE = {  # if the server refused; else the connection failed, and the next one may not
    "enter": "make it, and let the user write there",
    "read": 'let the user read there, or set verify = "size"',
    "store": (
        "look at the folder's permissions and the space left, "
        "and whether it takes names that begin with a dot"
    ),
    "rename": "let the user rename there, or use another way, such as sftp:",
    "replace": "let the user rename there",
    "delete": "let the user delete there",
    "list": "let the user list there",
}


def _make_one_line(text: str) -> str:
    return " ".join(make_printable(text).split())
