"""Turns the output of OpenSSH's programs, and other faults, into sentences with advice.

In this module `name` is the name of the target in messages, and `output` is the output of `sftp` or `ssh`.
"""

from __future__ import annotations

import re

from heatmap.errors import DeadlineError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.sftp import askpass, known_hosts
from heatmap.system.texts import make_printable

LATER = "the next run tries again"
LINE_CHARACTERS = 200  # of a line of the output, in a sentence of ours
ADVICE = {  # by step: the problem, and advice if the server refused
    "keep": ("this machine cannot store a page's copy", "make room where its temporary files are"),
    "ask": ("the password cannot be passed to ssh", "make room where its temporary files are"),
    "look": ("{} cannot be checked", "let the user read this folder"),
    "read": ("{} cannot be read back", "let the user read it"),
    "store": ("{} cannot be stored", "look at the folder's permissions and the space left"),
    "make": ("the folder {} cannot be made", "make it and let the user write"),
    "replace": ("{} cannot be replaced by renaming", "look at what stands there, and at its permissions"),
    "delete": ("{} cannot be deleted", "let the user delete in this folder"),
    "list": ("the folder {} cannot be listed", "let the user read it"),
}


class SftpError(Exception):
    """The server or the client refused a step. Its `str()` is the reason."""


class ConnectionLostError(SftpError):
    """The connection ended. Its `str()` is the last output, in lines."""


def describe_error(name: str, step: str, path: str, error: BaseException) -> PublishError:
    """Return a fault at a step as a sentence. `path` is the file or folder of the step."""
    if isinstance(error, DeadlineError):
        reason = str(error)
    elif isinstance(error, TimeoutError):
        reason = "no answer in time"
    else:
        system_message = isinstance(error, OSError) and error.strerror
        reason = _clean_lines(system_message or str(error))[0]
    if step == "connect":
        return PublishError(f"{name}: no connection ({reason}): check host and port, or wait")
    problem, advice = ADVICE[step]
    if step not in ("keep", "ask") and (
        isinstance(error, ConnectionLostError) or not isinstance(error, SftpError)
    ):
        advice = LATER
    return PublishError(f"{name}: {problem.format(path or 'the login folder')} ({reason}): {advice}")


def describe_server(output: str, protocol: str) -> str:
    """Return in words which server this is. `output` is that of `sftp -vv` when it connects."""
    output = "\n".join(_clean_lines(output))
    software = re.search(r"remote software version (.+)", output)
    extensions = set(re.findall(r'Server supports extension "(\S+?)(?:@\S+)?"', output))
    return _describe_software(
        software[1].strip() if software else "",
        protocol,
        renames="posix-rename" in extensions,
        syncs="fsync" in extensions,
    )


def _describe_software(software: str, protocol: str, *, renames: bool, syncs: bool) -> str:
    """Return in words which server this is, and which extensions of the protocol it has."""
    renaming = "replaces in one step (posix-rename)" if renames else "has no posix-rename"
    syncing = "writes files to its disk (fsync)" if syncs else "has no fsync"
    return f"{software or 'an SSH server'}, SFTP {protocol}: {renaming}, {syncing}"


def make_obstacle_error(name: str, path: str, kind: str) -> PublishImpossible:
    """Return the error for a path that is no file. `kind` is in words, such as "a folder"."""
    return PublishImpossible(f"{name}: {path} is {kind}, where a file is to be put: remove or rename it")


def make_unreadable_error(name: str, path: str, mode: str) -> PublishImpossible:
    """Return the error for a stored file that only its owner may read."""
    return PublishImpossible(
        f"{name}: {path} cannot be read by visitors ({mode}), and the server does not let this user change "
        "its mode: let this user change modes, or give it umask 022"
    )


