"""The files of the newest archived days, in the state directory, for targets that lack them.

Each day is one file, `archive-<market>-<date>.zip`: a line with a SHA-256, and a ZIP archive, which any tool
opens. It is read whole or not at all. Versions before 0.3 saved only the page, as HTML without a checksum; it
is read if its text shows that it is whole.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from heatmap.pages.page import NEXT_LABEL, NEXT_LINK
from heatmap.state import json_files
from heatmap.system import files, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PAGE_NAME = "index.html"
DATED = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"  # a market's name never ends like this
MOST_DAYS = 10  # the most days of a market: two weeks of sessions
MOST_BYTES = 16 * 1024 * 1024  # the most that these days take together
LEAST_DAYS = 2  # kept at any size: the newest day, and the day before, whose page gets a link to it
MOST_UNPACKED_BYTES = 64 * 1024 * 1024  # the most of one day; usually it is half a MB
NAME = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9]+")  # the name of a file beside the day's page


def path(directory: Path, market: str, day: date) -> Path:
    """Return the path of a day's file."""
    return directory / f"archive-{market}-{day}.zip"


def find(directory: Path, market: str) -> dict[date, Path]:
    """Return the days that have a file, the oldest first. The files are not checked."""
    files: dict[date, Path] = {}
    for suffix in (".html", ".zip"):  # if a day has both, the second counts
        for file in directory.glob(f"archive-{market}-{DATED}{suffix}"):
            with suppress(ValueError):
                files[date.fromisoformat(file.stem[-10:])] = file
    return dict(sorted(files.items()))


def load(directory: Path, market: str, day: date, warn: Callable[[str], None]) -> Mapping[str, bytes] | None:
    """Return a day's files by name; None if they are missing or not whole.

    A damaged file is renamed, never deleted, and `warn` gets a sentence.
    """
    file = find(directory, market).get(day)
    if file is None:
        return None
    try:
        content = files.read(file, limits.PAGE_BYTES)
        return unpack(content) if file.suffix == ".zip" else {PAGE_NAME: whole_page(content)}
    except ValueError:
        aside = json_files.find_free_name(file.with_name(f"archive-{market}{file.suffix}"), "damaged")
        with suppress(OSError):
            file.replace(aside)
        warn(
            f"{file} was damaged and set aside as {aside.name}: the published files of {day} stay as they "
            "are, and a target that lacks the day does not get it"
        )
    except OSError as error:
        warn(f"{file} cannot be read ({error.strerror}): let this user read it")
    return None


def save(directory: Path, market: str, day: date, content: bytes) -> None:
    """Save a day, packed by `pack`. On a full disk, older days are deleted for it. Raises OSError."""
    while True:
        try:
            files.write(path(directory, market, day), content)
        except OSError:
            older = [file for other, file in find(directory, market).items() if other < day]
            if len(older) < LEAST_DAYS:
                raise
            older[0].unlink()
        else:
            break
    with suppress(OSError):
        path(directory, market, day).with_suffix(".html").unlink(missing_ok=True)


def remove_old(directory: Path, market: str) -> None:
    """Delete the oldest days beyond MOST_DAYS and MOST_BYTES; a file that cannot be deleted stays."""
    total = 0
    for number, file in enumerate(reversed(find(directory, market).values()), start=1):
        with suppress(OSError):
            total += file.stat().st_size
            if number > LEAST_DAYS and (number > MOST_DAYS or total > MOST_BYTES):
                file.unlink()


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the content of a day's file; `files` are by name."""
    from io import BytesIO
    from zipfile import ZIP_DEFLATED, ZipFile

    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return json_files.seal(packed.getvalue())


def unpack(content: bytes) -> dict[str, bytes]:
    """Return a day's files by name. Raises ValueError if `pack` did not make `content`."""
    from io import BytesIO
    from zipfile import BadZipFile, ZipFile
    from zlib import error as ZlibError  # noqa: N812 -- a class, by its name

    packed = json_files.unseal(content)
    if packed is None:
        raise ValueError("its checksum differs")
    try:  # the content may come from another machine: a checksum does not make it harmless
        with ZipFile(BytesIO(packed)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MOST_UNPACKED_BYTES:
                raise ValueError("too large")
            files = {info.filename: archive.read(info) for info in archive.infolist()}
    except (BadZipFile, ZlibError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(str(error)) from error
    if PAGE_NAME not in files or not all(map(NAME.fullmatch, files)):
        raise ValueError("not the files of a day")
    return files


def whole_page(content: bytes) -> bytes:
    """Return a page that was saved without a checksum. Raises ValueError unless it is evidently whole.

    Its only NULs are in the two markers for the link to the next day. A block of zeros has more.
    """
    marks = [mark.encode() for mark in (NEXT_LINK, NEXT_LABEL)]
    is_whole = (
        content.startswith(b"<!DOCTYPE html>")
        and content.rstrip().endswith(b"</html>")
        and all(content.count(mark) == 1 for mark in marks)
        and content.count(b"\0") == sum(mark.count(b"\0") for mark in marks)
    )
    if not is_whole:
        raise ValueError("not a whole page")
    return content
