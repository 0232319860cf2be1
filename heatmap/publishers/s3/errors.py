"""What an S3 store's refusals and a broken way to it mean, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError

from heatmap.errors import PublishError, PublishImpossible, PublishRefused
from heatmap.publishers.s3.requests import S3Error, TooLong
from heatmap.system.redaction import redact
from heatmap.system.texts import make_printable, shorten

if TYPE_CHECKING:
    from heatmap.publishers.s3.requests import Bucket, Keys

LONGEST_QUOTE = 200  # characters of what the server said
DEEPEST = 10  # how many causes an error may have below it
BAD_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "InvalidSecurity"}
ELSEWHERE = {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"}


def explain(error: BaseException, bucket: Bucket, keys: Keys, what: str) -> PublishError:
    """Return a fault, met when about to `what`, as a sentence with no secret in it."""

    def quoted(text: str) -> str:
        return shorten(make_printable(redact(text, (keys.secret, keys.token))), LONGEST_QUOTE)

    kind, why, advice = (
        _told(error, bucket, what) if isinstance(error, S3Error) else _broken(error, bucket, what)
    )
    cause = error if isinstance(error, S3Error) else _causes(error)[-1]
    said = "no answer in time" if isinstance(cause, TimeoutError | requests.Timeout) else str(cause)
    return kind(f"{bucket.target}: {quoted(why)} ({quoted(said)}): {quoted(advice)}")


def _told(refusal: S3Error, bucket: Bucket, what: str) -> tuple[type[PublishError], str, str]:
    """Return what a refusal is, in words, and what to do about it."""
    if refusal.code == "RequestTimeTooSkewed":
        why = "this machine's clock and the store's are too far apart"
        return PublishRefused, why, "check this machine's clock"
    if refusal.code in BAD_KEYS or refusal.status == 401:
        advice = "check access_key_id, the secret access key, and that they belong to this store"
        return PublishRefused, "the keys are not accepted", advice
    if refusal.code == "NoSuchBucket":
        advice = "make it, or correct url and endpoint_url"
        return PublishImpossible, f"the store has no bucket {bucket.name}", advice
    if refusal.region and (refusal.code in ELSEWHERE or refusal.status < 400):
        advice = f'set region = "{refusal.region}"'
        return PublishImpossible, f"the bucket is in the region {refusal.region}", advice
    if refusal.code in ELSEWHERE or refusal.status < 400:
        where = refusal.host or "another address or region"
        return PublishImpossible, f"the bucket is at {where}", "correct region and endpoint_url"
    if refusal.status == 403:
        advice = "allow them s3:PutObject, s3:GetObject and s3:DeleteObject"
        return PublishRefused, f"these keys may not {what}", advice
    return PublishError, f"cannot {what}", "the next run tries again"


def _broken(error: BaseException, bucket: Bucket, what: str) -> tuple[type[PublishError], str, str]:
    """Return what a fault on the way is, in words, and what to do about it."""
    causes = _causes(error)
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes):
        advice = "check endpoint_url, or give the authority that signed it as ca_file"
        return PublishRefused, "the server's certificate is not accepted", advice
    host = urlsplit(bucket.url).netloc
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return PublishError, f"the name {host} is not known", "check endpoint_url, region and the network"
    if isinstance(error, TooLong):
        return PublishError, f"cannot {what}", f"check that {host} is the store, and look at the file there"
    return PublishError, f"cannot {what}", f"check that {host} can be reached, or wait"


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what lies below it, the lowest last; requests hides a cause among `args`."""
    chain = [error]
    while len(chain) < DEEPEST:
        last = chain[-1]
        hidden = (getattr(last, "reason", None), *last.args, last.__cause__, last.__context__)
        below = next((each for each in hidden if isinstance(each, BaseException)), None)
        if below is None or below in chain:
            break
        chain.append(below)
    return chain
