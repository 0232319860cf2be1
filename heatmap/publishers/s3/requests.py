"""One question to an S3 store, and its answer: in time, as it came, and not more than memory has room for."""

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

CHUNK_BYTES = 16 * 1024  # what is read at once
LONGEST_READ = 10_000  # bytes of a refusal that are looked at


class S3Response(NamedTuple):
    """What the store answered. `content` is unpacked by nobody: a few bytes can unpack to gigabytes."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The content, as far as it is text."""
        return self.content.decode(errors="replace")


class Keys(NamedTuple):
    """What a request is signed with. `token`: only temporary keys have one."""

    identity: str
    secret: str
    token: str | None

    def __repr__(self) -> str:
        """Return it without anything secret."""
        return f"Keys({self.identity!r})"


class Bucket(NamedTuple):
    """A bucket and how it is reached. `target` is what messages call it; `url` has no slash at its end.

    `ca_file` None: the usual authorities. `cache_control` is sent to visitors with each file.
    """

    target: str
    name: str
    url: str
    region: str
    cache_control: str
    ca_file: str | None
    timeout_seconds: float


class TooLong(Exception):
    """The store's answer is longer than any page."""


class S3Error(Exception):
    """The store answered something other than done."""

    def __init__(self, answer: S3Response) -> None:
        text = answer.content[:LONGEST_READ].decode(errors="replace")
        self.status = answer.status
        self.code = _tag("Code", text)
        self.region = answer.headers.get("x-amz-bucket-region", "") or _tag("Region", text)
        self.host = _host(answer.headers.get("Location", "")) or _tag("Endpoint", text)
        said = (str(self.status), self.code, _tag("Message", text))
        super().__init__(" ".join(word for word in said if word))


class InterruptibleRequest:
    """A request in a thread of its own.

    No timeout of a socket ends a name server's silence, or an answer of one byte a second.
    """

    def __init__(self, ask: Callable[[], requests.Response]) -> None:
        """Start the request; `ask` returns an answer of which nothing was read beyond its headers."""
        self._ask = ask
        self._response: requests.Response | None = None  # while it is being read
        self._received = 0
        self._is_given_up = False
        self._started_at = time.monotonic()
        self._job = Job(self._fetch, "heatmap-s3")

    def answer(self, seconds: float, sent: int, deadline: Deadline) -> S3Response:
        """Return the answer. Raises what asking raises, TimeoutError, DeadlineError.

        It may take `seconds`, and as long again for each block of the `sent` bytes and of those received.
        """
        try:
            while True:
                most = options.allowance(seconds, sent + self._received)
                left = self._started_at + most - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                if self._job.wait(deadline.timeout(left)):
                    return self._job.result()
        finally:
            self._is_given_up = True
            abort(self._response)  # the thread ends soon, if it has not

    def abort(self) -> None:
        """Wake who waits for the answer; the thread that asked is left behind."""
        self._job.fail(TimeoutError("the run's time is over"))

    def _fetch(self) -> S3Response:
        response = self._response = self._ask()
        with response:
            if self._is_given_up:
                raise TimeoutError
            content = self._content(response)
            self._response = None
            response.raw.release_conn()  # for the next question
        return S3Response(response.status_code, response.headers, content)

    def _content(self, response: requests.Response) -> bytes:
        content = bytearray()
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            content += chunk
            self._received = len(content)
            if self._received > address.MAX_BYTES:
                raise TooLong(f"more than {address.MAX_BYTES:,} bytes came back")
            if self._is_given_up:
                raise TimeoutError
        return bytes(content)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # the store's words
        return ""


def _tag(name: str, text: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return unescape(found[1]).strip() if found else ""
