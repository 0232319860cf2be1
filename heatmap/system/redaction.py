"""Removes secrets from texts, whatever encoding a server or a library repeats them in.

Text and secret are converted to one plain form, without escapes and extra white space, in lower case. So a
secret is found that is encoded in part, or twice.
"""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "***"
MOST_LEVELS = 5  # how often a secret may be encoded
SHORTEST_PLAIN = 2  # characters: a shorter form of a longer secret is in too many innocent words
SHORTEST_BARE = 4  # the same, if spaces do not count
SHORTEST_BASE64 = 6  # characters of base64 that depend on the secret alone
_HEX = "[0-9A-Fa-f]"
_ESCAPE = re.compile(
    rf"%(?P<percent>{_HEX}{{2}})"
    rf"|\\{{1,8}}(?:[uU]\{{(?P<braced>{_HEX}{{1,6}})\}}|U(?P<long>{_HEX}{{8}})"
    rf"|u(?P<high>[dD][89abAB]{_HEX}{{2}})\\{{1,8}}u(?P<low>[dD][c-fC-F]{_HEX}{{2}})|u(?P<short>{_HEX}{{4}})"
    rf"|x(?P<byte>{_HEX}{{2}})|(?P<octal>[0-3][0-7]{{2}}))"
    r"|(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
)
_MARKS = "\\'\""  # they may be doubled or escaped
_WHITE = "".join(map(chr, [*range(0x21), 0x7F]))  # a server may break a line
_BASE64 = re.compile(r"[A-Za-z0-9+/=]")


class _Text(NamedTuple):
    """Bytes, each as one character, and the start and end of each in the original text."""

    bytes: str
    places: list[tuple[int, int]]


def redact(text: str, secrets: Iterable[str | None]) -> str:
    """Return `text` with HIDDEN in the place of every secret."""
    end, pieces = 0, []
    for first, last in _merge(_places(text, secrets)):
        pieces += [text[end:first], HIDDEN]
        end = last
    return "".join([*pieces, text[end:]])


def holds(text: str, secrets: Iterable[str | None]) -> bool:
    """Whether a secret is in `text`."""
    return any(True for _ in _places(text, secrets))


