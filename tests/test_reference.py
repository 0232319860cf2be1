"""docs/reference.md and README.md against the program: every key with its default, every example."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import pytest

from heatmap import cli
from heatmap.cli import parser
from heatmap.config import loader, plugins
from heatmap.history.options import HistoryOptions
from heatmap.market.calendar import packaged
from heatmap.market.gates import GateOptions
from heatmap.notify.alerts.options import AlertOptions
from heatmap.notify.monitoring.options import MonitorOptions
from heatmap.pages.archive.options import ArchiveOptions
from heatmap.pictures.options import PageOptions
from tests.checkout import CHECKOUT

REFERENCE = CHECKOUT / "docs" / "reference.md"
DOCUMENTS = ("README.md", *(f"docs/{path.name}" for path in sorted((CHECKOUT / "docs").glob("*.md"))))
# What each heading of the page documents. Of sources and targets, which share keys: all of their kinds.
TABLES: dict[str, tuple[Any, ...]] = {
    "Top level": (loader.TopLevel,),
    "`[[market]]`": (loader.MarketTable,),
    "`[[market.source]]`": tuple(map(plugins.source_class, plugins.SOURCES)),
    "`[market.session]`": (packaged.SessionOptions,),
    "`[page]`": (PageOptions,),
    "`[gates]`": (GateOptions,),
    "`[history]`": (HistoryOptions,),
    "`[archive]`": (ArchiveOptions,),
    "`[[alert]]`": (AlertOptions,),
    "`[monitor]`": (MonitorOptions,),
    "`[[publish]]`": tuple(map(plugins.publisher_class, plugins.PUBLISHERS)),
}
NOT_FIELDS = {"`[[market.source]]`": {"type"}}


def rows(heading: str) -> list[tuple[str, str]]:
    """The keys under a heading of the reference, each with what stands for its default."""
    text = REFERENCE.read_text("utf-8")
    part = text.split(f"\n### {heading}\n")[1]
    part = re.split(r"\n##", part)[0]
    return re.findall(r"^\| `(\w+)` \| (.*?) ?\| ", part, re.MULTILINE)


def default_of(field: Field[Any]) -> object:
    """The default of a key as TOML would give it; None where there is none."""
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Path):
        return str(value)
    return None if value is MISSING else value


@pytest.mark.parametrize("heading", TABLES)
def test_the_reference_has_every_key_and_no_other(heading: str) -> None:
    """The keys under each heading are the fields that the program reads there."""
    known = {field.name for table in TABLES[heading] for field in fields(table)}

    assert known | NOT_FIELDS.get(heading, set()) == {key for key, _ in rows(heading)}


@pytest.mark.parametrize("heading", TABLES)
def test_the_defaults_of_the_reference_are_those_of_the_program(heading: str) -> None:
    """A default in backquotes is the field's own; every other field has none, or is described in words."""
    written: dict[str, set[str]] = {}
    for key, default in rows(heading):
        literal = re.fullmatch(r"`(.*)`", default)
        if literal and key not in NOT_FIELDS.get(heading, set()):
            written.setdefault(key, set()).add(repr(parsed(literal[1])))
        elif not default:
            written.setdefault(key, set())
    for key, values in written.items():
        defaults = [default_of(f) for table in TABLES[heading] for f in fields(table) if f.name == key]
        if values:
            assert values <= set(map(repr, defaults)), key
        else:
            assert not [value for value in defaults if value not in {None, (), ""}], key


def parsed(literal: str) -> object:
    """A TOML value; words that are none stand for themselves, and for no default of the program."""
    try:
        return tomllib.loads(f"value = {literal}")["value"]
    except tomllib.TOMLDecodeError:
        return None


def blocks(text: str) -> list[str]:
    """The indented blocks of a document, without their indent."""
    found = re.findall(r"(?:^ {4,}\S.*\n(?:\s*\n(?= {4}))?)+", text, re.MULTILINE)
    return [re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in found]


