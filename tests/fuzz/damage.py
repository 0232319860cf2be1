"""Damage to a good body: values of JSON, and pieces of text or bytes, are changed."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

MOST_CHANGES = 4
LONGEST_BODY = 100_000  # bytes: what doubles again and again must end

# What is no JSON, or none that Python writes, stands in a text of its own until the document is one text.
RAW = re.compile(r'"raw ([^"]*)"')
DEEP = "[" * 1500 + "]" * 1500
RAW_VALUES = ["NaN", "-Infinity", "1e999", "-1e999", "1" * 5000, "1" * 400, "1e-400", "01", "", DEEP]

TEXTS = [
    "",
    " ",
    "-",
    "0",
    "-0.0",
    "1e999",
    "NaN",
    "١٢٣",
    "1,894.10",
    "true",
    "a\0b",
    "a\r\nb",
    "\x1b[31mred",
    "\u202eabc",
    "\u2028",
    "\ud800",
    "\U0001f600",
    "\ufeff",
    "e\u0301" * 3,
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "=1+1",
    "../../etc/passwd",
    "*",
    "A" * 300,
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "2026-09-17T11:30:00",
    "17-Sep-2026 15:30:00",
    "31-Feb-2026",
    "constructor",
    "__proto__",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -0.0,
    -1,
    1.5,
    5e-324,
    -100,
    1e17,
    1e18,
    1.7e308,
    2**63,
    10**300,
    [],
    {},
    [[]],
    [None],
    {"": None},
    *TEXTS,
    *(f"raw {value}" for value in RAW_VALUES),
]


def damaged(body: bytes, chance: Random) -> bytes:
    """Return the body with up to MOST_CHANGES things wrong in it: mostly one that is still of its form."""
    for _ in range(chance.randint(1, MOST_CHANGES)):
        document = _decoded(body)
        if isinstance(document, (dict, list)) and document and chance.random() < 0.8:
            body = _encoded(_changed(document, chance), chance)
        elif chance.random() < 0.8:
            body = _reworded(body, chance)
        else:
            body = _flipped(body, chance)
    return body[:LONGEST_BODY]


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _encoded(document: object, chance: Random) -> bytes:
    try:
        text = json.dumps(document, ensure_ascii=chance.random() < 0.5)
    except (ValueError, RecursionError):  # a number of thousands of digits, or lists too deep
        return b"[]"
    return RAW.sub(lambda found: found[1], text).encode("utf-8", "surrogatepass")


def _changed(document: Any, chance: Random) -> Any:
    """Return the document with one value changed, dropped, doubled, moved or renamed, at any depth."""
    if not isinstance(document, (dict, list)) or not document:
        return chance.choice(VALUES)
    if isinstance(document, dict):
        made = dict(document)
        key = chance.choice(list(made))
        match chance.randrange(8):
            case 0:
                del made[key]
            case 1:
                made[key] = chance.choice(VALUES)
            case 2:
                made[key] = chance.choice(list(made.values()))
            case 3:
                made[chance.choice(TEXTS)] = made.pop(key)
            case 4:
                made[key] = [made[key]]
            case _:
                made[key] = _changed(made[key], chance)
        return made
    items = list(document)
    place = chance.randrange(len(items))
    match chance.randrange(8):
        case 0:
            del items[place]
        case 1:
            items[place] = chance.choice(VALUES)
        case 2:
            items.insert(chance.randrange(len(items) + 1), items[place])
        case 3 if len(items) < 1000:
            items *= 2
        case 4:
            return {"0": items}
        case _:
            items[place] = _changed(items[place], chance)
    return items


def _reworded(body: bytes, chance: Random) -> bytes:
    """Return the body with one word, or one line, changed, dropped, doubled or moved."""
    separator = chance.choice([b"\n", b",", b" ", b"=", b":", b'"', b"/"])
    words = body.split(separator)
    place = chance.randrange(len(words))
    match chance.randrange(7):
        case 0:
            del words[place]
        case 1:
            words.insert(chance.randrange(len(words) + 1), words[place])
        case 2:
            other = chance.randrange(len(words))
            words[place], words[other] = words[other], words[place]
        case 3:
            return body.replace(b"\n", b"\r\n")
        case 4:
            words[place] = chance.choice(RAW_VALUES).encode()
        case _:
            words[place] = chance.choice(TEXTS).encode("utf-8", "surrogatepass")
    return separator.join(words)


def _flipped(body: bytes, chance: Random) -> bytes:
    """Return the body with some bytes of it cut out, put in or changed."""
    start = chance.randrange(len(body) + 1)
    end = min(len(body), start + chance.choice([0, 1, 1, 2, 100]))
    return body[:start] + chance.randbytes(chance.choice([0, 1, 1, 4])) + body[end:]
