"""What an answer means: its status, where it sends who asked, and its body unpacked. Pure."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from heatmap.errors import SourceBlocked, SourceNonsense, SourceOverloaded, SourceRenamed
from heatmap.system.http import errors
from heatmap.system.web_address import is_protected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
LONGEST_WISH_SECONDS = 7 * 24 * 3600.0  # that Retry-After is believed


class Limits(NamedTuple):
    """How many bytes of a body may come, and how many there may be once unpacked."""

    wire_bytes: int = 4 * 1024 * 1024
    decoded_bytes: int = 4 * 1024 * 1024


class RawResponse(NamedTuple):
    """What one request brought. The body is unpacked, and empty where the status is not 200."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    cookies: tuple[str, ...]  # every Set-Cookie
    body: bytes


class Response(NamedTuple):
    """What a server gave: the body unpacked, its media type in lower case, and the address that gave it."""

    body: bytes
    content_type: str
    url: str


def redacted_url(url: str) -> str:
    """Return an address fit for messages: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def find_redirect(url: str, reply: RawResponse) -> str | None:
    """Return where a reply sends who asked for `url`; None where it sends nobody anywhere.

    Raises SourceBlocked for a place that is not gone to: sites send away whom they do not let in.
    """
    place = reply.headers.get("location", "").strip()
    if reply.status not in REDIRECTS or not place:
        return None
    try:
        target = urljoin(url, place)
        old, new = urlsplit(url), urlsplit(target)
        stays = _site(old) == _site(new) and (_is_upgrade(old, new) or _is_alike(old, new))
    except ValueError:
        stays = False
    if not stays:
        raise SourceBlocked(
            "redirects to another site, or off https, which is not followed: "
            "correct the address, or look at it in a browser",
            status=reply.status,
        )
    return target


def raise_for_status(reply: RawResponse) -> None:
    """Raise what a status other than 200 means. Messages lack their subject."""
    status = reply.status
    if status == 200:
        return
    if status in (401, 403, 421, 451):
        raise SourceBlocked(f"answered {status}: it does not let this address in", status=status)
    if status == 407:
        raise errors.proxy_refusal()
    if status in (404, 410):
        raise SourceRenamed(f"answered {status}: there is nothing at this address any more", status=status)
    if status in (408, 429) or status >= 500:
        wish = retry_after_seconds(reply.headers)
        later = f" and asks to wait {wish:,.0f} seconds" if wish is not None else ""
        why = "it was asked too often" if status == 429 else "the server has trouble"
        error = SourceOverloaded(f"answered {status}{later}: {why}, so ask it later", status=status)
        error.retry_after_seconds = wish
        raise error
    message = f"answered {status}, where 200 was due: the address or what it serves has changed"
    raise SourceNonsense(message, status=status)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to be left alone; None where it does not say, or not so that one knows.

    A date counts from the server's own, not from this machine's clock (RFC 9110, 10.2.3).
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_WISH_SECONDS)
    from email.utils import parsedate_to_datetime

    try:
        wish = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wish.total_seconds(), 0.0), LONGEST_WISH_SECONDS)


def decompress(wire: bytes, coding: str, most: int) -> bytes:
    """Return what a body holds, whose Content-Encoding is `coding`. Raises SourceError, SourceNonsense."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        decoded = wire
    elif coding in ("gzip", "x-gzip", "deflate"):
        decoded = _inflated(wire, most)
    else:
        raise SourceNonsense("packs its answer in a way that was not asked for (not gzip, not deflate)")
    if len(decoded) > most:
        raise errors.too_large(most, "unpacks to")
    return decoded


def _site(parts: SplitResult) -> str:
    return (parts.hostname or "").removeprefix("www.")


def _port(parts: SplitResult) -> int | None:
    return parts.port or PORTS.get(parts.scheme)


def _is_upgrade(old: SplitResult, new: SplitResult) -> bool:
    return (old.scheme, new.scheme, _port(old), _port(new)) == ("http", "https", 80, 443)


def _is_alike(old: SplitResult, new: SplitResult) -> bool:
    """Whether both are https, or both http on this machine, at the same port."""
    return is_protected(old.scheme, old.hostname) and old.scheme == new.scheme and _port(old) == _port(new)


def _inflated(wire: bytes, most: int) -> bytes:
    """Return what gzip or deflate data hold, at most one byte more than `most`."""
    failure: zlib.error | None = None
    for window_bits in (47, -15):  # gzip or zlib, told by their headers; then deflate without a header
        unpacker = zlib.decompressobj(window_bits)
        try:
            decoded = unpacker.decompress(wire, most + 1)
        except zlib.error as error:
            failure = error
            continue
        if not unpacker.eof and len(decoded) <= most:
            raise errors.truncated("in the middle of its packed answer")
        return decoded
    raise errors.damaged() from failure
