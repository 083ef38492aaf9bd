"""Which files of a directory may be tools."""

from pathlib import Path

from ..errors import UsageError

FOLDER = "tools"
"""Where the tools of an agent lie, beside it."""

_SUFFIXES = (".ts", ".js", ".star")
_NO_TOOLS = (".d.ts", ".test.ts", ".test.js")


def tool_files(folder: Path) -> list[Path]:
    """The files directly in ``folder`` that may be tools, in the order of their names.

    Of two that differ in the suffix alone the TypeScript comes first: the other one was most likely made from it.

    Raises:
        UsageError: ``folder`` is no directory, or cannot be read.
    """
    try:
        found = [path for path in folder.iterdir() if _may_be_tool(path)]
    except FileNotFoundError:
        raise UsageError(f"there is no tools directory {folder}") from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file", hint="name the directory that holds the tools") from None
    except OSError as error:
        raise UsageError(f"the tools directory {folder} cannot be read: {error.strerror}") from None
    return sorted(found, key=lambda path: (path.stem, path.suffix != ".ts"))


def _may_be_tool(path: Path) -> bool:
    if path.name.startswith(".") or path.name.endswith(_NO_TOOLS):
        return False
    if path.suffix == ".star" and path.name.startswith("_"):
        return False  # as a name that begins so it is private: for other files to load
    return path.suffix in _SUFFIXES and path.is_file()
