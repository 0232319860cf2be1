"""The engines of Safari and Firefox as Debian packages them: WebKitGTK and Firefox ESR, driven by Selenium.

Playwright drives Chromium elsewhere in the tests. For these two it has only builds of its own, which are not the
browsers that readers have.
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from shutil import which
from typing import Any, Self

from selenium.webdriver import Remote
from selenium.webdriver.common.options import ArgOptions
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.webkitgtk.options import Options as WebKitOptions

from tests.servers.process import READY_SECONDS, Missing, Server

MINIBROWSERS = ("/usr/lib/*/webkit2gtk-4.*/MiniBrowser", "/usr/lib/*/webkitgtk-6.*/MiniBrowser")
SCREEN = "1400x3000x24"
ANSWER_SECONDS = 60
ALONE = ("env", "-u", "LD_LIBRARY_PATH")  # without the libraries of the unpacked servers
# Firefox speaks to nobody but the tests' own servers, and prints without its own headers.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "marionette.port": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
}


class WebKit(Server):
    """WebKitGTK's own small browser, on a screen in memory: `driver`."""

    name = "WebKit"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        program = _needed("WebKitWebDriver", "webkit2gtk-driver")
        browser = next((str(path) for glob in MINIBROWSERS for path in Path("/").glob(glob[1:])), None)
        if browser is None:
            raise Missing("MiniBrowser is not here: install it (Debian: apt-get install webkit2gtk-driver)")
        with ExitStack() as stack:
            screen = stack.enter_context(Screen(folder / "screen"))
            self.start(*ALONE, f"DISPLAY={screen.display}", program, f"--port={self.port}")
            stack.callback(self.stop)
            options = WebKitOptions()
            options.binary_location = browser
            options.add_argument("--automation")
            config = ClientConfig(f"http://127.0.0.1:{self.port}")
            self.driver = Remote(RemoteConnection(client_config=config), options=options)
            stack.callback(self.driver.quit)
            self._stack = stack.pop_all()

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Firefox(Server):
    """Firefox without a window: `driver`."""

    name = "Firefox"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        program = next(filter(None, map(which, ("firefox-esr", "firefox"))), None)
        if program is None:
            raise Missing("Firefox is not here: install it (Debian: apt-get install firefox-esr)")
        profile = folder / "profile"
        profile.mkdir()
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()
        ]
        (profile / "user.js").write_text("".join(lines))
        with ExitStack() as stack:
            stack.callback(self.stop)
            command = (
                program,
                "--headless",
                "--marionette",
                "--remote-allow-system-access",
                "--no-remote",
                "--profile",
                profile,
            )
            self.start(*ALONE, *command, listens=False)
            port = _wait(lambda: (profile / "MarionetteActivePort").read_text(), self)
            self._marionette = stack.enter_context(Marionette(int(port)))
            self.driver = Remote(self._marionette, options=FirefoxOptions())
            stack.callback(self.driver.quit)
            self._marionette.send("Marionette:SetContext", {"value": "content"})
            self._stack = stack.pop_all()

    def prefer(self, name: str, value: int) -> None:
        """Set a preference of a whole number, from now on."""
        self._marionette.send("Marionette:SetContext", {"value": "chrome"})
        script = "Services.prefs.setIntPref(arguments[0], arguments[1])"
        self._marionette.send("WebDriver:ExecuteScript", {"script": script, "args": [name, value]})
        self._marionette.send("Marionette:SetContext", {"value": "content"})

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Screen(Server):
    """An X server in memory: `display`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        program = _needed("Xvfb", "xvfb")
        self.start(
            *ALONE, program, "-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp", listens=False
        )
        self.display = ":" + _wait(lambda: re.findall(r"^(\d+)$", self.log, re.MULTILINE)[0], self)


class FirefoxOptions(ArgOptions):
    """The capabilities that a session of Firefox is begun with."""

    @property
    def default_capabilities(self) -> dict[str, str]:
        return {"browserName": "firefox"}


class Marionette(RemoteConnection):
    """Selenium's commands in Firefox's own words: Debian does not package geckodriver, which translates otherwise.

    A message is its length, a colon, and JSON: `[0, id, name, parameters]`, answered by `[1, id, error, result]`.
    """

    NAMES = {
        Command.NEW_SESSION: "NewSession",
        Command.QUIT: "DeleteSession",
        Command.GET: "Navigate",
        Command.GET_CURRENT_URL: "GetCurrentURL",
        Command.REFRESH: "Refresh",
        Command.W3C_EXECUTE_SCRIPT: "ExecuteScript",
        Command.W3C_EXECUTE_SCRIPT_ASYNC: "ExecuteAsyncScript",
        Command.SCREENSHOT: "TakeScreenshot",
        Command.FIND_ELEMENT: "FindElement",
        Command.FIND_ELEMENTS: "FindElements",
        Command.CLICK_ELEMENT: "ElementClick",
        Command.CLEAR_ELEMENT: "ElementClear",
        Command.SEND_KEYS_TO_ELEMENT: "ElementSendKeys",
        Command.GET_ELEMENT_TEXT: "GetElementText",
        Command.W3C_ACTIONS: "PerformActions",
        Command.SET_WINDOW_RECT: "SetWindowRect",
        Command.SWITCH_TO_FRAME: "SwitchToFrame",
        Command.SET_TIMEOUTS: "SetTimeouts",
        Command.PRINT_PAGE: "Print",
    }

    def __init__(self, port: int) -> None:
        super().__init__(client_config=ClientConfig(f"http://127.0.0.1:{port}"))
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self._reader = self._socket.makefile("rb")
        self._sent = 0
        self._receive()  # which says the version of the protocol

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command of Selenium. An error is returned as a WebDriver server would."""
        given = {name: value for name, value in params.items() if name != "sessionId"}
        if command == Command.SWITCH_TO_FRAME and isinstance(given["id"], dict):
            given = {"element": next(iter(given["id"].values()))}
        error, result = self._exchange(f"WebDriver:{self.NAMES[command]}", given)
        if error:
            return {"status": 500, "value": json.dumps({"value": error})}
        return {"value": result["value"] if isinstance(result, dict) and [*result] == ["value"] else result}

    def send(self, name: str, parameters: dict[str, Any]) -> None:
        """Carry out a command of Marionette. Raises RuntimeError where it fails."""
        error, _ = self._exchange(name, parameters)
        if error:
            raise RuntimeError(f"{name}: {error}")

    def close(self) -> None:
        """End the connection."""
        self._reader.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, name: str, parameters: dict[str, Any]) -> tuple[Any, Any]:
        self._sent += 1
        message = json.dumps([0, self._sent, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, answered, error, result = self._receive()
        assert answered == self._sent
        return error, result

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            digit = self._reader.read(1)
            if not digit:
                raise ConnectionError("Firefox has ended")
            length += digit
        return json.loads(self._reader.read(int(length[:-1])))


def _needed(program: str, package: str) -> str:
    found = which(program)
    if found is None:
        raise Missing(f"{program} is not here: install it (Debian: apt-get install {package})")
    return found


def _wait(read: Any, server: Server) -> str:
    """Return what `read` gives once it gives something. Raises RuntimeError where it never does."""
    until = time.monotonic() + 2 * READY_SECONDS
    while time.monotonic() < until:
        with suppress(OSError, IndexError):
            found = read().strip()
            if found:
                return str(found)
        time.sleep(0.02)
    server.stop()
    raise RuntimeError(f"{type(server).__name__} did not start: {server.log}")
