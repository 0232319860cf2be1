"""One run, with a source and targets in memory: when it asks, what it publishes, what it reports."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from heatmap.errors import (
    EXIT_TEMPORARY,
    ConfigError,
    LockedError,
    PublishError,
    PublishRefused,
    SourceBlocked,
    SourceNonsense,
)
from heatmap.market.calendar.packaged import SessionOptions
from heatmap.market.quotes import Quote
from heatmap.pictures.market_map import png
from heatmap.pictures.options import PageOptions
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.folder import FolderPublisher
from heatmap.run import one_run
from heatmap.state.memory import State, lock
from tests.doubles import MemoryPublisher, MemorySource, configuration, failure

FILES = [
    *("nse-fno/snapshot.json", "nse-fno/snapshot.csv", "nse-fno/heatmap.svg"),
    *("nse-fno/index.html", "index.html", "nse-fno/status.json"),
]
DAY = "nse-fno/2026/09/17/"
FINAL_FILES = [
    *FILES,
    *(f"{DAY}snapshot.json", f"{DAY}snapshot.csv", f"{DAY}heatmap.svg", f"{DAY}index.html"),
    "nse-fno/archive.html",
]


def at(text: str) -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"{text}+05:30")


OPEN = at("2026-09-17T11:00:00")
AUCTION = at("2026-09-17T15:20:00")
FINAL = at("2026-09-17T15:45:00")
NIGHT = at("2026-09-17T03:00:00")
SATURDAY = at("2026-09-19T11:00:00")
MUHURAT = at("2026-11-08T18:30:00")
BEFORE = at("2001-01-04T11:00:00")  # the calendar begins
BEYOND = at("2027-01-04T11:00:00")


def test_an_open_market_is_published_parts_first(tmp_path: Path) -> None:
    """One tick brings five files to the target, the pages after what they refer to."""
    source, target = MemorySource(), MemoryPublisher()

    report = one_run.run(configuration(tmp_path, source, target), now=OPEN)

    assert FILES == target.order
    assert (0, 1, 1) == (report.exit_code, source.asked, report.targets)
    assert b"UP" in target.pages["index.html"]


def test_a_folder_that_had_to_be_made(tmp_path: Path) -> None:
    """The first run says so; a later one warns, for the folder that visitors see may be another now."""
    target = FolderPublisher(f"file:{tmp_path}/site")
    said: list[str] = []
    config = configuration(tmp_path, MemorySource(), target)
    first = one_run.run(config, now=OPEN, say=said.append)
    second = one_run.run(config, now=OPEN + timedelta(minutes=5))
    shutil.rmtree(tmp_path / "site")
    third = one_run.run(config, now=OPEN + timedelta(minutes=10))

    assert f"made the folder {tmp_path}/site, not there before" in "".join(said)
    assert [[], []] == [report.warnings for report in (first, second)]
    assert [
        f"file:{tmp_path}/site: the folder {tmp_path}/site had to be made: check that visitors see the pages there"
    ] == third.warnings
    assert 0 == third.exit_code


def test_a_lock_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another repository was deleted: that is a warning, though all is well again."""
    target = MemoryPublisher()
    done = Delivery(1, 0, removed_locks=("/srv/site/.git/HEAD.lock",))
    monkeypatch.setattr(MemoryPublisher, "publish", lambda *_: done)
    report = one_run.run(configuration(tmp_path, MemorySource(), target), now=OPEN)

    assert 0 == report.exit_code
    assert [
        f"{target.name}: removed the lock /srv/site/.git/HEAD.lock, which a killed git process had left behind"
    ] == report.warnings


def test_fragments_that_are_configured_are_published(tmp_path: Path) -> None:
    """Before the page, each under its name."""
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)
    look = replace(config.page, fragments=("rs-sectors", "change-bars-dark"))

    one_run.run(config._replace(page=look), now=OPEN)

    assert [
        *FILES[:3],
        "nse-fno/fragment-rs-sectors.html",
        "nse-fno/fragment-change-bars-dark.html",
    ] == target.order[:5]
    assert b"UP" in target.pages["nse-fno/fragment-rs-sectors.html"]


