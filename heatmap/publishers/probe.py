"""Tries, for `heatmap check`, all steps that a delivery needs, with a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatmap.errors import PublishError
from heatmap.publishers import address, sweeping
from heatmap.publishers.upload import Upload

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
    """Write, replace, read back and delete a file. Return in words which server it is and what it can do.

    First check that none of `pages` would replace a foreign file; they are not put. `visit` gets the name and
    the content of a file while visitors can read it. Raises PublishError.
    """
    from heatmap.system.web_file import WebFile

    upload = Upload(target, deadline)
    name = address.make_probe_name()
    path = address.join(target.folder, name)

    def try_steps(connection: Connection) -> str:
        read_back = target.verify != "size"
        upload.refuse_foreign_files(connection, pages)
        upload.put_page(connection, WebFile(name, b"first"), read_back=read_back)
        upload.put_page(connection, WebFile(name, b"second"), read_back=read_back)
        connection.remove(path)
        if visit:
            visible = WebFile(address.make_visible_probe_name(), f"{name}\n".encode())
            visible_path = address.join(target.folder, visible.path)
            visible_paths.append(visible_path)
            upload.put_page(connection, visible, read_back=False)
            visit(visible.path, visible.content)
            connection.remove(visible_path)
        server = connection.describe()
        sweeping.remove_leftovers(connection, target.folder, [WebFile(name, b"")])
        abilities = (
            "writes, replaces, reads back and deletes" if read_back else "writes, replaces and deletes"
        )
        if upload.deletes_first:
            abilities += ", but does not rename over a file: visitors may meet no page for a moment"
        return f"{server}; {abilities}"

    visible_paths: list[str] = []
    try:
        sentence = upload.use_connection(try_steps)
    except PublishError:
        upload.leftovers += [path, *visible_paths]
        upload.remove_leftovers()
        raise
    places = " and ".join(upload.new_places)
    return f"{sentence}; made {places}, not there before" if places else sentence