def toml_blocks() -> list[tuple[str, str]]:
    """Every block of the documents that is a piece of a configuration, with the document's name."""
    return [
        (name, block)
        for name in DOCUMENTS
        for block in blocks((CHECKOUT / name).read_text("utf-8"))
        if re.search(
            r"^\[\[?(market|publish|page|history|archive|alert|monitor|gates)\b", block, re.MULTILINE
        )
    ]


@pytest.mark.parametrize(
    ("name", "block"), toml_blocks(), ids=[f"{name}-{n}" for n, (name, _) in enumerate(toml_blocks())]
)
def test_examples_can_be_loaded(tmp_path: Path, name: str, block: str) -> None:
    """Each piece of a configuration in a document is one that the program takes."""
    path = tmp_path / "heatmap.toml"
    begins_inside = re.match(r"\[+market\.", block)  # a market's own table, as a text beside it may show
    path.write_text(f'[[market]]\nname = "nse-fno"\n{block}' if begins_inside else block, "utf-8")

    assert loader.load(path).markets, name


def test_the_readme_is_short() -> None:
    """It is read before anything is tried: 200 lines are the most."""
    assert 200 >= len((CHECKOUT / "README.md").read_text("utf-8").splitlines())


def test_the_second_market_of_the_readme_is_one_more() -> None:
    """The example has two markets, of which the second draws another index."""
    (block,) = [text for name, text in toml_blocks() if name == "README.md" and "NIFTY 50" in text]
    markets = loader.read(tomllib.loads(block), base=CHECKOUT).markets

    assert ["nse-fno", "nifty-50"] == [market.name for market in markets]
    assert "NIFTY 50" == markets[1].sources[0].source.index  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_lead_somewhere(name: str) -> None:
    """Each relative link names a file that is there, and a heading in it where it names one."""
    path = CHECKOUT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), target
        if heading:
            text = other.read_text("utf-8")
            slugs = {slug(line) for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
            assert heading in slugs, target


def slug(heading: str) -> str:
    """The name that a heading has in an address, as web sites of code make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Every command of the program that a text names in backquotes or a block, with its options."""
    code = [*re.findall(r"`([^`\n]+)`", text), *blocks(text)]
    found = re.findall(r"(?:^|[/ ])heatmap ([a-z]+)\b([^\n;|#>]*)", "\n".join(code), re.MULTILINE)
    return [(name, re.findall(r"(?<=\s)--[a-z-]+", rest)) for name, rest in found]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_in_documents_exist(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Each is one that the program has, with options that it takes."""
    for command, options in commands((CHECKOUT / name).read_text("utf-8")):
        assert command in parser.COMMANDS, command
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        known = capsys.readouterr().out
        actions = [action for action in ("backfill", "export", "update", "check") if f" {action}" in known]
        for action in actions if command in {"history", "calendar"} else ():
            with pytest.raises(SystemExit):
                cli.main([command, action, "--help"])
            known += capsys.readouterr().out
        assert [] == [option for option in options if option not in known], command


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_that_are_pasted_are_complete(name: str) -> None:
    """A line of its own names program and configuration by the README's paths, wherever it is typed."""
    lines = [
        line.strip().removeprefix("$ ")
        for line in "\n".join(blocks((CHECKOUT / name).read_text("utf-8"))).split("\n")
    ]
    typed = [
        line for line in lines if re.search(r"(^|[/ ])heatmap (?:[a-z]+)\b.*", line) and parser_line(line)
    ]
    for line in typed:
        program, config_file = "~/heatmap/bin/heatmap ", "--config ~/heatmap/heatmap.toml"
        deployed = "-H heatmap " in line  # by the user of deploy/install.sh
        assert deployed or (program in line and (config_file in line or "demo" in line)), line


def parser_line(line: str) -> bool:
    """Whether a line of a block runs the program, and is no sentence or output that names it."""
    found = re.search(r"(?:^|[/ ])heatmap ([a-z]+)\b", line)
    return found is not None and found[1] in parser.COMMANDS and not line.endswith((".", ":"))
