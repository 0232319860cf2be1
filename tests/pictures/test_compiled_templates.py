"""The cache of compiled templates: its files are code, so only whole files that this user wrote are run."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import bccache

from heatmap.pictures import compiled_templates, templates
from heatmap.pictures.templates import render_template

TEMPLATE = "greeting.j2"
GOOD = "Good morning & <b>&lt;reader&gt;</b>"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory; the only template is "good morning"."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / TEMPLATE).write_text("Good morning & <b>{{ name }}</b>")
    monkeypatch.setattr(templates, "find_templates", lambda: tmp_path / "templates")
    (tmp_path / "state").mkdir(0o700)
    return tmp_path / "state"


def draw(state: Path) -> str:
    """The output of a new process."""
    templates._environment.cache_clear()
    return render_template(TEMPLATE, state, name="<reader>")


def cached_file(state: Path) -> Path:
    """The cache's only file."""
    (file,) = (state / compiled_templates.FOLDER).iterdir()
    return file


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name for each template that is compiled, not taken from the cache."""
    from jinja2 import Environment

    names: list[str] = []
    original = Environment.compile

    def compile_(self: Environment, source: str, name: str | None = None, *more: object) -> object:
        names.append(str(name))
        return original(self, source, name, *more)  # type: ignore[call-overload]

    monkeypatch.setattr(Environment, "compile", compile_)
    return names


def test_a_second_run_compiles_nothing(state: Path, compilations: list[str]) -> None:
    """Folder and file belong to this user alone, with any umask, and save the next run the work."""
    before = os.umask(0)
    try:
        assert GOOD == draw(state)
    finally:
        os.umask(before)
    assert GOOD == draw(state)

    assert [TEMPLATE] == compilations
    assert 0o700 == cached_file(state).parent.stat().st_mode & 0o777
    assert 0o600 == cached_file(state).stat().st_mode & 0o777


def test_a_changed_template_is_compiled(state: Path) -> None:
    """It replaces the old one."""
    draw(state)
    (state.parent / "templates" / TEMPLATE).write_text("Good night")

    assert ("Good night", "Good night") == (draw(state), draw(state))
    assert cached_file(state)


@pytest.mark.parametrize("part", ["version", "python", "compiler"])
def test_another_program_compiles_again(
    state: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Code of another version of this program, of Python or of Jinja is not run."""
    draw(state)
    if part == "version":
        monkeypatch.setattr(compiled_templates, "__version__", "9.9.9")
    elif part == "python":
        monkeypatch.setattr(compiled_templates.sys, "hexversion", 1)
    else:
        other = state.parent / "compiler.py"
        other.touch()
        monkeypatch.setattr(compiled_templates.compiler, "__file__", str(other))

    assert GOOD == draw(state)
    assert GOOD == draw(state)
    assert 2 == len(compilations)


def test_a_file_cut_anywhere(state: Path, compilations: list[str]) -> None:
    """The page is the same, and the file is whole again afterwards."""
    draw(state)
    whole = cached_file(state).read_bytes()
    places = [*range(120), *range(120, len(whole), 101)]
    for size in places:
        cached_file(state).write_bytes(whole[:size])
        assert GOOD == draw(state), size
        assert whole == cached_file(state).read_bytes(), size
    assert 1 + len(places) == len(compilations)


def test_any_flipped_bit(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte of a damaged file is run: one bit can crash Python, or draw another page."""
    draw(state)
    whole = cached_file(state).read_bytes()
    dice = random.Random(20260917)
    ran: list[bytes] = []
    monkeypatch.setattr(compiled_templates.marshal, "loads", ran.append)
    for place in [*range(100), *(dice.randrange(len(whole)) for _ in range(300))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << dice.randrange(8)
        cached_file(state).write_bytes(damaged)
        assert GOOD == draw(state), place
    assert [] == ran


def shared_file(state: Path) -> None:
    cached_file(state).chmod(0o620)


def shared_folder(state: Path) -> None:
    cached_file(state).parent.chmod(0o770)


def linked_file(state: Path) -> None:
    cached_file(state).rename(state / "elsewhere")
    (state / compiled_templates.FOLDER / "x").symlink_to(state / "elsewhere")
    (state / compiled_templates.FOLDER / "x").rename(state / compiled_templates.FOLDER / key(state))


def second_name(state: Path) -> None:
    (state / "second").hardlink_to(cached_file(state))


def linked_folder(state: Path) -> None:
    (state / compiled_templates.FOLDER).rename(state / "elsewhere")
    (state / compiled_templates.FOLDER).symlink_to(state / "elsewhere")


def pipe(state: Path) -> None:
    name = cached_file(state)
    name.unlink()
    os.mkfifo(name)


def key(state: Path) -> str:
    environment = templates._environment(state)
    assert environment.bytecode_cache
    path = str(state.parent / "templates" / TEMPLATE)
    return environment.bytecode_cache.get_cache_key(TEMPLATE, path)


@pytest.mark.parametrize(
    "prepare", [shared_file, shared_folder, linked_file, second_name, linked_folder, pipe]
)
def test_files_that_others_may_have_written_are_not_run(
    state: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path], None]
) -> None:
    """Not even whole ones. The page is drawn nevertheless."""
    draw(state)
    prepare(state)
    ran: list[bytes] = []
    monkeypatch.setattr(compiled_templates.marshal, "loads", ran.append)

    assert GOOD == draw(state)

    assert [] == ran


def test_another_user_s_is_not_run(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For example the folder of another user who ran the program before; it is not changed, either."""
    draw(state)
    before = cached_file(state).stat().st_mtime_ns
    ran: list[bytes] = []
    monkeypatch.setattr(compiled_templates.marshal, "loads", ran.append)
    monkeypatch.setattr(os, "geteuid", lambda: cached_file(state).stat().st_uid + 1)

    assert GOOD == draw(state)

    assert ([], before) == (ran, cached_file(state).stat().st_mtime_ns)


def test_an_open_folder_is_closed(state: Path, compilations: list[str]) -> None:
    """For example after `chmod -R g+w`: folder and file are this user's alone again, and serve the next run."""
    draw(state)
    cached_file(state).chmod(0o664)
    cached_file(state).parent.chmod(0o775)

    assert (GOOD, GOOD) == (draw(state), draw(state))

    assert 2 == len(compilations)
    assert [0o700, 0o600] == [
        path.stat().st_mode & 0o777 for path in (cached_file(state).parent, cached_file(state))
    ]


class _Trap:
    """Runs code as soon as it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("trapped",)


def test_a_forged_cache_of_earlier_versions_is_not_read(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They had pickles beside the other files. Another user who could write there could run code as this user."""
    monkeypatch.chdir(tmp_path)
    draw(state)
    name = f"__jinja2_{key(state)}.cache"
    (state / name).write_bytes(bccache.bc_magic + pickle.dumps(_Trap()))

    assert GOOD == draw(state)

    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("kind", ["missing", "file", "folder in the file's place"])
def test_without_a_folder_nothing_is_cached(state: Path, compilations: list[str], kind: str) -> None:
    """There is no file and no message: the page is more important."""
    draw(state)
    name = cached_file(state)
    if kind == "folder in the file's place":
        name.unlink()
        name.mkdir()
    else:
        name.unlink()
        (state / compiled_templates.FOLDER).rmdir()
        if kind == "file":
            (state / compiled_templates.FOLDER).touch()
        else:
            state.rmdir()

    assert (GOOD, GOOD) == (draw(state), draw(state))

    assert 3 == len(compilations)
    assert [] == [*state.rglob("*.tmp")]
