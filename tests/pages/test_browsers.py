"""The oldest browsers that the pages' scripts and styles work in, by MDN's browser-compat-data.

The README names the same versions. GUARDED lists each newer feature with the reason why older browsers do without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.checkout import CHECKOUT

TEMPLATES = CHECKOUT / "templates"
DATA = CHECKOUT / "tests" / "script/node_modules/@mdn/browser-compat-data/data.json"
OLDEST = {"chrome": (105,), "firefox": (110,), "safari": (16,)}
NEVER = (999,)
GUARDED = {
    "print-color-adjust": "Chrome knows the older name, which stands before it",
    "forced-color-adjust": "Safari has no such colours",
    "dvh": "the same in vh stands before it",
    "exitFullscreen": "the button is hidden where fullscreenEnabled is not true",
    "fullscreenElement": "as exitFullscreen",
    "fullscreenEnabled": "as exitFullscreen",
    "requestFullscreen": "as exitFullscreen",
    "popover-open": "without it the menu stands below the map, and its button leads there",
}
COMMENTS = re.compile(r"/\*.*?\*/|(?<!:)//[ \t].*?$", re.DOTALL | re.MULTILINE)
STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
# The interfaces that the scripts use. Members of the others have names that the scripts give to things of their own.
INTERFACES = (
    "Blob CSSStyleDeclaration CanvasRenderingContext2D DOMParser Document Element Event EventTarget HTMLAnchorElement HTMLButtonElement "
    "HTMLCanvasElement HTMLDialogElement HTMLElement HTMLImageElement HTMLInputElement HTMLSelectElement Headers History KeyboardEvent "
    "Location MediaQueryList Node NodeList Performance PointerEvent Range ResizeObserver Response SVGElement TreeWalker URL "
    "URLSearchParams Window XMLSerializer"
).split()
OWN = {"windows"}  # the windows of a session, in the page's clock
# New members of one class that older classes have under the same name: found by the variable before the dot.
FORBIDDEN = {"URLSearchParams.size": r"\b(?:parameters|searchParams)\.size\b"}


@pytest.fixture(scope="module")
def feature_table() -> dict[str, Any]:
    """MDN's table of features."""
    if not DATA.is_file():
        pytest.skip(
            "browser-compat-data is not here: install Node.js and npm (Debian: apt-get install nodejs npm), then make test"
        )
    table: dict[str, Any] = json.loads(DATA.read_text("utf-8"))
    return table