@pytest.mark.parametrize("possible", [True, False])
def test_the_picture_is_png_too_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, possible: bool
) -> None:
    """With Pillow; without it the SVG is the picture, of which previews are told."""
    monkeypatch.setattr(png, "is_possible", lambda: possible)
    monkeypatch.setattr(png, "draw", lambda *_: b"a picture")
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target)._replace(
        page=PageOptions(), public_url="https://www.example.org/heatmap/"
    )

    one_run.run(config, now=OPEN)

    assert possible == ("nse-fno/heatmap.png" in target.pages)
    kind = b"png" if possible else b"svg"
    assert b"https://www.example.org/heatmap/nse-fno/heatmap." + kind in target.pages["index.html"]


@pytest.mark.parametrize("now", [NIGHT, SATURDAY, at("2026-09-17T15:40:00"), at("2026-11-24T11:00:00")])
def test_a_closed_market_is_left_alone(tmp_path: Path, now: datetime) -> None:
    """At night, on a weekend, while prices settle and on a holiday nothing is asked, published or written."""
    source, target = MemorySource(), MemoryPublisher()

    report = one_run.run(configuration(tmp_path, source, target), now=now)

    assert (0, 0, []) == (report.exit_code, source.asked, target.order)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("now", "as_of", "is_open", "published"),
    [
        (OPEN, OPEN, True, True),
        (OPEN, OPEN, None, True),
        (OPEN, OPEN, False, False),
        (OPEN, OPEN - timedelta(days=1), True, False),
        (AUCTION, AUCTION, False, True),
        (AUCTION, AUCTION - timedelta(days=1), True, False),
        (FINAL, FINAL, False, True),
        (FINAL, FINAL - timedelta(days=1), False, False),
        (MUHURAT, MUHURAT, True, True),
        (MUHURAT, MUHURAT, False, False),
        (MUHURAT, MUHURAT, None, False),
        (MUHURAT, MUHURAT - timedelta(days=2), True, False),
    ],
)
def test_the_body_may_veto(
    tmp_path: Path, now: datetime, as_of: datetime, is_open: bool | None, published: bool
) -> None:
    """While open by status or date; in the auction and after the close by date; unknown hours need a yes."""
    source, target = MemorySource(as_of=as_of, is_open=is_open), MemoryPublisher()

    report = one_run.run(configuration(tmp_path, source, target), now=now)

    assert (0, 1, published) == (report.exit_code, source.asked, bool(target.order))


def test_final_runs_once_a_session_date(tmp_path: Path) -> None:
    """The first tick after settling publishes; all others until midnight do not even ask; tomorrow's does."""
    source, target = MemorySource(is_open=False), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    for minutes in range(0, 480, 5):
        one_run.run(config, now=FINAL + timedelta(minutes=minutes))
    assert (1, 1) == (source.asked, target.runs)
    one_run.run(config, now=FINAL + timedelta(days=1))
    assert (2, 2) == (source.asked, target.runs)


def test_final_counts_only_once_every_target_has_it(tmp_path: Path) -> None:
    """A target that was down gets the final page with a later tick; then it is done."""
    source = MemorySource(is_open=False)
    good, bad = MemoryPublisher("good:"), MemoryPublisher("bad:", error=failure(PublishError))
    config = configuration(tmp_path, source, good, bad)

    assert 75 == one_run.run(config, now=FINAL).exit_code
    assert State(tmp_path / "state")["nse-fno"].final_date is None
    bad.error = None
    assert 0 == one_run.run(config, now=FINAL + timedelta(minutes=5)).exit_code
    # What the first of the two runs was remembered for.
    of_history = ("history.json", "replay.json", "later.js")
    assert FINAL_FILES == [path for path in bad.order if not path.endswith(of_history)]
    one_run.run(config, now=FINAL + timedelta(minutes=10))
    assert 2 == source.asked


def test_a_missed_final_heals(tmp_path: Path) -> None:
    """A vetoed or failed final run is tried again by the next tick."""
    source, target = MemorySource(is_open=False, error=failure(SourceBlocked)), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    assert 75 == one_run.run(config, now=FINAL).exit_code
    source.error = None
    one_run.run(config, now=FINAL + timedelta(minutes=5))
    assert 1 == target.runs


