"""An S3 store in memory, in a process of its own, that checks signatures and rights when told to."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.process import Missing, Server


class Moto(Server):
    """moto's server: `url`, and what tests ask of it past the publisher."""

    region = "us-east-1"

    def __init__(self, folder: Path) -> None:
        if find_spec("moto") is None or find_spec("flask") is None:
            raise Missing("moto's server is not here: pip install 'moto[s3]' flask flask-cors")
        super().__init__(folder)
        self.url = f"http://127.0.0.1:{self.port}"
        self.start(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port))

    def client(self, service: str = "s3") -> Any:
        """A client by another hand than ours, which may do all."""
        from boto3 import client

        keys = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
        return client(service, endpoint_url=self.url, region_name=self.region, **keys)

    def check_signatures(self, on: bool) -> None:
        """From now on, look at who asks and at what they may do, or not."""
        import requests

        free = "0" if on else "inf"
        requests.post(f"{self.url}/moto-api/reset-auth", data=free, timeout=10).raise_for_status()
