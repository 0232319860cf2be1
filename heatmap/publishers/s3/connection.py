"""The primitive steps on an S3 store: signed requests, each bounded in time.

Loads requests, which the sources load too, and requests-aws4auth, which signs: 10 ms and 0.1 MB more. minio
costs 20 MB and 70 ms; boto3 ten times as much, and it adds checksums that some stores refuse. obstore is
fast, but has 16 MB of machine code, cannot be interrupted, and reports refusals only as text for debugging.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from heatmap.publishers import options
from heatmap.publishers.connection import Hidden, NotFound
from heatmap.publishers.s3.errors import describe_error
from heatmap.publishers.s3.requests import InterruptibleRequest, S3Error, TooLongError
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
EMPTY = 416  # the answer to a request for the beginning of an empty file


class S3Connection:
    """A `Connection` to a bucket. Paths are keys. One request replaces a file in one step."""

    atomic = True
    new_folders = ()  # a store has no folders: they are parts of names
    faults = (OSError, ValueError, HTTPError, S3Error, TooLongError)  # RequestException is an OSError

    def __init__(self, bucket: Bucket, keys: Keys, deadline: Deadline) -> None:
        """Prepare, without connecting."""
        self._bucket = bucket
        self._keys = keys
        self._deadline = deadline
        self._step = "connect to"
        self._path = ""
        self._server = ""
        self._stored_paths: set[str] = set()
        self._request: InterruptibleRequest | None = None
        self._http = Session()

    def open(self) -> None:
        """Prepare to sign; the first request connects."""
        from requests_aws4auth import AWS4Auth

        identity, secret, token = self._keys
        self._http.auth = AWS4Auth(identity, secret, self._bucket.region, "s3", session_token=token)

    def size(self, path: str) -> int | None:
        """Return a file's size. Raises NotFound; Hidden if visitors get the file with other headers."""
        self._step, self._path = "look at", path
        try:
            response = self._send("HEAD", path)
        except S3Error as refusal:
            # If the user may not list the bucket, the answer for a missing file is 403. The answer to HEAD
            # has no message: the one to the next PUT says what is wrong.
            if refusal.status == 404 or (refusal.status < 500 and path not in self._stored_paths):
                raise NotFound from None
            raise
        length = response.headers.get("Content-Length", "")
        size = int(length[:15]) if length.isascii() and length.isdigit() else None
        if path not in self._stored_paths and any(
            _normalize(response.headers.get(name, "")) != _normalize(value)
            for name, value in self._make_headers(path).items()
        ):
            raise Hidden(size)
        return size

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        """Return a file's content, or its first `max_bytes` bytes. Raises NotFound."""
        self._step, self._path = "read", path
        range_header = {"Range": f"bytes=0-{max_bytes - 1}"} if max_bytes else None
        try:
            return self._send("GET", path, headers=range_header).content
        except S3Error as refusal:
            if refusal.code == "NoSuchKey":
                raise NotFound from None
            if refusal.status == EMPTY:
                return b""
            raise

    def put(self, path: str, content: bytes) -> None:
        """Store a file, with the headers that visitors must get."""
        self._step, self._path = "store", path
        self._send("PUT", path, content, self._make_headers(path))
        self._stored_paths.add(path)

    def rename_over(self, temporary: str, path: str) -> None:
        """Not used: `put` replaces a file."""
        raise NotImplementedError

    def remove(self, path: str) -> None:
        """Delete a file. Stores do not report whether it existed."""
        self._step, self._path = "delete", path
        try:
            self._send("DELETE", path)
        except S3Error as refusal:
            if refusal.code == "NoSuchKey":
                raise NotFound from None
            raise

    def list_names(self, folder: str) -> Sequence[str]:
        """Return the bare names in a folder, at most the store's first thousand."""
        self._step, self._path = "list", folder
        prefix = f"{folder}/" if folder else ""
        query = f"?delimiter=%2F&list-type=2&prefix={quote(prefix, safe='')}"
        text = self._send("GET", "", query=query).text
        return [unescape(key).removeprefix(prefix) for key in re.findall(r"<Key>(.*?)</Key>", text)]

    def describe(self) -> str:
        """Return in words which store this is."""
        server = redact(self._server, (self._keys.secret, self._keys.token))
        server = server if server.isprintable() else ""
        return f"{server[:80] or 'an S3 store'}; each file is replaced in one step"

    def describe_error(self, error: BaseException) -> PublishError:
        """Return a fault as a sentence."""
        return describe_error(error, self._bucket, self._keys, f"{self._step} {self._path}".strip())

    def abort(self) -> None:
        """End the wait for a response."""
        if self._request is not None:
            self._request.abort()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _make_headers(self, path: str) -> dict[str, str]:
        kind = CONTENT_TYPES.get(path.rpartition(".")[2].lower(), OTHER_CONTENT)
        return {"Content-Type": kind, "Cache-Control": self._bucket.cache_control}

    def _send(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> S3Response:
        """Send a request and return the response. Raises S3Error for an error status; other faults."""
        timeout = self._bucket.timeout_seconds
        sent_bytes = len(content or b"")
        # requests limits sending and waiting apart: each may take the time of the whole.
        seconds = self._deadline.timeout(options.allowed_seconds(timeout, sent_bytes))
        url = f"{self._bucket.url}/{quote(path, safe='/~')}{query}"
        # `verify` goes with each request: variables of the environment override the one of a session.
        request_headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._request = InterruptibleRequest(
            lambda: self._http.request(
                method,
                url,
                data=content,
                headers=request_headers,
                timeout=seconds,
                verify=self._bucket.ca_file,
            )
        )
        response = self._request.get_response(timeout, sent_bytes, self._deadline)
        self._server = response.headers.get("Server", "")
        if response.status not in OK:
            raise S3Error(response)
        return response


def _normalize(header: str) -> str:
    """Return a header in the form in which stores compare it."""
    return header.replace(" ", "").lower()