def test_a_time_before_the_calendar_is_told_once_a_date(tmp_path: Path) -> None:
    """Nothing is fetched: one sentence and exit 78, then silence and 0 for the rest of that date."""
    source, target = MemorySource(), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    codes = [one_run.run(config, now=BEFORE + timedelta(minutes=5 * n)).exit_code for n in range(3)]
    tomorrow = one_run.run(config, now=BEFORE + timedelta(days=1))

    assert [78, 0, 0] == codes
    assert "nse-fno: " in str(tomorrow.errors[0])
    assert (78, 0, []) == (tomorrow.exit_code, source.asked, target.order)


PRESUMED_AUCTION = at("2027-01-04T15:32:00")
PRESUMED_FINAL = at("2027-01-04T15:50:00")


@pytest.mark.parametrize(
    ("now", "as_of", "is_open", "published"),
    [
        (BEYOND, BEYOND, True, True),
        (BEYOND, BEYOND, False, False),
        (BEYOND, BEYOND, None, False),
        (BEYOND, BEYOND - timedelta(days=3), True, False),
        # After continuous trading every body says closed.
        (PRESUMED_AUCTION, PRESUMED_AUCTION, False, True),
        (PRESUMED_AUCTION, PRESUMED_AUCTION - timedelta(days=3), False, False),
        (PRESUMED_FINAL, PRESUMED_FINAL, False, True),
        (PRESUMED_FINAL, PRESUMED_FINAL - timedelta(days=3), False, False),
    ],
)
def test_past_the_calendars_end_the_body_decides(
    tmp_path: Path, now: datetime, as_of: datetime, is_open: bool | None, published: bool
) -> None:
    """On a weekday in the last known hours: published where it says open and is of today, exit 0 always."""
    source, target = MemorySource(as_of=as_of, is_open=is_open), MemoryPublisher()

    report = one_run.run(configuration(tmp_path, source, target), now=now)

    assert (0, 1, published) == (report.exit_code, source.asked, bool(target.order))


@pytest.mark.parametrize(
    "now", [at("2027-01-04T09:10:00"), at("2027-01-04T15:45:00"), at("2027-01-02T11:00:00")]
)
def test_past_the_calendars_end_it_rests_outside_the_usual_hours(tmp_path: Path, now: datetime) -> None:
    """Before the open, while prices settle, and on a Saturday nothing is fetched."""
    source = MemorySource()

    assert 0 == one_run.run(configuration(tmp_path, source, MemoryPublisher()), now=now).exit_code
    assert 0 == source.asked


def test_past_the_calendars_end_there_is_one_final_a_session(tmp_path: Path) -> None:
    """It counts as that of the date, and the next tick does not ask any more."""
    source, target = MemorySource(is_open=False), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    for minutes in (0, 5, 10):
        one_run.run(config, now=PRESUMED_FINAL + timedelta(minutes=minutes))

    assert (1, 1) == (source.asked, target.runs)
    assert "2027-01-04" == State(tmp_path / "state")["nse-fno"].final_date
    assert "nse-fno/2027/01/04/index.html" in target.pages


@pytest.mark.parametrize("now", [NIGHT, SATURDAY, at("2026-09-17T15:40:00"), MUHURAT, BEYOND])
def test_a_newcomer_sees_the_last_quotes_marked_closed(tmp_path: Path, now: datetime) -> None:
    """On a terminal a market without a page gets one whatever the hour, once, and never as the final one."""
    source, target = MemorySource(as_of=at("2026-09-16T16:00:00"), is_open=False), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    assert 0 == one_run.run(config, now=now, interactive=True).exit_code
    assert b'"phase": "closed"' in target.pages["nse-fno/snapshot.json"]
    assert State(tmp_path / "state")["nse-fno"].final_date is None
    one_run.run(config, now=now, interactive=True)
    assert 1 == target.runs


def test_force_overrides_guard_and_veto_but_marks_nothing_fresh(tmp_path: Path) -> None:
    """Yesterday's figures are drawn while the market is open, but as those of a closed market."""
    source, target = MemorySource(as_of=OPEN - timedelta(days=1)), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    one_run.run(config, now=OPEN, force=True)
    assert b'"phase": "closed"' in target.pages["nse-fno/snapshot.json"]
    source.as_of = None
    one_run.run(config, now=OPEN, force=True)
    assert b'"phase": "open"' in target.pages["nse-fno/snapshot.json"]
    one_run.run(config, now=SATURDAY, force=True)
    assert b'"phase": "closed"' in target.pages["nse-fno/snapshot.json"]


