"""Minified scripts and styles: they lose nothing that has a meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heatmap.pictures import templates
from heatmap.pictures.templates import later_script, page_script, page_style


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page's only script."""
    monkeypatch.setattr(templates, "find_templates", lambda: tmp_path)
    (tmp_path / "script").mkdir()
    return tmp_path / "script/1.js"


@pytest.mark.parametrize(
    ("written", "shipped"),
    [
        ("const a = (b) => { return b + 1; }; // why\n", "let a=b=>{return b+1};\n"),
        ("f(a, b,\n  c,\n);\n", "f(a,b,c);\n"),
        ("const o = { a: 1, b };\n", "let o={a:1,b};\n"),
        ("f(\"a = b, { c }\", 'd ; e');\n", "f(\"a = b, { c }\",'d ; e');\n"),
        ("const s = `a , ${b ? `; ${c}` : 1 + 2} = d`;\n", "let s=`a , ${b ? `; ${c}` : 1 + 2} = d`;\n"),
        ("a.replace(/^[=+@ ;] , /, b);\n", "a.replace(/^[=+@ ;] , /,b);\n"),
        ("async (a) => { await b; };\n", "async(a)=>{await b};\n"),
        ("if (a) b = c - -d;\nelse e = +f;\n", "if(a)b=c - -d;else e=+f;\n"),
        ("a = b\nc = d\n", "a=b\nc=d\n"),
        ("const constant = (a * b) / c[0] - (d + 1);\n", "let constant=(a*b)/c[0]-(d+1);\n"),
        (
            "const LEAST = 8;\nconst MOST = 0.5;\nf(LEAST, LEASTS, `${MOST}`, MOST);\n",
            "let MOST=0.5;f(8,LEASTS,`${MOST}`,MOST);\n",
        ),
        ('return "a" + b + "c";\n', 'return "a"+b+"c";\n'),
        ("const c = (a, b) => a / b / 2;\n", "let c=(a,b)=>a/b/2;\n"),
        ("for (const [a, b] of c) { d(a) }\n", "for(let[a,b]of c){d(a)}\n"),
    ],
)
def test_only_what_has_no_meaning_is_left_out(script: Path, written: str, shipped: str) -> None:
    """Comments, spaces and brackets go; strings, templates and regular expressions stay whole."""
    script.write_text(written)

    assert f'"use strict";\n{shipped}'.rstrip("\n") == page_script().rstrip("\n")


def test_the_page_s_own_lose_no_string() -> None:
    """Every string of the sources is in the published script."""
    folder = templates.find_templates()
    for source, shipped in ((folder / "script", page_script()), (folder / "later", later_script())):
        for path in source.glob("*.js"):
            code = re.sub(r"/\*[\s\S]*?\*/|(?<=\s)// .*", "", path.read_text("utf-8"))
            for quoted in re.findall(r'"[^"\n]*"', code):
                assert quoted in shipped


def test_a_style_keeps_necessary_spaces() -> None:
    """Spaces between selectors and around the signs of a sum; the spaces of a string."""
    style = page_style()
    assert ".grid tbody,ul.grid{" in style
    assert "(100% + var(--gap)) / var(--columns) - var(--gap)" in style
    assert 'content:" · "' in style
    assert ".treemap .tiny a > *{" in style
