"""A secret is taken out of a text in every encoding that servers and libraries write it in."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest

from heatmap.system.redaction import holds, redact

SECRETS = [
    "canary-5ecret",
    "p@ss w\u00f6rd/1+2=3&4",
    "wJalr/XUt+nFEMI/K7MD\"ENG<'>",
    "100%41 \\n\\u0041",
    "a  b&amp;c",
    "\u79d8\u5bc6\U0001f511key",
    "k+/",
]


def every_letter(pattern: Callable[[str], str]) -> Callable[[str], str]:
    """Encode a secret letter by letter."""
    return lambda secret: "".join(map(pattern, secret))


def percents(secret: str) -> str:
    """Every byte as %XX."""
    return "".join(f"%{byte:02X}" for byte in secret.encode())


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "percent": lambda secret: quote(secret, safe=""),
    "percent, path": quote,
    "percent, lower case": lambda secret: percents(secret).lower(),
    "percent, every byte": percents,
    "percent, plus": quote_plus,
    "percent, twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "percent, in part": lambda secret: secret[0] + percents(secret[1:]),
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json, plain": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "json, slashes": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "json in json": lambda secret: json.dumps(json.dumps(secret)[1:-1])[1:-1],
    "json, every letter": lambda secret: "".join(
        f"\\u{unit:04X}" for unit in memoryview(secret.encode("utf-16-le")).cast("H")
    ),
    "html": html.escape,
    "html of percent": lambda secret: html.escape(quote_plus(secret)),
    "html, decimal": every_letter(lambda letter: f"&#{ord(letter)};"),
    "html, hexadecimal": every_letter(lambda letter: f"&#x{ord(letter):X};"),
    "html, twice": lambda secret: html.escape(html.escape(secret)),
    "xml": escape,
    "python": lambda secret: repr(secret)[1:-1],
    "python, bytes": lambda secret: repr(secret.encode())[2:-1],
    "c, octal": lambda secret: "".join(f"\\{byte:03o}" for byte in secret.encode()),
    "sql": lambda secret: secret.replace("'", "''").replace('"', '""'),
    "misread": lambda secret: secret.encode().decode("latin-1"),
    "unreadable": lambda secret: secret.encode().decode("ascii", "surrogateescape"),
    "wrapped": lambda secret: secret if len(secret) < 4 else secret[:2] + "\r\n " + secret[2:],
}
LONGER = {
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of a login": lambda secret: base64.b64encode(f"me:{secret}".encode()).decode(),
    "base64 of a longer login": lambda secret: base64.b64encode(f"user:{secret}\n".encode()).decode(),
    "base64 for addresses": lambda secret: base64.urlsafe_b64encode(f"AKIA:{secret}".encode()).decode(),
    "base64 in an address": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
    "base64 in lines": lambda secret: base64.encodebytes(secret.encode() + b"x" * 90).decode(),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "hexadecimal, upper case": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_each_encoding(secret: str, encoding: Callable[[str], str]) -> None:
    """The words around it stay."""
    text = f"403 Forbidden (key {encoding(secret)}): try again, 100 % sure"

    assert holds(text, [None, "", "other", secret])
    assert "403 Forbidden (key ***): try again, 100 % sure" == redact(text, [None, "", secret])


@pytest.mark.parametrize("secret", SECRETS[:-1])
@pytest.mark.parametrize("encoding", LONGER.values(), ids=LONGER.keys())
def test_each_packing(secret: str, encoding: Callable[[str], str]) -> None:
    """Where the secret may begin at any bit, all that belongs to its piece goes."""
    written = encoding(secret)
    text = f"403 Forbidden (key: {written}): try again"
    found = redact(text, [secret])

    assert found.startswith("403 Forbidden (key: ***")
    assert found.endswith("): try again")
    assert not [
        place
        for place in range(len(written) - 8)
        if written[place : place + 8] in found and len(written) < 70
    ]


def test_several_at_once() -> None:
    """Each place is replaced once, also where one secret holds the other, or they touch."""
    assert "*** and *** or x***y" == redact("abcdef and abcd or xcdefabcdy", ["abcd", "abcdef", "cdef"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no secret here",
        "%",
        "%zz \\u12 &; &nosuch; \\",
        "\udcff\ud800",
        "caf\u00e9 %E9 100%",
        "x" * 20_000,
    ],
)
def test_other_texts_stay(text: str) -> None:
    """Letter by letter."""
    assert text == redact(text, ["canary-5ecret", "\u79d8\u5bc6", None, ""])
    assert not holds(text, ["canary-5ecret"])


def test_it_takes_little_time() -> None:
    """Also for the longest secrets and hostile texts."""
    import time

    begun = time.monotonic()
    redact(
        "%25" * 3_000 + "A" * 10_000 + "\\" * 10_000 + "&#37;" * 2_000, ["A" * 4096, "\\" * 50, "k%25" * 500]
    )
    assert time.monotonic() - begun < 5
