"""`heatmap init`, typed through at a terminal: from nothing to a page on a real server."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import pytest

from heatmap import cli
from heatmap.cli import commands
from heatmap.cli.new_configuration import Answers, fill
from heatmap.config import loader
from tests.checkout import CHECKOUT
from tests.cli.test_parser import RECORDED
from tests.cli.typist import Typist
from tests.servers.ftp import Vsftpd
from tests.servers.ssh import Sshd

EXAMPLE = (CHECKOUT / "templates/heatmap.toml").read_text("utf-8")


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another installation's figures, as a file."""
    other = tmp_path / "other installation"
    other.mkdir()
    (other / "heatmap.toml").write_text(RECORDED)
    assert 0 == cli.main(
        ["run", "--now", "2026-09-17T11:00:00+05:30", "--config", str(other / "heatmap.toml")]
    )
    return other / "site/nse-fno/snapshot.json"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty account."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def until_target(home: Path, *argv: str, source: Path | None = None) -> Typist:
    """Begin, and answer up to the question where the pages go."""
    typist = Typist(home, ["init", *argv])
    if source is None:
        typist.answer("Your choice [1]:", "4")
    else:
        typist.answer("Your choice [1]:", "3")
        typist.answer("Path of the file", str(source))
        typist.answer("Short name of the market", "")
    typist.answer("Title of the page [NSE F&O heatmap]:", 'My "own" map')
    return typist


@pytest.mark.real
def test_from_nothing_to_a_page_on_an_ftp_server(home: Path, vsftpd: Vsftpd, snapshot: Path) -> None:
    """Market, title, target, password, address; then it checks, publishes, and prints cron line and snippet."""
    typist = until_target(home, source=snapshot)
    typist.answer("Folder or address [site]:", vsftpd.url("heatmap"))
    typist.answer("Where does the program get the password from?", "1")
    typist.answer("Password (it is not shown):", vsftpd.password)
    typist.answer("visitors find the pages?", "www.example.org/heatmap")
    typist.answer("heatmap.toml and ftp-password? [y]:", "")
    code = typist.end()

    assert 0 == code, typist.screen
    assert b"My &#34;own&#34; map" in (vsftpd.root / "heatmap/nse-fno/index.html").read_bytes()
    made = tomllib.loads((home / "heatmap.toml").read_text("utf-8"))
    assert ('My "own" map', "https://www.example.org/heatmap/") == (made["title"], made["public_url"])
    assert [{"url": vsftpd.url("heatmap"), "password_file": "ftp-password"}] == made["publish"]
    assert [{"type": "file", "path": str(snapshot)}] == made["market"][0]["source"]
    password = home / "ftp-password"
    assert (0o600, f"{vsftpd.password}\n") == (stat.S_IMODE(password.stat().st_mode), password.read_text())
    assert vsftpd.password not in typist.screen
    assert vsftpd.password not in (home / "heatmap.toml").read_text("utf-8")
    assert re.search(
        rf"^\d+-\d+/5 \S+ \* \* \* timeout .* run --config {home}/heatmap.toml$", typist.screen, re.M
    )
    assert 'src="https://www.example.org/heatmap/nse-fno/' in typist.screen


@pytest.mark.real
def test_a_wrong_password_is_asked_for_again(home: Path, vsftpd: Vsftpd) -> None:
    """The check refuses it, and nothing has to be begun anew."""
    typist = until_target(home)
    for password, question in (("wrong", "ftp-password? [y]:"), (vsftpd.password, "")):
        typist.answer("Folder or address [site]:", vsftpd.url("heatmap"))
        typist.answer("get the password from?", "1")
        typist.answer("Password (it is not shown):", password)
        if question:
            typist.answer("visitors find the pages?", "")
            typist.answer(question, "y")
            typist.wait("FAIL")
            typist.answer("What now?", "3")

    assert 0 == typist.end(), typist.screen
    assert (vsftpd.root / "heatmap/index.html").exists()
    assert f"{vsftpd.password}\n" == (home / "ftp-password").read_text()