def test_force_draws_the_day_before_after_the_close_too(tmp_path: Path) -> None:
    """In the evening of a holiday announced late: marked closed, and no closing page of that day."""
    source, target = MemorySource(as_of=FINAL - timedelta(days=1), is_open=False), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    assert 0 == one_run.run(config, now=FINAL, force=True).exit_code
    assert b'"phase": "closed"' in target.pages["nse-fno/snapshot.json"]
    assert State(tmp_path / "state")["nse-fno"].final_date is None


def test_figures_from_the_future_make_no_sense(tmp_path: Path) -> None:
    """A body dated tomorrow is a fault, not a skip; five minutes of clock drift are none."""
    source, target = MemorySource(as_of=OPEN + timedelta(days=1)), MemoryPublisher()
    config = configuration(tmp_path, source, target)

    report = one_run.run(config, now=OPEN, force=True)
    assert (65, []) == (report.exit_code, target.order)
    assert "in the future" in str(report.errors[0])
    source.as_of = OPEN + timedelta(minutes=5)
    assert 0 == one_run.run(config, now=OPEN).exit_code


def test_a_dry_run_publishes_and_remembers_nothing(tmp_path: Path) -> None:
    """It draws every file and says so."""
    source, target, said = MemorySource(), MemoryPublisher(), list[str]()

    one_run.run(configuration(tmp_path, source, target), now=OPEN, dry_run=True, say=said.append)

    assert [] == target.order
    assert len(FILES) == sum(line.startswith("dry run: ") for line in said)
    assert State(tmp_path / "state")["nse-fno"].published_at is None


@pytest.mark.parametrize(("kind", "code"), [(SourceBlocked, 75), (SourceNonsense, 65)])
def test_a_failing_source_leaves_the_last_good_page(
    tmp_path: Path, kind: type[SourceBlocked], code: int
) -> None:
    """The page stays as it was, the error names the market, and the next run works."""
    source, target = MemorySource(), MemoryPublisher()
    config = configuration(tmp_path, source, target)
    one_run.run(config, now=OPEN)
    before = dict(target.pages)

    source.error = failure(kind)
    report = one_run.run(config, now=OPEN + timedelta(minutes=5))

    assert (code, before) == (report.exit_code, target.pages)
    assert ["nse-fno: it broke, because the test wants it: mend the test"] == [str(e) for e in report.errors]
    source.error = None
    assert 0 == one_run.run(config, now=OPEN + timedelta(minutes=10)).exit_code
    assert before != target.pages


def test_one_failing_target_does_not_stop_the_others(tmp_path: Path) -> None:
    """Before and after it in the list the pages arrive; the code says that not all is well."""
    targets = (
        MemoryPublisher("a:"),
        MemoryPublisher("b:", error=failure(PublishRefused)),
        MemoryPublisher("c:"),
    )

    report = one_run.run(configuration(tmp_path, MemorySource(), *targets), now=OPEN)

    assert [FILES, [], FILES] == [target.order for target in targets]
    assert 75 == report.exit_code


def test_a_bug_in_one_target_does_not_stop_the_others(tmp_path: Path) -> None:
    """Even what nobody foresaw costs only the target it happens in; the code is that of a bug."""
    targets = MemoryPublisher("a:", error=ZeroDivisionError()), MemoryPublisher("b:")

    report = one_run.run(configuration(tmp_path, MemorySource(), *targets), now=OPEN)

    assert (70, FILES) == (report.exit_code, targets[1].order)


def test_targets_that_all_refuse_share_their_code(tmp_path: Path) -> None:
    """Where every target refused the login the code is 77, and the market does not count as published."""
    targets = [MemoryPublisher(f"{n}:", error=failure(PublishRefused)) for n in range(2)]

    assert 77 == one_run.run(configuration(tmp_path, MemorySource(), *targets), now=OPEN).exit_code
    assert State(tmp_path / "state")["nse-fno"].published_at is None


def test_a_missing_secret_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """Every target's problem is named at once, and the source is spared; a closed market asks for none."""
    source = MemorySource()
    targets = [MemoryPublisher(f"{n}:", missing=(f"no password {n}",)) for n in range(2)]
    config = configuration(tmp_path, source, *targets)

    with pytest.raises(ConfigError) as caught:
        one_run.run(config, now=OPEN)
    assert (("0:: no password 0", "1:: no password 1"), 0) == (caught.value.problems, source.asked)
    assert 0 == one_run.run(config, now=NIGHT).exit_code


