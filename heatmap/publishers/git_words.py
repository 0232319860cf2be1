"""What git's words mean, as sentences with advice."""

from __future__ import annotations

import os
import re
from shlex import quote

from heatmap.errors import PublishError, PublishImpossible, PublishRefused

REACH = "reach the remote"  # the step that asks the remote for the branch
LONGEST_QUOTE = 200  # characters of what git said
REFUSED = re.compile(
    r"Permission denied \(|Host key verification failed|Authentication failed|could not read (?:User|Pass)"
    r"|Permission to .* denied|certificate|returned error: 40[13]|access denied|not allowed to push",
    re.IGNORECASE,
)
NOWHERE = re.compile(r"not appear to be a git repo|[Rr]epository .*not (?:found|exist)|returned error: 404")
# As git says it from 2.35.3 on, and before.
FOREIGN_OWNER = re.compile(r"dubious ownership in repository at '(.+)'|unsafe repository \('(.+)' is owned")
# Faults of a repository on this machine, the clone or a remote that is a path, each with what helps.
LOCAL = (
    (re.compile("cannot use bare repository"), "allow it: git config --global safe.bareRepository all"),
    (re.compile("(?:unable to access|cannot change to) '.+': Permission denied"), "let this user read it"),
    (re.compile("bad config (?:line|file)|bad numeric config|bad boolean config"), "mend that file"),
    (re.compile("Expected git repo version|unknown repository extension"), "install a newer git"),
    (re.compile(r"not a git repository: |invalid gitfile format"), "its .git leads nowhere: clone it anew"),
)  # fmt: skip
# An object of this machine's repository; what the remote says of its own begins with "remote:".
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
LOGIN = re.compile(r"(?<=//)[^/@\s']*@|[^/@\s':]+:[^/@\s']+@")  # in front of a host
QUERY = re.compile(r"(?<=[a-z]://)([^\s'?]*)\?[^\s']*")  # of an address
SHORTEST_TOKEN = 20  # characters: a shorter user name is none, as "git"
SHORTEST_VALUE = 6  # characters: a shorter value of a query is no token
TELLING = re.compile(r"(?i:fatal|error|remote: error|remote: fatal|ssh):|!")
UNUSED_ADVICE = re.compile(r"^(?:hint:|remote:\s*$|Please make sure|and the repository exists)")


def secrets(url: str) -> set[str]:
    """Return what may be secret in a remote's address: its password, a user that is a token, its query."""
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    found = {parts.password or ""}
    if parts.username and len(parts.username) >= SHORTEST_TOKEN:
        found.add(parts.username)
    values = [parts.query, *(value for _, value in parse_qsl(parts.query))]
    found |= {value for value in values if len(value) >= SHORTEST_VALUE}
    return {form for value in found for form in (value, unquote(value)) if form}


def explain(name: str, path: str, words: str, what: str) -> PublishError:
    """Return a failed command as a sentence. `name`: the target's; `path`: the checkout's; `words`: git's."""
    lock = LOCK.search(words)
    if lock:
        return _locked(name, f"git cannot {what}", lock[1])
    said = quoted(words)
    advice = _local_advice(words) or (what != REACH and damage_advice(path, words))
    if advice:
        return PublishImpossible(f"{name}: git cannot {what} ({said}): {advice}")
    if REFUSED.search(words):
        advice = f"try `git -C {quote(path)} push --dry-run` as the user who runs this"
        return PublishRefused(f"{name}: git may not {what} ({said}): {advice}")
    if NOWHERE.search(words):
        return PublishImpossible(
            f"{name}: git cannot {what} ({said}): look at `git -C {quote(path)} remote -v`"
        )
    return PublishError(f"{name}: git cannot {what} ({said}): the next run tries again")


def damage_advice(path: str, words: str) -> str:
    """Return what helps if an object of the repository at `path` is damaged; "" if it is not."""
    return f"an object in the repository {path} is damaged: clone it anew" if DAMAGED.search(words) else ""


def no_branch_tip(name: str, branch: str) -> PublishImpossible:
    """Return the sentence for a branch whose file is empty, as a power cut leaves it."""
    return PublishImpossible(
        f"{name}: the branch {branch} is damaged in the remote repository, for it names no commit: delete or "
        f"restore refs/heads/{branch} there"
    )


