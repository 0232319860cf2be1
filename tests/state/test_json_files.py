"""Documents of the state directory: whole, or set aside and told of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heatmap import cli
from heatmap.errors import ConfigError
from heatmap.notify.alerts import memory as alerts
from heatmap.pages.archive import record
from heatmap.run import last_good
from heatmap.state import circuit_breaker, json_files
from heatmap.state.memory import State


def load(path: Path, told: list[str]) -> Any:
    """The document's `n`, as the second version of a program would read it."""
    return json_files.load(path, 2, lambda document: int(document["n"]) + 1, told.append)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    """In a folder that is made if need be, with nothing beside it; a missing one is None."""
    path, told = tmp_path / "a" / "b.json", list[str]()

    assert load(path, told) is None
    json_files.save(path, 2, {"n": 7, "name": "half a letter: \ud83d"})

    assert 8 == load(path, told)
    assert {"version": 2, "n": 7, "name": "half a letter: ?"} == json.loads(path.read_text("utf-8"))
    assert ([], ["b.json"]) == (told, [each.name for each in path.parent.iterdir()])


@pytest.mark.parametrize("document", [{"n": 1}, {"version": 1, "n": 1}, {"version": 2, "n": 1, "more": 3}])
def test_earlier_versions_and_further_keys_are_read(tmp_path: Path, document: dict[str, int]) -> None:
    """The parser handles every version that is not newer."""
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


def test_nothing_that_was_set_aside_is_replaced(tmp_path: Path) -> None:
    """By the next file that is set aside; only after nine, so that a bad disk does not fill up."""
    path, told = tmp_path / "b.json", list[str]()
    for number in range(12):
        path.write_bytes(b"{%d" % number)
        assert load(path, told) is None

    kept = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    names = ["b.damaged.json", *(f"b.damaged-{number}.json" for number in range(2, 10))]
    assert {**{name: b"{%d" % number for number, name in enumerate(names)}, names[-1]: b"{11"} == kept
    assert "set aside as b.damaged-2.json" in told[1]


@pytest.mark.parametrize("words", [b'{"version": 4, "serial": 7}', b'[{"n": 1}]', b"7", b'{"x": {"n": 1}}'])
def test_another_program_s_document_stays(tmp_path: Path, words: bytes) -> None:
    """Whole JSON without the key that all of ours have is neither set aside nor replaced."""
    path, told = tmp_path / "b.json", list[str]()
    path.write_bytes(words)

    with pytest.raises(json_files.ForeignError):
        json_files.load(path, 2, dict, told.append, "n")
    with pytest.raises(json_files.ForeignError):
        json_files.save(path, 2, {"n": 7})

    assert ([], [words]) == (told, [file.read_bytes() for file in tmp_path.iterdir()])


@pytest.mark.parametrize("words", [b"{}", b"[]", b"null", b'""', b"0", b"", b"{", b'{"n": "x"}'])
def test_nothing_and_damage_are_replaced(tmp_path: Path, words: bytes) -> None:
    """In an empty file nothing can be lost, and a damaged one of ours is set aside by then."""
    path = tmp_path / "b.json"
    path.write_bytes(words)

    json_files.save(path, 2, {"n": 7})

    assert {"version": 2, "n": 7} == json.loads(path.read_bytes())


