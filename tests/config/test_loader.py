"""heatmap.toml: its meaning, and the messages for mistakes."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from heatmap.config import loader, plugins
from heatmap.errors import ConfigError
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar import packaged
from heatmap.notify.alerts.options import AlertOptions
from heatmap.notify.monitoring.options import MonitorOptions
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.pictures.options import PageOptions
from heatmap.publishers.folder import FolderPublisher
from heatmap.sources.snapshot_file import SnapshotFile
from tests.checkout import CHECKOUT

EXAMPLE = CHECKOUT / "templates" / "heatmap.toml"


def find_problems(tmp_path: Path, text: str) -> list[str]:
    """Return the problems of a file with this text, without the file's name."""
    path = tmp_path / "heatmap.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        loader.load(path)
    return [problem.removeprefix("heatmap.toml: ") for problem in caught.value.problems]


def test_the_defaults_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One market, NSE F&O, is published into ./site; the state is in ./state."""
    monkeypatch.chdir(tmp_path)

    config = loader.load()

    assert (None, tmp_path / "state", 5) == (config.path, config.state_directory, config.interval_minutes)
    assert ["nse-fno"] == [market.name for market in config.markets]
    assert [f"file:{tmp_path}/site"] == [target.name for target in config.publishers]


def test_a_file_in_the_current_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """heatmap.toml in the current directory is used without --config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heatmap.toml").write_text('title = "Mine"')

    assert ("Mine", tmp_path / "heatmap.toml") == (loader.load().title, loader.load().path)


def test_relative_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron runs in any directory; the state, a folder target and the overrides start at the file's folder."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "holidays.toml").write_text('[[closed]]\ndate = 2026-09-17\nname = "Late"\n')
    path = tmp_path / "conf" / "heatmap.toml"
    path.write_text(
        '[[market]]\nname = "nse-fno"\n[market.session]\noverrides = "holidays.toml"\n[[publish]]\nurl = "file:out"\n'
    )
    monkeypatch.chdir(tmp_path)

    config = loader.load(Path("conf/heatmap.toml"))

    assert tmp_path / "conf" / "state" == config.state_directory
    assert isinstance(config.publishers[0], FolderPublisher)
    assert f"file:{tmp_path}/conf/out" == config.publishers[0].name


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """An unknown key names its table and the nearest valid key; a wrong type names the right one."""
    text = """
titel = "x"
interval_minutes = "5"
[[market]]
name = "nse-fno"
[market.source]
type = "nsee"
[market.session]
calender = "nse-equity-fno"
[page]
columms = 13
scale = true
[[publish]]
url = "gopher://example.org"
[[publish]]
password_env = "X"
"""

    assert [
        "key 'titel' is not known: did you mean 'title'?",
        "interval_minutes must be a whole number, not '5'",
        "[market 'nse-fno' source] type 'nsee' is not known: did you mean 'nse'?",
        "[market 'nse-fno' session] key 'calender' is not known: did you mean 'calendar'?",
        "[publish 1] url must begin with one of file:, ftp:, ftps:, sftp:, s3:, git+file:",
        '[publish 2] needs a url, such as url = "file:site"',
        "[page] key 'columms' is not known: did you mean 'columns'?",
        "[page] scale must be text, not True",
    ] == find_problems(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not valid TOML"),
        pytest.param("title = " + "[" * 100_000, "is not valid TOML", id="too deep"),
        pytest.param("title = " + "9" * 5_000, "is not valid TOML", id="too many digits"),
        ('title = ""', "title must be 1 to 200 characters on one line"),
        ('title = "a\\u0000b"', "title must be 1 to 200 characters on one line"),
        ("interval_minutes = 0", "interval_minutes must be 1 to 1440"),
        ('public_url = "www.example.org"', "public_url must begin with https://"),
        ('[[market]]\nname = "../etc"', "name must be lower-case letters, digits and hyphens"),
        ('[[market]]\ntitle = "x"', "name is missing"),
        ('[[market]]\nname = "a"\n[[market]]\nname = "a"', "the name 'a' is used twice"),
        ("market = 3", "must be written as [[market]]"),
        ("page = 3", "[page] must be a table"),
        ("market = []", "at least one [[market]]"),
        ('[[market]]\nname = "a"\nsource = 3', "[market 'a' source] must be a table"),
        ('[[market]]\nname = "a"\nsource = []', "[market 'a' source] there must be at least one"),
        ('[[market]]\nname = "a"\nsource = [{}, 3]', "[market 'a' source 2] must be a table"),
        (
            '[[market]]\nname = "a"\n[[market.source]]\n[[market.source]]\ntype = "nse-archiv"',
            "[market 'a' source 2] type 'nse-archiv' is not known: did you mean 'nse-archive'?",
        ),
        (
            '[[market]]\nname = "a"\n[[market.source]]\nurl = "x"\n[[market.source]]\n',
            "[market 'a' source 1] key 'url' is not known",
        ),
        ('[market]\nname = "a"\n[market.session]\ncalendar = "nyse"', "nyse"),
        ("archive = 3", "[archive] must be a table"),
        ("[archive]\ncolour = 3", "key 'colour' is not known"),
        ("alert = 3", "must be written as [[alert]]"),
        ('[[alert]]\nname = "a"', "[alert 1] has no rule"),
        (2 * '[[alert]]\nname = "a"\nyear_high = true\n', "[alert 2] the name 'a' is used twice"),
        (
            '[[alert]]\nname = "a"\nyear_high = true\nmarkets = ["nse"]',
            "no market 'nse': did you mean 'nse-fno'?",
        ),
        ('[page]\ngradient = "rainbow"', "gradient"),
        ('[page]\nscale = "log"', "scale"),
        ("[page]\ncolumns = 0", "columns"),
        ("[page]\nclamp_percent = 0", "clamp_percent"),
        ('[page]\nchart_url = "javascript:alert(1)"', "chart_url"),
        ('[[publish]]\nurl = "ftp://user:hunter2@example.org/x"', "password_env"),
    ],
)
def test_wrong_values(tmp_path: Path, text: str, message: str) -> None:
    """Each problem is one sentence that says what must change, and never shows a secret."""
    problems = find_problems(tmp_path, text)

    assert any(message in problem for problem in problems), problems
    assert not any("hunter2" in problem for problem in problems)