@pytest.mark.process
def test_bad_answers_are_asked_for_again(home: Path) -> None:
    """Each with its reason; what is written in the end is what was answered well."""
    typist = Typist(home, ["init"])
    for typed, reason in (
        ("5", "type a number from 1 to 4"),
        ("x", "type a number"),
        ("\x1b[A", "is no text"),
    ):
        typist.answer("Your choice [1]:", typed)
        typist.wait(reason)
    typist.answer("Your choice [1]:", "3")
    for typed, reason in (
        ("", "an answer is needed"),
        ("nowhere.json", f"there is no file {home}/nowhere.json"),
        ("https://", "url must begin"),
    ):
        typist.answer("Path of the file", typed)
        typist.wait(reason)
    typist.answer("Path of the file", "https://127.0.0.1:9/snapshot.json")
    typist.answer("Short name", "No Name")
    typist.wait("lower-case letters")
    typist.answer("Short name", "other")
    typist.answer("Title of the page", "x" * 201)
    typist.wait("at most 200")
    typist.answer("Title of the page", "")
    for typed, reason in (
        ("ftpes://me@127.0.0.1/x", "did you mean ftps:?"),
        ("gopher://me@127.0.0.1/x", "begins with one of file:, ftp:, ftps:, sftp:, s3:, git+file:"),
        ("ftp://me:hunter2@127.0.0.1/x", "remove the password"),
        ("www.example.org/x", "did you mean"),
        ("s3://me@bucket/x", "url must be s3://bucket/folder"),
    ):
        typist.answer("Folder or address [site]:", typed)
        typist.wait(reason)
    typist.answer("Folder or address [site]:", "ftps://127.0.0.1:9/x")
    typist.answer("User name on 127.0.0.1:", "a@b")
    typist.answer("get the password from?", "2")
    typist.answer("Name of the variable", "not a name")
    typist.wait("the NAME of the variable")
    typist.answer("Name of the variable", "")
    typist.answer("visitors find the pages?", "ftp://x")
    typist.wait("an address such as")
    typist.answer("visitors find the pages?", "")
    typist.answer("heatmap.toml? [y]:", "maybe")
    typist.wait("type y or n")
    typist.answer("heatmap.toml? [y]:", "yes")
    typist.wait("What now?")
    typist.answer("Your choice [1]:", "")

    assert 0 < typist.end() < 80
    assert f" run --config {home}/heatmap.toml\n" in typist.screen
    made = tomllib.loads((home / "heatmap.toml").read_text("utf-8"))
    assert [{"url": "ftps://a%40b@127.0.0.1:9/x", "password_env": "HEATMAP_FTP_PASSWORD"}] == made["publish"]
    assert ["other"] == [market["name"] for market in made["market"]]


@pytest.mark.process
@pytest.mark.parametrize(
    ("keys", "step"),
    [
        ("\x03", "market"),
        ("\x04", "market"),
        ("\x03", "password"),
        ("\x04", "password"),
        ("\x03", "last"),
        ("n\n", "last"),
    ],
)
def test_who_leaves_leaves_nothing(home: Path, keys: str, step: str) -> None:
    """Ctrl-C, the end of input or a no: nothing is written, and it says so."""
    typist = Typist(home, ["init"]) if step == "market" else until_target(home)
    if step == "market":
        typist.wait("Your choice [1]:")
    else:
        typist.answer("Folder or address [site]:", "ftp://me@127.0.0.1:9/x")
        typist.answer("get the password from?", "1")
        typist.wait("Password (it is not shown):")
        if step == "last":
            typist.type("hunter2\n")
            typist.answer("visitors find the pages?", "")
            typist.wait("ftp-password? [y]:")
    typist.type(keys)

    assert 130 == typist.end(), typist.screen
    assert typist.screen.endswith("Nothing is written.\n")
    assert "Traceback" not in typist.screen
    assert [] == list(home.iterdir())


@pytest.mark.process
def test_into_a_folder_and_once_more(home: Path) -> None:
    """The recorded day into a folder; a second time --force asks anew, and publishes into another one."""
    typist = until_target(home)
    typist.answer("Folder or address [site]:", "")
    typist.answer("visitors find the pages?", "")
    typist.answer("heatmap.toml? [y]:", "")
    assert 0 == typist.end(), typist.screen
    assert (home / "site/nse-fno/index.html").exists()
    assert f"embed --config {home}/heatmap.toml" in typist.screen

    refused = Typist(home, ["init"])
    assert 64 == refused.end()
    assert "is already there" in refused.screen
    typist = until_target(home, "--force")
    typist.answer("Folder or address [site]:", "~/public html")
    typist.answer("visitors find the pages?", "")
    typist.answer("heatmap.toml? [y]:", "")
    assert 0 == typist.end(), typist.screen
    assert (home / "public html/nse-fno/index.html").exists()


