"""Completes the commands in messages, so that users can paste them into a shell.

Messages have commands between backticks, such as `heatmap check` or `pip install 'market-heatmap[png]'`.
The modules that write them do not know where this program is installed, and public pages have some of the
messages. So the paths are added only here, when the command line prints.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from heatmap.cli import command_line
from heatmap.config.loader import FILE_NAME
from heatmap.system import package_files

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from heatmap.config.loader import Config

DISTRIBUTION = "market-heatmap"
WITHOUT_CONFIGURATION = ("--help", "demo")  # commands that read no configuration
PROJECT_FILE = "pyproject.toml"
UNBREAKABLE = "\u00a0"
# Messages also quote servers, so only this program's commands are completed.
_COMMAND = re.compile(r"`(?:heatmap ([a-z-][\w .:=-]*)|pip install ('market-heatmap\[[\w,-]+\]'|tzdata))`")
_INSTALL = re.compile(r"`pip install 'market-heatmap\[([a-z0-9,-]+)\]'`")
_EXTRA = re.compile(r"'?market-heatmap\[([a-z0-9,-]+)\]'?")


def complete(message: str, space: str = " ") -> str:
    """Return a message in which commands between backticks have whole paths and no backticks.

    `space` is put between the words of a command. With UNBREAKABLE a wrapped text keeps a command on one
    line; the caller then replaces it.
    """
    if "`" not in message:
        return message
    return _COMMAND.sub(lambda match: _complete_command(match).replace(" ", space), message)


def complete_installs(text: str) -> str:
    """Return a text in which only the commands that install an extra are completed."""
    return _INSTALL.sub(lambda match: install(match[1]), text)


def heatmap(words: str, configuration: Path | None = None) -> str:
    """Return a shell command that runs `heatmap` with these words (not quoted) and the configuration.

    `configuration` None: the one of this command line, or heatmap.toml in the current folder. Without both,
    the command has no --config, and works in the current folder only.
    """
    command = f"{shlex.join(program())} {words}"
    path = configuration or command_line.configuration_path
    if path is None and Path(FILE_NAME).exists():
        path = Path(FILE_NAME)
    if path is None or any(word in words.split() for word in WITHOUT_CONFIGURATION):
        return command
    return f"{command} --config {shlex.quote(str(path.absolute()))}"


def program() -> list[str]:
    """Return the words that start this installed program, with absolute paths."""
    script = Path(sys.executable).with_name("heatmap")
    if script.exists():
        return [str(script)]
    current = Path(sys.argv[0])  # after a user's install the script is not beside the interpreter
    if current.name == script.name and current.is_file():
        return [str(current.absolute())]
    command = [sys.executable, "-m", "heatmap"]
    return (
        ["/usr/bin/env", f"PYTHONPATH={package_files.CHECKOUT}", *command]
        if _is_checkout(package_files.CHECKOUT)
        else command
    )


def install(extra: str) -> str:
    """Return the shell command that installs an extra of this program, or several ("png,s3")."""
    return shlex.join([*_pip(), "install", *_requirement(extra)])


def configuration(config: Config) -> str:
    """Return the configuration in use as a phrase for after a colon."""
    if config.path is not None:
        return str(config.path)
    folder = Path.cwd()
    return (
        f"none. There is no {FILE_NAME} in {folder}, so the defaults apply: NSE F&O, published into "
        f"{folder / 'site'}. Name a file with --config, or create one: `heatmap init`"
    )


def _complete_command(match: re.Match[str]) -> str:
    if match[1]:
        return heatmap(match[1])
    extra = _EXTRA.fullmatch(match[2])
    return install(extra[1]) if extra else shlex.join([*_pip(), "install", match[2]])


def _pip() -> list[str]:
    """Return the words that start the pip of this program's environment."""
    from importlib.util import find_spec

    script = Path(sys.executable).with_name("pip")
    if sys.prefix != sys.base_prefix and script.exists():
        return [str(script)]
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    return ["pip", "--python", sys.executable]  # an environment without pip, such as one of uv


def _requirement(extra: str) -> list[str]:
    """Return pip's words for an extra, by the origin of this installation (PEP 610, direct_url.json)."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return [f"{package_files.CHECKOUT}[{extra}]"]
    origin = _read_origin(installed)
    url = str(origin.get("url", ""))
    path = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return [f"{DISTRIBUTION}[{extra}] @ {vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', 'HEAD')}"]
    if "dir_info" in origin and path is not None and _is_checkout(path):
        editable = ["-e"] if origin["dir_info"].get("editable") else []
        return [*editable, f"{path}[{extra}]"]
    if "archive_info" in origin and (path is None or path.is_file()):
        return [f"{DISTRIBUTION}[{extra}] @ {url}"]
    if origin:  # that folder or file is gone, but the extra's packages can be installed
        return _extra_requirements(installed, extra)
    return [f"{DISTRIBUTION}[{extra}]"]


def _read_origin(installed: Distribution) -> dict[str, dict[str, str]]:
    try:
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def _extra_requirements(installed: Distribution, extra: str) -> list[str]:
    """Return the additional requirements of an extra, or of several."""
    extras = extra.split(",")
    parts = (line.partition(";") for line in installed.requires or ())
    return [
        requirement.strip()
        for requirement, _, marker in parts
        if any(re.search(rf"""extra == ['"]{re.escape(name)}['"]""", marker) for name in extras)
    ]


def _is_checkout(folder: Path) -> bool:
    return (folder / PROJECT_FILE).is_file()
