"""An exception of untrusted Python code as a fault of the sandbox."""

from .execution import SandboxFault, placed, too_deep


def python_fault(
    message: str,
    *,
    printed: str = "",
    thrown: str | None = None,
    line: int | None = None,
    column: int | None = None,
) -> SandboxFault:
    """The fault for an exception of class ``thrown`` with that text, at a place in the source."""
    if thrown == "RecursionError":
        return too_deep(thrown=thrown, printed=printed)
    if thrown is not None:
        message = f"{thrown}: {message}" if message else thrown
    return SandboxFault(placed(message, line), thrown=thrown, line=line, column=column, printed=printed)