def test_a_second_run_leaves_at_once(tmp_path: Path) -> None:
    """While one run holds the state directory another does nothing."""
    source = MemorySource()

    with lock(tmp_path / "state"), pytest.raises(LockedError):
        one_run.run(configuration(tmp_path, source, MemoryPublisher()), now=OPEN)
    assert 0 == source.asked


def test_a_failing_market_does_not_stop_the_others(tmp_path: Path) -> None:
    """Each market has its folder; the top page is that of the first alone."""
    bad, good, target = MemorySource(error=failure(SourceNonsense)), MemorySource(), MemoryPublisher()

    report = one_run.run(configuration(tmp_path, bad, target, more=(("other", good),)), now=OPEN)

    assert [
        *("other/snapshot.json", "other/snapshot.csv", "other/heatmap.svg", "other/index.html"),
        "other/status.json",
    ] == target.order
    assert 65 == report.exit_code


def test_one_market_can_be_asked_for_alone(tmp_path: Path) -> None:
    """With `only`, the others are not even judged."""
    first, second, target = MemorySource(), MemorySource(), MemoryPublisher()

    one_run.run(configuration(tmp_path, first, target, more=(("other", second),)), now=OPEN, only="other")

    assert (0, 1) == (first.asked, second.asked)


def test_a_market_that_never_closes(tmp_path: Path) -> None:
    """It has no session: only figures more than a day old are turned away."""
    source, target = MemorySource(as_of=SATURDAY - timedelta(hours=23)), MemoryPublisher()
    config = configuration(tmp_path, source, target, session=SessionOptions(calendar="always"))

    one_run.run(config, now=SATURDAY)
    assert 1 == target.runs
    source.as_of = SATURDAY - timedelta(hours=25)
    one_run.run(config, now=SATURDAY)
    assert 1 == target.runs


def test_figures_of_a_session_over_midnight(tmp_path: Path) -> None:
    """A session that opened yesterday evening accepts figures stamped after midnight."""
    hours = SessionOptions(open="22:00", close="04:00", time_zone="Asia/Kolkata")
    source, target = MemorySource(), MemoryPublisher()

    one_run.run(configuration(tmp_path, source, target, session=hours), now=at("2026-09-18T01:00:00"))

    assert 1 == target.runs


def test_a_run_that_ended_meanwhile_is_seen(tmp_path: Path) -> None:
    """The state is read again under the lock, so a final page is never published twice."""
    source, target = MemorySource(is_open=False), MemoryPublisher()
    config = configuration(tmp_path, source, target)
    (tmp_path / "state").mkdir()

    class Late(MemoryPublisher):
        def problems(self) -> tuple[str, ...]:
            # Called between the first look at the state and the lock: here another run ends.
            State(tmp_path / "state").remember("nse-fno", final_date="2026-09-17")
            return ()

    report = one_run.run(configuration(tmp_path, source, Late()), now=FINAL)

    assert (0, 0) == (report.exit_code, source.asked)
    assert config.publishers == (target,)


def test_hostile_figures_reach_the_page_escaped(tmp_path: Path) -> None:
    """A symbol and a title are text, never markup."""
    source, target = (
        MemorySource(quotes=(Quote("<script>alert(1)</script>", 1.0, name='"><img src=x>'),)),
        MemoryPublisher(),
    )

    one_run.run(configuration(tmp_path, source, target), now=OPEN)

    assert b"<script>alert" not in target.pages["index.html"]
    assert b"<img" not in target.pages["index.html"]


def test_sources_that_hang_leave_the_others_time_to_be_published(tmp_path: Path) -> None:
    """They have two thirds of the run's time between them; then each is told, and the good page is published."""
    end = Event()
    hanging = [(f"hangs-{n}", MemorySource(before=lambda: end.wait(60))) for n in range(3)]
    target = MemoryPublisher()
    config = configuration(tmp_path, MemorySource(), target, more=tuple(hanging))
    report = one_run.run(config._replace(deadline_seconds=1.5), now=OPEN)
    end.set()

    assert "nse-fno/index.html" in target.pages
    assert ["hangs-0", "hangs-1", "hangs-2"] == [str(error).partition(":")[0] for error in report.errors]
    assert EXIT_TEMPORARY == report.exit_code
