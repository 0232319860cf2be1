"""Which files of a delivery stand or fall together: the pages themselves, and each part of a market. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from heatmap.system.web_file import WebFile


class Key(NamedTuple):
    """A group of files. ("", ""): the pages themselves, of all markets, without which a delivery fails."""

    market: str
    part: str  # see `heatmap.system.parts`


class MissingPart(NamedTuple):
    """A part of a market that a target does not have, and why, in a sentence."""

    market: str
    part: str
    sentence: str


PAGES = Key("", "")


def key(page: WebFile) -> Key:
    """Return the group that a file belongs to."""
    return Key(page.market, page.part) if page.part else PAGES


def group(pages: Sequence[WebFile]) -> dict[Key, list[WebFile]]:
    """Return the files of each group, in order; the pages themselves come first."""
    groups: dict[Key, list[WebFile]] = {}
    for page in sorted(pages, key=lambda page: bool(page.part)):
        groups.setdefault(key(page), []).append(page)
    return groups


def missing_parts(pages: Sequence[WebFile], failed: Collection[Key], sentence: str) -> list[MissingPart]:
    """Return what a target lacks of `pages` where these groups failed: they, and what links to them."""
    found = dict.fromkeys(failed, sentence)
    for page in pages:
        if page.needs and Key(page.market, page.needs) in failed:
            found.setdefault(key(page), f"it waits for the {page.needs}, to which it links")
    return [MissingPart(*each, why) for each, why in found.items()]


def leave_out(pages: Sequence[WebFile], lacking: Collection[MissingPart]) -> list[WebFile]:
    """Return the files but for those of parts that are lacking."""
    left_out = {Key(lack.market, lack.part) for lack in lacking}
    return [page for page in pages if key(page) not in left_out]


def doubted(group: Sequence[WebFile], settled: Iterable[WebFile]) -> list[WebFile]:
    """Return the files of a group that may be somebody else's; `settled` are those in place.

    Where a page is in place, a file of a part beside it is ours: see `ownership`.
    """
    ours = {_folder(page) for page in settled if not page.part}
    return [page for page in group if not page.part or _folder(page) not in ours]


def _folder(page: WebFile) -> str:
    return page.path.rpartition("/")[0]
