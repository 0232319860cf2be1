"""The command line: the only package that prints or exits. One module for each command."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

from heatmap.state import idle

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_MEMORY = b"heatmap: this machine has no memory left: the next run tries again\n"
NO_FILES = b"heatmap: no more files can be opened: the next run tries again\n"
EXIT_SHORTAGE = 75  # errors.EXIT_TEMPORARY: a run that ends at once does not import that module


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Only argparse exits, after --help and --version.

    Without `argv` the process runs this command only: after a shortage of memory it ends here.
    """
    try:
        code = _obey(sys.argv[1:] if argv is None else argv)
    except (MemoryError, SystemError, OSError) as error:  # not even an error could be printed
        if isinstance(error, OSError) and error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        code = EXIT_SHORTAGE
        with suppress(OSError):
            os.write(2, NO_MEMORY if not isinstance(error, OSError) else NO_FILES)
        if argv is None:
            os._exit(code)
    shortage = sys.modules.get("heatmap.system.resource_errors")
    if argv is None and shortage is not None and shortage.is_met:
        os._exit(code)  # the interpreter's exit needs memory, and aborts without it
    return code


def _obey(argv: Sequence[str]) -> int:
    if idle.is_idle(argv):
        return 0
    from heatmap.cli import parser

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names may have letters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    code = parser.dispatch(argv)
    _flush()
    import gc

    gc.freeze()  # the collection at exit would search every module: a sixth of a run's time
    return code


def _flush() -> None:
    """Write all buffered output. If nobody reads it any more, prevent an error message at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
