"""Groups the files of a delivery that succeed or fail together: the pages, each part of a market. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from heatmap.system.web_file import WebFile


class Key(NamedTuple):
    """A group of files. ("", ""): the pages of all markets; if they fail, the delivery fails."""

    market: str
    part: str  # see `heatmap.system.parts`


class MissingPart(NamedTuple):
    """A part of a market that a target does not have. `sentence` is the reason."""

    market: str
    part: str
    sentence: str


PAGES = Key("", "")


def find_key(page: WebFile) -> Key:
    """Return the group that a file belongs to."""
    return Key(page.market, page.part) if page.part else PAGES


def group_files(pages: Sequence[WebFile]) -> dict[Key, list[WebFile]]:
    """Return the files of each group, in order; the pages come first."""
    groups: dict[Key, list[WebFile]] = {}
    for page in sorted(pages, key=lambda page: bool(page.part)):
        groups.setdefault(find_key(page), []).append(page)
    return groups


def list_missing_parts(
    pages: Sequence[WebFile], failed_groups: Collection[Key], sentence: str
) -> list[MissingPart]:
    """Return the parts that a target lacks if these groups failed: they, and the parts that link to them."""
    reasons = dict.fromkeys(failed_groups, sentence)
    for page in pages:
        if page.needs and Key(page.market, page.needs) in failed_groups:
            reasons.setdefault(find_key(page), f"it waits for the {page.needs}, to which it links")
    return [MissingPart(*key, reason) for key, reason in reasons.items()]


def leave_out(pages: Sequence[WebFile], missing_parts: Collection[MissingPart]) -> list[WebFile]:
    """Return the files except those of the missing parts."""
    missing_groups = {Key(part.market, part.part) for part in missing_parts}
    return [page for page in pages if find_key(page) not in missing_groups]


def select_doubtful(group: Sequence[WebFile], published: Iterable[WebFile]) -> list[WebFile]:
    """Return the files of a group in whose place another program may have written a file.

    `published` are the files that are in place. If a page is in place, the files of parts beside it are ours:
    see `ownership`.
    """
    our_folders = {_find_folder(page) for page in published if not page.part}
    return [page for page in group if not page.part or _find_folder(page) not in our_folders]


def _find_folder(page: WebFile) -> str:
    return page.path.rpartition("/")[0]
