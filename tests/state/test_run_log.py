"""The run log outlives torn lines, later versions and years, and costs next to nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from heatmap.errors import (
    ConfigError,
    HeatmapError,
    LockedError,
    PublishError,
    SourceBlocked,
    SourceNonsense,
    StoppedError,
)
from heatmap.run import one_run
from heatmap.state import memory, run_log
from heatmap.state.memory import lock
from heatmap.state.run_log import RunOutcome
from tests.checkout import CHECKOUT
from tests.doubles import MemoryPublisher, MemorySource, configuration

OPEN = datetime.fromisoformat("2026-09-17T11:00:00+05:30")
FIVE_MINUTES = timedelta(minutes=5)
PUBLISHED = RunOutcome("nse-fno", OPEN, 0, "published", "", "nse", 210, OPEN - timedelta(seconds=2), 3.25)
BLOCKED = RunOutcome("nse-fno", OPEN + FIVE_MINUTES, 75, "blocked", "it answered 403: ask from elsewhere")


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    """In the order in which it was appended, with nothing lost of it, as one line each."""
    run_log.append(tmp_path / "state", [PUBLISHED])
    run_log.append(tmp_path / "state", [BLOCKED, PUBLISHED._replace(market="b")])

    assert [PUBLISHED, BLOCKED, PUBLISHED._replace(market="b")] == run_log.read(tmp_path / "state")
    first = (tmp_path / "state/outcomes.jsonl").read_text("utf-8").splitlines()[0]
    assert {
        "market": "nse-fno",
        "at": "2026-09-17T11:00:00+05:30",
        "code": 0,
        "word": "published",
        "sentence": "",
        "source": "nse",
        "quotes": 210,
        "as_of": "2026-09-17T10:59:58+05:30",
        "seconds": 3.25,
    } == json.loads(first)


def test_nothing_is_kept_at_first(tmp_path: Path) -> None:
    """Neither a file nor a folder need be there to be read."""
    assert ([], []) == (run_log.read(tmp_path / "x"), run_log.latest(tmp_path / "x", "nse-fno", 20))


@pytest.mark.parametrize(
    "line",
    [
        b'{"market": "nse-fno", "at": "2026-09-17T11:0',
        b"\xff\xfe\x00",
        b"[]",
        b"[" * 100_000,
        b'{"market": "nse-fno", "at": "yesterday", "code": 0, "word": "published"}',
        b'{"market": "nse-fno", "at": "2026-09-17T11:00:00", "code": 0, "word": "published"}',
        b'{"market": "nse-fno", "at": "2026-09-17T11:00:00+05:30", "code": true, "word": "published"}',
        b'{"market": "nse-fno", "at": "2026-09-17T11:00:00+05:30", "code": 0}',
        b'{"market": 3, "at": "2026-09-17T11:00:00+05:30", "code": 0, "word": "published"}',
        b'{"market": "a", "at": "2026-09-17T11:00:00+05:30", "code": 0, "word": "x", "seconds": NaN}',
        b'{"code": ' + b"1" * 5000 + b"}",
    ],
)
def test_a_line_that_makes_no_sense_is_passed_over(tmp_path: Path, line: bytes) -> None:
    """Those before and after it count; a torn one does not swallow the next."""
    run_log.append(tmp_path, [PUBLISHED])
    with (tmp_path / "outcomes.jsonl").open("ab") as file:
        file.write(line)
    run_log.append(tmp_path, [BLOCKED])

    assert [PUBLISHED, BLOCKED] == run_log.read(tmp_path)
    assert [BLOCKED] == run_log.latest(tmp_path, "nse-fno", 1)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "2026-09-17T11:00:00+05:30"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(RunOutcome._fields), JSON_VALUES), st.binary(max_size=60))
@example({"market": ""}, b"")
@example({"word": ""}, b"")
def test_no_line_can_break_a_reader(document: dict[str, object], rubbish: bytes) -> None:
    """The file may have any content: each outcome that is read can be shown in every zone and written again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        whole = {"market": "nse-fno", "at": OPEN.isoformat(), "code": 0, "word": "published", **document}
        lines = [rubbish, json.dumps(whole).encode(), json.dumps(document).encode()]
        (path / "outcomes.jsonl").write_bytes(b"\n".join(lines))
        found = run_log.read(path)
        run_log.append(path, found)
        for each in found:
            for moment in filter(None, (each.at, each.as_of)):
                assert moment.astimezone(ZoneInfo("Asia/Kolkata")) == moment
        assert 2 * len(found) == len(run_log.read(path))
        assert run_log.read_marker(rubbish.decode("latin-1")) is None


