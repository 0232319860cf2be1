"""The snippet for a blog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heatmap import cli

SAMPLE = Path(__file__).parents[2] / "deploy/blog.html"
URL = "https://www.example.org/heatmap/"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_sample_page_holds_what_embed_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """deploy/blog.html stays true."""
    assert 0 == cli.main(["embed", "--auto-height", "--url", URL])
    assert capsys.readouterr().out in SAMPLE.read_text("utf-8")


def test_the_address_comes_from_the_configuration(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """public_url, with or without its slash, and the market's folder; no script unless it is asked for."""
    (here / "heatmap.toml").write_text(
        'title = "A \\"title\\""\npublic_url = "https://www.example.org/heatmap"\n'
    )

    assert 0 == cli.main(["embed", "--height", "640"])
    out = capsys.readouterr().out
    assert f'src="{URL}nse-fno/"' in out
    assert 'height="640"' in out
    assert 'title="A &#34;title&#34;"' in out
    assert "<script" not in out


def test_the_frame_is_sandboxed(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts, popups that escape, and downloads; never the blog's own origin."""
    cli.main(["embed", "--url", URL])

    found = re.search(r'sandbox="([^"]*)"', capsys.readouterr().out)
    assert found is not None
    assert {"allow-scripts", "allow-popups", "allow-popups-to-escape-sandbox", "allow-downloads"} == set(
        found[1].split()
    )


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        ([], 78, "public_url is not set"),
        (["--url", "ftp://x"], 64, "--url must begin with"),
        (["--url", URL, "--market", "nyse"], 64, "there is no market 'nyse'"),
        (["--url", URL, "--height", "1"], 64, "--height must be"),
    ],
)
def test_what_cannot_be(capsys: pytest.CaptureFixture[str], argv: list[str], code: int, said: str) -> None:
    """One sentence that says what to give."""
    assert code == cli.main(["embed", *argv])
    assert said in capsys.readouterr().err
