"""The objects that this program keeps in a repository: a cache, so that damage heals by itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from heatmap.errors import PublishError, PublishImpossible
from heatmap.publishers.git import messages
from heatmap.publishers.git import store as git_store
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.publishers.git.test_publisher import PAGES, PUT, Place, _nobody, place, soon

__all__ = ["_nobody", "place"]  # fixtures
pytestmark = pytest.mark.process
NEW = [PAGES[0], WebFile("index.html", b"new")]


def store_of(place: Place) -> Path:
    return place.checkout / ".git/heatmap/objects"


def objects(place: Place) -> dict[Path, str]:
    """The files of the store, and what kind of object git finds in each."""
    store = store_of(place)
    kinds = {}
    for file in sorted(store.glob("[0-9a-f][0-9a-f]/*")):
        words = ["git", "-C", str(place.checkout), "cat-file", "-t", file.parent.name + file.name]
        environment = {**os.environ, "GIT_OBJECT_DIRECTORY": str(store)}
        kinds[file] = subprocess.check_output(words, env=environment, text=True).strip()
    return kinds


def empty(file: Path) -> None:
    """As a power cut leaves it."""
    file.chmod(0o644)
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def another(file: Path) -> None:
    """Whole, but of another content than the name says."""
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"blob 3\0abc"))


@pytest.mark.parametrize("is_new", [True, False], ids=["new page", "same page"])
@pytest.mark.parametrize("damage", [empty, cut, flip, folder, another])
@pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
def test_a_damaged_object_is_made_again(
    place: Place, kind: str, damage: Callable[[Path], None], is_new: bool
) -> None:
    """By the very run that meets it, whether the object is the branch's own or one that is about to be pushed."""
    place.publisher().publish(PAGES, soon())
    for file, object_kind in objects(place).items():
        if object_kind == kind:
            damage(file)
    if not is_new:  # all of it is to be pushed again, from the objects that are here
        place.run(place.remote, "update-ref", "-d", "refs/heads/gh-pages")
        place.run(place.remote, "gc", "-q", "--prune=now")

    place.publisher().publish(NEW if is_new else PAGES, soon())

    assert {**PUT, **({"index.html": b"new"} if is_new else {})} == place.files()
    place.run(place.remote, "fsck", "--full", "--strict")


def test_a_pipe_heals_with_the_next_run(place: Place) -> None:
    """git waits for it until the deadline; then it is gone."""
    place.publisher().publish(PAGES, soon())
    for file in objects(place):
        file.unlink()
        os.mkfifo(file)

    with pytest.raises(PublishError, match="seconds were over"):
        place.publisher().publish(NEW, Deadline(3))
    place.publisher().publish(NEW, soon())

    assert {**PUT, "index.html": b"new"} == place.files()


def as_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("x")


def as_link(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to("nowhere")


def as_folder(path: Path) -> None:
    path.unlink()
    (path / "x").mkdir(parents=True)


def as_noise(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\xff\0x" * 50)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in ("..", ".", "info") for damage in (as_file, as_link)),
        *(("info/alternates", damage) for damage in (as_folder, as_noise, empty)),
        *((f"pack/{name}", as_noise) for name in ("multi-pack-index", f"pack-{'a' * 40}.idx")),
        *((f"info/{name}", as_noise) for name in ("commit-graph", "packs")),
    ],
)
def test_whatever_stands_in_the_store(place: Place, name: str, damage: Callable[[Path], None]) -> None:
    """In place of a folder, of the file that leads to the user's objects, or as an index."""
    place.start_pages({"CNAME": "www.example.org"})
    place.publisher().publish(PAGES, soon())
    damage(Path(os.path.normpath(store_of(place) / name)))

    place.publisher().publish(NEW, soon())

    assert {**PUT, "index.html": b"new", "CNAME": b"www.example.org"} == place.files()


def test_files_in_place_of_the_folders_of_objects(place: Place) -> None:
    """A file for each of them."""
    place.publisher().publish(PAGES, soon())
    for number in range(256):
        as_file(store_of(place) / f"{number:02x}")

    place.publisher().publish(NEW, soon())

    assert {**PUT, "index.html": b"new"} == place.files()


def test_check_heals_too(place: Place) -> None:
    """With the words of a repository that is well."""
    place.publisher().publish(PAGES, soon())
    for file in objects(place):
        flip(file)

    assert "gh-pages of origin is at " in place.publisher().check(soon(), [PAGES[1]])


def test_whole_objects_stay(place: Place) -> None:
    """If something else failed, no object is read again without need."""
    place.publisher().publish(PAGES, soon())
    before = {*objects(place)}
    place.hook("pre-receive", "exit 1")

    with pytest.raises(PublishError, match="hook declined"):
        place.publisher().publish(NEW, soon())

    assert before < {*objects(place)}


def test_the_user_s_objects_are_told_of_and_stay(place: Place) -> None:
    """Exit 78 with what helps: this program did not write them and cannot make them again."""
    place.start_pages({"CNAME": "www.example.org"})
    for spec in ("gh-pages:CNAME", "gh-pages^{tree}", "gh-pages"):
        oid = place.run(place.checkout, "rev-parse", spec)
        file = place.checkout / ".git/objects" / oid[:2] / oid[2:]
        whole = file.read_bytes()
        flip(file)
        damaged = file.read_bytes()

        with pytest.raises(
            PublishImpossible, match="an object in the repository .* is damaged: clone it anew"
        ):
            place.publisher().publish(PAGES, soon())

        assert damaged == file.read_bytes()
        file.write_bytes(whole)
    place.publisher().publish(PAGES, soon())


@pytest.mark.parametrize(
    "words",
    [
        "error: unable to read askpass response from '/usr/bin/askpass'",
        "remote: error: object file ./objects/aa/bb is empty",
        "fatal: unable to access 'https://example.org/x.git/': Could not resolve host: example.org",
        "fatal: git upload-pack: not our ref 4ca64e9080cd163b80a2fc4b0aa2aeb349317022",
    ],
)
def test_what_is_no_damage_here(words: str) -> None:
    """A login, a network, and the remote's own objects: a new clone would not help."""
    assert "" == messages.find_damage_advice("site", words)


@pytest.mark.parametrize("push", [True, False])
def test_a_branch_that_names_no_commit(place: Place, push: bool) -> None:
    """A power cut may empty its file. The program cannot guess its content: the sentence says what to do."""
    place.publisher(push=push).publish(PAGES, soon())
    branch = (place.remote if push else place.checkout / ".git") / "refs/heads/gh-pages"
    branch.write_bytes(b"")

    with pytest.raises(PublishImpossible, match="gh-pages is damaged in the remote repository"):
        place.publisher(push=push).publish(NEW, soon())

    branch.unlink()
    place.publisher(push=push).publish(NEW, soon())


def test_objects_of_both_kinds_of_name(tmp_path: Path) -> None:
    """Repositories may name objects by SHA-1 or SHA-256; a large one is read in pieces."""
    for content in (b"", b"x" * 3_000_000, os.urandom(2_500_000)):
        text = b"blob %d\0%s" % (len(content), content)
        for oid in (hashlib.sha1(text, usedforsecurity=False).hexdigest(), hashlib.sha256(text).hexdigest()):
            file = tmp_path / oid[:2] / oid[2:]
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(zlib.compress(text))
            assert not git_store.remove_damaged(str(tmp_path), lambda: True)
            file.write_bytes(zlib.compress(text) + b"x")
            assert git_store.remove_damaged(str(tmp_path), lambda: True)
            assert not file.exists()
