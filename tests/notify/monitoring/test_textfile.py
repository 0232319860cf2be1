"""The metrics are in Prometheus's text format, survive a failed run, and harm no other file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from heatmap.notify.monitoring import textfile
from heatmap.notify.monitoring.textfile import Series
from tests.notify.monitoring.exposition import parse

A, B = (("market", "a"),), (("market", "b"),)
RUN = Series("heatmap_last_run_timestamp_seconds")
QUOTES, SUCCESS = "heatmap_quotes", "heatmap_last_success_timestamp_seconds"
LABELS = {A, B}


def read(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Parse the file with the reader that was written for these tests."""
    return parse(path.read_text("utf-8"))


def test_a_reader_finds_the_samples(tmp_path: Path) -> None:
    """Names, labels and values, to the millisecond, in a file that every user can read."""
    path = tmp_path / "heatmap.prom"
    old_umask = os.umask(0o077)
    try:
        problem = textfile.update(
            path, {RUN: 1789624800.1234, Series(QUOTES, A): 210, Series(QUOTES, B): 0}, LABELS
        )
    finally:
        os.umask(old_umask)

    assert problem is None
    assert {
        (RUN.name, frozenset()): 1789624800.123,
        (QUOTES, frozenset(A)): 210,
        (QUOTES, frozenset(B)): 0,
    } == read(path)
    assert 0o644 == path.stat().st_mode & 0o777
    assert ["heatmap.prom"] == os.listdir(tmp_path)


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", 'a\\"\n,b="c"} 3', "a\\n", "ünï, x", ""])
def test_any_label_can_be_read_back(tmp_path: Path, value: str) -> None:
    """By another reader, and by the next run."""
    path = tmp_path / "heatmap.prom"
    labels = (("market", value), ("phase", "open"))

    textfile.update(path, {Series("heatmap_phase", labels): 1}, {labels})
    assert {("heatmap_phase", frozenset(labels)): 1} == read(path)

    textfile.update(path, {RUN: 5}, {labels})
    assert {("heatmap_phase", frozenset(labels)): 1, (RUN.name, frozenset()): 5} == read(path)


def test_missing_samples_are_taken_from_the_previous_file(tmp_path: Path) -> None:
    """The last success survives a failed run; new samples replace old ones."""
    path = tmp_path / "heatmap.prom"
    textfile.update(path, {RUN: 100, Series(SUCCESS, A): 100, Series(QUOTES, A): 210}, LABELS)

    textfile.update(path, {RUN: 400, Series(QUOTES, A): 209}, LABELS)

    assert {
        (RUN.name, frozenset()): 400,
        (SUCCESS, frozenset(A)): 100,
        (QUOTES, frozenset(A)): 209,
    } == read(path)


def test_samples_of_a_removed_market_are_dropped(tmp_path: Path) -> None:
    """A removed market must not raise alarms for ever."""
    path = tmp_path / "heatmap.prom"
    textfile.update(path, {Series(SUCCESS, A): 100, Series(SUCCESS, B): 100}, LABELS)

    textfile.update(path, {RUN: 400}, {A})

    assert {(RUN.name, frozenset()): 400, (SUCCESS, frozenset(A)): 100} == read(path)


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"\0\xff\xfe", b"heatmap_quotes{", b'heatmap_quotes{market="a"} NaN\n'),
        *(
            b'heatmap_quotes{market="a"} 1.2.3\n',
            b'evil_total{market="a"} 1\n',
            b'heatmap_quotes{market="z"} 1\n',
        ),
        *(b'heatmap_quotes{market="a"} ' + b"9" * 400 + b"\n", b'heatmap_quotes{market="a",market="a"} 1\n'),
        *(b"heatmap_quotes 1\n", b"x" * (2 * 1024 * 1024)),
        *(b"heatmap_quotes{" + b"a" * 1_000_000 + b"} 1\n", b"heatmap_quotes{" + b"a,=" * 300_000 + b"} 1\n"),
    ],
)
def test_a_foreign_or_damaged_file_is_replaced(tmp_path: Path, damage: bytes) -> None:
    """The new file is valid and contains nothing of the old one."""
    path = tmp_path / "heatmap.prom"
    path.write_bytes(damage)

    assert textfile.update(path, {RUN: 400}, LABELS) is None

    assert {(RUN.name, frozenset()): 400} == read(path)


