"""Reads JSON strictly, and within a limit."""

from __future__ import annotations

import json
from math import isinf
from typing import NoReturn

from heatmap.errors import SourceReshaped
from heatmap.system import limits

VALUE_SIGNS = (b",", b"[", b"{")  # at least one of them for each value


def decode(body: bytes) -> object:
    """Return the value of a JSON text in UTF-8, with finite numbers, and each key once.

    Raises SourceReshaped, also for more than `limits.JSON_VALUES` values.
    """
    if sum(map(body.count, VALUE_SIGNS)) > limits.JSON_VALUES:
        raise SourceReshaped(f"holds more than {limits.JSON_VALUES:,} values: that is no list of quotes")
    try:
        document = json.loads(
            body.decode("utf-8-sig"), parse_constant=_not_json, parse_float=_finite, object_pairs_hook=_object
        )
        if b"\\ud" in body.lower():  # an escape that may be half a character, which cannot be encoded
            for piece in json.JSONEncoder(ensure_ascii=False).iterencode(document):
                piece.encode()
    except RecursionError:
        raise SourceReshaped("holds JSON nested too deeply: that is no list of quotes") from None
    except json.JSONDecodeError as error:
        message = (
            f"holds no whole JSON (it stops making sense at character {error.pos:,} of {len(error.doc):,})"
        )
        raise SourceReshaped(message) from None
    except UnicodeError:
        raise SourceReshaped("holds something else than text in UTF-8") from None
    except ValueError as error:
        reason = str(error) if isinstance(error, _NotStrictError) else "a number of thousands of digits"
        raise SourceReshaped(f"holds what is no figure ({reason})") from None
    return document


class _NotStrictError(ValueError):
    """A constant that JSON does not have, an infinite number, or two values with the same key."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _NotStrictError("two values under one name")
    return values


def _not_json(constant: str) -> NoReturn:
    raise _NotStrictError(constant)


def _finite(text: str) -> float:
    result = float(text)
    if isinf(result):
        raise _NotStrictError(text[:20])
    return result