def since(feature: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The first version of each browser that has a feature without a flag; NEVER if it has none."""
    first_versions = {}
    for browser in OLDEST:
        support = feature["__compat"]["support"][browser]
        support = support if isinstance(support, list) else [support]
        plain = [
            one["version_added"]
            for one in support
            if not one.get("flags")
            and not one.get("prefix")
            and (one.get("partial_implementation") or not one.get("version_removed"))
        ]
        versions = [
            tuple(map(int, re.findall(r"\d+", version)))
            for version in plain
            if isinstance(version, str) and version != "preview"
        ]
        first_versions[browser] = min(versions, default=NEVER)
    return first_versions


def is_newer(features: list[dict[str, Any]]) -> bool:
    """Whether the oldest browsers lack all features of one name, but newer browsers have one."""
    versions = [since(feature) for feature in features]
    shipped = [one for one in versions if set(one.values()) != {NEVER}]
    return bool(shipped) and not any(
        all(version <= OLDEST[browser] for browser, version in one.items()) for one in shipped
    )


def entries(tree: dict[str, Any], depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The features of a tree and their names, down to a depth."""
    for name, child in tree.items():
        if name == "__compat" or not isinstance(child, dict):
            continue
        if "__compat" in child:
            yield name.removesuffix("_static"), child
        if depth > 1:
            yield from entries(child, depth - 1)


def by_name(*trees: tuple[dict[str, Any], int]) -> dict[str, list[dict[str, Any]]]:
    """The features of trees, each down to its depth, by name."""
    features: dict[str, list[dict[str, Any]]] = {}
    for tree, depth in trees:
        for name, feature in entries(tree, depth):
            features.setdefault(name, []).append(feature)
    return features


def newer_in_script(table: dict[str, Any], code: str) -> set[str]:
    """The members and classes in a script that the oldest browsers lack."""
    api = {name: table["api"][name] for name in INTERFACES}
    builtins = {name: tree for name, tree in table["javascript"]["builtins"].items() if name != "Temporal"}
    features = by_name((api, 2), (builtins, 3))
    code = STRINGS.sub('""', COMMENTS.sub("", code))
    used = set(re.findall(r"(?:\.|\?\.|new |\b(?=[A-Z]\w+\())(\w+)", code))
    forbidden = {name for name, pattern in FORBIDDEN.items() if re.search(pattern, code)}
    return forbidden | {name for name in used - OWN if is_newer(features.get(name, []))}


def newer_in_style(table: dict[str, Any], code: str) -> set[str]:
    """The properties, selectors, media features, functions and units in a style that the oldest browsers lack."""
    css = table["css"]
    code = COMMENTS.sub("", code)
    functions = by_name((css["types"], 3), (css["properties"], 2))
    units = {"cqw": "container_query_length_units", "dvh": "viewport_percentage_units_dynamic"}
    names = [
        *((name, css["properties"].get(name)) for name in re.findall(r"[{;\s]([a-z-]+):", code)),
        *((name, css["selectors"].get(name)) for name in re.findall(r":([a-z-]+)(?=[^{}]*\{)", code)),
        *((name, css["at-rules"]["media"].get(name)) for name in re.findall(r"\(([a-z-]+):", code)),
        *((name, css["at-rules"].get(name)) for name in re.findall(r"@([a-z-]+)", code)),
        *(
            (unit, css["types"]["length"][name])
            for unit, name in units.items()
            if re.search(rf"\d{unit}\b", code)
        ),
    ]
    newer = {name for name, feature in names if feature and is_newer([feature])}
    return newer | {name for name in re.findall(r"([a-z-]+)\(", code) if is_newer(functions.get(name, []))}


def scripts() -> Iterator[tuple[str, str]]:
    """Each script of the pages."""
    for path in sorted(TEMPLATES.rglob("*.js")):
        yield path.name, path.read_text("utf-8")


def styles() -> Iterator[tuple[str, str]]:
    """Each style sheet, also the one within a script, and the styles of the templates' elements."""
    for path in [*TEMPLATES.rglob("*.css"), TEMPLATES / "later/1-style.js"]:
        yield path.name, path.read_text("utf-8")
    for path in TEMPLATES.rglob("*.html.j2"):
        for style in re.findall(r'style="([^"]*)"', re.sub(r"\{[{%].*?[}%]\}", "0", path.read_text("utf-8"))):
            yield path.name, f"{{{style}}}"


def test_the_scripts_use_nothing_newer(feature_table: dict[str, Any]) -> None:
    """Every member and class in a script is in the oldest browsers, or guarded."""
    assert set() == {
        (name, newer)
        for name, code in scripts()
        for newer in newer_in_script(feature_table, code) - GUARDED.keys()
    }


def test_the_styles_use_nothing_newer(feature_table: dict[str, Any]) -> None:
    """So are the properties, selectors, media features, functions and units of the styles."""
    assert set() == {
        (name, newer)
        for name, code in styles()
        for newer in newer_in_style(feature_table, code) - GUARDED.keys()
    }


def test_newer_features_are_detected(feature_table: dict[str, Any]) -> None:
    """These are of 2023 and later; others in the same statements are not."""
    script = "Map.groupBy(a, b).size; [].toSorted().at(0); heading.ariaHidden = parameters.size; new Set(a).union(b); // .with("
    style = ".a:has(b) { color: light-dark(red, rgb(0 0 0 / 1)); text-wrap: balance; width: 1dvh } @media (scripting: none) { a:hover { top: 0 } }"

    assert {"groupBy", "toSorted", "ariaHidden", "URLSearchParams.size", "union"} == newer_in_script(
        feature_table, script
    )
    assert {"has", "light-dark", "text-wrap", "dvh", "scripting"} == newer_in_style(feature_table, style)


def test_every_exception_is_needed(feature_table: dict[str, Any]) -> None:
    """No exception outlives its use."""
    used = {newer for _, code in scripts() for newer in newer_in_script(feature_table, code)}
    used |= {newer for _, code in styles() for newer in newer_in_style(feature_table, code)}

    assert used == GUARDED.keys()
