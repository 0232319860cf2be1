"""The meaning of a response: its status, its redirect, and its unpacked body. Pure."""

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
LONGEST_RETRY_AFTER_SECONDS = 7 * 24 * 3600.0  # a longer Retry-After counts as this


class Limits(NamedTuple):
    """The most bytes of a body, as they are sent and after they are unpacked."""

    wire_bytes: int = 4 * 1024 * 1024
    decoded_bytes: int = 4 * 1024 * 1024


class RawResponse(NamedTuple):
    """The response to one request. The body is unpacked; it is empty if the status is not 200."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    cookies: tuple[str, ...]  # every Set-Cookie
    body: bytes


class Response(NamedTuple):
    """A response of status 200: its unpacked body, its media type in lower case, and its address."""

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


def find_redirect(url: str, response: RawResponse) -> str | None:
    """Return the redirect target of a response to `url`, or None if it is no redirect.

    Raises SourceBlocked for a target that is not followed: a site redirects clients that it does not let in.
    """
    location = response.headers.get("location", "").strip()
    if response.status not in REDIRECTS or not location:
        return None
    try:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        stays = _site(old) == _site(new) and (_is_upgrade(old, new) or _is_same_place(old, new))
    except ValueError:
        stays = False
    if not stays:
        raise SourceBlocked(
            "redirects to another site, or off https, which is not followed: "
            "correct the address, or look at it in a browser",
            status=response.status,
        )
    return target


def raise_for_status(response: RawResponse) -> None:
    """Raise the error for a status other than 200. Messages lack their subject."""
    status = response.status
    if status == 200:
        return
    if status in (401, 403, 421, 451):
        raise SourceBlocked(f"answered {status}: it does not let this address in", status=status)
    if status == 407:
        raise errors.proxy_refusal()
    if status in (404, 410):
        raise SourceRenamed(f"answered {status}: there is nothing at this address any more", status=status)
    if status in (408, 429) or status >= 500:
        seconds = retry_after_seconds(response.headers)
        later = f" and asks to wait {seconds:,.0f} seconds" if seconds is not None else ""
        why = "it was asked too often" if status == 429 else "the server has trouble"
        error = SourceOverloaded(f"answered {status}{later}: {why}, so ask it later", status=status)
        error.retry_after_seconds = seconds
        raise error
    message = f"answered {status}, where 200 was due: the address or what it serves has changed"
    raise SourceNonsense(message, status=status)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; None if there is none, or none that can be read.

    A date counts from the server's clock, not from this machine's (RFC 9110, 10.2.3).
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_RETRY_AFTER_SECONDS)
    from email.utils import parsedate_to_datetime

    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait.total_seconds(), 0.0), LONGEST_RETRY_AFTER_SECONDS)


def decompress(wire: bytes, coding: str, most: int) -> bytes:
    """Return the unpacked body; `coding` is its Content-Encoding. Raises SourceError, SourceNonsense."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        decoded = wire
    elif coding in ("gzip", "x-gzip", "deflate"):
        decoded = _inflate(wire, most)
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


def _is_same_place(old: SplitResult, new: SplitResult) -> bool:
    """Whether both are https, or both http on this machine, at the same port."""
    return is_protected(old.scheme, old.hostname) and old.scheme == new.scheme and _port(old) == _port(new)


def _inflate(wire: bytes, most: int) -> bytes:
    """Return the content of gzip or deflate data, at most one byte more than `most`."""
    last_error: zlib.error | None = None
    for window_bits in (47, -15):  # gzip or zlib, by their headers; then deflate without a header
        unpacker = zlib.decompressobj(window_bits)
        try:
            decoded = unpacker.decompress(wire, most + 1)
        except zlib.error as error:
            last_error = error
            continue
        if not unpacker.eof and len(decoded) <= most:
            raise errors.truncated("in the middle of its packed answer")
        return decoded
    raise errors.damaged() from last_error
