"""The metrics of the last run, in a file that node_exporter's textfile collector reads.

A run takes over the metrics that it has no new value for, such as the last success of a market whose source
fails, from the previous file.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from heatmap.system import files

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

MAX_BYTES = 1024 * 1024  # of the previous file; a file has about 2,000 bytes for each market
MAX_LINE_LENGTH = 300  # characters of a line that this program can have written
MODE = 0o644  # node_exporter runs as another user

HELP = {
    "heatmap_last_run_timestamp_seconds": "Start of the last run that had something to do.",
    "heatmap_last_run_exit_code": "Exit code of the last run: 0 is success, 75 is trouble that may pass.",
    "heatmap_last_run_duration_seconds": "Duration of the last run.",
    "heatmap_last_success_timestamp_seconds": (
        "Start of the last run that published this market to every target, or had nothing to publish."
    ),
    "heatmap_data_timestamp_seconds": "Time of the last fetched quotes, by their source.",
    "heatmap_quotes": "Number of the last fetched quotes.",
    "heatmap_phase": "1 for the market's phase at the last run, 0 for the other phases.",
    "heatmap_next_open_timestamp_seconds": "Next start of trading, by the calendar at the last run.",
    "heatmap_publish_success": "1 if the target, by its number in the configuration, last got all pages.",
}

_SAMPLE = re.compile(r"([a-z_]+)\{(.*)\} (-?[0-9][0-9.]{0,30})")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)')
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n"}


class Series(NamedTuple):
    """The name and the labels of one sample."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        labels = ",".join(f'{name}="{_escape(value)}"' for name, value in self.labels)
        return f"{self.name}{{{labels}}}" if labels else self.name


def format_samples(samples: Mapping[Series, float]) -> str:
    """Return the samples in Prometheus's text format: each metric's help and type, then its samples."""
    lines = []
    for name, help_text in HELP.items():
        sample_lines = [
            f"{series} {_format_value(value)}" for series, value in samples.items() if series.name == name
        ]
        if sample_lines:
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge", *sample_lines]
    return "\n".join([*lines, ""])


def parse_previous(text: str, labels: Collection[tuple[tuple[str, str], ...]]) -> dict[Series, float]:
    """Return the samples of the previous file that have one of these sets of labels."""
    samples = {}
    for line in text.split("\n"):
        match = _SAMPLE.fullmatch(line) if len(line) <= MAX_LINE_LENGTH else None
        if match is None or match[1] not in HELP:
            continue
        sample_labels = tuple((label, _unescape(value)) for label, value in _LABEL.findall(match[2]))
        try:
            value = float(match[3])
        except ValueError:
            continue
        if sample_labels in labels and isfinite(value):
            samples[Series(match[1], sample_labels)] = value
    return samples


def update(
    path: Path, samples: Mapping[Series, float], labels: Collection[tuple[tuple[str, str], ...]]
) -> str | None:
    """Write the samples, and the previous file's other samples with these `labels`. Return the problem.

    None if there is no problem. A reader sees the complete old file or the complete new one.
    """
    try:
        _write(path, format_samples({**parse_previous(_read_previous(path), labels), **samples}).encode())
    except OSError as error:
        return f"cannot be written ({error.strerror}): make room, or let this user write into its folder"
    return None


def _read_previous(path: Path) -> str:
    """Return the text of the previous file; "" if it is missing or no regular file."""
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
