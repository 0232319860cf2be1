"""Secrets: read from the environment or from a file that only its owner can read, never shown."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from heatmap.errors import ConfigError
from heatmap.system import secrets


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that is named holds it."""
    monkeypatch.setenv("SOME_PASSWORD", "s3 cret")

    assert "s3 cret" == secrets.read("SOME_PASSWORD", None)


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the variable."""
    monkeypatch.delenv("SOME_PASSWORD", raising=False)

    assert "SOME_PASSWORD" in secrets.problems("SOME_PASSWORD", None)[0]


def test_from_a_file(tmp_path: Path) -> None:
    """Without the line's end."""
    file = tmp_path / "password"
    file.write_text("s3cret\n", "utf-8")
    file.chmod(0o600)

    assert "s3cret" == secrets.read(None, file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """The sentence says what to do, and not what the file holds."""
    file = tmp_path / "password"
    file.write_text("canary", "utf-8")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        secrets.read(None, file)

    assert "canary" not in str(caught.value)


@pytest.mark.process
def test_the_command_that_closes_a_file_can_be_pasted(tmp_path: Path) -> None:
    """A shell runs what ends the sentence, wherever the file lies; then the file is accepted."""
    file = tmp_path / "my pass's file"
    with pytest.raises(ConfigError, match="is not there: make it, with the password in it") as caught:
        secrets.read(None, file)
    missing = str(caught.value).partition("run: ")[2]
    file.write_text("s3cret\n", "utf-8")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others") as caught:
        secrets.read(None, file)
    advice = str(caught.value).partition("run: ")[2]

    assert advice == missing
    assert 0 == subprocess.run(["/bin/sh", "-c", advice]).returncode
    assert "s3cret" == secrets.read(None, file)


@pytest.mark.parametrize("content", [b"", b"\n", b"canary\r\nDELE x", b"\xffcanary", b"x" * 5000])
def test_a_file_that_holds_no_password(tmp_path: Path, content: bytes) -> None:
    """Empty, several lines, not text, too long."""
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        secrets.read(None, file)

    assert "canary" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It is a sentence, too."""
    assert 1 == len(secrets.problems(None, tmp_path))


def test_both_is_one_too_many(tmp_path: Path) -> None:
    """Only one place can hold it."""
    assert "keep one" in secrets.problems("X", tmp_path)[0]


def test_neither_is_no_secret() -> None:
    """Nothing asked, nothing found."""
    assert secrets.read(None, None) is None


@pytest.mark.process
def test_from_a_command() -> None:
    """The first line it prints, as `pass` has it."""
    command = ["sh", "-c", "echo 's3 cret'; echo user: me; echo words >&2"]

    assert [] == secrets.problems(None, None, command)
    assert "s3 cret" == secrets.read(None, None, command)


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "is empty"),
        (["no-such-command-here", "x"], "is not installed"),
        (["sh", "-c", "echo canary; echo canary >&2; exit 3"], "exit code 3"),
        (["sh", "-c", "echo canary >&2"], "prints no password"),
        (["sh", "-c", "echo; echo canary"], "prints no password"),
        (["sh", "-c", "head -c 5000 /dev/zero | tr '\\0' c"], "prints no password"),
        (["sh", "-c", "printf 'canary\\377'"], "not UTF-8"),
        (["sh", "-c", "printf 'canary\\tcanary'"], "control character"),
        (["sh", "-c", "sleep 60 & sleep 60"], "nothing within 0.3 seconds"),
    ],
)
def test_a_command_that_gives_none(command: list[str], said: str) -> None:
    """One sentence, which holds nothing that the command printed; it takes no longer than it may."""
    begun = time.monotonic()
    with pytest.raises(ConfigError, match=said) as caught:
        secrets.read(None, None, command, seconds=0.3)

    assert 1 == len(caught.value.problems)
    assert "canary" not in caught.value.problems[0]
    assert time.monotonic() - begun < 5


@pytest.mark.process
def test_children_do_not_inherit_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the command that another target asks, nor whatever takes `child_environment`."""
    monkeypatch.setenv("SOME_PASSWORD", "canary")
    monkeypatch.setenv("OTHER", "kept")
    secrets.problems("SOME_PASSWORD", None)

    assert "kept-none" == secrets.read(None, None, ["sh", "-c", 'echo "$OTHER-${SOME_PASSWORD-none}"'])
    assert ("canary" in secrets.child_environment().values()) is False


def test_the_key_is_called_as_the_configuration_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other secrets than passwords have keys of their own."""
    monkeypatch.delenv("NO_SUCH", raising=False)

    assert "secret_access_key_env" in secrets.problems("NO_SUCH", None, name="secret_access_key")[0]


def test_a_variable_beside_a_file_is_not_inherited_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is refused, and no child of another target's gets it all the same."""
    monkeypatch.setenv("BOTH_PASSWORD", "canary")

    assert secrets.problems("BOTH_PASSWORD", tmp_path / "password")
    assert "BOTH_PASSWORD" not in secrets.child_environment()
