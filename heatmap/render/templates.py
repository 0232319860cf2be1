"""The Jinja2 environment, and where the templates are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from heatmap.render import words

if TYPE_CHECKING:
    from jinja2 import Environment

SCRIPTS = "script"  # the folder of the page's script, in files that follow one another by name
STYLE = "heatmap.css"
ARCHIVE = "archive"  # the folder of what the list of all days has of its own
_COMMENTS = re.compile(r"/\*[\s\S]*?\*/ ?|(?:^|(?<=\s))//[ \t].*$", re.MULTILINE)
_INDENTS = re.compile(r"\s*\n\s*")


def find_templates() -> Path:
    """Return the folder of the templates: beside the package's modules in a wheel, else the checkout's."""
    package = Path(__file__).parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def render_template(template: str, cache: Path | None = None, **context: object) -> str:
    """Return any template filled in. In the folder `cache`, if given, its compiled form is kept."""
    return _environment(cache).get_template(template).render(context)


def page_script() -> str:
    """Return the page's script: its files one after another, in one scope that nothing leaves.

    Comments and indentation stay behind: they are for readers of the files, and half their size.
    """
    parts = sorted((find_templates() / SCRIPTS).glob("*.js"))
    body = "".join(part.read_text("utf-8") for part in parts)
    return f'"use strict";\n{{\n{_bare(body)}}}\n'


def page_style() -> str:
    """Return the page's style, without comments and indentation."""
    style = (find_templates() / STYLE).read_text("utf-8")
    return _bare(style)


def archive_script() -> str:
    """Return the script of the list of all days, as that of a page."""
    return f'"use strict";\n{_bare((find_templates() / ARCHIVE / "days.js").read_text("utf-8"))}'


def archive_style() -> str:
    """Return the style of the list of all days, as that of a page."""
    return _bare((find_templates() / ARCHIVE / "days.css").read_text("utf-8"))


def _bare(text: str) -> str:
    """Return a script or a style without comments, indentation and empty lines."""
    return _INDENTS.sub("\n", _COMMENTS.sub("", text))


@cache
def _environment(cache: Path | None) -> Environment:
    from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(find_templates()),
        autoescape=True,
        bytecode_cache=FileSystemBytecodeCache(str(cache)) if cache else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters["moment"] = words.moment
    environment.filters["clock_time"] = words.clock_time
    return environment
