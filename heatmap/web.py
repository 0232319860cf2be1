"""One HTTP GET that ends: bounded in time, in bytes on the wire, in bytes unpacked, and in redirects."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from heatmap.deadline import within
from heatmap.errors import (
    DeadlineError,
    SourceBlocked,
    SourceError,
    SourceNonsense,
    SourceOverloaded,
    SourceRenamed,
    SourceUntrusted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

MAX_REDIRECTS = 4
MAX_WIRE_BYTES = 4 * 1024 * 1024
MAX_DECODED_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 16 * 1024

# No brotli: requests could not unpack it without a further package.
BASE_HEADERS = {"Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server gave: the body unpacked, its media type in lower case, and the address that gave it."""

    body: bytes
    content_type: str
    url: str


def get(
    url: str,
    *,
    session: requests.Session | None = None,
    headers: Mapping[str, str] | None = None,
    connect_timeout_seconds: float = 5,
    read_timeout_seconds: float = 10,
    deadline_seconds: float = 25,
    max_wire_bytes: int = MAX_WIRE_BYTES,
    max_decoded_bytes: int = MAX_DECODED_BYTES,
) -> Answer:
    """Ask once and return the answer, whose status was 200.

    Every message begins with the address as `shown`. Raises SourceBlocked (401, 403, 421, a hang),
    SourceOverloaded (429), SourceRenamed (404, 410), SourceUntrusted (certificate), SourceNonsense
    (other refusals, too large) and SourceError (network, 5xx, redirects that lead nowhere, a short body).
    """
    import requests

    limits = _Limits((connect_timeout_seconds, read_timeout_seconds), max_wire_bytes, max_decoded_bytes)
    asked = {**BASE_HEADERS, **(headers or {})}
    own = session or requests.Session()
    try:
        return within(deadline_seconds, lambda: _ask(own, url, asked, limits))
    except DeadlineError as error:
        late = f"had not answered in full after {deadline_seconds:.3g} seconds"
        raise SourceBlocked(f"{shown(url)} {late}: this address may be blocked there") from error
    except SourceError as error:
        raise type(error)(f"{shown(url)} {error}") from error.__cause__
    finally:
        if session is None:
            own.close()


def shown(url: str) -> str:
    """Return an address fit for messages: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


@dataclass(frozen=True, slots=True)
class _Limits:
    timeouts: tuple[float, float]
    wire_bytes: int
    decoded_bytes: int


def _ask(session: requests.Session, url: str, headers: Mapping[str, str], limits: _Limits) -> Answer:
    """Ask, follow redirects within the site, and read the body; messages lack their subject."""
    import requests
    from urllib3.exceptions import HTTPError
    from urllib3.exceptions import TimeoutError as TimeoutError_

    try:
        for _ in range(MAX_REDIRECTS + 1):
            response = session.get(
                url, headers=dict(headers), timeout=limits.timeouts, stream=True, allow_redirects=False
            )
            with response:
                if not response.is_redirect:
                    _judge(response)
                    return Answer(
                        _body(response, limits),
                        response.headers.get("Content-Type", "").partition(";")[0].strip().lower(),
                        url,
                    )
                target = urljoin(url, response.headers["Location"])
                if not _same_site(url, target):
                    raise SourceError("redirects to another site, which is not followed: correct the address")
                url = target
    except requests.exceptions.SSLError as error:
        message = "shows a certificate that is not accepted: check the address, the clock and the proxy"
        raise SourceUntrusted(message) from error
    except (requests.exceptions.Timeout, TimeoutError_) as error:
        raise SourceBlocked("does not answer (it hangs): this address may be blocked there") from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
        raise SourceNonsense("is no address that can be asked: correct it") from error
    except (requests.exceptions.RequestException, OSError, ValueError) as error:
        raise SourceError("cannot be reached: check the network and the address") from error
    except HTTPError as error:
        raise SourceError("broke off in the middle of its answer: try again later") from error
    raise SourceError(f"redirects more than {MAX_REDIRECTS} times, in a circle: look at it in a browser")


def _same_site(old: str, new: str) -> bool:
    """Whether a redirect stays with the same host and port, never from https down to http."""
    before, after = urlsplit(old), urlsplit(new)
    hosts = {(parts.hostname or "").removeprefix("www.") for parts in (before, after)}
    if len(hosts) > 1:
        return False
    if before.scheme == after.scheme:
        return before.port == after.port
    return (before.scheme, after.scheme) == ("http", "https") and before.port in (None, 80)


def _judge(response: requests.Response) -> None:
    """Raise what a status other than 200 means."""
    status = response.status_code
    if status == 200:
        return
    if status in (401, 403, 421, 451):
        raise SourceBlocked(f"answered {status}: it does not let this address in")
    if status in (404, 410):
        raise SourceRenamed(f"answered {status}: there is nothing at this address any more")
    wait = response.headers.get("Retry-After", "").strip()
    later = f" and asks to wait {wait} seconds" if wait.isascii() and wait.isdigit() and len(wait) < 8 else ""
    if status == 429:
        raise SourceOverloaded(f"answered 429{later}: it was asked too often, so run this less often")
    if status >= 500 or status == 408:
        raise SourceError(f"answered {status}{later}: the server has trouble; try again later")
    raise SourceNonsense(f"answered {status}, where 200 was due: the address or what it serves has changed")


def _body(response: requests.Response, limits: _Limits) -> bytes:
    """Return the body unpacked, never holding more than the limits allow."""
    wire = bytearray()
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        wire += chunk
        if len(wire) > limits.wire_bytes:
            message = f"sends more than {limits.wire_bytes:,} bytes: that is no list of quotes"
            raise SourceNonsense(message)
    announced = response.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and len(wire) < int(announced[:15]):
        raise SourceError(f"broke off after {len(wire):,} of {int(announced[:15]):,} bytes: try again later")
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding in ("", "identity"):
        decoded = bytes(wire)
    elif coding in ("gzip", "x-gzip", "deflate"):
        decoded = _unpacked(bytes(wire), limits.decoded_bytes)
    else:
        raise SourceNonsense("packs its answer in a way that was not asked for (not gzip, not deflate)")
    if len(decoded) > limits.decoded_bytes:
        raise SourceNonsense(
            f"unpacks to more than {limits.decoded_bytes:,} bytes: that is no list of quotes"
        )
    return decoded


def _unpacked(wire: bytes, most: int) -> bytes:
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
            raise SourceError("broke off in the middle of its packed answer: try again later")
        return decoded
    raise SourceError("sends a packed answer that is damaged: try again later") from failure
