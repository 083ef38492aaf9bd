"""What a sandbox is asked to run, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["js", "python", "cpython", "wasm"]
Bound = Literal["timeoutMs", "memoryMb", "memoryPages", "fuel", "output", "stack"]

MOST_OUTPUT_BYTES = 1 << 20
"""Of the result as JSON and of what was printed, together."""
MOST_INPUT_BYTES = 16 << 20
"""Of the source and its input, together."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution. ``input`` is JSON text; ``options`` are those of its kind (``memory_mb``; for WebAssembly
    ``function``, ``args``, ``memory_pages`` and ``fuel``). ``now_ms`` is the only time that the source can read, and
    ``seed`` what its random numbers come from.
    """

    kind: Kind
    source: str
    input: bytes
    timeout_ms: int
    now_ms: int
    seed: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``value`` is JSON text; ``printed`` what the source wrote to its console."""

    value: bytes
    printed: str = ""


class SandboxFault(Exception):
    """The source failed, went beyond a bound or cannot be run.

    ``bound`` names the bound; ``thrown`` is the class of the error that the source raised; ``line`` and ``column``
    are places in the source, counted from 1.
    """

    def __init__(
        self,
        message: str,
        *,
        bound: Bound | None = None,
        thrown: str | None = None,
        line: int | None = None,
        column: int | None = None,
        printed: str = "",
    ) -> None:
        super().__init__(message)
        self.bound = bound
        self.thrown = thrown
        self.line = line
        self.column = column
        self.printed = printed

    def fields(self) -> dict[str, Any]:
        """What is known besides the message."""
        known = {"bound": self.bound, "thrown": self.thrown, "line": self.line, "column": self.column}
        return {name: value for name, value in known.items() if value is not None}


def overran(timeout_ms: int) -> SandboxFault:
    """The source was stopped because its time was over."""
    return SandboxFault(f"the source ran for more than {timeout_ms} ms (timeoutMs)", bound="timeoutMs")


def out_of_memory(memory_mb: int) -> SandboxFault:
    """The source wanted more memory than it may have."""
    return SandboxFault(f"the source used more than {memory_mb} MB of memory (memoryMb)", bound="memoryMb")


def too_deep(what: str = "source", *, thrown: str | None = None, printed: str = "") -> SandboxFault:
    """``what`` needed more stack than it may have."""
    return SandboxFault(f"the {what}'s calls are nested too deep", bound="stack", thrown=thrown, printed=printed)


def placed(message: str, line: int | None) -> str:
    """The message with the line that it is about, when that is known."""
    return message if line is None else f"{message} (line {line})"


def bounded(outcome: Outcome) -> Outcome:
    """The outcome, when it is not larger than it may be.

    Raises:
        SandboxFault: it is.
    """
    _check_size(len(outcome.value) + _size(outcome.printed))
    return outcome


def bounded_fault(fault: SandboxFault) -> SandboxFault:
    """The fault, or one that says that the source's error and what it printed are larger than they may be."""
    try:
        _check_size(_size(str(fault)) + _size(fault.thrown or "") + _size(fault.printed))
    except SandboxFault as too_large:
        return too_large
    return fault


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _check_size(size: int) -> None:
    if size > MOST_OUTPUT_BYTES:
        raise too_much_output(f"{size / (1 << 20):.1f} MB")


def too_much_output(size: str) -> SandboxFault:
    """The source gave and printed more than an output may be large."""
    most = MOST_OUTPUT_BYTES >> 20
    return SandboxFault(
        f"the output of the source is too large: {size}, and at most {most} MB is taken", bound="output"
    )
