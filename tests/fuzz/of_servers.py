"""Answers of the targets' servers, as functions of bytes."""

from __future__ import annotations

import ftplib
from functools import partial

from heatmap.publishers import address
from heatmap.publishers.ftp import listing, replies
from heatmap.publishers.ftp import messages as ftp_messages
from heatmap.publishers.s3.errors import describe_error
from heatmap.publishers.s3.requests import Bucket, Keys, S3Error, S3Response
from heatmap.publishers.sftp import messages as sftp_messages
from tests.fuzz.soundness import raised, refusing, text_of


def ftp_server(body: bytes) -> object:
    """Lists, greetings and refusals of an FTP server."""
    text = body.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    name_lists = [listing.parse_names(lines), listing.parse_mlsd_names(lines)]
    assert all("/" not in name and name not in ("", ".", "..") for names in name_lists for name in names)
    modes = [listing.parse_mode(lines, "index.html"), listing.parse_mlsd_mode(lines, "index.html")]
    assert all(mode is None or len(mode) == 10 for mode in modes)
    description = ftp_messages.describe_server(
        text, tls=None, sizes=True, machine_lists=False, modes="leaves modes alone"
    )
    assert description.isprintable()
    stale = [address.is_stale(name, 2e9) for names in name_lists for name in names]
    sentences = []
    faults: list[tuple[str, Exception]] = [(step, ftplib.error_perm(text)) for step in ftp_messages.FAILED]
    for step, error in [*faults, ("store", OSError(text)), ("list", EOFError(text))]:
        described = ftp_messages.describe_error(error, "ftp://www.example.org", step, "site", "hunter2")
        assert "hunter2" not in str(described)
        sentences.append(refusing(partial(raised, described)))
    return name_lists, modes, description, stale, sentences


def ftp_replies_of(body: bytes) -> object:
    """Replies that name folders, sizes, features and ports."""
    text = body.decode("utf-8", "surrogateescape")
    quoted = replies.parse_quoted_folder(text)
    folders = [*filter(None, [quoted]), *replies.parse_unquoted_folders(text)]
    assert all(folder and "\n" not in folder for folder in folders)
    ports = [replies.parse_passive_port(text), replies.parse_extended_passive_port(text)]
    assert all(port is None or 0 < port <= 0xFFFF for port in ports)
    size = replies.parse_size(text)
    assert size is None or size >= 0
    features = replies.parse_features(text)
    assert all(name and " " not in name for name in features)
    return folders, ports, size, features


def sftp_client(body: bytes) -> object:
    """Output of OpenSSH's programs."""
    text = body.decode(errors="replace")  # as `openssh.run` does
    description = sftp_messages.describe_server(text, "3")
    faults = [
        sftp_messages.make_connection_error("sftp://www.example.org", text),
        sftp_messages.make_password_error("sftp://www.example.org", text, (8, 2)),
        sftp_messages.make_password_error("sftp://www.example.org", text, None),
    ]
    for step in sftp_messages.ADVICE:
        faults += [
            sftp_messages.describe_error("sftp://www.example.org", step, "site", error)
            for error in (
                sftp_messages.SftpError(text),
                sftp_messages.ConnectionLostError(text),
                OSError(text),
            )
        ]
    return description, [refusing(partial(raised, fault)) for fault in faults]


def s3_store(body: bytes) -> object:
    """Answers of a store that are not the object."""
    bucket = Bucket(
        "s3://bucket/folder", "bucket", "https://s3.example.org/bucket", "eu-west-1", "no-cache", None, 20
    )
    keys = Keys("AKIA", "hunter2hunter2", "token")
    errors = []
    for status in (200, 301, 400, 401, 403, 404, 500):
        refusal = S3Error(S3Response(status, {"Location": text_of(body[:200])}, body))
        described = refusing(partial(raised, describe_error(refusal, bucket, keys, "store a file")))
        assert "hunter2hunter2" not in str(described)
        errors.append(described)
    return errors