@pytest.mark.parametrize("name", ["alerts.json", "archive-nse-fno.json", "last/nse-fno.json"])
def test_a_run_replaces_no_document_of_another_program(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """The page is published. A usual name stays another program's; one that only we give is set aside, once."""
    (tmp_path / "heatmap.toml").write_text(
        'public_url = "https://www.example.org/"\n[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
        '[[alert]]\nname = "movers"\nchange_percent = 2.0\n'
    )
    words = '{"version": 1, "theirs": true}'
    file = tmp_path / "state" / name
    file.parent.mkdir(parents=True)
    file.write_text(words)

    told = []
    for moment in ("2026-09-17T11:00:00", "2026-09-17T15:47:00", "2026-09-18T11:00:00"):
        assert 0 == cli.main(["run", "--config", str(tmp_path / "heatmap.toml"), "--now", f"{moment}+05:30"])
        told.append(name.removesuffix(".json") in capfd.readouterr().err)

    assert words == (file if name == "alerts.json" else file.with_suffix(".damaged.json")).read_text()
    assert (tmp_path / "site/index.html").exists()
    assert told[0] if name == "alerts.json" else told.count(True) == 1


KEYS = st.sampled_from(
    [
        *("version", "markets", "nse-fno", "days", "2026-09-17", "as_of", "symbols", "figures", "refused"),
        *("since", "unchanged_since", "told", "notices", "session", "seen", "waiting", "outcomes", "sources"),
        *("published_at", "final_date", "lines", "title", "alert", "nse"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS
    | st.sampled_from(["2026-09-17T11:00:00+05:30", "2026-09-17T11:00:00", "9999-12-31T23:59:59-12:00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


def read_state(folder: Path) -> None:
    """Read and use a state.json, as a tick does."""
    state = State(folder)
    circuit_breaker.from_plain(state["nse-fno"].sources)
    state.remember("nse-fno", final_date="2026-09-17")


MOMENT = "2026-09-17T11:00:00+05:30"
GOOD: dict[str, dict[str, Any]] = {
    "state.json": {"markets": {"nse-fno": {"published_at": MOMENT, "sources": {"nse": {}}, "outcomes": [[MOMENT, 0]]}}},
    "alerts.json": {
        "markets": {
            "nse-fno": {
                "session": "2026-09-17",
                "told": {"movers": {"seen": ["x"], "waiting": []}},
                "notices": [{"alert": "a", "session": "s", "as_of": MOMENT, "title": "t", "lines": ["x"]}],
            }
        }
    },
    "archive-nse-fno.json": {"days": {"2026-09-17": [[1, 2, 3], MOMENT, ["A", 1.5], ["B", -1.5]]}},
    "last.json": {
        "as_of": MOMENT, "figures": "x", "unchanged_since": MOMENT, "tried": MOMENT, "symbols": ["A"],
        "refused": {"since": MOMENT, "symbols": ["A"]},
    },
}  # fmt: skip


def spoilt(document: Any, where: list[int], other: object) -> Any:
    """The document with something else in one place, found by a number at each branching."""
    if not where or not isinstance(document, dict | list) or not document:
        return other
    keys = list(document) if isinstance(document, dict) else range(len(document))
    chosen = keys[where[0] % len(keys)]
    items = document.items() if isinstance(document, dict) else enumerate(document)
    changed = {key: spoilt(value, where[1:], other) if key == chosen else value for key, value in items}
    return changed if isinstance(document, dict) else list(changed.values())


READERS: dict[str, Callable[[Path], object]] = {
    "state.json": read_state,
    "alerts.json": lambda folder: alerts.load(folder, print),
    "archive-nse-fno.json": lambda folder: record.load(folder, "nse-fno", print),
    "last.json": lambda folder: json_files.load(folder / "last.json", 1, last_good._parse, print),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_well_is_read(tmp_path: Path, name: str) -> None:
    """And stays where it is."""
    (tmp_path / name).write_text(json.dumps(GOOD[name]))

    READERS[name](tmp_path)

    assert (tmp_path / name).is_file()
    assert [] == [*tmp_path.glob("*.damaged.json")]


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
@given(where=st.lists(st.integers(0, 20), max_size=6), other=VALUES)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_whatever_a_document_holds(name: str, where: list[int], other: object) -> None:
    """It is read, set aside, or refused as another program's: no reader of ours lets anything else out."""
    with TemporaryDirectory() as folder:
        READERS[name](Path(folder))
        (Path(folder) / name).write_text(json.dumps(spoilt(GOOD[name], where, other)), "utf-8")
        with suppress(ConfigError, json_files.ForeignError):
            READERS[name](Path(folder))
            READERS[name](Path(folder))


@given(content=st.binary(max_size=100), place=st.integers(0, 164), bit=st.integers(0, 7))
@settings(derandomize=True, deadline=None)
def test_a_seal_is_broken_by_any_change(content: bytes, place: int, bit: int) -> None:
    """A sealed text comes back; cut anywhere, longer, or with one bit flipped, nothing comes back."""
    sealed = json_files.seal(content)
    assert hashlib.sha256(content).hexdigest().encode() == sealed[:64]
    assert content == json_files.unseal(sealed)

    flipped = bytearray(sealed)
    flipped[place % len(sealed)] ^= 1 << bit
    for damaged in (bytes(flipped), sealed[: place % len(sealed)], sealed + b"x", bytes(len(sealed)), b""):
        assert json_files.unseal(damaged) is None
