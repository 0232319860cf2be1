"""Asks the questions of `heatmap init`: the market, the target of its pages, and the password."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from heatmap.cli import commands
from heatmap.cli.new_configuration import Answers
from heatmap.cli.questions import BadAnswer, ask, ask_secret, choose
from heatmap.config import fields, plugins
from heatmap.config.tables import LONGEST_TITLE, MARKET_NAME
from heatmap.errors import ConfigError
from heatmap.system import secrets
from heatmap.system.web_address import is_web_address

if TYPE_CHECKING:
    from collections.abc import Callable

INDEX = "NIFTY 50"
_PASSWORD_IN_URL = re.compile(r"[^/]+//[^/@]*:[^/]*@")
_FOLDER = re.compile(r"(?:/|~|\.{1,2}/).*|[\w-]+(?:/[\w.-]+)*/?")


class Secret(NamedTuple):
    """A typed secret, and the name of its file beside the configuration."""

    file: str
    value: str


class Target(NamedTuple):
    """The keys of a `[[publish]]` table. `secret` None: no secret was typed."""

    table: dict[str, str | list[str]]
    secret: Secret | None


class _Login(NamedTuple):
    """The names of the secret of a kind of target."""

    prefix: str  # of the configuration keys
    file: str
    variable: str
    label: str


_EXTRAS = {"s3": ("requests_aws4auth", "s3")}  # module, name of the extra
_PASSWORDS = {
    "ftp": _Login("password", "ftp-password", "HEATMAP_FTP_PASSWORD", "password"),
    "ftps": _Login("password", "ftp-password", "HEATMAP_FTP_PASSWORD", "password"),
    "sftp": _Login("password", "sftp-password", "HEATMAP_SFTP_PASSWORD", "password"),
    "s3": _Login("secret_access_key", "s3-key", "AWS_SECRET_ACCESS_KEY", "secret access key"),
}


def ask_market() -> Answers:
    """Ask for the market. Return the answers with an empty target."""
    kind = choose(
        "Which market?",
        [
            "NSE F&O: all stocks that have derivatives, from the exchange itself (about 210)",
            f"another index of the exchange, such as {INDEX}",
            "figures of another installation (its snapshot.json), or a saved response of the exchange",
            "the recorded day of 17 September 2026, to try everything without the exchange",
        ],
    )
    name, title, index, source = "nse-fno", "NSE F&O heatmap", None, None
    if kind < 2:
        print("  Note: NSE restricts the redistribution of its data. To publish it you need a licence.")
    if kind == 1:
        index = ask("Name of the index", INDEX)
        name, title = _make_market_name(index), f"{index} heatmap"
    elif kind == 2:
        key, value = ask("Path of the file, or its address on the web", None, _parse_source).split(" ", 1)
        source = {"type": "file", key: value}
        name = ask(
            "Short name of the market, which is also its folder on the web server", name, _parse_market_name
        )
    elif kind == 3:
        source = {"type": "recording"}
    title = ask("Title of the page", title, _parse_title)
    return Answers(title, name, {}, source, index)


def ask_target(is_there: Callable[[str], bool]) -> Target:
    """Ask for the target of the pages. `is_there` returns whether the configuration's folder has a file."""
    print(
        "\nWhere do the pages go? To a folder of this machine, such as site or /var/www/html/heatmap,\n"
        "or to an address:\n"
        "  ftps://user@www.example.org/public_html/heatmap   (FTP over TLS; ftp:// has none)\n"
        "  sftp://user@www.example.org/public_html/heatmap\n"
        "  s3://bucket/heatmap   git+file:clone-of-a-repository"
    )
    url = ask("Folder or address", "site", _parse_target_url)
    scheme = urlsplit(url).scheme
    table: dict[str, str | list[str]] = {"url": url}
    if scheme in {"file", "git+file"}:
        return Target(table, None)
    if scheme in {"ftp", "ftps", "sftp"} and not urlsplit(url).username:
        user = ask(f"User name on {urlsplit(url).hostname}")
        table["url"] = url.replace("://", f"://{quote(user, safe='')}@", 1)
    if scheme == "ftp":
        print("  Note: plain FTP sends the password unencrypted. Most servers accept ftps://, too.")
    if scheme == "s3":
        _ask_bucket(table)
    if scheme == "sftp" and choose("How do you log in?", ["with a key, as ssh does", "with a password"]) == 0:
        file = ask("File of the private key (Enter: the keys that ssh finds)", "", _parse_key_file)
        return Target({**table, **({"identity_file": file} if file else {})}, None)
    _print_missing_extra(scheme)
    return Target(*_ask_secret(table, _PASSWORDS[scheme], is_there))


def ask_public_url() -> str | None:
    """Ask for the address at which visitors find the pages. Return None if it is not known."""
    question = "\nAt which address do visitors find the pages? (Enter: not known yet)"
    return ask(question, "", _parse_public_url) or None


