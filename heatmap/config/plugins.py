"""Which class answers to which name in a configuration; each is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatmap.publishers.interface import Publisher
    from heatmap.sources.interface import Source

SOURCES = {
    "nse": "heatmap.sources.nse.live:Nse",
    "nse-archive": "heatmap.sources.nse.archive:NseArchive",
    "file": "heatmap.sources.snapshot_file:SnapshotFile",
    "recording": "heatmap.sources.recording:Recording",
}
PUBLISHERS = {  # by the scheme of the target's URL
    "file": "heatmap.publishers.folder:FolderPublisher",
    "ftp": "heatmap.publishers.ftp.publisher:FtpPublisher",
    "ftps": "heatmap.publishers.ftp.publisher:FtpsPublisher",
    "sftp": "heatmap.publishers.sftp.publisher:SftpPublisher",
    "s3": "heatmap.publishers.s3.publisher:S3Publisher",
    "git+file": "heatmap.publishers.git.publisher:GitPublisher",
}


def source(name: str) -> type[Source]:
    """Return the source class called `name`. Raises KeyError."""
    return cast("type[Source]", _load(SOURCES, name))


def publisher(scheme: str) -> type[Publisher]:
    """Return the publisher class for a URL scheme. Raises KeyError."""
    return cast("type[Publisher]", _load(PUBLISHERS, scheme))


def _load(index: Mapping[str, str], name: str) -> object:
    module, _, attribute = index[name].partition(":")
    found: object = getattr(import_module(module), attribute)
    return found
