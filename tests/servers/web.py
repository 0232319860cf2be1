"""A real nginx that serves a folder as deploy/nginx.conf has it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers.process import Server, needed

SNIPPET = Path(__file__).parents[2] / "deploy/nginx.conf"


class Nginx(Server):
    """nginx; `root` is what visitors see, with the shipped snippet for /heatmap/."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        program = needed("nginx")
        user = "user root;" if os.geteuid() == 0 else ""  # the tests' folders are closed to others
        kinds = "\n".join(
            f"{name}_temp_path {folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = folder / "nginx.conf"
        config.write_text(
            f"{user}\ndaemon off;\nmaster_process on;\nworker_processes 1;\npid {folder}/pid;\nerror_log stderr;\n"
            "events {}\nhttp {\naccess_log off;\n"
            "types { text/html html; application/json json; text/csv csv; image/svg+xml svg; image/png png; }\n"
            f"{kinds}\nserver {{\nlisten 127.0.0.1:{self.port};\nroot {self.root};\ninclude {SNIPPET};\nlocation /blog/ {{ ssi on; }}\n}}\n}}\n",
            "utf-8",
        )
        self.start(program, "-c", config, "-p", f"{folder}/", "-e", "stderr")

    def url(self, path: str = "") -> str:
        """The address of a path below `root`."""
        return f"http://127.0.0.1:{self.port}/{path}"
