"""The Jinja2 environment, the folder of the templates, and the page's scripts and styles."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from heatmap.pictures import wording
from heatmap.system import package_files

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Environment

SCRIPTS = "script"  # the folder of the page's script: its files are joined in the order of their names
LATER = "later"  # the folder of later.js, which shares the page script's scope
STYLE = "heatmap.css"
ARCHIVE = "archive"  # the folder of the script and the style of the list of all days
_COMMENTS = re.compile(r"/\*[\s\S]*?\*/ ?|(?:^|(?<=\s))//[ \t].*$", re.MULTILINE)
_INDENTS = re.compile(r"\s*\n\s*")
# The parts of a script in which spaces count: strings, templates (also nested ones), regular expressions.
_QUOTED = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|\$\{(?:[^`{}]|`[^`]*`|\{[^{}]*\})*\}|[^`\\])*`"""
    r"""|(?<=[(,=:])\ ?/(?:\\.|\[[^]]*]|[^/\\\n])+/)"""
)
# The needless parts of code, in turn: spaces, line ends, the end of a list or block, brackets around one
# parameter. And const becomes let, which is shorter: tsc and biome have checked the source before.
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
    """Return the folder of the templates: in a wheel the package's, else the checkout's."""
    folder = package_files.PACKAGE / "templates"
    return folder if folder.is_dir() else package_files.CHECKOUT / "templates"


def render_template(template: str, cache: Path | None = None, **context: object) -> str:
    """Return a template, filled in. The state directory `cache`, if given, caches the compiled template."""
    return _environment(cache).get_template(template).render(context)


def page_script() -> str:
    """Return the page's script: its files one after another, in one scope.

    It has no comments, indentation and needless spaces. They are half the size of the files.
    """
    return _join_scripts(SCRIPTS)


def later_script() -> str:
    """Return later.js, which the page fetches when its reader chooses history or replay."""
    return _join_scripts(LATER)


def page_style() -> str:
    """Return the page's style, without comments, indentation and needless spaces."""
    style = (find_templates() / STYLE).read_text("utf-8")
    return _STYLE_SPACES.sub(r"\1", _strip_comments(style)).replace(";}", "}")


def archive_script() -> str:
    """Return the script of the list of all days, without comments and indentation."""
    return f'"use strict";\n{_strip_comments((find_templates() / ARCHIVE / "days.js").read_text("utf-8"))}'


def archive_style() -> str:
    """Return the style of the list of all days, without comments and indentation."""
    return _strip_comments((find_templates() / ARCHIVE / "days.css").read_text("utf-8"))


def script_hash(script: str) -> str:
    """Return the hash by which a page's Content-Security-Policy allows a script."""
    from base64 import b64encode
    from hashlib import sha256

    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode()


def _join_scripts(folder: str) -> str:
    """Return the scripts of a folder one after another, in the order of their names, minified."""
    return _minify(_read_scripts(folder), _read_scripts(LATER if folder == SCRIPTS else SCRIPTS))


@lru_cache(maxsize=2)  # a run draws several pages, and all of them have the same two scripts
def _minify(script: str, other_script: str) -> str:
    """Return a script in a shorter form with the same effect. `other_script` shares its scope."""
    pieces = _QUOTED.split(_strip_comments(script))  # code and quoted text in turn
    for needless, replacement in _NEEDLESS:
        pieces[::2] = [needless.sub(replacement, code) for code in pieces[::2]]
    _shorten_declarations(pieces, other_script)
    return f'"use strict";\n{"".join(pieces)}'


def _read_scripts(folder: str) -> str:
    """Return the source text of a folder's scripts, one after another."""
    return "".join(part.read_text("utf-8") for part in sorted((find_templates() / folder).glob("*.js")))


def _shorten_declarations(pieces: list[str], other_script: str) -> None:
    """Replace constants by their numbers, and several declarations by one.

    `pieces` are code and quoted text in turn. A constant stays if quoted text or `other_script` may use it.
    """
    other_text = "".join([*pieces[1::2], other_script])
    code = "\0".join(pieces[::2])
    numbers = {name: number for name, number in _NUMBER.findall(code) if name not in other_text}
    if numbers:
        code = _NUMBER.sub(lambda match: "" if match[1] in numbers else match[0], code)
        code = re.sub(rf"\b(?:{'|'.join(numbers)})\b", lambda match: numbers[match[0]], code)
    # Declarations in a row become one. Those with blocks stay: a block may have declarations of its own.
    code = _DECLARED.sub(lambda match: re.sub(r";let\b ?", ",", match[1]) + ",", code)
    pieces[::2] = code.split("\0")


def _strip_comments(text: str) -> str:
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