def test_the_names_of_metrics_follow_the_rules() -> None:
    """A prefix, base units, and no suffix of counters or histograms."""
    for name in textfile.HELP:
        assert re.fullmatch(r"heatmap_[a-z]+(_[a-z]+)*", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_info", "_minutes", "_ms"))
        if "timestamp" in name or "duration" in name:
            assert name.endswith("_seconds")


def folder_missing(path: Path) -> Path:
    """Return a path whose folder is missing."""
    return path / "missing" / "heatmap.prom"


def folder_a_file(path: Path) -> Path:
    """Return a path below a file."""
    (path / "file").write_text("")
    return path / "file" / "heatmap.prom"


def target_a_folder(path: Path) -> Path:
    """Return the path of a folder."""
    (path / "heatmap.prom" / "x").mkdir(parents=True)
    return path / "heatmap.prom"


@pytest.mark.parametrize("where", [folder_missing, folder_a_file, target_a_folder])
def test_a_failed_write_is_a_sentence(tmp_path: Path, where: Callable[[Path], Path]) -> None:
    """Nothing is raised, and no temporary file is left behind."""
    path = where(tmp_path)
    before = sorted(tmp_path.rglob("*"))

    problem = textfile.update(path, {RUN: 400}, LABELS)

    assert problem is not None
    assert re.fullmatch(
        r"cannot be written \(.+\): make room, or let this user write into its folder", problem
    )
    assert before == sorted(tmp_path.rglob("*"))


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """The old file stays unchanged."""
    path = tmp_path / "heatmap.prom"
    path.write_text("old")
    tmp_path.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may write anywhere; nobody may not
    try:
        problem = textfile.update(path, {RUN: 400}, LABELS)
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o755)

    assert "Permission denied" in str(problem)
    assert "old" == path.read_text()
    assert ["heatmap.prom"] == os.listdir(tmp_path)


@pytest.mark.process
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """Byte for byte, and nothing beside it; the limit on a file's size stands in for the disk."""
    path = tmp_path / "heatmap.prom"
    textfile.update(path, {RUN: 100, Series(QUOTES, A): 210}, LABELS)
    before = path.read_bytes()
    script = (
        "import resource, sys; from pathlib import Path; from heatmap.notify.monitoring import textfile\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\n"
        "print(textfile.update(Path(sys.argv[1]), {textfile.Series('heatmap_quotes'): 3}, set()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True, timeout=30
    )

    assert "cannot be written (File too large): make room" in done.stdout
    assert before == path.read_bytes()
    assert ["heatmap.prom"] == os.listdir(tmp_path)


def test_the_temporary_file_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    """Even if it is a link that another user has made."""
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / ".heatmap.prom.tmp").symlink_to(other)

    assert textfile.update(tmp_path / "heatmap.prom", {RUN: 400}, LABELS) is None

    assert "precious" == other.read_text()
    assert ["heatmap.prom", "other"] == sorted(os.listdir(tmp_path))


def test_a_pipe_in_its_place_does_not_hold_the_run(tmp_path: Path) -> None:
    """The pipe is replaced, not read."""
    path = tmp_path / "heatmap.prom"
    os.mkfifo(path)

    assert textfile.update(path, {RUN: 400}, LABELS) is None
    assert {(RUN.name, frozenset()): 400} == read(path)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """During 300 writes, each read finds the complete old file or the complete new one."""
    path = tmp_path / "heatmap.prom"
    samples = {Series(QUOTES, (("market", f"m{n}"),)): 1 for n in range(200)}
    textfile.update(path, samples, ())
    sizes, reads, done = set(), 0, threading.Event()

    def read_often() -> None:
        nonlocal reads
        while not done.is_set():
            sizes.add(len(path.read_bytes()))
            reads += 1

    reader = threading.Thread(target=read_often)
    reader.start()
    for value in range(300):
        textfile.update(path, dict.fromkeys(samples, value % 10), ())
    done.set()
    reader.join()

    assert reads > 50
    assert 1 == len(sizes)
