"""Everything this program raises on purpose: one sentence and one exit code each."""

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
EXIT_INTERRUPTED = 130  # as shells have it for Ctrl-C


class HeatmapError(Exception):
    """A fault that was foreseen. `str()` of it is one sentence: what failed, why, what to do.

    `word` is what outcomes and logs call its kind; `market` whose fault it is, None for the whole run's.
    """

    exit_code = EXIT_BUG
    word: ClassVar[str] = "bug"
    market: str | None = None


class StoppedError(BaseException):
    """The system asked the run to end.

    It is no `Exception`: a place that keeps parts apart by `except Exception` must not hold it up.
    """

    exit_code = EXIT_TEMPORARY
    word: ClassVar[str] = "stopped"
    market: str | None = None


def is_foreseen(error: BaseException) -> TypeGuard[HeatmapError | StoppedError]:
    """Return whether an error has a sentence and a code of its own; any other is a bug."""
    return isinstance(error, (HeatmapError, StoppedError))


def common_code(errors: Iterable[BaseException]) -> int:
    """Return the exit code all errors share; EXIT_TEMPORARY where they differ, EXIT_BUG if one is a bug."""
    codes = {error.exit_code if is_foreseen(error) else EXIT_BUG for error in errors}
    if EXIT_BUG in codes:
        return EXIT_BUG
    if len(codes) > 1:
        return EXIT_TEMPORARY
    return codes.pop() if codes else EXIT_OK


class UsageError(HeatmapError):
    """The command line asks for something that cannot be."""

    exit_code = EXIT_USAGE
    word = "usage"


class ConfigError(HeatmapError):
    """The configuration, or a file it names, cannot be used. Carries every problem found."""

    exit_code = EXIT_CONFIGURATION
    word = "configuration"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class AccessError(ConfigError):
    """Permission denied: this user may not write a file or a folder that the program must write."""

    exit_code = EXIT_REFUSED
    word = "refused"


def unwritable(error: OSError, sentence: str) -> ConfigError:
    """Return the error of what cannot be written: AccessError where this user has no right to."""
    kind = AccessError if isinstance(error, PermissionError) else ConfigError
    return kind([sentence])


class LockedError(HeatmapError):
    """Another run holds the state directory."""

    exit_code = EXIT_TEMPORARY
    word = "locked"


class DeadlineError(HeatmapError):
    """The time a run may take is over."""

    exit_code = EXIT_TEMPORARY
    word = "deadline"


class ShortageError(HeatmapError):
    """The machine has no memory, or no room for another thread."""

    exit_code = EXIT_TEMPORARY
    word = "shortage"


class SourceError(HeatmapError):
    """No quotes could be had. The base class: network or server trouble that may pass.

    `word` is what outcomes and the breaker call its kind; `status` is the server's, where it was that
    which told of the fault.
    """

    exit_code = EXIT_TEMPORARY
    word: ClassVar[str] = "network"

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status

    def saying(self, sentence: str) -> Self:
        """Return the same error, with all that it carries, in other words; this one is its cause."""
        other = type(self)(sentence)
        other.__dict__.update(self.__dict__)
        other.__cause__ = self
        return other


class SourceBlocked(SourceError):
    """The source answers, but not this address: 401, 403, 421, a hang, HTML where JSON was due."""

    word = "blocked"


class SourceOverloaded(SourceError):
    """The source has too much to do, or is asked too often: 429 and 5xx.

    `retry_after_seconds` is how long it wants to be left alone; None where it does not say.
    """

    word = "overloaded"
    retry_after_seconds: float | None = None


class SourceUntrusted(SourceError):
    """The source's certificate was not accepted, or our login at the proxy."""

    exit_code = EXIT_REFUSED
    word = "untrusted"


class SourceNonsense(SourceError):
    """The source's answer made no sense. The base class: too large, misdirected."""

    exit_code = EXIT_DATA
    word = "changed"


class SourceRenamed(SourceNonsense):
    """The address asked is gone: 404 or 410."""

    word = "renamed"


class SourceEmpty(SourceNonsense):
    """The answer has the form that is known, and no quotes in it."""

    word = "empty"


class SourceReshaped(SourceNonsense):
    """The answer has not the form that is known."""


class SourceGated(SourceError):
    """The answer would make the page worse: too few, older, still to come, stuck, contradictory."""

    exit_code = EXIT_DATA
    word = "gated"


class SourcePassed(SourceError):
    """The source has nothing for this phase, which is no failure: of another date, closed, not there yet."""

    exit_code = EXIT_OK
    word = "skipped"


class SourceResting(SourcePassed):
    """The source is left alone for a while, for it blocked us again and again."""

    word = "resting"


class SourceImpossible(SourceError):
    """The source can never be asked like this: the configuration, a file or an extra must change."""

    exit_code = EXIT_CONFIGURATION
    word = "impossible"


class PublishError(HeatmapError):
    """A target does not have the pages. The base class: trouble that may pass."""

    exit_code = EXIT_TEMPORARY
    word = "target"


class PublishRefused(PublishError):
    """A target refused us, or we refused it: login, host key, certificate."""

    exit_code = EXIT_REFUSED


class PublishImpossible(PublishError):
    """A target can never take the pages like this: its server or the configuration must change."""

    exit_code = EXIT_CONFIGURATION


class HistoryError(HeatmapError):
    """The history cannot be read or kept. The base class: trouble that may pass."""

    exit_code = EXIT_TEMPORARY
    word = "history"


class HistoryNonsense(HistoryError):
    """What should go into the history, or is in it, makes no sense: damaged, of another day, no archive."""

    exit_code = EXIT_DATA


class HistoryImpossible(HistoryError):
    """The history can never be kept or exported like this.

    The configuration, a folder or an extra must change.
    """

    exit_code = EXIT_CONFIGURATION


class HistoryRefused(HistoryError):
    """The database of the history refused us, or we refused it: login, certificate."""

    exit_code = EXIT_REFUSED