def _ask_secret(
    table: dict[str, str | list[str]], login: _Login, is_there: Callable[[str], bool]
) -> tuple[dict[str, str | list[str]], Secret | None]:
    """Ask for the secret. Return the table with the key for it, and the secret if it was typed."""
    choices = [
        f"I type it now: it is saved in {login.file}, a file beside the configuration that only I can read",
        "an environment variable has it",
        "a command prints it, such as: pass show web/ftp",
    ]
    if is_there(login.file):
        choices.append(f"it is already in {login.file}")
    kind = choose(f"Where does the program get the {login.label} from?", choices)
    if kind == 1:
        variable = ask("Name of the variable", login.variable, _parse_variable)
        return {**table, f"{login.prefix}_env": variable}, None
    if kind == 2:
        command = ask("Command", None, lambda answer: _parse_command(answer, login.prefix))
        return {**table, f"{login.prefix}_command": shlex.split(command)}, None
    secret = (
        Secret(login.file, ask_secret(login.label.capitalize(), secrets.MAX_BYTES)) if kind == 0 else None
    )
    return {**table, f"{login.prefix}_file": login.file}, secret


def _ask_bucket(table: dict[str, str | list[str]]) -> None:
    """Ask for the other keys of a bucket, and add them to the table."""
    questions = (
        ("endpoint_url", "Address of the server (Enter: Amazon's)", ""),
        ("region", "Region", "us-east-1"),
        ("access_key_id", "Access key ID", None),
    )
    for key, question, default in questions:

        def parse(answer: str, key: str = key) -> str:
            if answer:
                _check_target({**table, key: answer})
            return answer

        answer = ask(question, default, parse)
        if answer:
            table[key] = answer


def _print_missing_extra(scheme: str) -> None:
    """Print the package that a kind of target needs, if it is not installed."""
    from importlib.util import find_spec

    module, extra = _EXTRAS.get(scheme, ("", ""))
    if module and find_spec(module) is None:
        print(f"  Note: this needs one more package: {commands.install(extra)}")


def _check_target(table: dict[str, str | list[str]]) -> str:
    """Return the URL of a target. Raises BadAnswer if its table is not valid."""
    url = str(table["url"])
    try:
        plugins.publisher_class(url.partition(":")[0].lower())(**table)
    except ConfigError as error:
        raise BadAnswer("; ".join(error.problems)) from error
    return url


def _parse_target_url(answer: str) -> str:
    """Return the URL for a typed folder or address. Raises BadAnswer."""
    scheme, colon, _ = answer.partition(":")
    if colon and scheme.lower() in plugins.PUBLISHERS:
        if _PASSWORD_IN_URL.match(answer):
            raise BadAnswer("remove the password from the address: a later question asks for it")
        return _check_target({"url": answer})
    if _FOLDER.fullmatch(answer):
        return _check_target({"url": f"file:{quote(answer)}"})
    schemes = ", ".join(f"{name}:" for name in plugins.PUBLISHERS)
    hint = fields.suggest_target(answer, plugins.PUBLISHERS)
    raise BadAnswer(f"an address begins with one of {schemes}{hint}")


def _parse_source(answer: str) -> str:
    """Return the key and the value of a file source, with a space between them. Raises BadAnswer."""
    from heatmap.sources.snapshot_file import SnapshotFile

    is_address = "://" in answer
    value = answer if is_address else str(Path(answer).expanduser().absolute())
    if not is_address and not Path(value).is_file():
        raise BadAnswer(f"there is no file {value}")
    try:
        _ = SnapshotFile(url=value) if is_address else SnapshotFile(path=value)
    except ConfigError as error:
        raise BadAnswer("; ".join(error.problems)) from error
    return f"{'url' if is_address else 'path'} {value}"


def _make_market_name(index: str) -> str:
    """Return a market's name made from the name of an index: nifty-50."""
    name = re.sub(r"[^a-z0-9]+", "-", index.lower()).strip("-")[:40].strip("-")
    return name or "market"


def _parse_market_name(answer: str) -> str:
    if not MARKET_NAME.fullmatch(answer):
        raise BadAnswer("lower-case letters, digits and hyphens, such as nse-fno")
    return answer


def _parse_title(answer: str) -> str:
    if len(answer) > LONGEST_TITLE:
        raise BadAnswer(f"at most {LONGEST_TITLE} characters")
    return answer


def _parse_key_file(answer: str) -> str:
    if answer and not Path(answer).expanduser().is_file():
        raise BadAnswer(f"there is no file {answer}")
    return str(Path(answer).expanduser().absolute()) if answer else ""


def _parse_variable(answer: str) -> str:
    if not secrets.VARIABLE.fullmatch(answer):
        raise BadAnswer("the NAME of the variable: letters, digits and _")
    return answer


def _parse_command(answer: str, key: str) -> str:
    try:
        words = shlex.split(answer)
    except ValueError as error:
        raise BadAnswer("a quotation mark is missing") from error
    problems = secrets.problems(None, None, words, name=key)
    if problems:
        raise BadAnswer("; ".join(problems))
    return answer


def _parse_public_url(answer: str) -> str:
    """Return an address with its scheme; https if none was typed. Raises BadAnswer."""
    if not answer:
        return ""
    url = answer if "://" in answer else f"https://{answer}"
    if not is_web_address(url, may_query=False):
        raise BadAnswer("an address such as https://www.example.org/heatmap/")
    return f"{url.rstrip('/')}/"