def _places(text: str, secrets: Iterable[str | None]) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of each secret in `text`."""
    present = {secret for secret in secrets if secret}
    if not present:
        return
    decoded = _decode(_encode(text))
    plain, bare, packed = _plain(decoded), _bare(_plain(decoded)), _packed(decoded)
    for secret in present:
        for spelling in {secret, quote(secret, safe=""), quote_plus(secret)}:
            for match in re.finditer(re.escape(spelling), text, re.IGNORECASE):
                yield match.span()
        forms = _forms(secret)
        yield from _find(plain, [form.bytes for form in forms], min(SHORTEST_PLAIN, len(secret)))
        yield from _find(bare, [_bare(form).bytes for form in forms], SHORTEST_BARE)
        hexadecimal = secret.encode("utf-8", "surrogatepass").hex()
        yield from _find(bare, [hexadecimal], 2 * SHORTEST_BARE)
        yield from _find_base64(packed, secret)


def _find(text: _Text, forms: Iterable[str], shortest: int) -> Iterator[tuple[int, int]]:
    for form in forms:
        if len(form) >= shortest:
            for first, last in _occurrences(text.bytes, form):
                yield text.places[first][0], text.places[last - 1][1]


def _find_base64(text: _Text, secret: str) -> Iterator[tuple[int, int]]:
    for form in _base64_forms(secret):
        end = 0
        for first, last in _occurrences(text.bytes, form):
            if text.places[first][0] >= end:
                start, end = _widen(text, first, last)
                yield start, end


def _occurrences(text: str, part: str) -> Iterator[tuple[int, int]]:
    first = text.find(part)
    while first >= 0:
        yield first, first + len(part)
        first = text.find(part, first + 1)


def _widen(text: _Text, first: int, last: int) -> tuple[int, int]:
    """Return the place of a piece of base64, with its neighbours: some of their bits belong to the secret."""
    start, end = text.places[first][0], text.places[last - 1][1]
    while first and text.places[first - 1][1] == start and _BASE64.match(text.bytes[first - 1]):
        first -= 1
        start = text.places[first][0]
    while last < len(text.bytes) and text.places[last][0] == end and _BASE64.match(text.bytes[last]):
        end = text.places[last][1]
        last += 1
    return start, end


def _merge(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(places):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _forms(secret: str) -> list[_Text]:
    """Return the plain forms of a secret."""
    contents = {_bytes(secret), _bytes(secret.upper()), _bytes(secret.lower())}
    for content in tuple(contents):  # UTF-8 read as Latin-1
        contents.add(_bytes(content))
    with suppress(UnicodeError):
        contents.add(secret.encode("latin-1").decode("latin-1"))
    with suppress(UnicodeError):
        contents.add(_bytes(secret.encode("latin-1").decode("utf-8")))
    places = {content: [(place, place) for place in range(len(content))] for content in contents}
    return [_plain(_decode(_Text(content, places[content]))) for content in contents]


def _base64_forms(secret: str) -> Iterator[str]:
    """Yield the base64 characters that depend on the secret alone, for each position that it may start at."""
    content = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        text = base64.b64encode(b"\0" * before + content).decode()
        form = text[(0, 2, 3)[before] : (before + len(content)) * 8 // 6]
        if len(form) >= SHORTEST_BASE64:
            yield form


def _encode(text: str) -> _Text:
    """Return the bytes of a text, in UTF-8."""
    pieces = [_bytes(letter) for letter in text]
    places = [(place, place + 1) for place, piece in enumerate(pieces) for _ in piece]
    return _Text("".join(pieces), places)


def _decode(text: _Text) -> _Text:
    """Return a text without any escapes."""
    for _ in range(MOST_LEVELS):
        if not _ESCAPE.search(text.bytes):
            break
        text = _unescape(text)
    return text


def _unescape(text: _Text) -> _Text:
    pieces, places, end = [], [], 0
    for escape in _ESCAPE.finditer(text.bytes):
        first, last = escape.span()
        content = _decode_escape(escape)
        pieces += [text.bytes[end:first], content]
        places += text.places[end:first]
        places += [(text.places[first][0], text.places[last - 1][1])] * len(content)
        end = last
    return _Text("".join([*pieces, text.bytes[end:]]), places + text.places[end:])


def _decode_escape(escape: re.Match[str]) -> str:
    """Return the bytes that an escape stands for."""
    parts = {name: value for name, value in escape.groupdict().items() if value}
    if "entity" in parts:
        import html  # late: its table of entities is large, and errors are rare

        letters = html.unescape(parts["entity"])
        return letters if letters == parts["entity"] else "".join(map(_bytes, letters))
    if "high" in parts:
        high, low = int(parts["high"], 16), int(parts["low"], 16)
        return _bytes(chr(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF)))
    if "octal" in parts:
        return chr(int(parts["octal"], 8))
    ((name, digits),) = parts.items()
    code = int(digits, 16)
    if name in ("percent", "byte"):
        return chr(code)
    return _bytes(chr(code)) if code <= 0x10FFFF else ""


def _bytes(text: str) -> str:
    """Return the UTF-8 bytes of a text. A byte that was not UTF-8 when it was read is itself again."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _plain(text: _Text) -> _Text:
    """Return a text in lower case, with single spaces and without quotes and backslashes."""
    indexes, before = [], ""
    for place, letter in enumerate(text.bytes):
        if letter not in _MARKS and not (letter in _WHITE and before and before in _WHITE):
            indexes.append(place)
            before = letter
    lower = "".join(" " if text.bytes[place] in _WHITE else _lower(text.bytes[place]) for place in indexes)
    return _Text(lower, [text.places[place] for place in indexes])


def _bare(text: _Text) -> _Text:
    """Return a plain text without spaces, and without plus signs, which may be spaces."""
    indexes = [place for place, letter in enumerate(text.bytes) if letter not in " +"]
    return _Text("".join(text.bytes[place] for place in indexes), [text.places[place] for place in indexes])


def _lower(letter: str) -> str:
    return letter.lower() if letter.isascii() else letter  # the others are bytes, not letters


def _packed(text: _Text) -> _Text:
    """Return a text without white space, with the usual alphabet of base64 in place of that in addresses."""
    indexes = [place for place, letter in enumerate(text.bytes) if not letter.isspace()]
    standard = "".join(text.bytes[place] for place in indexes).replace("-", "+").replace("_", "/")
    return _Text(standard, [text.places[place] for place in indexes])
