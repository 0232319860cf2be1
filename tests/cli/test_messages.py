"""Every message that names a command names it so that the command line completes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from heatmap.cli import parser
from tests.checkout import CHECKOUT

PACKAGE = CHECKOUT / "heatmap"
NAMED = re.compile(rf"(?<![`/\w.-])(heatmap ({'|'.join(parser.COMMANDS)})\b|pip install\b)")
# What readers of a public page see must not hold paths of this machine; a line in a user's file and the
# pattern of the commands are no messages.
ELSEWHERE = {"history/period_starts.py", "market/calendar/overrides_file.py", "cli/commands.py"}


def messages(module: Path) -> Iterator[str]:
    """The texts of a module that may be printed: no docstrings."""
    tree = ast.parse(module.read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_commands_stand_between_backticks() -> None:
    """Then `heatmap/cli/commands.py` gives them their paths where they are printed."""
    bare = {
        (str(module.relative_to(PACKAGE)), text)
        for module in PACKAGE.rglob("*.py")
        for text in messages(module)
        if NAMED.search(text)
    }

    assert set() == {(name, text) for name, text in bare if name not in ELSEWHERE}
    assert "market/calendar/overrides_file.py" in {
        name for name, _ in bare
    }  # so that the search is seen to find something
