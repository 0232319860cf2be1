"""Publishes into a bucket of Amazon S3, or of any store with the same protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heatmap.errors import ConfigError
from heatmap.publishers import address, options
from heatmap.publishers.remote import Remote
from heatmap.system import secrets
from heatmap.system.web_address import is_protected, is_web_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from heatmap.publishers.connection import Connection
    from heatmap.system.deadline import Deadline

ADDRESSING = ("path", "virtual")
ID_VARIABLE = "AWS_ACCESS_KEY_ID"
SECRET = "secret_access_key"  # noqa: S105 -- the beginning of configuration keys
SECRET_VARIABLE = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 -- the name of a variable
TOKEN_VARIABLE = "AWS_SESSION_TOKEN"  # noqa: S105 -- the same
NO_CACHE = "no-cache"  # a browser may store the page, but asks each time whether it is still the newest


@dataclass(frozen=True, slots=True)
class S3Publisher(Remote):
    """A bucket and the folder in it: `s3://bucket/folder`.

    `endpoint_url` is the store's own address; None: Amazon's for the region. `addressing` is the place of the
    bucket in an address: "path" (https://host/bucket) or "virtual" (https://bucket.host). `access_key_id`
    None: the variable AWS_ACCESS_KEY_ID. Without any `secret_access_key_...`: AWS_SECRET_ACCESS_KEY. Visitors
    get `cache_control` with each file. `ca_file` holds the certificates of the trusted authorities, in PEM;
    None: the usual ones. `timeout_seconds` limits each request, and is added for each 64 KiB that it carries.
    """

    url: str
    endpoint_url: str | None = None
    region: str = "us-east-1"
    addressing: str = "path"
    access_key_id: str | None = None
    secret_access_key_env: str | None = None
    secret_access_key_file: Path | None = None
    secret_access_key_command: tuple[str, ...] | None = None
    cache_control: str = NO_CACHE
    ca_file: Path | None = None
    timeout_seconds: float = 20
    verify: str = "page"
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError with a sentence for each value that is not valid."""
        problems = options.find_problems(self.verify, self.replace, self.timeout_seconds)
        try:
            bucket = address.parse(self.url)
            if bucket.user is not None or bucket.port is not None or bucket.folder.startswith("/"):
                problems.append("url must be s3://bucket/folder: the server's address goes into endpoint_url")
        except ConfigError as error:
            problems.extend(error.problems)
        if self.endpoint_url is not None:
            problems.extend(_find_endpoint_problems(self.endpoint_url))
        if self.addressing not in ADDRESSING:
            problems.append(f"addressing must be one of {', '.join(ADDRESSING)}")
        if not self.region or not self.region.replace("-", "").isalnum() or not self.region.isascii():
            problems.append('region must be a name such as "eu-central-1"')
        for name, value in (("cache_control", self.cache_control), ("access_key_id", self.access_key_id)):
            if value is not None and not (value and value.isascii() and value.isprintable()):
                problems.append(f"{name} must be plain ASCII text on one line")
        if problems:
            raise ConfigError(problems)

    @property
    def replace(self) -> str:
        """A store replaces a file in one step when the new one has arrived."""
        return "rename"

    def problems(self) -> Sequence[str]:
        """Return a sentence for each thing that is missing: the library, a key, the file of certificates."""
        from importlib.util import find_spec

        problems = []
        if find_spec("requests_aws4auth") is None:
            problems.append("s3: needs one more package: `pip install 'market-heatmap[s3]'`")
        if not self._access_key_id:
            problems.append(f"there is no access key: give access_key_id, or set the variable {ID_VARIABLE}")
        problems += secrets.problems(*self._secret_places, name=SECRET)
        problems += secrets.problems(self._token_variable, None, name="session_token")
        if self.ca_file and not self.ca_file.is_file():
            problems.append(f"the ca_file {self.ca_file} is not there: name a PEM file")
        return problems

    def make_connection(self, deadline: Deadline) -> Connection:
        """Return a new connection that is not open yet. Raises PublishError if a key cannot be read."""
        from heatmap.publishers import secret
        from heatmap.publishers.s3.connection import S3Connection
        from heatmap.publishers.s3.requests import Bucket, Keys

        key = secret.read(self.name, self._secret_places, deadline, SECRET)
        token = secret.read(self.name, (self._token_variable, None, None), deadline, "session_token")
        bucket = Bucket(
            target=self.name,
            name=self.bucket,
            url=self.bucket_url,
            region=self.region,
            cache_control=self.cache_control,
            ca_file=str(self.ca_file) if self.ca_file else None,
            timeout_seconds=self.timeout_seconds,
        )
        return S3Connection(bucket, Keys(self._access_key_id or "", key or "", token), deadline)

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return address.parse(self.url).host

    @property
    def bucket_url(self) -> str:
        """The bucket's address at the store, without a slash at its end."""
        china = ".cn" if self.region.startswith("cn-") else ""
        endpoint = (self.endpoint_url or f"https://s3.{self.region}.amazonaws.com{china}").rstrip("/")
        if self.addressing == "virtual":
            scheme, _, host = endpoint.partition("://")
            return f"{scheme}://{self.bucket}.{host}"
        return f"{endpoint}/{self.bucket}"

    @property
    def _access_key_id(self) -> str | None:
        return self.access_key_id or os.environ.get(ID_VARIABLE)

    @property
    def _secret_places(self) -> tuple[str | None, Path | None, tuple[str, ...] | None]:
        places = (self.secret_access_key_env, self.secret_access_key_file, self.secret_access_key_command)
        return (SECRET_VARIABLE, None, None) if places == (None, None, None) else places

    @property
    def _token_variable(self) -> str | None:
        """The variable of the token of temporary keys; None if the keys are not in the usual variables."""
        is_usual = self._secret_places[0] == SECRET_VARIABLE and os.environ.get(TOKEN_VARIABLE)
        return TOKEN_VARIABLE if is_usual else None


def _find_endpoint_problems(url: str) -> list[str]:
    from urllib.parse import urlsplit

    if not is_web_address(url, may_login=True):
        return ["endpoint_url must be an address such as https://s3.example.org"]
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        return ["endpoint_url must hold neither a user nor ? nor #: keys have settings of their own"]
    if not is_protected(parts.scheme, parts.hostname):
        return ["endpoint_url must begin with https:, for http: lets others read and change what is sent"]
    return []
