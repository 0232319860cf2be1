"""What an FTP server's words mean: its lists of files, its greeting, and its refusals as our sentences."""

from __future__ import annotations

import re
import ssl
from stat import S_IFREG, S_IMODE, filemode
from typing import TYPE_CHECKING

from heatmap.errors import DeadlineError, PublishError, PublishRefused
from heatmap.publishers.ftp.control import REFUSALS, ClosingError
from heatmap.system.redaction import holds
from heatmap.system.texts import make_printable

if TYPE_CHECKING:
    from collections.abc import Iterable

SAID_CHARACTERS = 200  # of a server's words, in a sentence of ours
NAME_CHARACTERS = 60  # of the name it gives itself
LATER = "the next run tries again"
HUNG_UP = "the server hung up"
WITHHELD = "its words hold the password"
ITSELF = ("cdir", "pdir")  # the folder that is listed, and the one above
MODE = re.compile(r"[-l](?:[-r][-w][-xsStT]){3}")
FACT = re.compile(r"([^\s;=]+)=([^;]*);")
MODE_FACT = re.compile(r"(?:0o)?([0-7]{1,6})")


def names(lines: Iterable[str]) -> list[str]:
    """Return the bare names in the answer to NLST, which may be paths."""
    found = (line.rpartition("/")[2] for line in lines)
    return [name for name in found if name not in ("", ".", "..")]


def machine_names(lines: Iterable[str]) -> list[str]:
    """Return the bare names in the answer to MLSD: `type=file;size=3; name`."""
    entries = map(machine_entry, lines)
    return names(name for facts, name in entries if facts.get("type", "").lower() not in ITSELF)


def machine_entry(line: str) -> tuple[dict[str, str], str]:
    """Return the facts of a line of MLSD, by their names in small letters, and what it calls the file.

    Each fact ends with a semicolon, which no value may hold, and one space parts the facts from the name
    (RFC 3659, section 7.2). A name may hold anything, "; " too. No value may hold a space either, but with
    proftpd a group may be called "domain users": so the facts do not end at the first space.
    """
    facts: dict[str, str] = {}
    end = 0
    while fact := FACT.match(line, end):
        facts.setdefault(fact[1].lower(), fact[2])
        end = fact.end()
    rest, _, name = line[end:].partition(" ")
    if "=" in rest:  # a last fact without its semicolon
        facts.setdefault(rest.partition("=")[0].lower(), rest.partition("=")[2])
    return facts, name


def mode(lines: Iterable[str], name: str) -> str | None:
    """Return a file's mode by the answer to LIST, as in `-rw-r--r--`; None where it does not tell."""
    for line in lines:
        if line.endswith(" " + name):
            found = MODE.match(line)
            return found and found[0]
    return None


def machine_mode(lines: Iterable[str], name: str) -> str | None:
    """Return the same by the answer to MLSD, which need not tell it either."""
    for line in lines:
        facts, path = machine_entry(line)
        if path.rpartition("/")[2] == name:
            found = MODE_FACT.fullmatch(facts.get("unix.mode", ""))
            return found and filemode(S_IFREG | S_IMODE(int(found[1], 8)))
    return None


def description(greeting: str, *, tls: str | None, sizes: bool, machine_lists: bool, modes: str) -> str:
    """Say what a server calls itself, and what it can and cannot do. `modes` is what it does about them."""
    lines = (line[4:].strip(" -*=#") for line in greeting.split("\n"))
    name = _printable(next(filter(None, lines), "no name"))[:NAME_CHARACTERS]
    return ", ".join(
        [
            f'an FTP server that calls itself "{name}"',
            tls or "no TLS",
            "tells sizes" if sizes else "tells no sizes",
            "lists by MLSD" if machine_lists else "lists by NLST",
            modes,
        ]
    )


def quote_reply(error: BaseException, secret: str | None) -> str:
    """Return what went wrong in the server's words or the system's, in one line.

    Words that hold the secret are withheld as a whole: a gap in a sentence would tell what is missing there.
    """
    if isinstance(error, DeadlineError):
        return str(error)  # our words alone
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, EOFError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return HUNG_UP
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message
    elif isinstance(error, ssl.SSLError):
        reason = getattr(error, "reason", None)  # OpenSSL's; its sentence also tells of lines of C
        words = reason.lower().replace("_", " ") if reason else str(error)
    elif isinstance(error, OSError):
        words = error.strerror or str(error)
    else:
        words = str(error)
    if holds(words, [secret]):
        return WITHHELD
    return _printable(words)[:SAID_CHARACTERS] or type(error).__name__


def explain(error: BaseException, name: str, step: str, what: str, secret: str | None) -> PublishError:
    """Return a fault at a step as a sentence. `what` is the file or folder the step was about."""
    why = quote_reply(error, secret)
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = "check the host's name, or give the authority that signed it as ca_file"
        return PublishRefused(f"{name}: the server's certificate is not accepted ({why}): {advice}")
    if isinstance(error, ClosingError) and step in {"greeting", "tls", "login"}:
        return PublishError(
            f"{name}: the server turns us away for now ({why}), as for too many connections: {LATER}"
        )
    if isinstance(error, REFUSALS) and step in REFUSED:
        return PublishRefused(f"{name}: {REFUSED[step].format(why=why)}")
    broken = isinstance(error, ssl.SSLError) and why != HUNG_UP
    if step == "tls" and broken:
        advice = "check that port and `implicit` are those of the server, and that it speaks TLS 1.2 or newer"
        return PublishRefused(f"{name}: no TLS connection ({why}), and without it nothing is sent: {advice}")
    advice = ANSWERED.get(step, LATER) if isinstance(error, REFUSALS) else LATER
    sentence = FAILED[step].format(what=what or "the login folder", why=why)
    return PublishError(
        f"{name}: {sentence}" if step in {"connect", "greeting"} else f"{name}: {sentence}: {advice}"
    )


REFUSED = {
    "tls": "the server offers no TLS ({why}), and without it nothing is sent: check the port, or use sftp:",
    "login": "the login was refused ({why}): check user and password, and whether the server wants ftps:",
    "protect": "the server does not secure files by TLS ({why}), and without it nothing is sent: use sftp:",
}
FAILED = {
    "connect": "no connection ({why}): check host and port, or wait",
    "greeting": "the server does not greet ({why}): check host and port, and `implicit` of ftps:, or wait",
    "tls": "no TLS connection ({why})",
    "login": "the login failed ({why})",
    "protect": "the data cannot be protected ({why})",
    "find": "the login folder cannot be found ({why})",
    "enter": "the folder {what} cannot be entered or made ({why})",
    "look": "the size of {what} cannot be had ({why})",
    "read": "{what} cannot be read back ({why})",
    "store": "nothing can be stored in {what} ({why})",
    "rename": "{what} cannot be replaced, as nothing can be renamed ({why})",
    "replace": "{what} cannot be replaced by renaming ({why})",
    "delete": "{what} cannot be deleted ({why})",
    "list": "the files in {what} cannot be listed ({why})",
}
ANSWERED = {  # what to do where the server refused in words; else a connection failed, and another may not
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


def _printable(words: str) -> str:
    return " ".join(make_printable(words).split())
