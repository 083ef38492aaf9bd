"""An exception of untrusted Python code as a fault of the sandbox."""

from .execution import SandboxFault


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
        return SandboxFault("the source's calls are nested too deep", bound="stack", thrown=thrown, printed=printed)
    if thrown is not None:
        message = f"{thrown}: {message}" if message else thrown
    where = "" if line is None else f" (line {line})"
    return SandboxFault(message + where, thrown=thrown, line=line, column=column, printed=printed)
