"""A real browser: the machine's own Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.servers.process import Missing

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# It must speak to nobody but the tests' own servers.
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and end it. Raises Missing, saying how to get it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise Missing("Chromium is not here: install it (Debian: apt-get install chromium)")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*QUIET, *root])
        try:
            yield browser
        finally:
            browser.close()