def test_a_sentence_is_one_of_letters(tmp_path: Path) -> None:
    """A server's text cannot move the cursor in the terminal that shows the status."""
    run_log.append(tmp_path, [BLOCKED._replace(sentence="it said \x1b[2J\u202e\r\nno: mend it")])

    (found,) = run_log.read(tmp_path)
    assert "it said  [2J   no: mend it" == found.sentence


def test_a_later_version_may_add_to_a_line(tmp_path: Path) -> None:
    """A key that is not known costs nothing that is."""
    line = {"market": "nse-fno", "at": OPEN.isoformat(), "code": 0, "word": "published", "mood": "calm"}
    (tmp_path / "outcomes.jsonl").write_text(json.dumps(line))

    assert [RunOutcome("nse-fno", OPEN, 0, "published")] == run_log.read(tmp_path)


def test_it_is_bounded(tmp_path: Path) -> None:
    """Years of ticks take 1 MiB at most; the newest stay, and each market's last good one."""
    good = PUBLISHED._replace(market="rare", at=OPEN - timedelta(days=9))
    run_log.append(tmp_path, [good._replace(at=good.at - FIVE_MINUTES), good])
    sizes = []
    for number in range(6000):
        run_log.append(tmp_path, [BLOCKED._replace(at=OPEN + number * FIVE_MINUTES, sentence="x" * 200)])
        sizes.append((tmp_path / "outcomes.jsonl").stat().st_size)

    kept = run_log.read(tmp_path)
    assert 1024 * 1024 >= max(sizes)
    assert sizes[-1] < max(sizes)
    assert good == kept[0]
    assert 1000 < len(kept) < 4000
    assert [OPEN + number * FIVE_MINUTES for number in range(6001 - len(kept), 6000)] == [
        each.at for each in kept[1:]
    ]
    assert ["outcomes.jsonl"] == [path.name for path in tmp_path.iterdir()]


def test_a_long_sentence_is_cut(tmp_path: Path) -> None:
    """A line stays a line."""
    run_log.append(tmp_path, [BLOCKED._replace(sentence="\n" + "x" * 9000)])

    assert 1000 > (tmp_path / "outcomes.jsonl").stat().st_size
    assert 1 == len(run_log.read(tmp_path))


def test_the_latest_are_found_at_the_end(tmp_path: Path) -> None:
    """Of one market, so many at most, oldest first, however long the file is."""
    for number in range(3000):
        market = "b" if number % 100 == 99 else "a"
        run_log.append(tmp_path, [PUBLISHED._replace(market=market, at=OPEN + number * FIVE_MINUTES)])

    assert [OPEN + number * FIVE_MINUTES for number in (2899, 2999)] == [
        each.at for each in run_log.latest(tmp_path, "b", 2)
    ]


def test_it_costs_a_tick_less_than_two_milliseconds(tmp_path: Path) -> None:
    """One more line, and the last twenty for status.json, of a file that is nearly full."""
    while (
        not (tmp_path / "outcomes.jsonl").exists() or (tmp_path / "outcomes.jsonl").stat().st_size < 900_000
    ):
        run_log.append(tmp_path, [BLOCKED] * 100)
    costs = []
    for _ in range(20):
        begun = time.process_time()
        run_log.append(tmp_path, [BLOCKED])
        assert 20 == len(run_log.latest(tmp_path, "nse-fno", 20))
        costs.append(time.process_time() - begun)

    assert 0.002 > sorted(costs)[10]


def kept(tmp_path: Path) -> list[RunOutcome]:
    """The outcomes of the runs in this folder, without their durations."""
    found = run_log.read(tmp_path / "state")
    assert all(each.seconds is not None for each in found if each.kind != "killed")
    return [each._replace(seconds=None) for each in found]


