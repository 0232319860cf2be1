"""SSH servers whose key is unknown or has changed."""

from __future__ import annotations

import pytest

from heatmap.errors import PublishRefused
from heatmap.publishers.sftp.publisher import SftpPublisher
from heatmap.system.deadline import Deadline
from heatmap.system.web_file import WebFile
from tests.servers.ssh import Sshd

PAGES = [WebFile("index.html", b"x" * 100_000)]


def publish(server: Sshd) -> None:
    """Publish by the server's own key pair."""
    files = {"identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file}
    SftpPublisher(server.url(), **files).publish(PAGES, Deadline(15))


def test_an_unknown_host_key(sshd: Sshd) -> None:
    """A host that nobody vouched for is refused, and gets nothing."""
    sshd.known_hosts_file.write_text("", "utf-8")
    with pytest.raises(PublishRefused, match="is not known"):
        publish(sshd)

    assert [] == list(sshd.root.iterdir())


def test_a_changed_host_key(sshd: Sshd) -> None:
    """A host with another key than before is refused, and gets nothing."""
    sshd.trust((sshd.folder / "client_key.pub").read_text("utf-8"))
    with pytest.raises(PublishRefused, match="has changed"):
        publish(sshd)

    assert [] == list(sshd.root.iterdir())
