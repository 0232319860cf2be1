"""The errors of this program. Each has one sentence for the user and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import ClassVar, Self, TypeGuard

EXIT_OK = 0
EXIT_USAGE = 64
EXIT_DATA = 65
EXIT_BUG = 70
EXIT_TEMPORARY = 75
EXIT_REFUSED = 77
EXIT_CONFIGURATION = 78
EXIT_INTERRUPTED = 130  # as in shells, after Ctrl-C


class HeatmapError(Exception):
    """An expected error. `str()` of it is one sentence: what failed, why, and what the user can do.

    `kind` is its name in the run log and in other logs. `market` is the name of the market that failed; None
    if the whole run failed.
    """

    exit_code = EXIT_BUG
    kind: ClassVar[str] = "bug"
    market: str | None = None


class StoppedError(BaseException):
    """The system asked the run to end.

    It is not an `Exception`: code that isolates a part of a run with `except Exception` must not catch it.
    """

    exit_code = EXIT_TEMPORARY
    kind: ClassVar[str] = "stopped"
    market: str | None = None


def is_known_error(error: BaseException) -> TypeGuard[HeatmapError | StoppedError]:
    """Return whether an error has a sentence and an exit code of its own. Any other error is a bug."""
    return isinstance(error, (HeatmapError, StoppedError))


def common_exit_code(errors: Iterable[BaseException]) -> int:
    """Return the exit code that all errors share.

    EXIT_BUG if one of them is a bug, else EXIT_TEMPORARY if their codes differ, EXIT_OK if there are none.
    """
    codes = {error.exit_code if is_known_error(error) else EXIT_BUG for error in errors}
    if EXIT_BUG in codes:
        return EXIT_BUG
    if len(codes) > 1:
        return EXIT_TEMPORARY
    return codes.pop() if codes else EXIT_OK


class UsageError(HeatmapError):
    """The command line is wrong."""

    exit_code = EXIT_USAGE
    kind = "usage"


class ConfigError(HeatmapError):
    """The configuration, or a file that it names, cannot be used. `problems` has one sentence for each."""

    exit_code = EXIT_CONFIGURATION
    kind = "configuration"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class AccessError(ConfigError):
    """Permission denied: this user may not write a file or a folder that the program must write."""

    exit_code = EXIT_REFUSED
    kind = "refused"


def as_write_error(error: OSError, sentence: str) -> ConfigError:
    """Return the error for a file that cannot be written: AccessError if this user lacks the permission."""
    cls = AccessError if isinstance(error, PermissionError) else ConfigError
    return cls([sentence])


class LockedError(HeatmapError):
    """Another run has locked the state directory."""

    exit_code = EXIT_TEMPORARY
    kind = "locked"


class DeadlineError(HeatmapError):
    """The time limit of the run is over."""

    exit_code = EXIT_TEMPORARY
    kind = "deadline"


class ShortageError(HeatmapError):
    """The machine has no free memory, or cannot start another thread."""

    exit_code = EXIT_TEMPORARY
    kind = "shortage"


class SourceError(HeatmapError):
    """The source gave no quotes. The base class: network or server trouble that may pass.

    `kind` is also its name for the circuit breaker. `status` is the HTTP status of the response that caused
    the error; None if there was none.
    """

    exit_code = EXIT_TEMPORARY
    kind: ClassVar[str] = "network"

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status

    def with_sentence(self, sentence: str) -> Self:
        """Return a copy of this error, with all attributes, but another sentence. This error is its cause."""
        error = type(self)(sentence)
        error.__dict__.update(self.__dict__)
        error.__cause__ = self
        return error


class SourceBlocked(SourceError):
    """The source blocks this machine's address: 401, 403, 421, a hang, or HTML instead of JSON."""

    kind = "blocked"


class SourceOverloaded(SourceError):
    """The source is overloaded, or gets too many requests from us: 429 and 5xx.

    `retry_after_seconds` is the wait that the source asks for; None if it asks for none.
    """

    kind = "overloaded"
    retry_after_seconds: float | None = None


class SourceUntrusted(SourceError):
    """We do not trust the source's certificate, or the proxy refuses our login."""

    exit_code = EXIT_REFUSED
    kind = "untrusted"


class SourceNonsense(SourceError):
    """The source's answer makes no sense. The base class: it is too large, or an unexpected redirect."""

    exit_code = EXIT_DATA
    kind = "changed"


class SourceRenamed(SourceNonsense):
    """The address no longer exists: 404 or 410."""

    kind = "renamed"


class SourceEmpty(SourceNonsense):
    """The answer has the expected form, but no quotes."""

    kind = "empty"


class SourceReshaped(SourceNonsense):
    """The answer does not have the expected form."""


class SourceGated(SourceError):
    """The quotes would make the page worse: too few, older, from the future, stuck or contradictory."""

    exit_code = EXIT_DATA
    kind = "gated"


class SourcePassed(SourceError):
    """The source has no quotes for this phase, which is no failure: another date, closed, not ready yet."""

    exit_code = EXIT_OK
    kind = "skipped"


class SourceResting(SourcePassed):
    """The program does not fetch from the source for a while, because it blocked us repeatedly."""

    kind = "resting"


class SourceImpossible(SourceError):
    """The source cannot work like this: the configuration, a file or an installed extra must change."""

    exit_code = EXIT_CONFIGURATION
    kind = "impossible"


class PublishError(HeatmapError):
    """A target did not get the pages. The base class: trouble that may pass."""

    exit_code = EXIT_TEMPORARY
    kind = "target"


class PublishRefused(PublishError):
    """The target refused our login, or we do not trust its host key or certificate."""

    exit_code = EXIT_REFUSED


class PublishImpossible(PublishError):
    """The target cannot get the pages like this: its server or the configuration must change."""

    exit_code = EXIT_CONFIGURATION


class HistoryError(HeatmapError):
    """The history cannot be read or written. The base class: trouble that may pass."""

    exit_code = EXIT_TEMPORARY
    kind = "history"


class HistoryNonsense(HistoryError):
    """Data for the history, or data in it, makes no sense: damaged, of another day, or no archive."""

    exit_code = EXIT_DATA


class HistoryImpossible(HistoryError):
    """The history cannot be written or exported like this.

    The configuration, a folder or an extra must change.
    """

    exit_code = EXIT_CONFIGURATION


class HistoryRefused(HistoryError):
    """The database of the history refused our login, or we do not trust its certificate."""

    exit_code = EXIT_REFUSED