def test_a_tick_that_goes_well(tmp_path: Path) -> None:
    """Its source, quotes and their time."""
    as_of = OPEN - timedelta(seconds=2)
    report = one_run.run(configuration(tmp_path, MemorySource(as_of=as_of), MemoryPublisher()), now=OPEN)

    (found,) = kept(tmp_path)
    assert ("nse-fno", OPEN, 0, "published", "", 2, as_of) == (*found[:5], *found[6:8])
    assert found.source
    assert report.outcomes[0]._replace(seconds=None) == found


def test_a_veto(tmp_path: Path) -> None:
    """It is no failure, and its reason is told."""
    one_run.run(configuration(tmp_path, MemorySource(is_open=False), MemoryPublisher()), now=OPEN)

    (found,) = kept(tmp_path)
    assert (0, "skipped", "the source says that the market is not open") == found[2:5]


def test_what_fails_is_kept_with_its_word(tmp_path: Path) -> None:
    """A source that fails, a target that does, one of two targets: word, code and sentence."""
    source, target, other = MemorySource(), MemoryPublisher(), MemoryPublisher(name="other:")
    config = configuration(tmp_path, source, target, other)
    source.error = SourceBlocked("it answered 403: ask from elsewhere")
    one_run.run(config, now=OPEN)
    source.error, target.error = None, PublishError("memory:: no room: make some")
    one_run.run(config, now=OPEN + FIVE_MINUTES)
    other.error = PublishError("other:: no way")
    one_run.run(config, now=OPEN + 2 * FIVE_MINUTES)

    assert [
        (75, "blocked", "it answered 403: ask from elsewhere"),
        (75, "target", "memory:: no room: make some"),
        (75, "target", "memory:: no room: make some; other:: no way"),
    ] == [each[2:5] for each in kept(tmp_path)]


def test_each_market_has_its_own(tmp_path: Path) -> None:
    """One whose source fails leaves another's outcome good; the run's code is that of the failure."""
    bad, good = MemorySource(error=SourceNonsense("no figures: wait")), MemorySource()
    config = configuration(tmp_path, bad, MemoryPublisher())
    also = configuration(tmp_path, good, MemoryPublisher()).markets[0]._replace(name="b")
    report = one_run.run(config._replace(markets=(*config.markets, also)), now=OPEN)

    assert 65 == report.exit_code
    assert [("nse-fno", 65, "changed", "no figures: wait"), ("b", 0, "published", "")] == [
        (each.market, *each[2:5]) for each in kept(tmp_path)
    ]


def test_what_raises_is_kept(tmp_path: Path) -> None:
    """A bug by its kind alone, a configuration that cannot be, another run at work, a key pressed."""
    source = MemorySource(error=KeyError("canary"))
    config = configuration(tmp_path, source, MemoryPublisher())
    with pytest.raises(KeyError):
        one_run.run(config, now=OPEN)
    source.error = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        one_run.run(config, now=OPEN)
    with lock(tmp_path / "state"), pytest.raises(LockedError):
        one_run.run(config, now=OPEN)
    with pytest.raises(ConfigError):
        one_run.run(
            configuration(tmp_path, source, MemoryPublisher(missing=("no password: set it",))), now=OPEN
        )

    found = kept(tmp_path)
    assert [(70, "bug"), (75, "stopped"), (75, "locked"), (78, "configuration")] == [
        each[2:4] for each in found
    ]
    assert "a bug (KeyError): see the run's own output" == found[0].sentence
    assert "no password: set it" == found[3].sentence.removeprefix("memory:: ")


def test_a_disk_that_is_full_costs_no_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome is lost, which is said, and the page is published."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)  # which appends the outcome
    said: list[str] = []
    report = one_run.run(
        configuration(tmp_path, MemorySource(), MemoryPublisher()), now=OPEN, say=said.append
    )

    assert 0 == report.exit_code
    assert "monitor: the outcome could not be saved (No space left on device)" in said


def start(folder: Path, hang: str) -> subprocess.Popen[bytes]:
    """Start a run, as cron would, whose drawing hangs."""
    (folder / "heatmap.toml").write_text(
        'deadline_seconds = 5\n[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'
    )
    script = (
        f"import os, sys, heatmap.run.market_files as pages, time\ndef hang(*_):\n {hang}\n time.sleep(600)\n"
        "pages.draw = hang\nfrom heatmap import cli\nsys.exit(cli.main())"
    )
    command = [sys.executable, "-c", script, "run", "--now", OPEN.isoformat()]
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.defpath}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)


