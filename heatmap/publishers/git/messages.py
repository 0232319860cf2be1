"""Turns the messages of git into sentences with advice.

In this module `stderr` is the message of a git command, `name` is the name of the target in messages, and
`path` is the path of the checkout.
"""

from __future__ import annotations

import os
import re
from shlex import quote

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.system.texts import make_printable, shorten

REACH = "reach the remote"  # the action that asks the remote for the branch
LONGEST_QUOTE = 200  # characters of git's message
REFUSED = re.compile(
    r"Permission denied \(|Host key verification failed|Authentication failed|could not read (?:User|Pass)"
    r"|Permission to .* denied|certificate|returned error: 40[13]|access denied|not allowed to push",
    re.IGNORECASE,
)
NO_REPOSITORY = re.compile(
    r"not appear to be a git repo|[Rr]epository .*not (?:found|exist)|returned error: 404"
)
# The message of git 2.35.3 and newer, and the one of older versions.
FOREIGN_OWNER = re.compile(r"dubious ownership in repository at '(.+)'|unsafe repository \('(.+)' is owned")
# Faults of a repository on this machine (the checkout, or a remote that is a path), each with advice.
LOCAL = (
    (re.compile("cannot use bare repository"), "allow it: git config --global safe.bareRepository all"),
    (re.compile("(?:unable to access|cannot change to) '.+': Permission denied"), "let this user read it"),
    (re.compile("bad config (?:line|file)|bad numeric config|bad boolean config"), "correct that file"),
    (re.compile("Expected git repo version|unknown repository extension"), "install a newer git"),
    (re.compile(r"not a git repository: |invalid gitfile format"), "its .git leads nowhere: clone it anew"),
)  # fmt: skip
# A damaged object of the repository on this machine; lines that begin with "remote:" are about another one.
DAMAGED = re.compile(
    r"^(?:error|fatal): (?:corrupt loose object|(?:loose|packed) object .+ is corrupt|object file .+ is empty"
    r"|inflate: |hash mismatch |bad object |packfile .+ (?:does not match|is corrupt)"
    r"|file .+ is far too short to be a pack"
    r"|unable to (?:read tree|read sha1 file|(?:read|unpack) [0-9a-f]{40})"
    r"|[0-9a-f]{40}.* is not a valid ')",
    re.MULTILINE,
)
UNWRITABLE = re.compile(
    r"unpacker error|unpack failed|insufficient permission for adding an object"
    r"|Unable to create '.+\.lock': (?!File exists)"
)
LOCK = re.compile(r"Unable to create '(.+\.lock)': File exists")
NAME_TAKEN = re.compile(r"cannot lock ref .*'refs/heads/(.+)' exists; cannot create")
LOGIN = re.compile(r"(?<=//)[^/@\s']*@|[^/@\s':]+:[^/@\s']+@")  # before a host
QUERY = re.compile(r"(?<=[a-z]://)([^\s'?]*)\?[^\s']*")  # the query of an address
SHORTEST_TOKEN = 20  # characters: a shorter user name, such as "git", is no token
SHORTEST_VALUE = 6  # characters: a shorter value of a query is no token
CAUSE_LINE = re.compile(r"(?i:fatal|error|remote: error|remote: fatal|ssh):|!")
UNUSED_ADVICE = re.compile(r"^(?:hint:|remote:\s*$|Please make sure|and the repository exists)")


def find_secrets(url: str) -> set[str]:
    """Return the parts of a remote's address that may be secret: password, token as a user name, query."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    values = {parts.password or ""}
    if parts.username and len(parts.username) >= SHORTEST_TOKEN:
        values.add(parts.username)
    query_values = [parts.query, *(value for _, value in parse_qsl(parts.query))]
    values |= {value for value in query_values if len(value) >= SHORTEST_VALUE}
    return {form for value in values for form in (value, unquote(value)) if form}


def describe_error(name: str, path: str, stderr: str, action: str) -> PublishError:
    """Return the error of a git command that failed. `action`: what git could not do."""
    lock = LOCK.search(stderr)
    if lock:
        return _explain_lock(name, f"git cannot {action}", lock[1])
    reason = quote_message(stderr)
    advice = _find_local_advice(stderr) or (action != REACH and find_damage_advice(path, stderr))
    if advice:
        return PublishImpossible(f"{name}: git cannot {action} ({reason}): {advice}")
    if REFUSED.search(stderr):
        advice = f"try `git -C {quote(path)} push --dry-run` as the user who runs this"
        return PublishRefused(f"{name}: git may not {action} ({reason}): {advice}")
    if NO_REPOSITORY.search(stderr):
        return PublishImpossible(
            f"{name}: git cannot {action} ({reason}): look at `git -C {quote(path)} remote -v`"
        )
    return PublishError(f"{name}: git cannot {action} ({reason}): the next run tries again")


def find_damage_advice(path: str, stderr: str) -> str:
    """Return the advice for a damaged object in the checkout's repository; "" if git reports none."""
    return f"an object in the repository {path} is damaged: clone it anew" if DAMAGED.search(stderr) else ""


