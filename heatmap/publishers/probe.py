"""Tries for `heatmap check` all that a delivery needs, with a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.publishers import address, sweeping
from heatmap.publishers.delivery import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heatmap.publishers.connection import Connection, Target
    from heatmap.system.deadline import Deadline
    from heatmap.system.web_file import WebFile


def probe(
    target: Target,
    deadline: Deadline,
    pages: Sequence[WebFile] = (),
    visit: Callable[[str, bytes], None] | None = None,
) -> str:
    """Write, replace, read back and delete a file; say what server that was. Raises PublishError.

    Before, see that none of `pages` would replace a file of somebody else; they are not put. `visit` is
    called with the name of a file and what it holds, while it is there for visitors.
    """
    from heatmap.system.web_file import WebFile

    work = Upload(target, deadline)
    name = address.probe()
    path = address.join(target.folder, name)

    def try_out(session: Connection) -> str:
        read_back = target.verify != "size"
        work.refuse_foreign(session, pages)
        work.bring(session, WebFile(name, b"first"), read_back=read_back)
        work.bring(session, WebFile(name, b"second"), read_back=read_back)
        session.remove(path)
        if visit:
            shown = WebFile(address.visible_probe(), f"{name}\n".encode())
            where = address.join(target.folder, shown.path)
            visible.append(where)
            work.bring(session, shown, read_back=False)
            visit(shown.path, shown.content)
            session.remove(where)
        said = session.describe()
        sweeping.remove_leftovers(session, target.folder, [WebFile(name, b"")])
        what = "writes, replaces, reads back and deletes" if read_back else "writes, replaces and deletes"
        if work.deleted_first:
            what += ", but does not rename over a file: visitors may meet no page for a moment"
        return f"{said}; {what}"

    visible: list[str] = []
    try:
        said = work.within_session(try_out)
        return f"{said}; made {' and '.join(work.made)}, not there before" if work.made else said
    except PublishError:
        work.leftovers += [path, *visible]
        work.tidy()
        raise
