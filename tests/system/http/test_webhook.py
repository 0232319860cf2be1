"""Calls to a web hook: what they import, and what they leave unread. The rest is in the tests of `notify`."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest

from heatmap.system.http import webhook


@pytest.mark.process
def test_a_webhook_imports_no_client() -> None:
    """A run outside market hours that only pings needs no cookies, redirects and retries."""
    code = (
        "import sys, heatmap.system.http.webhook; print(*(name for name in sys.modules if 'http.' in name))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert ["heatmap.system.http.webhook"] == done.stdout.split()


@pytest.mark.server
def test_the_body_of_a_redirect_is_not_read() -> None:
    """A hook that answers with a redirect and never ends its body costs no time."""
    end = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                head = (
                    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 1000000\r\n\r\n"
                )
                connection.sendall(head.encode() + b"x" * 1000)
                end.wait(30)

        threading.Thread(target=serve, daemon=True).start()
        started_at = time.monotonic()
        response = webhook.post("GET", f"http://127.0.0.1:{server.getsockname()[1]}/")
        seconds = time.monotonic() - started_at
        end.set()

    assert response.problem == "was answered 302, a redirect, which is not followed: correct the address"
    assert seconds < webhook.TIMEOUTS_SECONDS[1]
