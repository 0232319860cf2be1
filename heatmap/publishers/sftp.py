"""Publishes by SFTP, through OpenSSH's own client: keys, agent and ~/.ssh/config as the user has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError, PublishError, PublishRefused
from heatmap.publishers import address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.model import Page

CLIENT = "sftp"
PROMPT = "sftp> "  # in batch mode the client repeats each command behind it before it obeys
WHOLE_TIMEOUTS = 3  # a batch may take this many timeouts
EXIT_NO_CONNECTION = 255
MISSING = "No such file"  # the client's own words for the protocol's code


@dataclass(frozen=True, slots=True)
class SftpPublisher:
    """A folder on an SSH server: `sftp://user@host:port/folder`, relative to the login folder unless `//`.

    The login is by key; the host's key must be known beforehand. None for the two files: ssh's own defaults.
    """

    url: str
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    timeout_seconds: float = 20

    def __post_init__(self) -> None:
        """Raise ConfigError for values that cannot be."""
        problems = address.timeout_problems(self.timeout_seconds)
        try:
            address.parse(self.url)
        except ConfigError as error:
            by_key = (
                problem.replace("name a variable in password_env", "log in by key")
                for problem in error.problems
            )
            problems.extend(by_key)
        for name, file in (
            ("identity_file", self.identity_file),
            ("known_hosts_file", self.known_hosts_file),
        ):
            if file and (not str(file).isprintable() or '"' in str(file)):
                problems.append(f"{name} must not hold quotation marks or control characters")
        if problems:
            raise ConfigError(problems)

    @property
    def name(self) -> str:
        """What messages call this target."""
        return address.parse(self.url).name

    def located(self, base: Path) -> SftpPublisher:
        """Return the same target with relative paths taken from `base`."""
        return replace(
            self,
            identity_file=self.identity_file and base / self.identity_file,
            known_hosts_file=self.known_hosts_file and base / self.known_hosts_file,
        )

    def problems(self) -> Sequence[str]:
        """Say what is missing: the client, a file that is named."""
        from shutil import which

        found = []
        if which(CLIENT) is None:
            found.append(
                "the command sftp is not installed: install OpenSSH's client (Debian: openssh-client)"
            )
        for name, file in (
            ("identity_file", self.identity_file),
            ("known_hosts_file", self.known_hosts_file),
        ):
            if file and not file.is_file():
                found.append(f"the {name} {file} is not there: name an existing file")
        return found

    def publish(self, pages: Sequence[Page]) -> None:
        """Put every page in place, in order. Raises PublishError."""
        self._put([(page.path, page.content) for page in pages])

    def check(self) -> str:
        """Write, replace and delete a probe file. Raises PublishError."""
        name = address.probe()
        self._put([(name, b"first"), (name, b"second")])
        target = address.join(address.parse(self.url).folder, name)
        self._obey([_command("rm", target)], f"{target} cannot be deleted")
        return address.CHECKED

    def _put(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Send all files in one connection; where folders are missing, make them and try once more."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        folder = address.parse(self.url).folder
        commands, temporaries = [], []
        with TemporaryDirectory(prefix="heatmap-") as local:
            for number, (path, content) in enumerate(files):
                target = address.join(folder, path)
                temporary = address.temporary(target)
                source = Path(local) / str(number)
                source.write_bytes(content)
                commands += [
                    _command("put", str(source), temporary),
                    _command(f"chmod {address.FILE_MODE:o}", temporary),
                    _command("rename", temporary, target),
                ]
                temporaries.append(temporary)
            code, done, said = self._talk(commands)
            if code not in (0, EXIT_NO_CONNECTION) and MISSING in said:
                self._make_folders(sorted({address.parent(temporary) for temporary in temporaries}))
                code, done, said = self._talk(commands)
        if code == 0:
            return
        number, step = divmod(max(done - 1, 0), 3)
        target = address.join(folder, files[number][0])
        if code != EXIT_NO_CONNECTION:
            self._talk([f"-{_command('rm', temporaries[number])}"])
        raise self._fault(
            code,
            said,
            (
                f"{target} cannot be stored: look at the folder's permissions and the space left",
                f"{target} cannot be made readable: let the user change modes",
                f"{target} cannot be replaced by renaming: remove what stands there",
            )[step],
        )

    def _make_folders(self, folders: Sequence[str]) -> None:
        """Make what is missing; a folder that is there stops its batch, so that its mode stays as it is."""
        for level in dict.fromkeys(level for folder in folders for level in address.levels(folder)):
            self._talk([_command("mkdir", level), _command(f"chmod {address.FOLDER_MODE:o}", level)])

    def _obey(self, commands: Sequence[str], otherwise: str) -> None:
        code, _, said = self._talk(commands)
        if code:
            raise self._fault(code, said, otherwise)

    def _talk(self, commands: Sequence[str]) -> tuple[int, int, str]:
        """Run a batch up to its first fault. Return exit code, commands begun, and the client's words."""
        import os
        import signal
        from subprocess import PIPE, Popen, TimeoutExpired

        try:
            client = Popen(
                [CLIENT, *self._arguments()], stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise PublishError(f"{self.name}: the command sftp cannot be run ({error.strerror})") from error
        with client:
            try:
                batch = "\n".join([*commands, ""]).encode()
                out, err = client.communicate(batch, timeout=self.timeout_seconds * WHOLE_TIMEOUTS)
            except TimeoutExpired as error:
                raise PublishError(f"{self.name}: no answer in time: the next run tries again") from error
            finally:
                if client.returncode is None:
                    os.killpg(client.pid, signal.SIGKILL)  # with the ssh it started
        begun = sum(line.startswith(PROMPT) for line in out.decode(errors="replace").splitlines())
        return client.returncode, begun, err.decode(errors="replace").strip()

    def _arguments(self) -> list[str]:
        where = address.parse(self.url)
        seconds = max(1, round(self.timeout_seconds))
        options = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ControlMaster": "no",
            "ConnectTimeout": str(seconds),
            "ServerAliveInterval": str(seconds),
            "ServerAliveCountMax": "1",
        }
        if where.user:
            options["User"] = where.user
        if where.port:
            options["Port"] = str(where.port)
        if self.identity_file:
            options |= {"IdentityFile": _quoted_file(self.identity_file), "IdentitiesOnly": "yes"}
        if self.known_hosts_file:
            options["UserKnownHostsFile"] = _quoted_file(self.known_hosts_file)
        host = f"[{where.host}]" if ":" in where.host else where.host
        return ["-b", "-", *(f"-o{key}={value}" for key, value in options.items()), "--", host]

    def _fault(self, code: int, said: str, otherwise: str) -> PublishError:
        last = said.splitlines()[-1].strip() if said else "no reason given"
        if "Host key verification failed" in said:
            changed = "IDENTIFICATION HAS CHANGED" in said
            what = "has changed: find out why before you replace it" if changed else "is not known: add it"
            return PublishRefused(
                f"{self.name}: the host's key {what} in known_hosts (ssh-keyscan shows the key)"
            )
        if "Permission denied (" in said:
            advice = "check the user, and that its authorized_keys on the server has your key"
            reason = next(line for line in said.splitlines() if "Permission denied (" in line)
            return PublishRefused(f"{self.name}: the login was refused ({reason.strip()}): {advice}")
        if code == EXIT_NO_CONNECTION:
            first = next((line for line in said.splitlines() if line.startswith("ssh:")), last).strip()
            return PublishError(f"{self.name}: no connection ({first}): check host and port, or wait")
        return PublishError(f"{self.name}: {otherwise} ({last})")


def _command(verb: str, *paths: str) -> str:
    """Return a line of a batch. A path that begins with a hyphen would be taken for an option."""
    shown = (f"./{path}" if path.startswith("-") else path for path in paths)
    return " ".join([verb, *('"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"' for path in shown)])


def _quoted_file(file: Path) -> str:
    return '"' + str(file).replace("%", "%%") + '"'
