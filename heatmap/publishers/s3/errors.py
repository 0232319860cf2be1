"""Turns the refusals of an S3 store, and faults of the connection to it, into sentences with advice."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.s3.requests import S3Error, TooLongError
from heatmap.system.redaction import redact
from heatmap.system.texts import make_printable, shorten

if TYPE_CHECKING:
    from heatmap.publishers.s3.requests import Bucket, Keys

LONGEST_QUOTE = 200  # characters of the store's message
MAX_CAUSES = 10  # of one error
BAD_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidSecurity"}
WRONG_PLACE = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"}


def describe_error(error: BaseException, bucket: Bucket, keys: Keys, action: str) -> PublishError:
    """Return the error as a sentence without secrets. `action` failed, such as "store index.html"."""

    def quote(text: str) -> str:
        return shorten(make_printable(redact(text, (keys.secret, keys.token))), LONGEST_QUOTE)

    kind, problem, advice = (
        _describe_refusal(error, bucket, action)
        if isinstance(error, S3Error)
        else _describe_fault(error, bucket, action)
    )
    cause = error if isinstance(error, S3Error) else _list_causes(error)[-1]
    is_timeout = isinstance(cause, TimeoutError | requests.Timeout)
    reason = "no answer in time" if is_timeout else str(cause)
    return kind(f"{bucket.target}: {quote(problem)} ({quote(reason)}): {quote(advice)}")


def _describe_refusal(refusal: S3Error, bucket: Bucket, action: str) -> tuple[type[PublishError], str, str]:
    """Return the class of the error, what the store refuses, and advice."""
    if refusal.code == "RequestTimeTooSkewed":
        problem = "this machine's clock and the store's are too far apart"
        return PublishRefused, problem, "check this machine's clock"
    if refusal.code in BAD_KEYS or refusal.status == 401:
        advice = "check access_key_id, the secret access key, and that they belong to this store"
        return PublishRefused, "the keys are not accepted", advice
    if refusal.code == "NoSuchBucket":
        advice = "make it, or correct url and endpoint_url"
        return PublishImpossible, f"the store has no bucket {bucket.name}", advice
    if refusal.region and (refusal.code in WRONG_PLACE or refusal.status < 400):
        advice = f'set region = "{refusal.region}"'
        return PublishImpossible, f"the bucket is in the region {refusal.region}", advice
    if refusal.code in WRONG_PLACE or refusal.status < 400:
        place = refusal.host or "another address or region"
        return PublishImpossible, f"the bucket is at {place}", "correct region and endpoint_url"
    if refusal.status == 403:
        advice = "allow them s3:PutObject, s3:GetObject and s3:DeleteObject"
        return PublishRefused, f"these keys may not {action}", advice
    return PublishError, f"cannot {action}", "the next run tries again"


def _describe_fault(error: BaseException, bucket: Bucket, action: str) -> tuple[type[PublishError], str, str]:
    """Return the class of the error, what failed on the way to the store, and advice."""
    causes = _list_causes(error)
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes):
        advice = "check endpoint_url, or give the authority that signed it as ca_file"
        return PublishRefused, "the server's certificate is not accepted", advice
    host = urlsplit(bucket.url).netloc
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return (
            PublishError,
            f"the host name {host} cannot be found (DNS)",
            "check endpoint_url, region and the network",
        )
    if isinstance(error, TooLongError):
        return PublishError, f"cannot {action}", f"check that {host} is the store, and look at the file there"
    return PublishError, f"cannot {action}", f"check that {host} can be reached, or wait"


def _list_causes(error: BaseException) -> list[BaseException]:
    """Return an error and its causes, the deepest last. requests hides a cause among `args`."""
    chain = [error]
    while len(chain) < MAX_CAUSES:
        last = chain[-1]
        candidates = (getattr(last, "reason", None), *last.args, last.__cause__, last.__context__)
        cause = next((each for each in candidates if isinstance(each, BaseException)), None)
        if cause is None or cause in chain:
            break
        chain.append(cause)
    return chain
