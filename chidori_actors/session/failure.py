"""An agent's error as the run's record and the command line show it: positions in the agent's own files."""

import re
from typing import Any

from ..languages.bundle import Bundle
from ..vm.machine import Threw
from .outcome import Failed

_FRAME = re.compile(r"^\s*at (?:(?P<name>.*) \()?(?P<path>[^()]+?):(?P<line>\d+):(?P<column>\d+)\)?$")


def describe_failure(threw: Threw, bundle: Bundle) -> Failed:
    """The run's error from what the VM said; a bound that JavaScript noticed itself is named."""
    frames: list[str] = []
    error: dict[str, Any] = {"message": _explained(threw), "name": threw.name}
    for line in threw.stack.splitlines():
        found = _FRAME.match(line)
        place = _locate(bundle, found["path"], int(found["line"]), int(found["column"])) if found else None
        if found is None or place is None:
            continue
        where, source_line = place
        if not frames:
            error |= {"location": where, "source_line": source_line.strip()}
        frames.append(f"    at {found['name']} ({where})" if found["name"] else f"    at {where}")
    if frames:
        error["stack"] = f"{threw.name}: {threw.message}\n" + "\n".join(frames)
    return Failed(error, threw.call)


def place_of(site: str | None, bundle: Bundle) -> str:
    """``file:line:column`` in the agent's own source for a call's ``site``, or empty when it is not known."""
    found = _FRAME.match(site or "")
    place = _locate(bundle, found["path"], int(found["line"]), int(found["column"])) if found else None
    return place[0] if place else ""


def _locate(bundle: Bundle, path: str, line: int, column: int) -> tuple[str, str] | None:
    if not any(module.path == path for module in bundle.modules):
        return None
    original_line, original_column, source_line = bundle.locate(path, line, column)
    return f"{path}:{original_line}:{original_column}", source_line


def _explained(threw: Threw) -> str:
    if threw.message == "out of memory":
        return "out of memory: the agent reached the bound of its memory"
    return threw.message
