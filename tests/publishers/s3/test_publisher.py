"""Publishing into a bucket, with a store that checks signatures and a store with faults."""

from __future__ import annotations

import gzip
import json
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heatmap.errors import ConfigError, PublishError, PublishImpossible, PublishRefused
from heatmap.publishers import address, delivery, options
from heatmap.publishers.delivery import Delivery
from heatmap.publishers.ownership import SAMPLE
from heatmap.publishers.s3.publisher import S3Publisher
from heatmap.system import secrets
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.conftest import started
from tests.servers import certificates, scripted_s3
from tests.servers.moto import Moto
from tests.servers.process import free_port
from tests.servers.proxy import Fault, Proxy
from tests.servers.scripted_s3 import ScriptedS3, refusal

SECRET = "HEATMAP_TEST_SECRET"
CANARY = "canary/K7MDENG+bPxRfiCYEXAMPLEKEY"
PAGES = [WebFile("nse/snapshot.json", b"{}"), WebFile("index.html", b"<p>new" * 1000)]
STORED = {"web/nse/snapshot.json": b"{}", "web/index.html": b"<p>new" * 1000}
RIGHTS = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]


def soon() -> Deadline:
    """Time enough for all that is well."""
    return Deadline(15)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, CANARY)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(delivery, "BACKOFF_SECONDS", 0.01)


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """One store for all tests here."""
    with started(lambda: Moto(tmp_path_factory.mktemp("moto"))) as server:
        server.client().create_bucket(Bucket="pages")
        yield server


@pytest.fixture
def strict(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., S3Publisher]]:
    """The same store, checking signatures: makes publishers whose keys have the given rights."""
    users: list[str] = []

    def make(*rights: str, url: str = "s3://pages/web") -> S3Publisher:
        iam = moto.client("iam")
        users.append(f"user{time.monotonic_ns()}")
        iam.create_user(UserName=users[-1])
        key = iam.create_access_key(UserName=users[-1])["AccessKey"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": rights, "Resource": "*"}],
        }
        iam.put_user_policy(UserName=users[-1], PolicyName="own", PolicyDocument=json.dumps(policy))
        monkeypatch.setenv(SECRET, key["SecretAccessKey"])
        moto.check_signatures(True)
        return S3Publisher(
            url, endpoint_url=moto.url, access_key_id=key["AccessKeyId"], secret_access_key_env=SECRET
        )

    yield make
    moto.check_signatures(False)


@pytest.fixture
def bucket(moto: Moto) -> Iterator[Any]:
    """The store's bucket as it is, empty at first."""
    client = moto.client()

    def empty() -> None:
        for found in client.list_objects_v2(Bucket="pages").get("Contents", []):
            client.delete_object(Bucket="pages", Key=found["Key"])

    empty()
    yield client


@pytest.fixture
def scripted() -> Iterator[ScriptedS3]:
    """A store that makes the faults that a test orders."""
    with ScriptedS3() as server:
        yield server


def target(server: ScriptedS3, **more: Any) -> S3Publisher:
    """A publisher for it."""
    table = {"access_key_id": "AKID", "secret_access_key_env": SECRET, "timeout_seconds": 1, **more}
    return S3Publisher("s3://pages/web", endpoint_url=server.url, **table)


def objects(client: Any) -> dict[str, bytes]:
    """All that is in the bucket, asked of the store by another client."""
    found = client.list_objects_v2(Bucket="pages").get("Contents", [])
    return {each["Key"]: client.get_object(Bucket="pages", Key=each["Key"])["Body"].read() for each in found}


def caught(
    publisher: S3Publisher, kind: type[PublishError], match: str, deadline: Deadline | None = None
) -> str:
    """Publish, which must fail, and return the error's sentence, which must show no secret."""
    with pytest.raises(kind, match=match) as error:
        publisher.publish(PAGES, deadline or soon())
    sentence = str(error.value)
    assert type(error.value) is kind
    assert "\n" not in sentence
    assert CANARY not in f"{error.value!r}{error.value.__cause__!r}{publisher!r}"
    return sentence


