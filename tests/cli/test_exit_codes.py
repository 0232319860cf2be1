"""The exit codes of what a newcomer's machine lacks: 77 where the right to write is missing, 78 for a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from heatmap import cli
from tests.cli.test_parser import DURING, RECORDED, on_a_terminal
from tests.publishers.test_folder import as_nobody

FTP = '[[publish]]\nurl = "ftp://me@127.0.0.1:9/x"\n'


@pytest.fixture(scope="module")
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The commands have imported what they need, as long as this user may read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("rights"))
        Path("heatmap.toml").write_text(RECORDED)
        for argv in (["run", "--now", DURING], ["check"], ["history", "export", "--output", "bars.csv"]):
            assert 0 == cli.main(argv)


@pytest.fixture
def here(
    _imported: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Path]:
    """A folder that everybody may write into, as the current one; `locked` in it nobody may."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "locked").mkdir(mode=0o555)
        (folder / "heatmap.toml").write_text(RECORDED)
        monkeypatch.chdir(folder)
        yield folder


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """The exit code of a command that a user without rights gives, and all it says."""
    with as_nobody():
        code = cli.main(argv)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out + err


@pytest.mark.parametrize("command", [["run", "--now", DURING], ["check"]], ids=lambda argv: argv[0])
@pytest.mark.parametrize(
    ("tables", "what"),
    [
        ('[[publish]]\nurl = "file:locked"\n', "file:"),
        ('[[publish]]\nurl = "file:locked/deeper"\n', "file:"),
        ("", "state_directory"),
    ],
)
def test_no_right_to_write(
    here: Path, capsys: pytest.CaptureFixture[str], command: list[str], tables: str, what: str
) -> None:
    """A target, or the state: 77, by the check as by the run, and what to do."""
    beginning = "" if tables else 'state_directory = "locked/state"\n'
    (here / "heatmap.toml").write_text(beginning + RECORDED + tables)

    code, output = said(capsys, *command)

    assert 77 == code
    assert what in output
    assert "Permission denied" in output


@pytest.mark.parametrize(
    "argv",
    [["init", "--config", "locked/heatmap.toml"], ["history", "export", "--output", "locked/bars.csv"]],
    ids=str,
)
def test_no_right_to_write_a_file_asked_for(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    """77, and another place is asked for."""
    code, output = said(capsys, *argv)

    assert (77, 1) == (code, output.count("\n"))
    assert "cannot be written (Permission denied)" in output


@pytest.mark.parametrize("command", [["run", "--now", DURING], ["check"]], ids=lambda argv: argv[0])
@pytest.mark.parametrize(
    "tables",
    [
        '[[market]]\nname = "x"\n[market.source]\ntype = "file"\npath = "nowhere.json"\n',
        f'{RECORDED}{FTP}password_file = "nowhere"\n',
        f'{RECORDED}{FTP}password_env = "HEATMAP_NOT_SET_HERE"\n',
        f'{RECORDED}[[publish]]\nurl = "ftps://127.0.0.1:9/x"\nca_file = "nowhere.pem"\n',
        f'{RECORDED}[market.session]\noverrides = "nowhere.toml"\n',
    ],
)
def test_a_missing_local_file(
    here: Path, capsys: pytest.CaptureFixture[str], command: list[str], tables: str
) -> None:
    """78, by the check as by the run: nothing but a person can mend it."""
    (here / "heatmap.toml").write_text(tables)

    code, output = said(capsys, *command)

    assert 78 == code
    assert "nowhere" in output or "HEATMAP_NOT_SET_HERE" in output


@pytest.mark.process
def test_parquet_and_a_terminal(here: Path) -> None:
    """It is no text: 64, and nothing of it reaches the screen; a file or a pipe it goes into."""
    pytest.importorskip("pyarrow", reason="pyarrow is not here: pip install 'market-heatmap[parquet]'")
    (here / "heatmap.toml").write_text(RECORDED)

    code, screen = on_a_terminal("history", "export", "--format", "parquet")

    assert (64, 1) == (code, screen.count("\n"))
    assert "--output" in screen
    assert 0 == cli.main(["history", "export", "--format", "parquet", "--output", "bars.parquet"])
    assert b"PAR1" == (here / "bars.parquet").read_bytes()[:4]
