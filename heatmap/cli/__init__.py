"""The command line: the only place that prints or exits. One module a command."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from heatmap import nap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

configuration: Path | None = None  # what --config names on this command line; None without it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse alone exits, after --help and --version."""
    argv = sys.argv[1:] if argv is None else argv
    if nap.lasts(argv):
        return 0
    from heatmap.cli import parser

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal may know fewer letters than folders and names have
            stream.reconfigure(errors="backslashreplace")
    code = parser.obey(argv)
    _flush()
    import gc

    gc.freeze()  # the collection at exit would look through every module: a sixth of a tick's cost
    return code


def _flush() -> None:
    """Say what is left to say; if nobody reads any more, let no complaint of it come at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
