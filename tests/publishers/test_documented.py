"""The page about targets: what it shows works, and it names every key."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from heatmap.config import loader, plugins
from tests.checkout import CHECKOUT

PAGE = CHECKOUT / "docs/targets.md"
BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)
EXAMPLES = [block for block in BLOCK.findall(PAGE.read_text("utf-8")) if "[[publish]]" in block]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: re.findall(r'url = "(.*?)"', text)[0])
def test_every_example_is_a_valid_configuration(example: str, tmp_path: Path) -> None:
    """Copied into a configuration, it is accepted."""
    (tmp_path / "heatmap.toml").write_text(re.sub("^    ", "", example, flags=re.MULTILINE))

    assert re.findall(r'^    url = "(\w+)', example, re.MULTILINE) == [
        re.match(r"\w+", publisher.name)[0]  # type: ignore[index]
        for publisher in loader.load(tmp_path / "heatmap.toml").publishers
    ]


@pytest.mark.parametrize("scheme", ["s3", "git+file"])
def test_every_key_is_told(scheme: str) -> None:
    """In an example or in the table of its section."""
    section = next(
        part
        for part in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
        if part.startswith(f"`{scheme}:`")
    )
    keys = set(re.findall(r"^(?:    (\w+) = |\| `(\w+)` )", section, re.MULTILINE))
    names = {name for pair in keys for name in pair if name}

    assert {field.name for field in fields(plugins.publisher_class(scheme))} <= names  # type: ignore[arg-type]
