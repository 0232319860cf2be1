"""The command line: the only place that prints or exits. One module a command."""

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
EXIT_SHORTAGE = 75  # errors.EXIT_TEMPORARY, which a tick that leaves at once does not import


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; argparse alone exits, after --help and --version.

    Without `argv` the process is the command's own: after a shortage it ends here.
    """
    try:
        code = _obey(sys.argv[1:] if argv is None else argv)
    except (MemoryError, SystemError, OSError) as error:  # not even an error could be told
        if isinstance(error, OSError) and error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        code = EXIT_SHORTAGE
        with suppress(OSError):
            os.write(2, NO_MEMORY if not isinstance(error, OSError) else NO_FILES)
        if argv is None:
            os._exit(code)
    shortage = sys.modules.get("heatmap.system.resource_errors")
    if argv is None and shortage is not None and shortage.is_met:
        os._exit(code)  # the interpreter's own end takes memory, and aborts where it has none
    return code


def _obey(argv: Sequence[str]) -> int:
    if idle.is_idle(argv):
        return 0
    from heatmap.cli import parser

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal may know fewer letters than folders and names have
            stream.reconfigure(errors="backslashreplace")
    code = parser.dispatch(argv)
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