@pytest.mark.process
def test_a_password_that_is_there_is_kept(home: Path) -> None:
    """It is offered, and its file stays as it is."""
    (home / "ftp-password").write_text("mine\n")
    (home / "ftp-password").chmod(0o600)
    typist = until_target(home)
    typist.answer("Folder or address [site]:", "ftp://me@127.0.0.1:9/x")
    typist.answer("it is already in ftp-password", "4")
    typist.answer("visitors find the pages?", "")
    typist.answer("heatmap.toml? [y]:", "")
    typist.answer("What now?", "")
    typist.end()

    assert "mine\n" == (home / "ftp-password").read_text()
    assert "ftp-password" == tomllib.loads((home / "heatmap.toml").read_text())["publish"][0]["password_file"]


@pytest.mark.process
def test_an_interrupted_check_leaves_what_is_written(home: Path) -> None:
    """The configuration is there by then; what is left to do is told."""
    typist = until_target(home)
    typist.answer("Folder or address [site]:", "ftp://me@127.0.0.1:9/x")
    typist.answer("get the password from?", "1")
    typist.answer("Password (it is not shown):", "x")
    typist.answer("visitors find the pages?", "")
    typist.answer("ftp-password? [y]:", "")
    typist.wait("What now?")
    typist.type("\x03")

    assert 130 == typist.end()
    assert f" check --config {home}/heatmap.toml\n" in typist.screen
    assert {"heatmap.toml", "ftp-password"} <= {path.name for path in home.iterdir()}


@pytest.mark.process
def test_without_questions(home: Path) -> None:
    """--no-input on a terminal writes the example, as init does without a terminal."""
    typist = Typist(home, ["init", "--no-input"])

    assert 0 == typist.end()
    text = (home / "heatmap.toml").read_text("utf-8")
    assert (
        f'# url = "s3://bucket/heatmap"       # Amazon S3 and compatible servers: {commands.install("s3")}\n'
        in text
    )
    named = re.compile(r"`pip install 'market-heatmap\[(.*?)\]'`")
    assert named.sub(lambda extra: commands.install(extra[1]), EXAMPLE) == text


@pytest.mark.process
def test_a_folder_that_is_not_there(home: Path) -> None:
    """Told before anything is asked."""
    typist = Typist(home, ["init", "--config", "none/heatmap.toml"])

    assert 78 == typist.end()
    assert f"there is no folder {home}/none" in typist.screen


@pytest.mark.parametrize(
    ("answers", "sources"),
    [
        (Answers("T", "nse-fno", {"url": "file:x"}), [{"type": "nse"}, {"type": "nse-archive"}]),
        (
            Answers("T", "nifty-50", {"url": "file:x"}, index="NIFTY 50"),
            [{"type": "nse", "index": "NIFTY 50"}, {"type": "nse-archive", "index": "NIFTY 50"}],
        ),
        (Answers("T", "x", {"url": "file:x"}, {"type": "recording"}), [{"type": "recording"}]),
    ],
)
def test_what_is_written(tmp_path: Path, answers: Answers, sources: list[dict[str, str]]) -> None:
    """The example with the answers in it: it loads, says what was answered, and keeps every comment's table."""
    text = fill(EXAMPLE, answers)
    made = tomllib.loads(text)

    assert sources == made["market"][0]["source"]
    assert ("T", answers.name, [answers.target]) == (
        made["title"],
        made["market"][0]["name"],
        made["publish"],
    )
    loader.read(made, base=tmp_path)
    assert EXAMPLE.count("# [[publish]]") == text.count("# [[publish]]")
    assert EXAMPLE.count("# --- ") == text.count("# --- ")


def test_what_is_typed_cannot_break_out(tmp_path: Path) -> None:
    """Quotation marks, backslashes and foreign letters arrive as they are."""
    title = 'a "b" \\ [[publish]] é ₹ #'

    assert title == tomllib.loads(fill(EXAMPLE, Answers(title, "x", {"url": "file:x"})))["title"]


@pytest.mark.real
def test_a_host_key_is_shown_and_accepted(home: Path, sshd: Sshd) -> None:
    """By SFTP with a key: the server's own key is shown, and with a yes the page goes there."""
    typist = until_target(home)
    typist.answer("Folder or address [site]:", sshd.url("heatmap"))
    typist.answer("How do you log in?", "1")
    typist.answer("File of the private key", str(sshd.identity_file))
    typist.answer("visitors find the pages?", "")
    typist.answer("heatmap.toml? [y]:", "")
    typist.answer("Is it the same? Then type yes:", "yes")

    assert 0 == typist.end(), typist.screen
    assert (sshd.root / "heatmap/index.html").exists()
    assert (home / "known_hosts").exists()