def make_missing_tip_error(name: str, branch: str) -> PublishImpossible:
    """Return the error for a branch whose file is empty, as it may be after a power cut."""
    return PublishImpossible(
        f"{name}: the branch {branch} is damaged in the remote repository, for it names no commit: delete or "
        f"restore refs/heads/{branch} there"
    )


def make_missing_repository_error(name: str, path: str, stderr: str) -> PublishImpossible:
    """Return the error for a folder that git does not accept as a checkout."""
    git_folder = os.path.join(path, ".git")
    advice = _find_local_advice(stderr)
    if not advice and os.path.lexists(git_folder):
        is_readable = os.access(git_folder, os.R_OK | os.X_OK)
        advice = "it is damaged: clone it anew" if is_readable else f"let this user read {git_folder}"
    reason = quote_message(stderr)
    return PublishImpossible(
        f"{name}: there is no repository that git can use ({reason}): {advice or 'clone it there'}"
    )


def make_rejection_error(name: str, branch: str, rejection: str, stderr: str) -> PublishError:
    """Return the error of a rejected push. `rejection`: the line of its output that begins with "!"."""
    conflict, lock = NAME_TAKEN.search(stderr), LOCK.search(stderr)
    if conflict:
        other = make_printable(conflict[1])
        return PublishImpossible(
            f"{name}: the branch {branch} cannot be made, for there is a branch {other}: choose another name"
        )
    if lock:
        return _explain_lock(name, f"the branch {branch} cannot be changed", lock[1])
    reason = quote_message("!" + rejection.rpartition("\t")[2]).removeprefix("!")
    sentence = f"{name}: the push is not accepted ({reason})"
    if UNWRITABLE.search(rejection + stderr):
        line = next((line for line in stderr.splitlines() if UNWRITABLE.search(line)), "")
        detail = f" ({quote_message(line)})" if line else ""
        advice = f"let this user write in the remote repository{detail}, or make room there"
        return PublishError(f"{sentence}: {advice}")
    if "branch is currently checked out" in rejection:
        advice = "check out another branch there, or set receive.denyCurrentBranch to updateInstead"
    elif "Up-to-date check failed" in rejection or "working tree" in rejection:
        advice = (
            "undo the changes to the files checked out there; "
            "if there are none, delete the index.lock that a killed git process left behind in its .git"
        )
    elif "hook declined" in rejection and "protected" not in rejection:
        advice = "see what the remote's hook wants, and let this user push by force"
    else:
        advice = f"let this user replace the commit of {branch} (a push by force)"
    return PublishImpossible(f"{sentence}: {advice}")


def make_failed_push_error(name: str, branch: str, stderr: str) -> PublishError:
    """Return the error of a push that changed nothing, although nobody else pushed."""
    lock = LOCK.search(stderr)
    problem = f"the branch {branch} cannot be changed"
    if lock:
        return _explain_lock(name, problem, lock[1])
    if UNWRITABLE.search(stderr):
        advice = "let this user write in the remote repository, or make room there"
        return PublishError(f"{name}: {problem} ({quote_message(stderr)}): {advice}")
    return PublishError(f"{name}: {problem} ({quote_message(stderr)}): the next run tries again")


def _explain_lock(name: str, problem: str, lock: str) -> PublishError:
    """Return the error for a lock: another git process works there, or a killed one left it."""
    file = make_printable(os.path.normpath(lock))
    return PublishError(
        f"{name}: {problem}, for there is a lock ({file}): the next run tries again; if no git process works "
        "in that repository, one that was killed left the lock behind: delete the file"
    )


def quote_message(stderr: str) -> str:
    """Return the most useful line of git's message, without a user name or password in an address."""
    lines = [line.strip() for line in stderr.splitlines() if not UNUSED_ADVICE.match(line)]
    causes = [line for line in lines if REFUSED.search(line) or NO_REPOSITORY.search(line)]
    line = next(iter([*causes, *filter(CAUSE_LINE.match, lines), *reversed(lines)]), "no reason given")
    line = LOGIN.sub("", QUERY.sub(r"\1", make_printable(line)))
    return shorten(line, LONGEST_QUOTE)


def _find_local_advice(stderr: str) -> str:
    """Return the advice for a fault of a repository on this machine; "" if git reports no such fault."""
    owner = FOREIGN_OWNER.search(stderr)
    if owner:
        allow = f"git config --global --add safe.directory {quote(owner[1] or owner[2])}"
        advice = f"it belongs to another user: run this as its owner, or allow this user to use it: {allow}"
        return make_printable(advice)
    return next((advice for pattern, advice in LOCAL if pattern.search(stderr)), "")
