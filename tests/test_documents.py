"""Documents of the state directory: whole, or set aside and told of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heatmap import documents


def load(path: Path, told: list[str]) -> Any:
    """The document's `n`, as the second version of a program would read it."""
    return documents.load(path, 2, lambda document: int(document["n"]) + 1, told.append)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    """In a folder that is made if need be, with nothing beside it; a missing one is None."""
    path, told = tmp_path / "a" / "b.json", list[str]()

    assert load(path, told) is None
    documents.save(path, 2, {"n": 7, "name": "half a letter: \ud83d"})

    assert 8 == load(path, told)
    assert {"version": 2, "n": 7, "name": "half a letter: ?"} == json.loads(path.read_text("utf-8"))
    assert ([], ["b.json"]) == (told, [each.name for each in path.parent.iterdir()])


@pytest.mark.parametrize("document", [{"n": 1}, {"version": 1, "n": 1}, {"version": 2, "n": 1, "more": 3}])
def test_earlier_versions_and_further_keys_are_read(tmp_path: Path, document: dict[str, int]) -> None:
    """What is not newer is the reader's to understand."""
    path, told = tmp_path / "b.json", list[str]()
    path.write_text(json.dumps(document))

    assert (2, []) == (load(path, told), told)


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b'{"version": 2, "n"', b"[]", b"null", b'{"n": "x"}', b'{"n": 1e999}', b"\xff\xfe", b"{}"),
        *(b'{"version": "new", "n": 1}', b'{"n": ' + b"9" * 5_000 + b"}", b'{"n":' * 100_000),
        b'{"version": 1e999, "n": 1}',
    ],
)
def test_a_damaged_document_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """One sentence, the file under another name, and nothing remembered."""
    path, told = tmp_path / "b.json", list[str]()
    path.write_bytes(damage)

    assert load(path, told) is None

    assert damage == (tmp_path / "b.damaged.json").read_bytes()
    assert [f"{path} was damaged and set aside as b.damaged.json: what it remembered is forgotten"] == told
    assert load(path, told) is None
    assert 1 == len(told)


def test_a_newer_document_is_set_aside(tmp_path: Path) -> None:
    """Nothing of it is lost, and the sentence says how to have it back."""
    path, told = tmp_path / "b.json", list[str]()
    path.write_text('{"version": 3, "n": 1}')

    assert load(path, told) is None

    assert '{"version": 3, "n": 1}' == (tmp_path / "b.version-3.json").read_text()
    assert not path.exists()
    (sentence,) = told
    assert "newer version" in sentence
    assert "b.version-3.json" in sentence
    assert "rename" in sentence