def test_a_secret_in_the_configuration_is_not_repeated(tmp_path: Path) -> None:
    """A key `password` is unknown; the error has the key, but not its value."""
    problems = find_problems(
        tmp_path, '[[publish]]\nurl = "ftp://user@example.org/x"\npassword = "hunter2"\n'
    )

    assert 1 == len(problems)
    assert "'password' is not known" in problems[0]
    assert "hunter2" not in problems[0]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder, or a file that is not text: one sentence that says what to do."""
    path = tmp_path / "other.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"cannot be read \(.*\): give a readable file"):
        loader.load(path)
    with pytest.raises(ConfigError, match=r"is a folder: name the file in it, such as .*/heatmap\.toml"):
        loader.load(tmp_path)


def example_lines() -> str:
    """Return the example with every commented key switched on."""
    return re.sub(r"^# (?=[a-z_]+ = )", "", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)


def test_the_example_is_a_valid_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unchanged, it is valid and has the same meaning as no file."""
    monkeypatch.chdir(tmp_path)
    defaults = loader.load()
    (tmp_path / "heatmap.toml").write_bytes(EXAMPLE.read_bytes())
    example = loader.load()

    assert (defaults.title, defaults.page, defaults.publishers) == (
        example.title,
        example.page,
        example.publishers,
    )
    assert (defaults.markets, defaults.state_directory) == (example.markets, example.state_directory)


OPTIONS = {
    "the top level": loader.TopLevel,
    "[[market]]": loader.MarketTable,
    "[market.session]": packaged.SessionOptions,
    "[page]": PageOptions,
    "[monitor]": MonitorOptions,
    "[history]": HistoryOptions,
    "[archive]": ArchiveOptions,
    "[[alert]]": AlertOptions,
    **{f'[market.source] of type "{name}"': plugins.source_class(name) for name in plugins.SOURCES},
    **{f"[[publish]] of {scheme}:": plugins.publisher_class(scheme) for scheme in plugins.PUBLISHERS},
}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", ["nse", "nse-archive"]),
        ("[market.source]", ["nse"]),
        ('[market.source]\ntype = "recording"', ["recording"]),
        ('[[market.source]]\ntype = "nse"', ["nse"]),
        (
            (
                '[[market.source]]\ntype = "file"\npath = "a"\n[[market.source]]\n'
                '[[market.source]]\ntype = "file"\npath = "b"'
            ),
            ["file", "nse", "file-2"],
        ),
    ],
)
def test_sources_in_their_order(tmp_path: Path, text: str, labels: list[str]) -> None:
    """One table is one source; each source of a list has its own label; without a table, there are two."""
    path = tmp_path / "heatmap.toml"
    path.write_text(f'[[market]]\nname = "nse-fno"\n{text}', "utf-8")

    (market,) = loader.load(path).markets

    assert labels == [source.label for source in market.sources]
    paths = [source.source.path for source in market.sources if isinstance(source.source, SnapshotFile)]
    assert paths == ([f"{tmp_path}/a", f"{tmp_path}/b"] if paths else [])


