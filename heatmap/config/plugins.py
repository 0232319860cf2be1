"""The classes behind the names of a configuration. A class is imported when it is first needed."""

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


def source_class(name: str) -> type[Source]:
    """Return the class for the source type `name`. Raises KeyError."""
    return cast("type[Source]", _load(SOURCES, name))


def publisher_class(scheme: str) -> type[Publisher]:
    """Return the publisher class for a URL scheme. Raises KeyError."""
    return cast("type[Publisher]", _load(PUBLISHERS, scheme))


def _load(index: Mapping[str, str], name: str) -> object:
    module, _, attribute = index[name].partition(":")
    cls: object = getattr(import_module(module), attribute)
    return cls
