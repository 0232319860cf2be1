"""A file that is no TOML: the line is quoted, what was meant is guessed, and no secret is repeated."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest

from heatmap.config import loader
from heatmap.errors import ConfigError


def problem(tmp_path: Path, text: str) -> str:
    """The sentence about a configuration with this text."""
    path = tmp_path / "heatmap.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        loader.load(path)
    (found,) = caught.value.problems
    return found.removeprefix(f"{path} is not valid TOML: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[publish]]\nurl = "file:a"\nurl = "file:b"\n',
            'line 3: a second url: is [[publish]] missing above it? It reads: url = "file:b"',
        ),
        (
            '[[market]]\nname = "a"\n[market.source]\ntype = "nse"\ntype = "nse-archive"\n',
            'line 5: a second type: is [[market.source]] missing above it? It reads: type = "nse-archive"',
        ),
        ('title = "a"\ntitle = "b"\n', "title stands above the first table already: remove one of the two"),
        (
            '[page]\nup = "red"\nup = "green"\n',
            'line 3: up stands in [page] already: remove one of the two. It reads: up = "green"',
        ),
        (
            '[page]\nup = "red"\n[page]\n',
            "line 3: this table is there already: put the keys of both",
        ),
        (
            '[publish]\nurl = "file:a"\n[publish]\nurl = "file:b"\n',
            "if there are several, each begins with [[publish]]",
        ),
        ('[publish]\nurl = "file:a"\n[[publish]]\n', "if there are several, each begins with [[publish]]"),
        (
            '[[market]]\nname = "a"\n[market.source]\n[market.source]\n',
            "this table is there already: if there are several, each begins with [[market.source]]",
        ),
        ("title = My map\n", "line 1: is it a text? Texts stand in quotation marks"),
        ('title = "My map\n', "is the closing quotation mark missing?"),
        ("title = “My map”\n", 'these are typographic quotation marks: write straight ones (")'),
        ('title: "My map"\n', "line 1: between a key and its value stands ="),
        ("[page]\npng = True\n", "line 2: write true or false, in small letters. It reads: png = True"),
        ("interval_minutes = 5 minutes\n", "something follows the value"),
        (
            "[market.session]\nopen = 9:15\n",
            "line 2: something follows the value: texts and times",
        ),
        ('[[publish]\nurl = "file:a"\n', "line 1: a bracket is missing"),
        ('title = "C:\\x"\n', "a backslash in a text is written twice"),
        ("title =\n", "line 1: the value is missing. It reads: title ="),
        ('fragments = ["a",\n', "the file ends inside a value: is a closing bracket"),
        ('fragments = ["a" "b"]\n', "in a list, commas stand between the values"),
    ],
)
def test_the_line_and_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    """For the slips that people make."""
    assert said in problem(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        '[[publish]]\nurl = "file:a"\nurl = "file:b"  # login me, hunter2\n',
        'password = "hunter2\n',
        "password hunter2\n",
        "hunter2\n",
        "password_env = hunter2\n",
        "[[publish]]\nurl = ftps://me:hunter2@host/x\n",
        '[[publish]]\nurl = "ftps://me:hunter2@host/x\n',
        "[[alert]]\nurl_env = hunter2\n",
        '[[alert]]\nurl = "https://hooks.example.org/hunter2"\nurl = "b"\nurl = "https://x/hunter2"\n',
        'publish = [{ url = "file:x", password = "hunter2" \n',
        'x = """\nhunter2 \\q\n"""\n',
        'x = """\nmy hunter2 \\q\n"""\n',
        '[[publish]] password = "hunter2"\n',
        '[[publish]] url = "ftp://me:hunter2@host"\n',
        'fragments = ["a",\n["hunter2", "b" "c"]]\n',
        '[[publish]]\nurl = "ftp:me:hunter2@host\n',
        '[[alert]]\nurl = "https:\\/\\/hooks.example.org\\/hunter2"\n',
        '[[alert]]\nurl = "https:/hooks.example.org/hunter2\n',
        '[[publish]]\nuser = "me" pwd = "hunter2"\n',
        'headers = ["Authorization: Bearer hunter2]\n',
    ],
)
def test_no_secret_is_repeated(tmp_path: Path, text: str) -> None:
    """Somebody may have put one there by mistake: then the line is told by its number or its key alone."""
    said = problem(tmp_path, text)

    assert "line" in said
    assert "hunter2" not in said


def test_a_bracket_and_many_spaces_are_read_at_once(tmp_path: Path) -> None:
    """A line that looks like the beginning of a header costs no more than its length."""
    begin = perf_counter()
    said = problem(tmp_path, "x = [\n[" + " " * 3000 + "\n]\ny = z\n")

    assert "line" in said
    assert perf_counter() - begin < 5


def test_what_cannot_be_shown_is_not(tmp_path: Path) -> None:
    """A control character does not reach the terminal."""
    said = problem(tmp_path, 'title = "a\x1b[31mb"\n')

    assert said.isprintable()
    assert 'It reads: title = "a?[31mb"' in said


def test_the_overrides_file_is_explained_too(tmp_path: Path) -> None:
    """By the same sentences."""
    (tmp_path / "holidays.toml").write_text("[closed]\ndate = 2026-12-01\n[closed]\ndate = 2026-12-02\n")
    text = '[[market]]\nname = "a"\n[market.session]\noverrides = "holidays.toml"\n'

    assert "if there are several, each begins with [[closed]]" in problem(tmp_path, text)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Some editors put one before the text."""
    (tmp_path / "heatmap.toml").write_text('\ufefftitle = "Mine"\n', "utf-8")

    assert "Mine" == loader.load(tmp_path / "heatmap.toml").title