@pytest.mark.parametrize("where", OPTIONS)
def test_every_key_is_documented(where: str) -> None:
    """The example has every key; tests/test_reference.py checks the reference."""
    keys = [field.name for field in fields(OPTIONS[where])]  # type: ignore[arg-type]
    example = example_lines()

    assert [] == [key for key in keys if not re.search(rf"^{key} = ", example, re.MULTILINE)]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("/var/www/my site", 'did you mean "file:/var/www/my%20site"?'),
        ("~/public_html", 'did you mean "file:~/public_html"?'),
        ("site", 'did you mean "file:site"?'),
        ("//srv/www", 'did you mean "file:/srv/www"?'),
        ("ftps//host/x", "did you mean ftps:?"),
        ("ftpes://me@host/x", "did you mean ftps:?"),
        ("sfpt://me@host/x", "did you mean sftp:?"),
        ("fpt://me@host/x", "did you mean ftp:?"),
        ("tfp://me@host/x", "did you mean ftp:?"),
        ("ssh://me@host/x", "did you mean sftp:?"),
        ("https://www.example.org/x", "by its account for files: ftps://user@host/folder"),
        ("http://www.example.org/x", "by its account for files: ftps://user@host/folder"),
        ("https://github.com/me/pages", 'did you mean "git+file:", with a clone'),
        ("me@www.example.org:public_html", 'did you mean "sftp://user@host/folder"'),
        ("www.example.org/x", 'did you mean "ftps://user@host/folder"?'),
        ("s3a://bucket/x", "did you mean s3:?"),
    ],
)
def test_a_wrong_scheme_names_the_likely_one(tmp_path: Path, url: str, hint: str) -> None:
    """For a path, a web address or another program's spelling, the message suggests the right URL."""
    (problem,) = find_problems(tmp_path, f"[[publish]]\nurl = '{url}'\n")

    assert problem.startswith("[publish 1] url must begin with one of file:")
    assert hint in problem


@pytest.mark.parametrize("scheme", ["ftpes", "https", "me", "gopher", "c", "/me", ""])
def test_a_wrong_scheme_repeats_no_password(tmp_path: Path, scheme: str) -> None:
    """The URL may contain a password."""
    (problem,) = find_problems(tmp_path, f'[[publish]]\nurl = "{scheme}://me:hunter2@host/x"\n')

    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[page]\npublic_url = "https://x"', "it belongs to the lines above the first table"),
        ("columns = 3", "it belongs to [page]"),
        ('password_file = "x"', "it belongs to [[publish]]"),
        (
            '[[publish]]\nurl = "file:site"\npassword_file = "x"',
            "it belongs to a [[publish]] of ftp:, ftps:, sftp:",
        ),
        ('[[publish]]\nurl = "ftp://h/x"\nca_file = "x"', "it belongs to a [[publish]] of ftps:, s3:"),
        (
            '[[market]]\nname = "a"\nindex = "X"',
            'it belongs to a [[market.source]] of type "nse", "nse-archive"',
        ),
        ('[[market]]\nname = "a"\ncalendar = "always"', "it belongs to [market.session]"),
        ("[archive]\ntick_sessions = 3", "it belongs to [history]"),
        ('[[market]]\nname = "a"\ntype = "file"', "it belongs to [[market.source]]"),
        ('[[market]]\nname = "a"\n[market.page]\nup = "red"', "this table begins with [page]"),
        ('[session]\ncalendar = "always"', "this table begins with [market.session]"),
        ('[[publish]]\nurl = "ftp://h/x"\npassword = "x"', "a secret never stands here, name a file"),
        ('[[market]]\nname = "a"\n[market.source]\ntype = "NSE"', "did you mean 'nse'?"),
        ('[[market]]\nname = "a"\n[market.session]\ncalendar = "nse"', "did you mean 'nse-equity-fno'?"),
    ],
)
def test_a_misplaced_key_names_its_table(tmp_path: Path, text: str, place: str) -> None:
    """In TOML, a key belongs to the table above it, which users easily overlook."""
    (problem,) = find_problems(tmp_path, text)

    assert place in problem


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The message has the file's full path and the command that makes one."""
    with pytest.raises(ConfigError, match=r"there is no .*/none\.toml: .*`heatmap init`"):
        loader.load(tmp_path / "none.toml")
