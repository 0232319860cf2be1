"""One request to an S3 store and its response: bounded in time and in size, the content as it came."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from heatmap.publishers import address, options
from heatmap.system.background import Job
from heatmap.system.http.sessions import abort

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from heatmap.system.deadline import Deadline

CHUNK_BYTES = 16 * 1024  # of one read
LONGEST_READ = 10_000  # bytes of an error response that are parsed


class S3Response(NamedTuple):
    """A response. `content` is never decompressed: a few bytes can decompress to gigabytes."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The content, decoded as UTF-8."""
        return self.content.decode(errors="replace")


class Keys(NamedTuple):
    """The keys that sign a request. `token` None: the keys are not temporary."""

    identity: str
    secret: str
    token: str | None

    def __repr__(self) -> str:
        """Return it without secrets."""
        return f"Keys({self.identity!r})"


class Bucket(NamedTuple):
    """A bucket, and how it is reached. `target` is its name in messages. `url` has no slash at its end.

    `ca_file` None: the usual authorities. Visitors get `cache_control` with each file.
    """

    target: str
    name: str
    url: str
    region: str
    cache_control: str
    ca_file: str | None
    timeout_seconds: float


class TooLongError(Exception):
    """The response is longer than any page."""


class S3Error(Exception):
    """The response has an error status. `code`, `region`, `host`: "" if the store does not name them."""

    def __init__(self, response: S3Response) -> None:
        text = response.content[:LONGEST_READ].decode(errors="replace")
        self.status = response.status
        self.code = _read_tag("Code", text)
        self.region = response.headers.get("x-amz-bucket-region", "") or _read_tag("Region", text)
        self.host = _read_host(response.headers.get("Location", "")) or _read_tag("Endpoint", text)
        parts = (str(self.status), self.code, _read_tag("Message", text))
        super().__init__(" ".join(part for part in parts if part))


class InterruptibleRequest:
    """A request in a thread of its own.

    No timeout of a socket ends the wait for a silent name server, or a response of one byte per second.
    """

    def __init__(self, send: Callable[[], requests.Response]) -> None:
        """Start the request. `send` sends it and returns a response of which only the headers were read."""
        self._send = send
        self._response: requests.Response | None = None  # while it is being read
        self._received_bytes = 0
        self._is_given_up = False
        self._started_at = time.monotonic()
        self._job = Job(self._fetch, "heatmap-s3")

    def get_response(self, timeout_seconds: float, sent_bytes: int, deadline: Deadline) -> S3Response:
        """Return the response. Raises the errors of `send`, TimeoutError, DeadlineError.

        It may take `timeout_seconds`, and as long again for each block of bytes that are sent or received.
        """
        try:
            while True:
                limit = options.allowed_seconds(timeout_seconds, sent_bytes + self._received_bytes)
                left = self._started_at + limit - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                if self._job.wait(deadline.timeout(left)):
                    return self._job.result()
        finally:
            self._is_given_up = True
            abort(self._response)  # the thread ends soon, if it has not

    def abort(self) -> None:
        """End the wait for the response. The request's thread is left behind."""
        self._job.fail(TimeoutError("the run's time is over"))

    def _fetch(self) -> S3Response:
        response = self._response = self._send()
        with response:
            if self._is_given_up:
                raise TimeoutError
            content = self._read_content(response)
            self._response = None
            response.raw.release_conn()  # for the next request
        return S3Response(response.status_code, response.headers, content)

    def _read_content(self, response: requests.Response) -> bytes:
        content = bytearray()
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            content += chunk
            self._received_bytes = len(content)
            if self._received_bytes > address.MAX_BYTES:
                raise TooLongError(f"more than {address.MAX_BYTES:,} bytes came back")
            if self._is_given_up:
                raise TimeoutError
        return bytes(content)


def _read_host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # the store sent an address that is not valid
        return ""


def _read_tag(name: str, text: str) -> str:
    match = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return unescape(match[1]).strip() if match else ""
