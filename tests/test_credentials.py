"""Secrets: read from the environment or from a file that only its owner can read, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatmap import credentials
from heatmap.errors import ConfigError


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that is named holds it."""
    monkeypatch.setenv("SOME_PASSWORD", "s3 cret")

    assert "s3 cret" == credentials.read("SOME_PASSWORD", None)


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the variable."""
    monkeypatch.delenv("SOME_PASSWORD", raising=False)

    assert "SOME_PASSWORD" in credentials.problems("SOME_PASSWORD", None)[0]


def test_from_a_file(tmp_path: Path) -> None:
    """Without the line's end."""
    file = tmp_path / "password"
    file.write_text("s3cret\n", "utf-8")
    file.chmod(0o600)

    assert "s3cret" == credentials.read(None, file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """The sentence says what to do, and not what the file holds."""
    file = tmp_path / "password"
    file.write_text("canary", "utf-8")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        credentials.read(None, file)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"canary\r\nDELE x", b"\xffcanary", b"x" * 5000])
def test_a_file_that_holds_no_password(tmp_path: Path, content: bytes) -> None:
    """Empty, several lines, not text, too long."""
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        credentials.read(None, file)

    assert "canary" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It is a sentence, too."""
    assert 1 == len(credentials.problems(None, tmp_path))


def test_both_is_one_too_many(tmp_path: Path) -> None:
    """Only one place can hold it."""
    assert "keep one" in credentials.problems("X", tmp_path)[0]


def test_neither_is_no_secret() -> None:
    """Nothing asked, nothing found."""
    assert credentials.read(None, None) is None
