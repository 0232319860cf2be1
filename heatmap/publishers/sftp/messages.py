"""What the faults of an SFTP session mean, told from OpenSSH's own words."""

from __future__ import annotations

import re

from heatmap.errors import DeadlineError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.sftp import askpass, known_hosts
from heatmap.system.texts import make_printable

LATER = "the next run tries again"
LINE_CHARACTERS = 200  # of a line of a server's words, in a sentence of ours
ADVICE = {  # by step: what could not be done, and what may help where the server said no
    "keep": ("this machine cannot keep a page's copy", "make room where its temporary files are"),
    "ask": ("the password cannot be handed to ssh", "make room where its temporary files are"),
    "look": ("{} cannot be looked at", "let the user read this folder"),
    "read": ("{} cannot be read back", "let the user read it"),
    "store": ("{} cannot be stored", "look at the folder's permissions and the space left"),
    "make": ("the folder {} cannot be made", "make it and let the user write"),
    "replace": ("{} cannot be replaced by renaming", "look at what stands there, and at its permissions"),
    "delete": ("{} cannot be deleted", "let the user delete in this folder"),
    "list": ("the folder {} cannot be listed", "let the user read it"),
}


class SftpError(Exception):
    """The server, or the client, refused a step. `str()` of it is what was said."""


class ConnectionLostError(SftpError):
    """The connection ended. `str()` of it is what was said last, in lines."""


def describe_error(name: str, step: str, what: str, error: BaseException) -> PublishError:
    """Return a fault as a sentence, by the step it came at.

    `name`: the target's. `what`: the path it was about.
    """
    if isinstance(error, DeadlineError):
        why = str(error)
    elif isinstance(error, TimeoutError):
        why = "no answer in time"
    else:
        words = isinstance(error, OSError) and error.strerror
        why = _lines(words or str(error))[0]
    if step == "connect":
        return PublishError(f"{name}: no connection ({why}): check host and port, or wait")
    failed, advice = ADVICE[step]
    if step not in ("keep", "ask") and (
        isinstance(error, ConnectionLostError) or not isinstance(error, SftpError)
    ):
        advice = LATER
    return PublishError(f"{name}: {failed.format(what or 'the login folder')} ({why}): {advice}")


def describe_server(said: str, protocol: str) -> str:
    """Say which server it is, from what `sftp -vv` says when it connects."""
    said = "\n".join(_lines(said))
    software = re.search(r"remote software version (.+)", said)
    offered = set(re.findall(r'Server supports extension "(\S+?)(?:@\S+)?"', said))
    return description(
        software[1].strip() if software else "",
        protocol,
        renames="posix-rename" in offered,
        syncs="fsync" in offered,
    )


def description(software: str, protocol: str, *, renames: bool, syncs: bool) -> str:
    """Say which server it is and what it can do beyond the protocol."""
    renaming = "replaces in one step (posix-rename)" if renames else "has no posix-rename"
    syncing = "brings files to its disk (fsync)" if syncs else "has no fsync"
    return f"{software or 'an SSH server'}, SFTP {protocol}: {renaming}, {syncing}"


def make_obstacle_error(name: str, path: str, what: str) -> PublishImpossible:
    """Return the sentence for a path where something else than a file is."""
    return PublishImpossible(f"{name}: {path} is {what}, where a file is to be put: remove or rename it")


def make_unreadable_error(name: str, path: str, mode: str) -> PublishImpossible:
    """Return the sentence for a file that was stored, but that only its owner may read."""
    return PublishImpossible(
        f"{name}: the server keeps {path} from being read by visitors ({mode}) and does not let its mode be "
        "changed: let this user change modes, or give it umask 022"
    )


