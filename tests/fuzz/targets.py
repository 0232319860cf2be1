"""Every parser of what comes from outside, as a function of bytes, with all that must hold of what it gives.

A target returns what it made of the bytes, or the sentence with which it refused them. Whatever else it
raises is a fault: nothing but our own errors may leave a parser, and what it accepts must be fit to publish.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

from heatmap.pages.archive import day_files
from heatmap.pages.page import NEXT_LABEL, NEXT_LINK
from heatmap.state import cache, idle
from tests.fuzz import of_servers, of_sources, of_state, of_users, seeds
from tests.fuzz.soundness import folder
from tests.servers.archives import lot_list, symbol_list


class Target(NamedTuple):
    """A parser: what runs it, and inputs from which to begin."""

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


TARGETS = {
    "nse": Target(of_sources.nse_answer, seeds.fixtures),
    "snapshot": Target(
        of_sources.snapshot_json, lambda: [*seeds.encoded(seeds.SNAPSHOT_SEED), *seeds.fixtures()]
    ),
    "holidays": Target(of_sources.holiday_list, lambda: seeds.encoded(seeds.HOLIDAY_SEED)),
    "web": Target(
        of_sources.web_answer,
        lambda: [
            b"location: https://example.org/x\nretry-after: 120\nset-cookie: a=b; Path=/\n\n",
            b"status: 503\ndate: Thu, 17 Sep 2026 06:00:00 GMT\nretry-after: Thu, 17 Sep 2026 06:02:00 GMT\n\n",
            b"content-encoding: gzip\n\n" + gzip.compress(b"figures"),
            b"content-encoding: deflate\n\n" + zlib.compress(b"figures"),
        ],
    ),
    "archive": Target(
        of_sources.bhavcopy,
        lambda: [
            seeds.FULL_ARCHIVE.encode(),
            seeds.UDIFF_ARCHIVE.encode(),
            seeds.zipped(seeds.FULL_ARCHIVE),
            seeds.zipped(seeds.UDIFF_ARCHIVE),
        ],
    ),
    "lots": Target(of_sources.lot_list, lambda: [lot_list([f"STOCK{n}" for n in range(60)])]),
    "symbols": Target(
        of_sources.symbol_changes,
        lambda: [
            symbol_list(("ZOMATO", "ETERNAL", "09-APR-2025")),
            *seeds.encoded({"version": 1, "changes": [["ZOMATO", "ETERNAL", "2025-04-09"]]}),
        ],
    ),
    "tick": Target(of_sources.packed_tick, seeds.packed_ticks),
    "configuration": Target(of_users.configuration, lambda: [seeds.CONFIGURATION_SEED.encode()]),
    "overrides": Target(
        of_users.overrides_file, lambda: [seeds.OVERRIDES_SEED.encode(), seeds.OVERRIDES.encode()]
    ),
    "clock": Target(of_users.clock, lambda: [b"2026-09-17T11:30:00+05:30", b"2026-W38-4T00Z", b"20260917"]),
    "address": Target(
        of_users.addresses,
        lambda: [b"sftp://user@www.example.org:22//var/www%20x", b"ftps://u:p@[::1]:990/a/../b?c#d"],
    ),
    "state": Target(of_state.state_file, lambda: seeds.encoded(seeds.STATE_SEED)),
    "documents": Target(of_state.kept_documents, lambda: seeds.encoded(*seeds.DOCUMENT_SEEDS)),
    "days": Target(
        of_state.kept_day,
        lambda: [
            packed := day_files.pack({"index.html": b"<p>", "snapshot.csv": b"symbol" * 99}),
            packed.partition(b"\n")[2],
            f"<!DOCTYPE html>{NEXT_LINK}{NEXT_LABEL}</html>".encode(),
        ],
    ),
    "notes": Target(
        of_state.notes_of_others,
        lambda: seeds.encoded(
            seeds.DOCUMENT_SEEDS[1],
            {"2026-09-17": b64encode(day_files.pack({"index.html": b"<p>"})).decode()},
            {"2026-09-17": f"<!DOCTYPE html>{NEXT_LINK}{NEXT_LABEL}</html>"},
            seeds.DOCUMENT_SEEDS[2]["markets"]["m"],
        ),
    ),
    "outcomes": Target(of_state.outcome_lines, seeds.outcome_lines),
    "kept": Target(
        of_state.nap_note,
        lambda: [
            f"{idle.__version__}\n{folder()}/home/heatmap.toml\n0\n9e9\n- /missing".encode(),
            *seeds.encoded([cache.FORMAT, idle.__version__, "key", {}]),
            *seeds.encoded(
                {
                    "kept_at": seeds.COOKIES_KEPT_AT,
                    "cookies": [
                        {
                            "name": "a",
                            "value": "b",
                            "domain": "x",
                            "path": "/",
                            "secure": False,
                            "expires": None,
                        }
                    ],
                }
            ),
        ],
    ),
    "ftp": Target(
        of_servers.ftp_server,
        lambda: [
            b"type=file;size=3;UNIX.mode=0644; index.html\ntype=cdir; .\n",
            b"-rw-r--r--   1 user group 3 Sep 17 11:30 index.html\n550 No such hunter2 folder\n",
            b"220-Welcome\n220 ProFTPD ready",
        ],
    ),
    "ftp replies": Target(
        of_servers.ftp_replies_of,
        lambda: [
            b'257 "/srv/a ""b""" is the current directory.',
            b"257 /srv/web is the current directory.",
            b"213 15039",
            b"211-Features:\n MLST type*;size*;UNIX.mode;\n SIZE\n211 End",
            b"227 Entering Passive Mode (127,0,0,1,195,149).",
            b"229 Entering Extended Passive Mode (|||50069|)",
        ],
    ),
    "sftp": Target(
        of_servers.sftp_client,
        lambda: [
            (
                b"debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n"
                b'debug2: Server supports extension "posix-rename@openssh.com" revision 1\n'
            ),
            b"user@host: Permission denied (publickey).\nLoad key x: invalid format\n",
            (
                b"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nSHA256:abc\nOffending RSA key in /k:1\n"
                b"Host key for h has changed\nHost key verification failed.\n"
            ),
        ],
    ),
    "s3": Target(
        of_servers.s3_store,
        lambda: [
            b"<Error><Code>NoSuchBucket</Code><Message>hunter2hunter2 &amp; x</Message><Region>eu</Region></Error>",
            b"<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.example.org</Endpoint></Error>",
        ],
    ),
    "hosts": Target(
        of_users.host_keys,
        lambda: [
            b"www.example.org,*.org ssh-ed25519 AAAA comment\n@revoked [host]:22 ssh-rsa AAAA\n",
            b"|1|c2FsdA==|ZGlnZXN0|x ssh-rsa AAAA\n|1|c2FsdA==|ZGlnZXN0 ssh-rsa AAAA\n",
        ],
    ),
    "values": Target(
        of_sources.lone_values,
        lambda: [
            b"1,894.10",
            b"1e999",
            b'"2026-09-17T11:30:00+05:30"',
            b"-0.0",
            b"2026-09-17",
            "\u2066x".encode(),
        ],
    ),
}
