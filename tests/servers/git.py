"""Git's own server for git:// addresses, which lets everybody push."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.servers.process import Missing, Server


class GitDaemon(Server):
    """Serves the bare repositories in `repositories`."""

    def __init__(self, folder: Path, repositories: Path) -> None:
        if shutil.which("git") is None:
            raise Missing("git is not here: install git")
        programs = subprocess.run(["git", "--exec-path"], capture_output=True, check=True, text=True).stdout
        daemon = Path(programs.strip()) / "git-daemon"
        if not daemon.exists():
            raise Missing("git-daemon is not here: install git whole (Fedora: git-daemon)")
        super().__init__(folder)
        where = ["--listen=127.0.0.1", f"--port={self.port}", f"--base-path={repositories}"]
        self.start(daemon, "--reuseaddr", "--export-all", "--enable=receive-pack", *where)
