"""`heatmap calendar` as it is used: against a stand-in exchange, with a body saved before, and by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from heatmap import cli
from tests.servers.exchange import Exchange
from tests.servers.exchange_holidays import LISTED_2026, MADE_UP_2027, holiday_master

IN_NOVEMBER = ("--now", "2026-11-20T12:00:00+05:30")
IN_DECEMBER = ("--now", "2026-12-14T12:00:00+05:30")
CONFIGURED = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "nse"\nbase_url = "{url}"\n[market.session]\noverrides = "own.toml"\n'
IN_STATE = Path("state/holidays-nse-equity-fno.toml")
OWN = '# What I learnt myself.\n[[closed]]\ndate = 2026-12-01   # on the radio\nname = "Election"\n'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def calendar(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command: its exit code, what it printed, and what it complained of."""

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["calendar", *words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[dict[str, str]], str]:
    """Save a list as a browser would; return its path."""

    def save(listed: dict[str, str]) -> str:
        path = tmp_path / "holiday-master.json"
        path.write_bytes(holiday_master(listed))
        return str(path)

    return save


def test_check_agrees(calendar: Callable[..., tuple[int, str, str]]) -> None:
    """Exit 0 and one line, asked of the exchange that the configuration names."""
    with Exchange() as exchange:
        Path("heatmap.toml").write_text(CONFIGURED.format(url=exchange.url))
        Path("own.toml").write_text("")

        code, out, err = calendar("check", *IN_NOVEMBER)

    assert (0, "nse-fno: the calendar agrees with the exchange's list of 2026\n", "") == (code, out, err)
    assert "/api/holiday-master" == exchange.paths[-1]


