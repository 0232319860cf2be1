"""A real cron daemon with one crontab, which sees nothing of the system's own."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from tests.servers.process import Missing, Server, needed


class Cron(Server):
    """cron in a mount namespace of its own, so root only. It looks at its crontab every minute.

    `run(lines)` starts it with a crontab of root's; output of jobs is lost, as with no mail agent.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._program = needed("cron")
        if os.geteuid() != 0:
            raise Missing("cron needs root: run the tests as root for this one")

    def run(self, crontab: str) -> None:
        """Start the daemon; jobs run from the next full minute on."""
        self.stop()
        spool, empty = self.folder / "crontabs", self.folder / "cron.d"
        for made in (spool, empty):
            made.mkdir(exist_ok=True)
        spool.chmod(0o1730)
        (spool / "root").write_text(crontab.rstrip("\n") + "\n", "utf-8")
        (spool / "root").chmod(0o600)
        pam = self.folder / "pam.d"
        if not pam.exists():
            shutil.copytree("/etc/pam.d", pam)
            (pam / "cron").write_text(
                "account required pam_permit.so\nsession required pam_permit.so\nauth required pam_permit.so\n",
                "utf-8",
            )
        steps = [
            "mkdir -p /var/spool/cron/crontabs /etc/cron.d",
            f"mount --bind {shlex.quote(str(spool))} /var/spool/cron/crontabs",
            f"mount --bind {shlex.quote(str(empty))} /etc/cron.d",
            f"mount --bind {shlex.quote(str(pam))} /etc/pam.d",
            "if [ -e /etc/crontab ]; then mount --bind /dev/null /etc/crontab; fi",
            "mount -t tmpfs tmpfs /run",
            f"exec {shlex.quote(str(self._program))} -f -L 15",
        ]
        self.start("unshare", "-m", "sh", "-c", " && ".join(steps), listens=False)
