"""Errors that a user can act on. The command line prints them as ``Error: …`` without a traceback."""

from collections.abc import Mapping
from typing import Any


class ChidoriError(Exception):
    """Something a user did or must decide; ``str()`` is what happened, ``hint`` how to get out.

    ``exit_code`` is what the command line returns (wire contract, section 6).
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # What they are made from is not what they say, and a run's error may have to reach another process.
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled(kind: type[ChidoriError], args: tuple[Any, ...]) -> ChidoriError:
    return kind.__new__(kind, *args)


class UsageError(ChidoriError):
    """A command was misused: a bad ``--input``, an unknown option value, a setting that cannot be read."""

    exit_code = 2


class RunExists(UsageError):
    """A new run was to have an id that another has."""


class SourceError(ChidoriError):
    """A fault in an agent's source. ``line`` and ``column`` are 1-based and refer to the file as written."""

    def __init__(
        self,
        message: str,
        *,
        path: str,
        line: int | None = None,
        column: int | None = None,
        source_line: str | None = None,
        hint: str | None = None,
    ) -> None:
        place = path if line is None else f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
        text = f"{place}: {message}"
        if source_line is not None:
            text += f"\n  {source_line.strip()}"
        super().__init__(text, hint=hint)
        self.reason = message
        self.place = place
        self.path = path
        self.line = line
        self.column = column


class NotResumable(ChidoriError):
    """The run stands so that it cannot go on: it was cancelled, or its agent would fail again."""


class StoreError(ChidoriError):
    """The store cannot be opened, read or written."""


class RunNotFound(StoreError):
    """No run of that id is in the store."""


class RunOwned(StoreError):
    """Another live process owns the run; the message names it."""


class LeaseLost(StoreError):
    """The run's lease was taken over, so this process may write nothing more to it."""


class ManifestMismatch(ChidoriError):
    """A resume check of the manifest failed (wire contract, section 5)."""


class SourceMismatch(ManifestMismatch):
    """The source on disk is not the one that was recorded; whoever resumes may say that this is meant."""


class ReplayDivergence(ChidoriError):
    """The agent made another call than the one recorded at that place, the call ``seq``.

    ``recorded`` and ``attempted`` are ``{function, args}``, None where there is no such call. ``difference`` is
    ``{path, recorded, attempted}``, the first place where the args differ; None when the functions do. ``place`` is
    ``file:line:column`` of the attempted call in the agent's own source, empty when it is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        seq: int,
        recorded: Mapping[str, Any] | None = None,
        attempted: Mapping[str, Any] | None = None,
        difference: Mapping[str, Any] | None = None,
        place: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.seq = seq
        self.recorded = recorded
        self.attempted = attempted
        self.difference = difference
        self.place = place
