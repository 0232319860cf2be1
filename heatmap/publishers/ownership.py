"""Finds whether this program wrote a file at a target. A foreign file is never replaced.

Pure: the caller reads the files. The page of a folder proves that the whole folder is ours. So a run does not
have to read every file that it replaces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from heatmap.errors import PublishImpossible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from heatmap.system.web_file import WebFile

PAGE_NAME, SNAPSHOT_NAME = "index.html", "snapshot.json"
HEAD_BYTES = 4096  # a mark is within these first bytes of a file
MAX_PAGE_BYTES = 16 * 1024 * 1024  # no page of this program is larger, so a larger file is not read
MARKS = (
    # Two of pages (those of 0.1.0 and 0.2.0 have only the second), one of snapshot.json, one of the feed.
    rb'<meta\s+name=["\']?generator["\']?\s+content=["\']?heatmap \(market-heatmap\)',
    rb'<meta\s+name=["\']?heatmap-script["\']?\s+content=',
    rb'\A\s*\{\s*"schema":\s*"market-heatmap/',
    rb"<generator>market-heatmap</generator>",
)
MARK = re.compile(b"|".join(MARKS), re.IGNORECASE)
RECORDING_MARK = re.compile(rb'<meta\s+name=["\']?heatmap-recording["\']?\s+content=', re.IGNORECASE)
SAMPLE = b'<meta name="generator" content="heatmap (market-heatmap)">'  # the shortest page with a mark


def is_ours(content: bytes) -> bool:
    """Return whether this program wrote a file. An empty file counts, too: nothing in it can be lost."""
    return not content or MARK.search(content[:HEAD_BYTES]) is not None


def is_recording(content: bytes) -> bool:
    """Return whether a file is a page of the demo's recorded day."""
    return RECORDING_MARK.search(content[:HEAD_BYTES]) is not None


def make_samples(markets: Sequence[str]) -> list[WebFile]:
    """Return samples of the files that a run puts first and last. A check uses them: it has no pages."""
    from heatmap.system.web_file import WebFile

    names = [f"{market}/{name}" for market in markets for name in (SNAPSHOT_NAME, PAGE_NAME)]
    return [WebFile(name, SAMPLE) for name in [*names, PAGE_NAME]]


def check(target: str, pages: Sequence[WebFile], read: Callable[[WebFile], bytes | None]) -> None:
    """Raise PublishImpossible if one of `pages` would replace a file that this program did not write.

    `read` returns at least the first HEAD_BYTES of the file in a page's place; None if there is no file.
    `target` is the target's name in messages.

    A folder is ours if its page or its snapshot.json is: a run that was killed before it put the page has put
    the snapshot. If a folder has neither, each file in place of ours is foreign. A folder that gets no marked
    page is not checked: the next run could not recognise its files.
    """
    for folder in _group_by_folder(pages):
        for page in folder:
            content = read(page)
            if content is None:
                continue
            has_mark = is_ours(content)
            if not has_mark and content != page.content:
                raise make_foreign_error(target, page.path)
            if has_mark and content:
                break


def make_foreign_error(target: str, path: str) -> PublishImpossible:
    """Return the error for a file that this program did not write."""
    return PublishImpossible(
        f"{target}: {path} there was not written by this program, and is left as it is: "
        "name another folder in url, or set overwrite = true to replace it"
    )


def make_unreadable_error(target: str, path: str) -> PublishImpossible:
    """Return the error for a file that cannot be read, so that its author is unknown."""
    return PublishImpossible(
        f"{target}: {path} there cannot be read, and may be somebody else's: let this user read it, "
        "name another folder in url, or set overwrite = true to replace it"
    )


def _group_by_folder(pages: Sequence[WebFile]) -> Iterator[list[WebFile]]:
    """Yield the pages of each folder that gets a marked page, the folder's own page first."""
    folders: dict[str, list[WebFile]] = {}
    for page in pages:
        folders.setdefault(page.path.rpartition("/")[0], []).append(page)
    for folder in folders.values():
        if any(page.content and is_ours(page.content) for page in folder):
            yield sorted(folder, key=lambda page: page.path.rpartition("/")[2] != PAGE_NAME)
