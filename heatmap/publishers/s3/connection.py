"""One session with an S3 store: signed requests, each answered within its time.

Loads requests, which the sources load too, and requests-aws4auth, which signs: 10 ms and 0.1 MB more. minio
brings 20 MB and 70 ms, boto3 ten times that and checksums that some stores refuse; obstore, quick, has 16 MB
of machine code, cannot be interrupted, and tells a refusal only in prose meant for its debugger.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from heatmap.publishers import options
from heatmap.publishers.connection import Hidden, NotFound
from heatmap.publishers.s3.errors import explain
from heatmap.publishers.s3.requests import InterruptibleRequest, S3Error, TooLong
from heatmap.system.http.sessions import Session
from heatmap.system.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatmap.errors import PublishError
    from heatmap.publishers.s3.requests import Bucket, Keys, S3Response
    from heatmap.system.deadline import Deadline

CONTENT_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "txt": "text/plain; charset=utf-8",
    "xml": "application/xml",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
}
OTHER_CONTENT = "application/octet-stream"
OK = (200, 204, 206)
EMPTY = 416  # to who asks for the beginning of what holds nothing


class S3Connection:
    """A `steps.Session` with a bucket. Paths are keys; one request replaces a file in one step."""

    atomic = True
    made = ()  # folders are parts of names here
    faults = (OSError, ValueError, HTTPError, S3Error, TooLong)  # a requests.RequestException is an OSError

    def __init__(self, bucket: Bucket, keys: Keys, deadline: Deadline) -> None:
        """Prepare, without connecting."""
        self._bucket = bucket
        self._keys = keys
        self._deadline = deadline
        self._step = "connect to"
        self._what = ""
        self._server = ""
        self._stored: set[str] = set()
        self._question: InterruptibleRequest | None = None
        self._http = Session()

    def open(self) -> None:
        """Prepare to sign; the first request connects."""
        from requests_aws4auth import AWS4Auth

        identity, secret, token = self._keys
        self._http.auth = AWS4Auth(identity, secret, self._bucket.region, "s3", session_token=token)

    def size(self, path: str) -> int | None:
        """Return a file's size. Raises Missing, and Hidden for one that visitors get with other headers."""
        self._step, self._what = "look at", path
        try:
            answer = self._ask("HEAD", path)
        except S3Error as refusal:
            # Without the right to list a bucket a store hides what is missing behind 403, and the answer to
            # HEAD never has words: those to the PUT that follows tell what is wrong.
            if refusal.status == 404 or (refusal.status < 500 and path not in self._stored):
                raise NotFound from None
            raise
        length = answer.headers.get("Content-Length", "")
        size = int(length[:15]) if length.isascii() and length.isdigit() else None
        if path not in self._stored and any(
            _plain(answer.headers.get(name, "")) != _plain(value)
            for name, value in self._headers(path).items()
        ):
            raise Hidden(size)
        return size

    def read(self, path: str, most: int | None = None) -> bytes:
        """Return what a file holds, or its first `most` bytes."""
        self._step, self._what = "read", path
        part = {"Range": f"bytes=0-{most - 1}"} if most else None
        try:
            return self._ask("GET", path, headers=part).content
        except S3Error as refusal:
            if refusal.code == "NoSuchKey":
                raise NotFound from None
            if refusal.status == EMPTY:
                return b""
            raise

    def put(self, path: str, content: bytes) -> None:
        """Store a file, with the headers that visitors are to get."""
        self._step, self._what = "store", path
        self._ask("PUT", path, content, self._headers(path))
        self._stored.add(path)

    def replace(self, temporary: str, path: str) -> None:
        """Never: `put` does it."""
        raise NotImplementedError

    def remove(self, path: str) -> None:
        """Delete a file; a store does not tell whether there was one."""
        self._step, self._what = "delete", path
        try:
            self._ask("DELETE", path)
        except S3Error as refusal:
            if refusal.code == "NoSuchKey":
                raise NotFound from None
            raise

    def names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, at most the store's first thousand."""
        self._step, self._what = "list", folder
        prefix = f"{folder}/" if folder else ""
        query = f"?delimiter=%2F&list-type=2&prefix={quote(prefix, safe='')}"
        text = self._ask("GET", "", query=query).text
        return [unescape(key).removeprefix(prefix) for key in re.findall(r"<Key>(.*?)</Key>", text)]

    def describe(self) -> str:
        """Say which store this is."""
        server = redact(self._server, (self._keys.secret, self._keys.token))
        server = server if server.isprintable() else ""
        return f"{server[:80] or 'an S3 store'}; each file is replaced in one step"

    def explain(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence."""
        return explain(error, self._bucket, self._keys, f"{self._step} {self._what}".strip())

    def abort(self) -> None:
        """Wake who waits for an answer."""
        if self._question is not None:
            self._question.abort()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _headers(self, path: str) -> dict[str, str]:
        kind = CONTENT_TYPES.get(path.rpartition(".")[2].lower(), OTHER_CONTENT)
        return {"Content-Type": kind, "Cache-Control": self._bucket.cache_control}

    def _ask(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> S3Response:
        """Return the store's answer. Raises Refusal, or what asking raises."""
        timeout = self._bucket.timeout_seconds
        sent = len(content or b"")
        # To send it all at once, and then to hear of it, each has the time of the whole.
        seconds = self._deadline.timeout(options.allowance(timeout, sent))
        url = f"{self._bucket.url}/{quote(path, safe='/~')}{query}"
        # The file goes with each request: what a session has gives way to variables of the environment.
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        self._question = InterruptibleRequest(
            lambda: self._http.request(
                method,
                url,
                data=content,
                headers=asked,
                timeout=seconds,
                verify=self._bucket.ca_file,
            )
        )
        answer = self._question.answer(timeout, sent, self._deadline)
        self._server = answer.headers.get("Server", "")
        if answer.status not in OK:
            raise S3Error(answer)
        return answer


def _plain(header: str) -> str:
    """Return a header as stores compare it."""
    return header.replace(" ", "").lower()