def make_connection_error(name: str, said: str, locked_key: str = "") -> PublishError:
    """Say why there was no connection. `locked_key`: a file that ssh could not use, "" for none."""
    lines = _lines(said)
    said = "\n".join(lines)
    if "Host key verification failed" in said:
        return _make_host_key_error(name, said)
    if "Too many authentication failures" in said:
        return PublishRefused(
            f"{name}: the login was refused (too many keys were tried): name the right one in identity_file"
        )
    if is_refused_login(said):
        reason = next(line for line in lines if "Permission denied (" in line)
        if locked_key:
            return PublishRefused(
                f"{name}: the login was refused, for the key {locked_key} is encrypted: unlock it with "
                "ssh-agent, or make a key without a passphrase for this use alone"
            )
        unusable = next((f"; {line}" for line in lines if line.startswith("Load key ")), "")
        advice = "check the user, and that its authorized_keys on the server has your key"
        return PublishRefused(f"{name}: the login was refused ({reason}{unusable}): {advice}")
    for sign, advice in (
        ("subsystem request failed", "the server offers this user no SFTP: ask the provider to allow it"),
        ("Received message too long", "the account's shell says something at login: silence its profile"),
        ("no matching ", "the server knows only methods that ssh no longer trusts: ask for newer ones"),
        ("onfiguration option", "mend ssh's own configuration"),
    ):
        reason = next((line for line in lines if sign in line), "")
        if reason:
            return PublishImpossible(f"{name}: no SFTP ({reason}): {advice}")
    reason = next((line for line in lines if line.startswith(("ssh:", "kex_", "Connection "))), lines[-1])
    return PublishError(f"{name}: no connection ({reason}): check host and port, or wait")


def make_password_error(name: str, said: str, version: tuple[int, int] | None) -> PublishError:
    """Say why there was no connection by password; `version` is that of ssh, None where it is not known."""
    said = "\n".join(_lines(said))
    if "askpass: exec" in said:
        return PublishImpossible(
            f"{name}: the folder of temporary files does not let programs run, so ssh cannot ask for the "
            "password: set TMPDIR to another folder"
        )
    if not is_refused_login(said):
        return make_connection_error(name, said)
    if version and version < askpass.FIRST_VERSION:
        have, need = (".".join(map(str, each)) for each in (version, askpass.FIRST_VERSION))
        return PublishImpossible(
            f"{name}: ssh takes a password from a program since OpenSSH {need}, and this is {have}: install "
            "a newer one, or log in by key"
        )
    reason = next(line for line in said.splitlines() if "Permission denied (" in line)
    advice = "check user and password, and whether the server takes passwords at all"
    return PublishRefused(f"{name}: the login was refused ({reason}): {advice}")


def is_refused_login(said: str) -> bool:
    """Whether the server knew none of the keys it was shown."""
    return "Permission denied (" in said


def _make_host_key_error(name: str, said: str) -> PublishRefused:
    # Then it was another ssh that said so, and hung up on this one: that to the jump host.
    if "UNKNOWN port 65535" in said or "kex_exchange_identification" in said:
        return PublishRefused(
            f"{name}: the key of the jump host on the way is not known, or has changed: log in to the jump "
            "host by ssh once, and see what it says"
        )
    if "REVOKED" in said:
        return known_hosts.make_revoked_key_error(name)
    changed = re.search(r"Offending \S+ key in (.+):(\d+)", said)
    host = re.search(r"^Host key for (\S+) has changed", said, re.MULTILINE)
    if "IDENTIFICATION HAS CHANGED" in said and changed and host:
        now = re.search(r"SHA256:[\w+/]+", said)
        return known_hosts.make_changed_key_error(
            name, host[1], now[0] if now else "another", changed[1], changed[2]
        )
    return known_hosts.make_unknown_key_error(name)


def _lines(said: str) -> list[str]:
    """Return what was said, without empty lines; what does not show, such as colours, becomes a space."""
    shown = (make_printable(line.strip()[:LINE_CHARACTERS]).strip() for line in said.splitlines())
    return [line for line in shown if line] or ["the connection was lost"]
