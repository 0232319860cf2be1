"""The Jinja2 environment, and where the templates are."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from heatmap.pictures import wording
from heatmap.system import package_files

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

SCRIPTS = "script"  # the folder of the page's script, in files that follow one another by name
LATER = "later"  # and that of later.js, which shares the page script's scope
STYLE = "heatmap.css"
ARCHIVE = "archive"  # the folder of what the list of all days has of its own
_COMMENTS = re.compile(r"/\*[\s\S]*?\*/ ?|(?:^|(?<=\s))//[ \t].*$", re.MULTILINE)
_INDENTS = re.compile(r"\s*\n\s*")
# What in a script may hold spaces that count: strings, templates (one in another, too), regular expressions.
_QUOTED = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|\$\{(?:[^`{}]|`[^`]*`|\{[^{}]*\})*\}|[^`\\])*`"""
    r"""|(?<=[(,=:])\ ?/(?:\\.|\[[^]]*]|[^/\\\n])+/)"""
)
# What code can do without, in turn: spaces, line ends, what ends a list or block, brackets of one parameter;
# and const, which is longer than let, and which tsc and biome have checked by then.
_NEEDLESS = (
    (re.compile(r" ?([]{}()[;,:?=<>&|!*]) ?"), r"\1"),
    (re.compile(r" ?([-+/%]=?) (?=[\w([]|$)"), r"\1"),
    (re.compile(r"(?<=[{;,([])\n|\n(?=[]})])"), ""),
    (re.compile(r"[;,]+(?=})|,(?=[])])"), ""),
    (re.compile(r"(?<![\w)\]])\((\w+)\)(?==>)"), r"\1"),
    (re.compile(r"\bconst\b"), "let"),
)
_NUMBER = re.compile(r"\blet ([A-Z][A-Z_]+)=([\d._]+);")
_DECLARED = re.compile(r"(?<=[;{}\n])(let\b[^;{}\n]*(?:;let\b[^;{}\n]*)*);let\b ?")
_STYLE_SPACES = re.compile(r"\s*([{};,])\s*|(?<=[\w-]:) +")


def find_templates() -> Path:
    """Return the folder of the templates: beside the package's modules in a wheel, else the checkout's."""
    inside = package_files.PACKAGE / "templates"
    return inside if inside.is_dir() else package_files.CHECKOUT / "templates"


def render_template(template: str, cache: Path | None = None, **context: object) -> str:
    """Return any template filled in. In the state directory `cache`, if given, its compiled form is kept."""
    return _environment(cache).get_template(template).render(context)


def page_script() -> str:
    """Return the page's script: its files one after another, in one scope.

    Comments, indentation and needless spaces stay behind: they are for readers of the files, and half
    their size.
    """
    return _joined(SCRIPTS)


def later_script() -> str:
    """Return later.js, what the page fetches once its reader asks for history or replay."""
    return _joined(LATER)


def page_style() -> str:
    """Return the page's style, without comments, indentation and needless spaces."""
    style = (find_templates() / STYLE).read_text("utf-8")
    return _STYLE_SPACES.sub(r"\1", _bare(style)).replace(";}", "}")


def archive_script() -> str:
    """Return the script of the list of all days, as that of a page."""
    return f'"use strict";\n{_bare((find_templates() / ARCHIVE / "days.js").read_text("utf-8"))}'


def archive_style() -> str:
    """Return the style of the list of all days, as that of a page."""
    return _bare((find_templates() / ARCHIVE / "days.css").read_text("utf-8"))


def script_hash(script: str) -> str:
    """Return by what a page's policy lets a script in."""
    from base64 import b64encode
    from hashlib import sha256

    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode()


def _joined(folder: str) -> str:
    """Return the scripts of a folder one after another, in the order of their names."""
    return _minify(_sources(folder), _sources(LATER if folder == SCRIPTS else SCRIPTS))


@lru_cache(maxsize=2)  # a run draws several pages, and all of them have the same two scripts
def _minify(script: str, elsewhere: str) -> str:
    """Return a script without what only readers of its files need; `elsewhere` is the other script."""
    pieces = _QUOTED.split(_bare(script))  # code and quoted in turn
    for needless, instead in _NEEDLESS:
        pieces[::2] = [needless.sub(instead, code) for code in pieces[::2]]
    _shorten_declarations(pieces, elsewhere)
    return f'"use strict";\n{"".join(pieces)}'


def _sources(folder: str) -> str:
    """Return the scripts of a folder as they are written."""
    return "".join(part.read_text("utf-8") for part in sorted((find_templates() / folder).glob("*.js")))


def _shorten_declarations(pieces: list[str], elsewhere: str) -> None:
    """Write numbers in place of the constants that name them, and several declarations as one.

    `pieces` are code and quoted in turn. A constant stays that a template or the other script, which comes
    `elsewhere` from, may use.
    """
    kept = "".join([*pieces[1::2], elsewhere])
    code = "\0".join(pieces[::2])
    numbers = {name: number for name, number in _NUMBER.findall(code) if name not in kept}
    if numbers:
        code = _NUMBER.sub(lambda found: "" if found[1] in numbers else found[0], code)
        code = re.sub(rf"\b(?:{'|'.join(numbers)})\b", lambda found: numbers[found[0]], code)
    # Declarations that follow one another become one; only those without blocks, in which others may stand.
    code = _DECLARED.sub(lambda found: re.sub(r";let\b ?", ",", found[1]) + ",", code)
    pieces[::2] = code.split("\0")


def _bare(text: str) -> str:
    """Return a script or a style without comments, indentation and empty lines."""
    return _INDENTS.sub("\n", _COMMENTS.sub("", text))


@cache
def _environment(cache: Path | None) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from heatmap.pictures.compiled_templates import CompiledTemplates

    environment = Environment(
        loader=FileSystemLoader(find_templates()),
        autoescape=True,
        bytecode_cache=CompiledTemplates(cache) if cache else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.filters["moment"] = wording.format_moment
    environment.filters["clock_time"] = wording.clock_time
    return environment