def make_connection_error(name: str, output: str, locked_key: str = "") -> PublishError:
    """Return the error if there was no connection. `locked_key`: an encrypted key file; "": none."""
    lines = _clean_lines(output)
    output = "\n".join(lines)
    if "Host key verification failed" in output:
        return _make_host_key_error(name, output)
    if "Too many authentication failures" in output:
        return PublishRefused(
            f"{name}: the login was refused (too many keys were tried): name the right one in identity_file"
        )
    if is_refused_login(output):
        reason = next(line for line in lines if "Permission denied (" in line)
        if locked_key:
            return PublishRefused(
                f"{name}: the login was refused, for the key {locked_key} is encrypted: unlock it with "
                "ssh-agent, or make a key without a passphrase for this use alone"
            )
        unusable = next((f"; {line}" for line in lines if line.startswith("Load key ")), "")
        advice = "check the user, and that its authorized_keys on the server has your key"
        return PublishRefused(f"{name}: the login was refused ({reason}{unusable}): {advice}")
    for text, advice in (
        ("subsystem request failed", "the server offers this user no SFTP: ask the provider to allow it"),
        ("Received message too long", "the account's shell says something at login: silence its profile"),
        ("no matching ", "the server knows only methods that ssh no longer trusts: ask for newer ones"),
        ("onfiguration option", "correct ssh's own configuration"),
    ):
        reason = next((line for line in lines if text in line), "")
        if reason:
            return PublishImpossible(f"{name}: no SFTP ({reason}): {advice}")
    reason = next((line for line in lines if line.startswith(("ssh:", "kex_", "Connection "))), lines[-1])
    return PublishError(f"{name}: no connection ({reason}): check host and port, or wait")


def make_password_error(name: str, output: str, version: tuple[int, int] | None) -> PublishError:
    """Return the error if there was no connection by password. `version` of ssh None: not known."""
    output = "\n".join(_clean_lines(output))
    if "askpass: exec" in output:
        return PublishImpossible(
            f"{name}: the folder of temporary files does not let programs run, so ssh cannot ask for the "
            "password: set TMPDIR to another folder"
        )
    if not is_refused_login(output):
        return make_connection_error(name, output)
    if version and version < askpass.FIRST_VERSION:
        have, need = (".".join(map(str, each)) for each in (version, askpass.FIRST_VERSION))
        return PublishImpossible(
            f"{name}: ssh takes a password from a program since OpenSSH {need}, and this is {have}: install "
            "a newer one, or log in by key"
        )
    reason = next(line for line in output.splitlines() if "Permission denied (" in line)
    advice = "check user and password, and whether the server takes passwords at all"
    return PublishRefused(f"{name}: the login was refused ({reason}): {advice}")


def is_refused_login(output: str) -> bool:
    """Return whether the server refused the login: it accepted no key, or not the password."""
    return "Permission denied (" in output


def _make_host_key_error(name: str, output: str) -> PublishRefused:
    # Another ssh, the one to the jump host, ends its output so.
    if "UNKNOWN port 65535" in output or "kex_exchange_identification" in output:
        return PublishRefused(
            f"{name}: the key of the jump host is not known, or has changed: log in to the jump "
            "host by ssh once, and see what it says"
        )
    if "REVOKED" in output:
        return known_hosts.make_revoked_key_error(name)
    changed = re.search(r"Offending \S+ key in (.+):(\d+)", output)
    host = re.search(r"^Host key for (\S+) has changed", output, re.MULTILINE)
    if "IDENTIFICATION HAS CHANGED" in output and changed and host:
        fingerprint = re.search(r"SHA256:[\w+/]+", output)
        return known_hosts.make_changed_key_error(
            name, host[1], fingerprint[0] if fingerprint else "another", changed[1], changed[2]
        )
    return known_hosts.make_unknown_key_error(name)


def _clean_lines(output: str) -> list[str]:
    """Return the lines that are not empty. Characters that are not printable become spaces."""
    lines = (make_printable(line.strip()[:LINE_CHARACTERS]).strip() for line in output.splitlines())
    return [line for line in lines if line] or ["the connection was lost"]
