"""`heatmap check` describes public_url: whether visitors find the published files there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.publishers.ownership import SAMPLE

pytestmark = pytest.mark.server
SOURCE = '[[market]]\nname = "nse-fno"\n[market.source]\ntype = "recording"\n'


class Web(ThreadingHTTPServer):
    """A web server over a folder. `answers` take the place of its own, by path; "" stands for every other."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        web = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                status, body = web.answers.get(self.path, web.answers.get("", (0, b"")))
                if not status:
                    super().do_GET()
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_port}/"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """The folder `www`, served."""
    (tmp_path / "www").mkdir()
    with Web(tmp_path / "www") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(
    folder: Path, capsys: pytest.CaptureFixture[str], public_url: str, *targets: str, code: int = 0
) -> list[str]:
    """The lines of a check that are not of configuration, state and sources: of targets and of public_url."""
    publish = "".join(f'[[publish]]\nurl = "{target}"\n' for target in targets)
    (folder / "heatmap.toml").write_text(f'public_url = "{public_url}"\n{SOURCE}{publish}')
    capsys.readouterr()
    assert code == cli.main(["check", "--config", str(folder / "heatmap.toml")])
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if " public_url: " in line]


def test_visitors_find_what_is_published(
    tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below the server's root, too; nothing stays there, and what was asked for was not hidden."""
    (line,) = check(tmp_path, capsys, f"{web.url}map", "file:www/map")

    assert f"  ok    public_url: visitors find the published files at {web.url}map/" == line
    assert [] == list((tmp_path / "www/map").iterdir())
    assert len(web.asked) == 1
    assert web.asked[0].startswith("/map/heatmap-")


@pytest.mark.parametrize("status", [404, 410])
def test_a_wrong_folder(tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str], status: int) -> None:
    """Exit 78, with the address that was tried: nothing is to be found where visitors look."""
    web.answers[""] = status, b"no"
    (line,) = check(tmp_path, capsys, web.url, "file:publichtml", code=78)

    assert line.startswith(f"  FAIL  public_url: your visitors get {status} there: {web.url}heatmap-")
    assert web.asked[0][1:] in line
    assert "correct public_url, or the folder" in line


def test_another_page_for_everything(tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that answers whatever is asked shows something else."""
    web.answers[""] = 200, b"<h1>Welcome</h1>"
    (line,) = check(tmp_path, capsys, web.url, "file:publichtml", code=78)

    assert line.startswith("  FAIL  public_url: your visitors get something else there: ")


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_server_that_does_not_answer_programs(
    tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    """It may answer browsers: a warning, no failure."""
    web.answers[""] = status, b"no"
    (line,) = check(tmp_path, capsys, web.url, "file:www")

    assert line.startswith(f"  WARN  public_url: {web.url}heatmap-")
    assert f"answered {status}" in line
    assert "in a browser" in line


def test_an_address_that_this_machine_cannot_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with many routers at home, which do not lead back in: a warning."""
    (line,) = check(tmp_path, capsys, "http://127.0.0.1:9/", "file:www")

    assert line.startswith("  WARN  public_url: http://127.0.0.1:9/heatmap-")
    assert "cannot be reached" in line


def test_a_page_of_ours_behind_a_cache(tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    """Or a folder that is carried there later: the page is there, and what was just put is not."""
    web.answers["/"] = 200, SAMPLE
    (line,) = check(tmp_path, capsys, web.url, "file:elsewhere")

    assert line.startswith(
        f"  WARN  public_url: a page of this program is at {web.url}, but {web.url}heatmap-"
    )


def test_one_target_of_several_is_enough(
    tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others may be copies, before it or behind it."""
    for targets in (("file:copy", "file:www"), ("file:www", "file:copy")):
        (line,) = check(tmp_path, capsys, web.url, *targets)
        assert line.startswith("  ok    public_url: ")


def test_where_no_target_works_nobody_is_asked(
    tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    """If no target works, visitors are not asked: their answer would prove nothing."""
    assert [] == check(tmp_path, capsys, web.url, "file:a/b/c", code=78)
    assert [] == web.asked


def test_a_page_of_somebody_else_is_found(
    tmp_path: Path, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    """In any market's folder, before anything is put."""
    (tmp_path / "www/nse-fno").mkdir()
    (tmp_path / "www/nse-fno/index.html").write_text("mine")
    assert [] == check(tmp_path, capsys, web.url, "file:www", code=78)
    assert ["nse-fno"] == [path.name for path in (tmp_path / "www").iterdir()]
