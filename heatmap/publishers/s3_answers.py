"""One question to an S3 store, and its answer: in time, as it came, and not more than memory has room for."""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import requests

from heatmap.publishers import address, options
from heatmap.publishers.s3_faults import TooLong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heatmap.deadline import Deadline

CHUNK_BYTES = 16 * 1024  # what is read at once


class Answer(NamedTuple):
    """What the store answered. `content` is unpacked by nobody: a few bytes can unpack to gigabytes."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The content, as far as it is text."""
        return self.content.decode(errors="replace")


class Http(requests.Session):
    """Follows no redirect: of one that is not to be followed, requests would read and unpack all the same."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return where to go: nowhere."""


class Question:
    """A request in a thread of its own.

    No timeout of a socket ends a name server's silence, or an answer of one byte a second.
    """

    def __init__(self, ask: Callable[[], requests.Response]) -> None:
        """Prepare; `ask` returns an answer of which nothing was read beyond its headers."""
        self._ask = ask
        self._ended: SimpleQueue[Answer | BaseException] = SimpleQueue()
        self._response: requests.Response | None = None  # while it is being read
        self._received = 0
        self._is_given_up = False

    def answer(self, seconds: float, sent: int, deadline: Deadline) -> Answer:
        """Return the answer. Raises what asking raises, TimeoutError, DeadlineError.

        It may take `seconds`, and as long again for each block of the `sent` bytes and of those received.
        """
        begun = time.monotonic()
        Thread(target=self._work, name="heatmap-s3", daemon=True).start()
        try:
            while True:
                left = begun + options.allowance(seconds, sent + self._received) - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                with suppress(Empty):
                    found = self._ended.get(timeout=deadline.timeout(left))
                    break
        finally:
            self._give_up()
        if isinstance(found, BaseException):
            raise found
        return found

    def abort(self) -> None:
        """Wake who waits for the answer; the thread that asked is left behind."""
        self._ended.put(TimeoutError("the run's time is over"))

    def _work(self) -> None:
        try:
            response = self._response = self._ask()
            with response:
                if self._is_given_up:
                    return
                content = self._content(response)
                self._response = None
                response.raw.release_conn()  # for the next question
            self._ended.put(Answer(response.status_code, response.headers, content))
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._ended.put(error)

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

    def _give_up(self) -> None:
        """Let the thread end soon, where it has not: what still waits for the store hears that it hung up."""
        self._is_given_up = True
        response = self._response
        if response is not None:
            with suppress(AttributeError, ValueError, RuntimeError, OSError):  # old urllib3; just done
                response.raw.shutdown()
