"""The command line as a person or cron meets it: what is said where, and the exit codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.cli import commands, parser
from heatmap.pictures.market_map import png
from heatmap.run import one_run
from tests.checkout import CHECKOUT

REFERENCE = CHECKOUT / "docs" / "reference.md"
RECORDED = """
[[market]]
name = "nse-fno"
[market.source]
type = "recording"
"""
NOWHERE = "http://127.0.0.1:9"  # as a proxy it keeps a test from asking the exchange
DURING, AFTER, NIGHT = "2026-09-17T11:00:00+05:30", "2026-09-17T16:05:00+05:30", "2026-09-17T03:00:00+05:30"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration that draws the recorded day, as the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heatmap.toml").write_text(RECORDED)
    return tmp_path


def on_a_terminal(*argv: str) -> tuple[int, str]:
    """Run the program with a terminal for its output; return its code and what stood on the screen."""
    master, slave = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "heatmap", *argv], stdout=slave, stderr=slave, stdin=slave
    ) as process:
        os.close(slave)
        screen = b""
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:  # Linux says EIO once the other end is closed
                break
            if not block:
                break
            screen += block
    os.close(master)
    return process.returncode, screen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    "argv",
    [
        ["fly"],
        ["runn"],
        ["run", "--forse"],
        ["history", "exprt"],
        ["run", "--log-format", "jsn"],
        ["run", "--fast"],
        ["run", "--now", "10:00"],
        ["run", "--now", "2026-09-17T11:00:00"],
        ["run", "--now", "0001-01-01T00:00:00+00:00"],
        ["run", "--market", "nyse"],
        ["session", "--now", "tomorrow"],
        ["demo", "--port", "99999"],
        ["demo", "--seconds", "0"],
        ["demo", "--days", "0"],
    ],
)
def test_wrong_usage_is_one_sentence_and_64(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    """No usage page, no traceback: what was wrong, and where to look."""
    assert 64 == cli.main(argv)

    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert err.startswith("heatmap: ")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`heatmap --help` lists all of them, each with its line."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])

    out = capsys.readouterr().out
    assert 0 == caught.value.code
    assert all(re.search(rf"^    {name} +\w", out, re.MULTILINE) for name in parser.COMMANDS)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "check"),
        (["history"], "backfill"),
        (["calendar"], "update"),
        (["help"], "check"),
        (["help", "run"], "--force"),
    ],
    ids=str,
)
def test_who_asks_for_nothing_is_helped(
    capsys: pytest.CaptureFixture[str], argv: list[str], named: str
) -> None:
    """The help of the program, or of a command that does nothing without an action."""
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)

    out, err = capsys.readouterr()
    assert (0, "") == (caught.value.code, err)
    assert out.startswith("usage: heatmap")
    assert named in out


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["runn"], "there is no command 'runn': did you mean 'run'?"),
        (["statsu"], "there is no command 'statsu': did you mean 'status'?"),
        (["run", "--forse"], "there is no option '--forse': did you mean '--force'?"),
        (["run", "--nwo=now"], "there is no option '--nwo': did you mean '--now'?"),
        (["history", "exprt"], "there is no action 'exprt': did you mean 'export'?"),
        (["history", "export", "--fromat", "csv"], "there is no option '--fromat': did you mean '--format'?"),
        (["run", "--log-format", "jsn"], "--log-format cannot be 'jsn': did you mean 'json'?"),
        (["xyzzy"], "there is no command 'xyzzy' (known: run, demo,"),
    ],
    ids=str,
)
def test_a_slip_of_the_fingers(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], meant: str
) -> None:
    """The error names the likely command, and how to see all."""
    assert 64 == cli.main(argv)

    err = capsys.readouterr().err
    assert err.startswith(f"heatmap: {meant}")
    assert err.endswith("--help\n")


@pytest.mark.parametrize("spelt", [["--config", "other.toml"], ["--config=other.toml"]], ids=str)
def test_the_configuration_before_the_command(
    here: Path, capsys: pytest.CaptureFixture[str], spelt: list[str]
) -> None:
    """--config may stand in either place."""
    (here / "heatmap.toml").rename(here / "other.toml")

    assert 0 == cli.main([*spelt, "schedule", "--now", NIGHT])
    assert f"--config {here / 'other.toml'}" in capsys.readouterr().out


@pytest.mark.parametrize("command", parser.COMMANDS)
def test_every_command_and_option_is_documented(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """docs/reference.md names each command, and in its row each option."""
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    options = set(re.findall(r"(--[a-z-]+)", capsys.readouterr().out)) - {"--help", "--config", "--verbose"}
    row = next(
        line
        for line in REFERENCE.read_text("utf-8").splitlines()
        if line.startswith(f"| `heatmap {command}`")
    )

    assert [] == sorted(option for option in options if f"`{option}" not in row)


def test_a_run_without_a_terminal_is_silent(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Cron mails whatever is said: a published page, a closed market and a second final run say nothing."""
    codes = [cli.main(["run", "--now", now]) for now in (DURING, NIGHT, AFTER, AFTER)]

    assert ([0, 0, 0, 0], ("", "")) == (codes, capfd.readouterr())
    assert (here / "site" / "index.html").exists()