def no_repository(name: str, path: str, words: str) -> PublishImpossible:
    """Return the sentence for a checkout that git does not take for one."""
    inside = os.path.join(path, ".git")
    advice = _local_advice(words)
    if not advice and os.path.lexists(inside):
        readable = os.access(inside, os.R_OK | os.X_OK)
        advice = "it is damaged: clone it anew" if readable else f"let this user read {inside}"
    return PublishImpossible(
        f"{name}: there is no repository that git can use ({quoted(words)}): {advice or 'clone it there'}"
    )


def rejected(name: str, branch: str, said: str, words: str) -> PublishError:
    """Return the sentence for a rejected push. `said`: the line with its reason; `words`: all else."""
    taken, lock = NAME_TAKEN.search(words), LOCK.search(words)
    if taken:
        other = _printable(taken[1])
        return PublishImpossible(
            f"{name}: the branch {branch} cannot be made, for there is a branch {other}: choose another name"
        )
    if lock:
        return _locked(name, f"the branch {branch} cannot be changed", lock[1])
    reason = quoted("!" + said.rpartition("\t")[2]).removeprefix("!")
    sentence = f"{name}: the push is not accepted ({reason})"
    if UNWRITABLE.search(said + words):
        why = next((line for line in words.splitlines() if UNWRITABLE.search(line)), "")
        more = f" ({quoted(why)})" if why else ""
        advice = f"let this user write in the remote repository{more}, or make room there"
        return PublishError(f"{sentence}: {advice}")
    if "branch is currently checked out" in said:
        advice = "check out another branch there, or set receive.denyCurrentBranch to updateInstead"
    elif "Up-to-date check failed" in said or "working tree" in said:
        advice = (
            "undo the changes to the files checked out there; "
            "if there are none, delete the index.lock that a killed git process left behind in its .git"
        )
    elif "hook declined" in said and "protected" not in said:
        advice = "see what the remote's hook wants, and let this user push by force"
    else:
        advice = f"let this user replace the commit of {branch} (a push by force)"
    return PublishImpossible(f"{sentence}: {advice}")


def stuck(name: str, branch: str, words: str) -> PublishError:
    """Return the sentence for a push that changed nothing, though nobody else pushed. `words`: git's."""
    lock = LOCK.search(words)
    what = f"the branch {branch} cannot be changed"
    if lock:
        return _locked(name, what, lock[1])
    if UNWRITABLE.search(words):
        advice = "let this user write in the remote repository, or make room there"
        return PublishError(f"{name}: {what} ({quoted(words)}): {advice}")
    return PublishError(f"{name}: {what} ({quoted(words)}): the next run tries again")


def _locked(name: str, what: str, lock: str) -> PublishError:
    """Return the sentence for a lock, which a git process made that works there, or was killed."""
    file = _printable(os.path.normpath(lock))
    return PublishError(
        f"{name}: {what}, for there is a lock ({file}): the next run tries again; if no git process works in "
        f"that repository, one that was killed left the lock behind: delete the file"
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def quoted(words: str) -> str:
    """Return the line that tells most of what git said, with no name or password of an address in it."""
    lines = [line.strip() for line in words.splitlines() if not UNUSED_ADVICE.match(line)]
    known = [line for line in lines if REFUSED.search(line) or NOWHERE.search(line)]
    line = next(iter([*known, *filter(TELLING.match, lines), *reversed(lines)]), "no reason given")
    line = LOGIN.sub("", QUERY.sub(r"\1", _printable(line)))
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 3] + "..."


def _local_advice(words: str) -> str:
    """Return what helps with a repository on this machine; "" where these words do not tell of one."""
    owner = FOREIGN_OWNER.search(words)
    if owner:
        allow = f"git config --global --add safe.directory {quote(owner[1] or owner[2])}"
        advice = f"it belongs to another user: run this as its owner, or allow this user to use it: {allow}"
        return _printable(advice)
    return next((advice for pattern, advice in LOCAL if pattern.search(words)), "")
