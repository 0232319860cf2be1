"""The metrics of the last run, in a file that node_exporter's textfile collector reads.

The file is its own memory: what a run does not find out anew, such as the last success of a market whose
source fails, it takes over from the file before.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

MAX_BYTES = 1024 * 1024  # of the file before; ours has some 2,000 a market
MAX_LINE_LENGTH = 300  # characters, of one that can be ours
MODE = 0o644  # another user reads it

HELP = {
    "heatmap_last_run_timestamp_seconds": "When the last run that had something to do began.",
    "heatmap_last_run_exit_code": "How it ended: 0 is success, 75 trouble that may pass.",
    "heatmap_last_run_duration_seconds": "How long it took.",
    "heatmap_last_success_timestamp_seconds": (
        "When the last run began that brought this market to every target, or found nothing to bring."
    ),
    "heatmap_data_timestamp_seconds": "When the figures last fetched were true at their source.",
    "heatmap_quotes": "How many quotes were last fetched.",
    "heatmap_phase": "1 for the phase the market was in at the last run, 0 for the others.",
    "heatmap_next_open_timestamp_seconds": "When trading starts next, by the calendar at the last run.",
    "heatmap_publish_success": "Whether the target, by its place in the configuration, last took all pages.",
}

_SAMPLE = re.compile(r"([a-z_]+)\{(.*)\} (-?[0-9][0-9.]{0,30})")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n"}


class Series(NamedTuple):
    """One line's name and labels; its value is kept beside it."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        written = ",".join(f'{name}="{_escape(value)}"' for name, value in self.labels)
        return f"{self.name}{{{written}}}" if written else self.name


def format_samples(samples: Mapping[Series, float]) -> str:
    """Return the samples in Prometheus's text format: each metric's help and type, then its lines."""
    lines = []
    for name, told in HELP.items():
        found = [
            f"{series} {_format_value(value)}" for series, value in samples.items() if series.name == name
        ]
        if found:
            lines += [f"# HELP {name} {told}", f"# TYPE {name} gauge", *found]
    return "\n".join([*lines, ""])


def parse_previous(text: str, labels: Collection[tuple[tuple[str, str], ...]]) -> dict[Series, float]:
    """Return what an earlier file knew, of these sets of labels alone: what is gone for good is forgotten."""
    samples = {}
    for line in text.split("\n"):
        match = _SAMPLE.fullmatch(line) if len(line) <= MAX_LINE_LENGTH else None
        if match is None or match[1] not in HELP:
            continue
        found = tuple((label, _unescape(value)) for label, value in _LABEL.findall(match[2]))
        try:
            value = float(match[3])
        except ValueError:
            continue
        if found in labels and isfinite(value):
            samples[Series(match[1], found)] = value
    return samples


def update(
    path: Path, samples: Mapping[Series, float], labels: Collection[tuple[tuple[str, str], ...]]
) -> str | None:
    """Write the samples, and what the file knew of `labels` beyond them. Return what went wrong.

    A reader sees the old file or the new one, whole.
    """
    try:
        _write(path, format_samples({**parse_previous(_read_previous(path), labels), **samples}).encode())
    except OSError as error:
        return f"cannot be written ({error.strerror}): make room, or let this user write into its folder"
    return None


def _read_previous(path: Path) -> str:
    """Return the file as it stands; nothing where there is none that can be ours."""
    try:
        with files.open_regular(path) as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _write(path: Path, content: bytes) -> None:
    name = f".{path.name}.tmp"  # always the same, so that killed runs leave one file at most
    files.write(path, content, mode=MODE, to_disk=False, make_folder=False, temporary=name)


def _format_value(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _escape(value: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in value)


def _unescape(value: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], value)