@pytest.mark.process
def test_puts_replaces_and_leaves_nothing_else(
    strict: Callable[..., S3Publisher], bucket: Any, moto: Moto
) -> None:
    """With signatures checked by another's code: new files appear, old ones are replaced, no other is left."""
    publisher = strict(*RIGHTS)
    first = publisher.publish([WebFile("index.html", b"old"), WebFile("a/b.html", b"")], soon())
    second = publisher.publish([*PAGES, WebFile("a/b.html", b"")], soon())
    moto.check_signatures(False)

    assert (Delivery(2, 0), Delivery(2, 1)) == (first, second)
    assert {**STORED, "web/a/b.html": b""} == objects(bucket)


def test_spaces_and_other_alphabets(strict: Callable[..., S3Publisher], bucket: Any, moto: Moto) -> None:
    """A folder's name may hold what names hold; the signature is of the key as the store reads it."""
    publisher = strict(*RIGHTS, url="s3://pages/my%20site/%C3%A9t%C3%A9%20%5B1%5D+~%25")
    publisher.publish([WebFile("a&b=c.html", b"x")], soon())
    moto.check_signatures(False)

    assert {"my site/été [1]+~%/a&b=c.html": b"x"} == objects(bucket)


def test_names(bucket: Any, moto: Moto) -> None:
    """Bare names in the folder alone, in whatever alphabet."""
    publisher = S3Publisher(
        "s3://pages/%C3%A9", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    publisher.publish([WebFile(name, b"x") for name in ("a&b<c>.html", "été.html", "below/x.html")], soon())
    session = publisher.make_connection(soon())
    session.open()

    assert ["a&b<c>.html", "été.html"] == sorted(session.list_names("é"))
    assert [] == session.list_names("nowhere")
    session.close()


def test_the_bucket_itself(bucket: Any, moto: Moto) -> None:
    """Without a folder the pages stand at the bucket's top."""
    S3Publisher("s3://pages", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET).publish(
        PAGES, soon()
    )

    assert {"nse/snapshot.json", "index.html"} == set(objects(bucket))


def test_the_headers_that_visitors_get(bucket: Any, moto: Moto) -> None:
    """Each kind of file is called what it is, and browsers ask each time whether it is still the newest."""
    kinds = {
        "index.html": "text/html; charset=utf-8",
        "snapshot.json": "application/json",
        "snapshot.csv": "text/csv; charset=utf-8",
        "heatmap.svg": "image/svg+xml",
        "heatmap.png": "image/png",
        "other": "application/octet-stream",
    }
    publisher = S3Publisher(
        "s3://pages", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    publisher.publish([WebFile(name, b"x") for name in kinds], soon())
    found = {name: bucket.head_object(Bucket="pages", Key=name) for name in kinds}

    assert kinds == {name: each["ContentType"] for name, each in found.items()}
    assert {"no-cache"} == {each["CacheControl"] for each in found.values()}


def test_other_headers_are_brought_to_files_that_stay(bucket: Any, moto: Moto) -> None:
    """A file of the same content that visitors get otherwise than configured is put anew, once."""
    publisher = S3Publisher(
        "s3://pages", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    publisher.publish(PAGES, soon())
    changed = replace(publisher, cache_control="max-age=60")

    assert [Delivery(2, 0), Delivery(0, 2)] == [changed.publish(PAGES, soon()) for _ in range(2)]
    assert "max-age=60" == bucket.head_object(Bucket="pages", Key="index.html")["CacheControl"]


@pytest.mark.parametrize("old", [b"<h1>My blog</h1>" * 9000, SAMPLE + b"0" * 100_000, b""])
def test_whose_page_it_is(bucket: Any, moto: Moto, old: bytes) -> None:
    """Only the beginning of a page is read to know it; an empty one has none, and may go."""
    pages = [WebFile("nse/snapshot.json", b'{"schema": "market-heatmap/1"}'), WebFile("index.html", SAMPLE)]
    bucket.put_object(Bucket="pages", Key="index.html", Body=old, ContentType="text/html; charset=utf-8")
    publisher = S3Publisher(
        "s3://pages", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    if b"blog" in old:
        with pytest.raises(PublishImpossible, match=r"index\.html there was not written by this program"):
            publisher.publish(pages, soon())
        assert {"index.html": old} == objects(bucket)
    else:
        assert Delivery(2, 0) == publisher.publish(pages, soon())
        assert {page.path: page.content for page in pages} == objects(bucket)


@pytest.mark.parametrize("size", [0, 100_000])
def test_the_beginning_of_a_file(bucket: Any, moto: Moto, size: int) -> None:
    """A part is asked for, and a part comes; an empty file has an empty one."""
    bucket.put_object(Bucket="pages", Key="a", Body=b"x" * size)
    publisher = S3Publisher(
        "s3://pages", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    session = publisher.make_connection(soon())
    session.open()

    assert min(size, 4096) == len(session.read("a", 4096))
    assert size == len(session.read("a"))


def test_check_leaves_nothing(strict: Callable[..., S3Publisher], bucket: Any, moto: Moto) -> None:
    """The probe is written, replaced and deleted; the store is named."""
    description = strict(*RIGHTS).check(soon())
    moto.check_signatures(False)

    assert "Werkzeug" in description
    assert {} == objects(bucket)


def test_wrong_keys(strict: Callable[..., S3Publisher], monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is not the key's, and a key that nobody has, are refused without another try."""
    publisher = strict(*RIGHTS)
    caught(replace(publisher, access_key_id="AKIANOBODY"), PublishRefused, "keys are not accepted")
    monkeypatch.setenv(SECRET, CANARY)
    caught(publisher, PublishRefused, "SignatureDoesNotMatch")


@pytest.mark.parametrize("lacking", RIGHTS[:2])
def test_a_right_that_is_missing(strict: Callable[..., S3Publisher], lacking: str, bucket: Any) -> None:
    """The sentence names what may not be done."""
    publisher = strict(*(right for right in RIGHTS if right != lacking))
    doing = {"s3:PutObject": "store", "s3:GetObject": "look at"}[lacking]

    assert f"may not {doing} web/nse/snapshot.json" in caught(publisher, PublishRefused, "AccessDenied|403")


def test_no_such_bucket(moto: Moto) -> None:
    """The configuration must change."""
    publisher = S3Publisher(
        "s3://nobodys/web", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    caught(publisher, PublishImpossible, "no bucket nobodys")


def test_a_reader_never_sees_half_a_file(bucket: Any, moto: Moto) -> None:
    """While 20 publishes run, every read gives a whole file."""
    publisher = S3Publisher(
        "s3://pages", endpoint_url=moto.url, access_key_id="x", secret_access_key_env=SECRET
    )
    versions = [bytes([65 + n]) * 200_000 for n in range(20)]
    publisher.publish([WebFile("index.html", versions[0])], soon())
    seen: set[bytes] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(bucket.get_object(Bucket="pages", Key="index.html")["Body"].read())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for version in versions:
            publisher.publish([WebFile("index.html", version)], soon())
    finally:
        done.set()
        reader.join()

    assert len(seen) > 1
    assert seen <= set(versions)


PASSING = {
    "503 SlowDown": ("PUT", refusal("SlowDown", 503)),
    "500 InternalError": ("PUT", refusal("InternalError", 500)),
    "500 at HEAD": ("HEAD", refusal("", 500)),
    "412 PreconditionFailed": ("PUT", refusal("PreconditionFailed", 412)),
    "409 OperationAborted": ("PUT", refusal("OperationAborted", 409)),
    "reset in the middle of the answer": ("PUT", scripted_s3.reset),
    "reset in the middle of what is read back": ("GET", scripted_s3.reset),
    "stall": ("PUT", scripted_s3.stall),
    "drip": ("PUT", scripted_s3.drip),
    "drip of what is read back": ("GET", scripted_s3.drip),
    "lost reply": ("PUT", scripted_s3.lost),
    "other bytes stored": ("PUT", scripted_s3.damage),
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_is_tried_again(scripted: ScriptedS3, case: str) -> None:
    """A fault that comes once costs another attempt, and nothing more."""
    pages = [PAGES[1]]
    scripted.fail(*PASSING[case])
    delivered = target(scripted).publish(pages, soon())

    assert Delivery(1, 0, 2) == delivered
    assert {"web/index.html": PAGES[1].content} == scripted.objects
    done = (
        "lost reply",
        "500 at HEAD",
        "reset in the middle of what is read back",
        "drip of what is read back",
    )
    puts = 1 if case in done else 2
    assert puts == scripted.requests.count(("PUT", "web/index.html"))


@pytest.mark.parametrize(
    "case", [case for case in PASSING if case not in ("lost reply", "other bytes stored")]
)
def test_what_does_not_pass_is_told(scripted: ScriptedS3, case: str) -> None:
    """After three attempts it is one sentence, and the old page is whole, or the new one is there."""
    scripted.objects["web/index.html"] = b"old"
    scripted.fail(*PASSING[case], times=50)
    caught(target(scripted), PublishError, "web")

    assert scripted.objects["web/index.html"] in (b"old", PAGES[1].content)


def test_a_part_that_the_store_refuses(scripted: ScriptedS3) -> None:
    """As where a policy allows some names only: the page and the other parts are there, and that is told."""

    def refuse_feed(handler: Any) -> None:
        answer = refusal("AccessDenied", 403) if handler.key.endswith("feed.xml") else type(handler).obey
        answer(handler)

    parts = [
        WebFile("nse/2026/09/17/index.html", b"day", "archive"),
        WebFile("nse/feed.xml", b"feed", "feed", needs="archive"),
        WebFile("nse/status.json", b"status", "status"),
    ]
    scripted.fail("PUT", refuse_feed, times=50)
    delivered = target(scripted).publish([*parts, *PAGES], soon())

    assert [("nse", "feed")] == [(lack.market, lack.part) for lack in delivered.missing_parts]
    assert "web/nse/feed.xml" in delivered.missing_parts[0].sentence
    paths = {f"web/{page.path}" for page in [*parts, *PAGES]}
    assert paths - {"web/nse/feed.xml"} == set(scripted.objects)


def test_lost_replies_are_settled_by_looking(scripted: ScriptedS3) -> None:
    """If every reply to PUT is lost, each attempt finds the file that the one before it put."""
    scripted.fail("PUT", scripted_s3.lost, times=50)

    assert Delivery(2, 0, 3) == target(scripted).publish(PAGES, soon())
    assert STORED == scripted.objects


def test_a_store_that_damages_is_told(scripted: ScriptedS3) -> None:
    """Success means verified: other bytes of the same number are noticed."""
    scripted.fail("PUT", scripted_s3.damage, times=50)
    caught(target(scripted, verify="all"), PublishError, "other bytes came back")


@pytest.mark.slow
def test_cut_at_any_byte(scripted: ScriptedS3) -> None:
    """Broken off at 40 places all over a delivery, the old page or the new one is there, whole; then it heals."""
    old, new = b"old" * 20_000, b"new" * 20_000
    pages = [WebFile("index.html", new)]
    scripted.objects["web/index.html"] = old
    with Proxy(scripted.port) as whole:
        replace(target(scripted), endpoint_url=f"http://127.0.0.1:{whole.port}").publish(pages, soon())
        total = len(whole.sent)
    outcomes = []
    for number in range(40):
        scripted.objects["web/index.html"] = old
        with Proxy(scripted.port, Fault.reset(after=total * number // 40)) as proxy:
            publisher = replace(target(scripted), endpoint_url=f"http://127.0.0.1:{proxy.port}")
            with pytest.raises(PublishError):
                publisher.publish(pages, soon())
        outcomes.append(scripted.objects["web/index.html"])
        target(scripted).publish(pages, soon())
        assert new == scripted.objects["web/index.html"]

    assert {old, new} >= set(outcomes)
    assert outcomes.count(old) > 30


def test_the_library_tries_once(scripted: ScriptedS3) -> None:
    """One request for each attempt of the engine: retries upon retries would outlast the deadline."""
    scripted.fail("PUT", refusal("SlowDown", 503), times=50)
    caught(target(scripted), PublishError, "503 SlowDown")

    assert options.ATTEMPTS == scripted.requests.count(("PUT", "web/nse/snapshot.json"))


REFUSED = {
    "clock skew": (refusal("RequestTimeTooSkewed", 403), PublishRefused, "check this machine's clock"),
    "access denied": (refusal("AccessDenied", 403), PublishRefused, "may not store web/nse/snapshot.json"),
    "unknown key": (refusal("InvalidAccessKeyId", 403), PublishRefused, "keys are not accepted"),
    "wrong secret": (refusal("SignatureDoesNotMatch", 403), PublishRefused, "keys are not accepted"),
    "expired token": (refusal("ExpiredToken", 400), PublishRefused, "keys are not accepted"),
    "no such bucket": (refusal("NoSuchBucket", 404), PublishImpossible, "no bucket pages"),
    "another region, by header": (
        refusal("PermanentRedirect", 301, x_amz_bucket_region="eu-west-3"),
        PublishImpossible,
        'set region = "eu-west-3"',
    ),
    "another region, by body": (
        refusal("AuthorizationHeaderMalformed", 400, "<Region>eu-west-3</Region>"),
        PublishImpossible,
        'set region = "eu-west-3"',
    ),
    "another endpoint": (
        refusal("TemporaryRedirect", 307, Location="https://pages.s3.example.org/web"),
        PublishImpossible,
        "pages.s3.example.org",
    ),
    "a proxy's login page": (lambda handler: handler.answer(302), PublishImpossible, "another address"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_will_not_pass_is_not_tried_again(scripted: ScriptedS3, case: str) -> None:
    """A refusal that another try cannot change is an error at once, with its name."""
    fault, kind, match = REFUSED[case]
    scripted.fail("PUT", fault)
    caught(target(scripted), kind, match)

    assert [("HEAD", "web/nse/snapshot.json"), ("PUT", "web/nse/snapshot.json")] == scripted.requests


@pytest.mark.parametrize("status", [301, 400, 403])
def test_a_refusal_without_words(scripted: ScriptedS3, status: int) -> None:
    """An answer to HEAD has no message: the answer to the next PUT gives the reason."""
    scripted.fail("HEAD", lambda handler: handler.answer(status))
    scripted.fail("PUT", refusal("RequestTimeTooSkewed", 403))
    caught(target(scripted), PublishRefused, "clock")


@pytest.mark.serial
@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("HEAD", scripted_s3.stall),
        ("PUT", scripted_s3.stall),
        ("PUT", scripted_s3.drip),
        ("GET", scripted_s3.stall),
        ("GET", scripted_s3.drip),
    ],
)
def test_every_wait_ends_by_the_deadline(scripted: ScriptedS3, method: str, fault: scripted_s3.Fault) -> None:
    """A store that says nothing, or a byte now and then, is left at the deadline."""
    scripted.fail(method, fault, times=50)
    started_at = time.monotonic()
    caught(target(scripted, timeout_seconds=60), PublishError, "seconds are over", Deadline(1))

    assert time.monotonic() - started_at < 2.5


@pytest.mark.serial
def test_a_store_that_drips_is_given_up(scripted: ScriptedS3) -> None:
    """It holds a connection for one timeout, and the thread that asked ends with it."""
    scripted.fail("GET", scripted_s3.drip, times=50)
    started_at = time.monotonic()
    caught(target(scripted, verify="all"), PublishError, r"cannot read .* \(no answer in time\)")

    assert 2.5 < time.monotonic() - started_at < 6
    asking = [thread for thread in threading.enumerate() if thread.name == "heatmap-s3"]
    for thread in asking:
        thread.join(2)
    assert not any(thread.is_alive() for thread in asking)


def test_many_bytes_have_more_time(scripted: ScriptedS3) -> None:
    """A slow way is no silence: there and back, each block has the time that a page of one block has."""
    content = bytes(200_000)

    def late(handler: Any) -> None:
        scripted.ended.wait(2)
        handler.obey()

    def slowly(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for begin in range(0, len(content), 25_000):
            scripted.ended.wait(0.25)
            handler.wfile.write(content[begin : begin + 25_000])

    scripted.fail("PUT", late)
    scripted.fail("GET", slowly)

    assert Delivery(1, 0) == target(scripted).publish([WebFile("index.html", content)], soon())


PACKED = gzip.compress(bytes(64 * 1024 * 1024))


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [("GET", 200, PublishError), ("PUT", 302, PublishImpossible), ("PUT", 400, PublishError)],
)
def test_nothing_is_unpacked(
    scripted: ScriptedS3, method: str, status: int, kind: type[PublishError]
) -> None:
    """A few bytes can unpack to gigabytes; nobody asked for that, so they are other bytes, and no more."""
    headers = {"Content-Encoding": "gzip", "Location": "https://www.example.org/"}
    scripted.fail(method, lambda handler: handler.answer(status, PACKED, headers), times=50)
    tracemalloc.start()
    try:
        caught(target(scripted, verify="all"), kind, "other bytes came back|is at www.example|cannot store")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * 1024 * 1024


def test_an_answer_that_does_not_end(scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is read than a page may have, for any Content-Length."""
    monkeypatch.setattr(address, "MAX_BYTES", 50_000)
    written: list[int] = []

    def pour(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        while not scripted.ended.is_set():
            written.append(handler.wfile.write(bytes(10_000)))

    scripted.fail("GET", pour, times=50)
    caught(target(scripted), PublishError, "more than 50,000 bytes came back")

    assert sum(written) < 50_000_000  # what the sockets' buffers took


@pytest.mark.serial
def test_a_silent_name_server(scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is looked up for ever ends by the deadline, too."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: scripted.ended.wait())
    started_at = time.monotonic()
    caught(target(scripted, timeout_seconds=60), PublishError, "seconds are over", Deadline(1))

    assert time.monotonic() - started_at < 2.5


def test_an_unknown_name(scripted: ScriptedS3) -> None:
    """The error names the host."""
    publisher = replace(target(scripted), endpoint_url="https://no-such-host.invalid")

    caught(publisher, PublishError, "the host name no-such-host.invalid cannot be found")


def test_a_dead_port(scripted: ScriptedS3) -> None:
    """Nothing listens."""
    port = free_port()
    caught(replace(target(scripted), endpoint_url=f"http://127.0.0.1:{port}"), PublishError, "refused")


@pytest.mark.process
def test_certificates_are_checked(tmp_path: Path) -> None:
    """An unknown authority and another's name are refused, before anything is sent; ca_file mends the first."""
    right = certificates.make(tmp_path / "right")
    other = certificates.make(tmp_path / "other", "DNS:www.example.org")
    with ScriptedS3(right) as server:
        caught(target(server), PublishRefused, "certificate is not accepted")
        assert [] == server.requests
        target(server, ca_file=right.ca_file).publish(PAGES, soon())
        assert STORED == server.objects
    with ScriptedS3(other) as server:
        caught(target(server, ca_file=other.ca_file), PublishRefused, "certificate is not accepted")
        assert [] == server.requests


def test_files_are_asked_for_as_they_are(scripted: ScriptedS3) -> None:
    """A response that a store compresses has no length, or another one."""
    packed: list[str] = []

    def look(handler: Any) -> None:
        packed.append(handler.headers["Accept-Encoding"])
        handler.obey()

    for method in ("HEAD", "HEAD", "GET"):
        scripted.fail(method, look)
    target(scripted).publish([PAGES[1]], soon())

    assert ["identity"] * 3 == packed


def test_one_connection_serves_a_whole_delivery(scripted: ScriptedS3) -> None:
    """An existing file is checked and read, and put only if it differs."""
    scripted.objects |= STORED
    scripted.headers["web/nse/snapshot.json"] = {
        "Content-Type": "application/json",
        "Cache-Control": "no-cache",
    }
    scripted.objects["web/index.html"] = b"old"
    target(scripted).publish(PAGES, soon())
    unchanged, changed = ("web/nse/snapshot.json", "web/index.html")

    assert [
        ("HEAD", unchanged), ("GET", unchanged), ("HEAD", changed), ("PUT", changed), ("HEAD", changed), ("GET", changed),
    ] == scripted.requests  # fmt: skip


BASE = {"url": "s3://pages/web"}
IMPOSSIBLE = [
    {"url": "s3://me@pages/web"},
    {"url": "s3://pages:80/web"},
    {"url": "s3://pages//web"},
    {"url": "s3:///web"},
    {"endpoint_url": "http://s3.example.org"},
    {"endpoint_url": "s3.example.org"},
    {"endpoint_url": "https://key:secret@s3.example.org"},
    {"endpoint_url": "https://s3.example.org:x"},
    {"addressing": "host"},
    {"region": "eu/west"},
    {"region": ""},
    {"cache_control": "no-cache\nX: y"},
    {"access_key_id": "é"},
    {"verify": "never"},
    {"timeout_seconds": 0},
]


@pytest.mark.parametrize("wrong", IMPOSSIBLE, ids=str)
def test_what_cannot_be(wrong: dict[str, Any]) -> None:
    """Each is a ConfigError that repeats no address."""
    with pytest.raises(ConfigError) as error:
        S3Publisher(**(BASE | wrong))

    assert "secret@" not in str(error.value)


def test_where_the_bucket_is() -> None:
    """Amazon's own addresses by region; with an endpoint, the bucket behind the host or before it."""
    own = S3Publisher("s3://pages/web")
    assert "https://s3.us-east-1.amazonaws.com/pages" == own.bucket_url
    assert "https://s3.cn-north-1.amazonaws.com.cn/pages" == replace(own, region="cn-north-1").bucket_url
    ours = replace(own, endpoint_url="https://s3.example.org/store/")
    assert "https://s3.example.org/store/pages" == ours.bucket_url
    assert "https://pages.s3.example.org/store" == replace(ours, addressing="virtual").bucket_url


def test_what_is_missing_is_told_beforehand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The keys' own variables are the default; each missing part is named."""
    publisher = S3Publisher("s3://pages/web")
    assert 2 == len(publisher.problems())
    assert "AWS_ACCESS_KEY_ID" in publisher.problems()[0]
    assert "AWS_SECRET_ACCESS_KEY, which secret_access_key_env names" in publisher.problems()[1]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    assert [] == publisher.problems()
    assert ["ca_file"] == [p.split()[1] for p in replace(publisher, ca_file=tmp_path / "x").problems()]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "market-heatmap[s3]" in publisher.problems()[0]


def test_a_secret_in_a_file(scripted: ScriptedS3, tmp_path: Path) -> None:
    """A file that only its owner can read."""
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "secret").chmod(0o600)
    publisher = target(scripted, secret_access_key_env=None, secret_access_key_file=tmp_path / "secret")
    publisher.publish(PAGES, soon())

    assert STORED == scripted.objects


@pytest.mark.process
def test_a_secret_from_a_command(scripted: ScriptedS3) -> None:
    """The first line that a keyring prints."""
    publisher = target(
        scripted, secret_access_key_env=None, secret_access_key_command=("printf", f"{CANARY}\\nmore\\n")
    )
    publisher.publish(PAGES, soon())

    assert STORED == scripted.objects
    assert CANARY not in publisher.name


SLOW = {"secret_access_key_env": None, "secret_access_key_command": ("sleep", "30")}


@pytest.mark.process
@pytest.mark.parametrize(("more", "seconds"), [({}, 0), (SLOW, 0), (SLOW, 0.3)])
def test_a_deadline_that_is_over_is_no_refusal(
    scripted: ScriptedS3, more: dict[str, Any], seconds: float
) -> None:
    """Whether it was used up before, or by what prints the secret: the next run has its time."""
    publisher = target(scripted, **more)
    with pytest.raises(PublishError, match=r"^s3://pages/web: the run's .* seconds are over") as error:
        publisher.make_connection(Deadline(seconds))

    assert type(error.value) is PublishError
    assert [] == scripted.requests


@pytest.mark.process
def test_a_command_that_prints_no_secret(scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """With time to spare it is at fault itself."""
    monkeypatch.setattr(secrets, "COMMAND_SECONDS", 0.2)
    caught(target(scripted, **SLOW), PublishRefused, "s3://pages/web: .* sleep printed nothing within 0.2")
    caught(
        target(scripted, **{**SLOW, "secret_access_key_command": ("false",)}), PublishRefused, "exit code 1"
    )


def test_children_inherit_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment that it is known what they are for, programs that other targets start do not get them."""
    monkeypatch.setattr(secrets, "_variables", set())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    assert [] == S3Publisher("s3://pages/web").problems()

    assert {"AWS_ACCESS_KEY_ID"} == {
        name for name, value in secrets.child_environment().items() if value == CANARY
    } - {SECRET}


def test_temporary_keys(scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys from the usual variables bring their token along, if there is one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"{name}-value")
    seen: list[str] = []

    def look(handler: Any) -> None:
        seen.append(handler.headers["x-amz-security-token"])
        handler.obey()

    scripted.fail("PUT", look)
    S3Publisher("s3://pages/web", endpoint_url=scripted.url).publish(PAGES, soon())

    assert ["AWS_SESSION_TOKEN-value"] == seen