def test_check_tells_of_hours_that_are_missing(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """Until the day is over: the hours of the Muhurat session come late, and somebody has to enter them."""
    body = saved(LISTED_2026)

    assert (
        "Diwali Muhurat session on 2026-11-08"
        in calendar("check", "--from", body, "--now", "2026-11-08T23:00:00+05:30")[1]
    )
    assert "note" not in calendar("check", "--from", body, "--now", "2026-11-09T00:00:00+05:30")[1]


def test_check_tells_what_differs(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """Exit 65, each date, and what mends it."""
    code, out, _ = calendar("check", "--from", saved({**LISTED_2026, "2026-12-01": "Election"}), *IN_NOVEMBER)

    assert 65 == code
    assert "the list has 2026-12-01 Tue  closed, Election" in out
    assert "heatmap calendar update" in out


def test_what_is_left_of_a_year_is_passed_over(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """Beside the next year's list it tells nothing of the days that are over."""
    left = {day: name for day, name in LISTED_2026.items() if day >= "2026-12"}
    body = saved({**left, **MADE_UP_2027})

    assert calendar("update", "--from", body, *IN_DECEMBER)[0] == 0
    assert "coverage_to = 2027-12-31" in IN_STATE.read_text()
    assert calendar("check", "--from", body, *IN_DECEMBER)[0] == 0


def test_next_year_is_missing(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """Once the list of the next year is out, that is a difference; so it is in a list of both years."""
    assert (0, "") == calendar("check", "--from", saved(LISTED_2026), *IN_DECEMBER)[::2]

    for listed in (MADE_UP_2027, {**LISTED_2026, **MADE_UP_2027}):
        code, out, _ = calendar("check", "--from", saved(listed), *IN_DECEMBER)
        assert 65 == code
        assert "the calendar ends on 2026-12-31" in out


def test_update_merges_into_the_overrides(calendar: Callable[..., tuple[int, str, str]]) -> None:
    """The user's lines stay to the letter; then the check agrees and the guard goes by it, mode and all."""
    with Exchange() as exchange:
        exchange.holidays = holiday_master({**MADE_UP_2027})
        Path("heatmap.toml").write_text(CONFIGURED.format(url=exchange.url))
        Path("own.toml").write_text(OWN)
        Path("own.toml").chmod(0o640)

        code, out, err = calendar("update", *IN_DECEMBER)
        assert (0, "") == (code, err)
        assert "the calendar now ends on 2027-12-31, not on 2026-12-31" in out
        assert (
            Path("own.toml")
            .read_text()
            .startswith(f"coverage_to = 2027-12-31\n{OWN}\n# >>> holidays of 2027")
        )
        assert 0o640 == Path("own.toml").stat().st_mode & 0o777
        assert (0, "") == calendar("check", *IN_DECEMBER)[::2]

        written = Path("own.toml").stat()
        assert (0, "", "") == calendar("update", *IN_DECEMBER)  # silent, as cron wants it
        assert written == Path("own.toml").stat()
    assert ["heatmap.toml", "own.toml"] == sorted(path.name for path in Path().iterdir())


def test_after_an_update_the_new_year_trades(calendar: Callable[..., tuple[int, str, str]]) -> None:
    """The same run that had no calendar has a page that carries the new end; on its closures it rests."""
    monday = datetime.fromisoformat("2027-01-04T11:00:00+05:30")
    tick = ["run", "--quiet", "--now"]
    with Exchange(now=monday) as exchange:
        exchange.holidays = holiday_master(MADE_UP_2027)
        Path("heatmap.toml").write_text(CONFIGURED.format(url=exchange.url))
        Path("own.toml").write_text("")
        exchange.faults = {"holiday-master": "403"}
        assert 0 == cli.main([*tick, monday.isoformat()])
        assert "2027-01-01T00:00:00+05:30" in Path("site/index.html").read_text()
        exchange.faults = {}

        assert 0 == calendar("update", "--now", monday.isoformat())[0]
        assert 0 == cli.main([*tick, monday.isoformat()])
        asked = len(exchange.seen)
        assert 0 == cli.main([*tick, "2027-01-26T11:00:00+05:30"])
        assert asked == len(exchange.seen)

    assert "2028-01-01T00:00:00+05:30" in Path("site/index.html").read_text()


def test_a_dry_run_shows_the_difference(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """As a diff; nothing is written."""
    body = saved(MADE_UP_2027)

    code, out, _ = calendar("update", "--dry-run", "--from", body, *IN_DECEMBER)
    assert 0 == code
    assert "+coverage_to = 2027-12-31" in out
    assert "+date = 2027-01-26" in out
    assert not IN_STATE.exists()


def test_without_overrides_it_is_kept_in_the_state_directory(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """And holds at once, without a line of configuration; the second time nothing is new."""
    body = saved(MADE_UP_2027)

    code, out, _ = calendar("update", "--from", body, *IN_DECEMBER)
    assert 0 == code
    assert f"written: {IN_STATE.absolute()}" in out
    assert 0 == calendar("check", "--from", body, *IN_DECEMBER)[0]
    written = IN_STATE.stat()
    assert (0, "", "") == calendar("update", "--from", body, *IN_DECEMBER)
    assert written == IN_STATE.stat()


def test_two_years_at_once(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """Each year has its block, written in one go."""
    body = saved({**LISTED_2026, "2026-12-24": "Election", **MADE_UP_2027})

    assert 0 == calendar("update", "--from", body, *IN_DECEMBER)[0]
    text = IN_STATE.read_text()
    assert [1, 1] == [text.count(f"# >>> holidays of {year}") for year in (2026, 2027)]
    assert 0 == calendar("check", "--from", body, *IN_DECEMBER)[0]


def test_markets_that_share_a_file(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """It is written once; a market that goes by no such calendar is left out, and alone it is an error."""
    session = '[market.session]\noverrides = "own.toml"\n'
    other = '[[market]]\nname = "coins"\n[market.session]\ncalendar = "always"\n'
    Path("heatmap.toml").write_text(
        f'[[market]]\nname = "a"\n{session}[[market]]\nname = "b"\n{session}{other}'
    )
    Path("own.toml").write_text("")

    code, out, _ = calendar("update", "--from", saved(MADE_UP_2027), *IN_DECEMBER)
    assert 0 == code
    assert "a, b: the exchange's list of 2027" in out
    assert 1 == Path("own.toml").read_text().count("2027-01-26")
    code, _, err = calendar("update", "--market", "coins", "--from", saved(MADE_UP_2027))
    assert 78 == code
    assert "nse-equity-fno" in err


def test_on_a_terminal_it_says_that_nothing_is_new(
    calendar: Callable[..., tuple[int, str, str]],
    saved: Callable[[dict[str, str]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There somebody waits for an answer, and is told where derivatives differ."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    Path("differing.json").write_bytes(
        holiday_master(derivatives={**LISTED_2026, "2026-12-24": "Settlement"})
    )

    code, out, _ = calendar("update", "--from", "differing.json", *IN_NOVEMBER)
    assert 0 == code
    assert "nothing to write" in out
    assert "note: 2026-12-24 is a holiday for derivatives, not for equities" in out


def test_what_cannot_be_right_is_refused(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """Exit 65 and one sentence; nothing is written."""
    shorter = {day: name for day, name in LISTED_2026.items() if day < "2026-12"}

    code, _, err = calendar("update", "--from", saved(shorter), *IN_NOVEMBER)
    assert 65 == code
    assert "no longer has 2026-12-25 (Christmas)" in err
    assert 1 == err.count("\n")
    assert not IN_STATE.exists()


@pytest.mark.parametrize(
    ("fault", "code", "part"),
    [
        ("403", 75, "403"),
        ("404", 65, "404"),
        ("html", 75, "web page"),
        ("truncated JSON", 65, "no whole JSON"),
    ],
)
def test_an_exchange_that_gives_no_list(
    calendar: Callable[..., tuple[int, str, str]], fault: str, code: int, part: str
) -> None:
    """One sentence with the way out: a list saved from a browser."""
    with Exchange(fault=fault) as exchange:
        Path("heatmap.toml").write_text(CONFIGURED.format(url=exchange.url))
        Path("own.toml").write_text("")

        found, _, err = calendar("check", *IN_NOVEMBER)

    assert code == found
    assert all(each in err for each in part)
    assert 1 == err.count("\n")


def test_files_that_cannot_be_read_or_written(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """They are named, and what stood there stays."""
    code, _, err = calendar("check", "--from", "none.json")
    assert (78, True) == (code, "none.json cannot be read" in err)

    Path("heatmap.toml").write_text(CONFIGURED.format(url="http://127.0.0.1:9"))
    Path("own.toml").write_text(OWN)
    Path(f".heatmap-own.toml.{os.getpid()}.tmp").mkdir()  # where the new file would be written first
    code, out, _ = calendar("update", "--from", saved(MADE_UP_2027), *IN_DECEMBER)
    assert (0, True) == (code, f"written: {IN_STATE.absolute()}" in out)
    IN_STATE.unlink()
    Path(IN_STATE.parent, f".heatmap-{IN_STATE.name}.{os.getpid()}.tmp").mkdir()
    code, _, err = calendar("update", "--from", saved(MADE_UP_2027), *IN_DECEMBER)
    assert (78, [True, True]) == (
        code,
        [f"{name} cannot be written" in err for name in ("own.toml", IN_STATE.name)],
    )
    assert OWN == Path("own.toml").read_text()


def test_an_older_block_that_cannot_be_changed_is_told(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """The file of the state directory lies beneath the overrides, so it cannot move a feast that stands there."""
    Path("heatmap.toml").write_text(CONFIGURED.format(url="http://127.0.0.1:9"))
    Path("own.toml").write_text("")
    assert 0 == calendar("update", "--from", saved(MADE_UP_2027), *IN_DECEMBER)[0]
    Path(f".heatmap-own.toml.{os.getpid()}.tmp").mkdir()
    moved = {day.replace("03-22", "03-23"): name for day, name in MADE_UP_2027.items()}

    code, _, err = calendar("update", "--from", saved(moved), *IN_DECEMBER)

    assert 78 == code
    assert "2027-03-22" in err
    assert not IN_STATE.exists()


def test_a_link_stays_a_link(
    calendar: Callable[..., tuple[int, str, str]], saved: Callable[[dict[str, str]], str]
) -> None:
    """The file that the link leads to is replaced."""
    Path("elsewhere").mkdir()
    Path("elsewhere/shared.toml").write_text(OWN)
    Path("heatmap.toml").write_text(CONFIGURED.format(url="http://127.0.0.1:9"))
    Path("own.toml").symlink_to("elsewhere/shared.toml")

    assert 0 == calendar("update", "--from", saved(MADE_UP_2027), *IN_DECEMBER)[0]
    assert Path("own.toml").is_symlink()
    assert "2027-01-26" in Path("elsewhere/shared.toml").read_text()
