"""`heatmap check` describes the history: its content, or why it cannot be read, which fails no run."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.history.options import HistoryOptions
from heatmap.history.store import FILE_NAME, open_store
from heatmap.market.bars import Bar
from tests.history.conftest import Place, pgbouncer, pooled, postgres, postgresql  # noqa: F401 -- fixtures

SOURCE = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'


def said(folder: Path, capsys: pytest.CaptureFixture[str], tables: str = "") -> str:
    """The line on the history of a check that ends well."""
    (folder / "heatmap.toml").write_text(SOURCE + tables)
    capsys.readouterr()
    assert 0 == cli.main(["check", "--config", str(folder / "heatmap.toml")])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if " history" in line)
    return line


def filled(folder: Path) -> Path:
    """A history of one session; its file."""
    with open_store(HistoryOptions(), folder / "state", pytest.fail) as store:
        store.add_bars("nse-fno", [Bar("A", date(2026, 7, 20), None, None, None, 1.0, None, None, None)])
    return folder / "state" / FILE_NAME


def test_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counted; and where there is none yet, none is made."""
    assert "  ok    history: nothing yet" in said(tmp_path, capsys)
    assert not (tmp_path / "state" / FILE_NAME).exists()
    filled(tmp_path)
    assert "  ok    history: nse-fno 1 sessions, 0 ticks; 0.0 MB in history.sqlite" == said(tmp_path, capsys)
    assert "  ok    history: switched off" == said(tmp_path, capsys, "[history]\nenabled = false\n")


def test_a_newer_version_s(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told, and left as it is."""
    path = filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    line = said(tmp_path, capsys)
    assert line.startswith("  WARN  history: the history ")
    assert "newer version" in line


def test_a_damaged_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Set aside as a tick would, and told."""
    filled(tmp_path).write_bytes(b"x" * 5000)

    (tmp_path / "heatmap.toml").write_text(SOURCE)
    assert 0 == cli.main(["check", "--config", str(tmp_path / "heatmap.toml")])
    out = capsys.readouterr().out
    assert "  WARN  history: the history " in out
    assert "set aside as history.damaged-1.sqlite" in out
    assert "  ok    history: nothing yet; 0.0 MB in history.sqlite" in out


@pytest.mark.real  # for its library is an extra
@pytest.mark.parametrize(
    ("password", "why"),
    [("", "127.0.0.1:9/none"), ('password_env = "NOT_SET_HERE"\n', "NOT_SET_HERE")],
)
def test_a_database_that_cannot_be_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], password: str, why: str
) -> None:
    """No server, or no password: told before the first tick is."""
    pytest.importorskip("psycopg", reason="psycopg is not here: pip install 'market-heatmap[postgres]'")
    line = said(tmp_path, capsys, f'[history]\nurl = "postgresql://127.0.0.1:9/none"\n{password}')

    assert line.startswith("  WARN  history: ")
    assert why in line


@pytest.mark.real
def test_a_pooler_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], pooled: Place) -> None:  # noqa: F811 -- the fixture
    """Which mode it is in: what stands between explains much."""
    assert pooled.options.url
    history = f'[history]\nurl = "{pooled.options.url}"\npassword_env = "{pooled.options.password_env}"\n'

    line = said(tmp_path, capsys, history)

    assert line.startswith("  ok    history: nothing yet; ")
    assert line.endswith("through a pooler in transaction mode")