def test_a_body_of_another_day_is_silent_under_cron(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A holiday announced late must not mail seventy-five times; asked to, the run tells."""
    assert 0 == cli.main(["run", "--now", "2026-09-18T11:00:00+05:30"])
    assert ("", "") == capfd.readouterr()
    assert 0 == cli.main(["run", "-v", "--now", "2026-09-18T11:00:00+05:30"])
    assert (
        "skipped, the figures are of 2026-09-17, not of the session of 2026-09-18" in capfd.readouterr().out
    )
    assert not (here / "site").exists()


@pytest.mark.process
def test_a_run_on_a_terminal_tells_what_it_does(here: Path) -> None:
    """Configuration, guard, source and target have a line each; --quiet silences them."""
    code, screen = on_a_terminal("run", "--now", DURING)

    assert 0 == code
    assert [
        f"configuration: {here}/heatmap.toml",
        "nse-fno: open.",
        "nse-fno: asking recording",
        "nse-fno: 210 quotes as of 17 Sep 2026 11:00:00 IST",
        f"file:{here}/site: ",
    ] == [
        line[: len(start)]
        for line, start in zip(
            screen.splitlines(),
            [
                f"configuration: {here}/heatmap.toml",
                "nse-fno: open.",
                "nse-fno: asking recording",
                "nse-fno: 210 quotes as of 17 Sep 2026 11:00:00 IST",
                f"file:{here}/site: ",
            ],
            strict=True,
        )
    ]
    assert (0, "") == on_a_terminal("run", "--quiet", "--now", DURING)


@pytest.mark.process
def test_a_run_in_the_wrong_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal: that there is no configuration, what holds then, and how to make one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    _, screen = on_a_terminal("run", "--now", NIGHT)

    first = screen.splitlines()[0]
    assert first.startswith(
        f"configuration: none. There is no heatmap.toml in {tmp_path}, so the defaults apply"
    )
    assert first.endswith(("/heatmap init", " -m heatmap init"))  # the second where it is not installed


@pytest.mark.process
def test_a_newcomer_at_night_sees_a_map(here: Path) -> None:
    """On a terminal the first run draws the last quotes whatever the hour, marked closed."""
    code, screen = on_a_terminal("run", "--now", "2026-09-19T23:00:00+05:30")

    assert (0, True) == (code, "marked closed" in screen)
    assert '"phase": "closed"' in (here / "site" / "nse-fno" / "snapshot.json").read_text("utf-8")


def test_a_wrong_configuration_says_everything_at_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line a problem on stderr, exit 78, nothing written."""
    (here / "heatmap.toml").write_text("titel = 1\n[page]\ncolumns = true\n")

    assert 78 == cli.main(["run", "--now", DURING])
    assert [
        "heatmap: heatmap.toml: key 'titel' is not known: did you mean 'title'?",
        "heatmap: heatmap.toml: [page] columns must be a whole number, not True",
    ] == capsys.readouterr().err.splitlines()
    assert ["heatmap.toml"] == [path.name for path in here.iterdir()]


def test_a_bug_is_shown_whole(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen error prints its traceback, asks for a report, and ends with 70."""
    monkeypatch.setattr(one_run, "run", lambda *_, **__: 1 / 0)

    assert 70 == cli.main(["run", "--now", DURING])
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "this is a bug, please report it" in err


def test_init_writes_the_example_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there is kept unless --force says otherwise; what was written works."""
    monkeypatch.chdir(tmp_path)

    assert 0 == cli.main(["init"])
    (tmp_path / "heatmap.toml").write_text("mine")
    assert 64 == cli.main(["init"])
    assert "heatmap.toml is already there" in capsys.readouterr().err
    assert "mine" == (tmp_path / "heatmap.toml").read_text()
    assert 0 == cli.main(["init", "--force"])
    assert 0 == cli.main(["session", "--now", NIGHT])
    assert 78 == cli.main(["init", "--config", "nowhere/heatmap.toml"])


def test_check_tries_everything(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a thing; where all is well the code is 0, and nothing is left behind on the target."""
    assert 0 == cli.main(["check"])

    lines = capsys.readouterr().out.splitlines()
    assert [
        *("configuration", "state", "picture", "history", "archive", "nse-fno calendar", "nse-fno source"),
        f"file:{here}/site",
    ] == [
        re.sub(r"^  ok    (.*?): (?!.*/site: ).*$", r"\1", line).partition(": ")[0].removeprefix("  ok    ")
        for line in lines
    ]
    assert [] == [path.name for path in (here / "site").rglob("*") if path.is_file()]


def test_check_names_the_configuration(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its whole path; and where there is none, it says so, and what holds then."""
    cli.main(["check"])
    assert f"  ok    configuration: {here}/heatmap.toml\n" in capsys.readouterr().out

    (here / "heatmap.toml").rename(here / "other.toml")
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    cli.main(["check"])
    assert f"configuration: none. There is no heatmap.toml in {here}, so" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("page", "possible", "expected"),
    [
        ("", True, "heatmap.svg and heatmap.png"),
        ("", False, f"heatmap.svg. For heatmap.png too: {commands.install('png')}"),
        ("[page]\npng = false\n", True, "heatmap.svg"),
    ],
)
def test_check_tells_which_pictures_there_will_be(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    page: str,
    possible: bool,
    expected: str,
) -> None:
    """And how to get the other one."""
    monkeypatch.setattr(png, "is_possible", lambda: possible)
    config = here / "heatmap.toml"
    config.write_text(config.read_text() + page)

    cli.main(["check"])
    assert f"  ok    picture: {expected}\n" in capsys.readouterr().out


def test_check_says_what_to_mend(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each fault has its line and its advice, and the code is that of the tick it would spoil."""
    (here / "site").write_text("in the way")
    (here / "heatmap.toml").write_text(
        '[[market]]\nname = "x"\n[market.source]\ntype = "file"\npath = "nowhere.json"\n'
    )

    assert 75 == cli.main(["check"])
    assert 2 == sum(line.startswith("  FAIL  ") for line in capsys.readouterr().out.splitlines())