def test_every_word_is_documented() -> None:
    """The documentation lists every kind of outcome."""

    def words(kind: type[HeatmapError]) -> set[str]:
        return {kind.kind}.union(*map(words, kind.__subclasses__()))

    own = {run_log.PUBLISHED, run_log.RESTING, run_log.ELSEWHERE, run_log.KILLED}
    page = (CHECKOUT / "docs/operating.md").read_text("utf-8")
    table = page[page.index("| word | the run |") :].partition("\n\n")[0]

    never = {"usage"}  # no run begins with it
    own.add(StoppedError.kind)
    assert own | words(HeatmapError) - never == {*re.findall(r"`([a-z]+)`", table)}


@pytest.mark.process
def test_a_run_that_was_killed_is_found_by_the_next(tmp_path: Path) -> None:
    """It could say nothing; its mark in the lock's file does, once."""
    with start(tmp_path, "os.kill(os.getpid(), 9)") as process:
        assert -signal.SIGKILL == process.wait(30)
    config = configuration(tmp_path, MemorySource(), MemoryPublisher())
    for number in (1, 2):
        one_run.run(config, now=OPEN + number * FIVE_MINUTES)

    found = kept(tmp_path)
    assert [(OPEN, 75, "killed"), (OPEN + FIVE_MINUTES, 0, "published")] == [each[1:4] for each in found[:2]]
    assert 3 == len(found)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), StoppedError("stopped"), ValueError("a bug")])
def test_a_run_is_never_without_mark_and_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    """However it ends, its outcome is kept before its mark goes: killed in between, it is known all the same."""
    seen: list[tuple[bool, int]] = []
    change = memory._change_mark

    def look(file: Any, mark: str) -> str:  # noqa: ANN401 -- the lock's own
        seen.append((bool(mark), len(kept(tmp_path)) if seen else 0))
        return change(file, mark)

    monkeypatch.setattr(memory, "_change_mark", look)
    source = MemorySource()
    source.error = error  # type: ignore[assignment]
    with suppress(KeyboardInterrupt, StoppedError, ValueError):
        one_run.run(configuration(tmp_path, source, MemoryPublisher()), now=OPEN)

    assert [(True, 0), (False, 1)] == seen
    assert 1 == len(kept(tmp_path))


@pytest.mark.process
def test_a_run_that_hung_is_kept_once(tmp_path: Path) -> None:
    """A run that was ended at its deadline from another thread records this itself; the next run adds nothing."""
    with start(tmp_path, "pass") as process:
        assert 75 == process.wait(30)
    one_run.run(configuration(tmp_path, MemorySource(), MemoryPublisher()), now=OPEN + FIVE_MINUTES)

    assert [(OPEN, 75, "deadline"), (OPEN + FIVE_MINUTES, 0, "published")] == [
        each[1:4] for each in kept(tmp_path)
    ]


@pytest.mark.process
def test_a_run_that_was_stopped_says_so(tmp_path: Path) -> None:
    """SIGTERM leaves it the time."""
    with start(tmp_path, "os.kill(os.getpid(), 15)") as process:
        assert 75 == process.wait(30)

    assert [(OPEN, 75, "stopped")] == [each[1:4] for each in kept(tmp_path)]
    assert b"" == (tmp_path / "state/lock").read_bytes()


@pytest.mark.parametrize("words", ["theirs\n", '{"shop": "a"}\n' * 9000])
def test_another_program_s_file_is_set_aside(tmp_path: Path, words: str) -> None:
    """Whole, with a sentence; nothing is added to it, and nothing of it forgotten."""
    (tmp_path / run_log.FILE_NAME).write_text(words)
    told: list[str] = []

    run_log.append(tmp_path, [PUBLISHED], told.append)
    run_log.append(tmp_path, [BLOCKED], told.append)

    assert [PUBLISHED, BLOCKED] == run_log.read(tmp_path)
    assert words == (tmp_path / "outcomes.damaged.jsonl").read_text()
    assert 1 == len(told)
    assert "outcomes.damaged.jsonl" in told[0]
