"""An agent's error as the run's record and the command line show it: positions in the agent's own files."""

import re
from dataclasses import dataclass
from typing import Any

from ..languages.bundle import Bundle
from ..languages.call_sites import call_start, fault_place
from ..languages.lexer import Lines, tokenize
from ..vm.machine import Threw
from .outcome import Failed

_FRAME = re.compile(r"^\s*at (?:(?P<name>.*) \()?(?P<path>[^()]+?):(?P<line>\d+):(?P<column>\d+)\)?$")


# What makes host calls, as agents write it.
_CALLERS = frozenset(
    (
        *("prompt", "input", "http", "template", "memory", "checkpoint", "log", "env", "tool", "callAgent", "parallel"),
        *("execJs", "execPython", "execWasm", "setTimeout", "setInterval"),
    )
)
_INNER = ("location", "source_line", "own_code", "for_good")
_NO_EXPORT = re.compile("Could not find export '(?P<name>.+)' in module '(?P<module>.+)'")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an agent's own source; 1-based."""

    path: str
    line: int
    column: int
    source_line: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


def describe_failure(threw: Threw, bundle: Bundle) -> Failed:
    """The run's error from what the VM said; a bound that JavaScript noticed itself is named."""
    places: list[Place] = []
    frames: list[str] = _inner_frames(threw)
    for line in threw.stack.splitlines():
        # Only the first frame of a host call's error is that call.
        place = _place(line, bundle, "" if places else threw.message, a_call=threw.call is not None and not places)
        if place is not None:
            name = _FRAME.match(line)
            frames.append(f"    at {name['name']} ({place})" if name and name["name"] else f"    at {place}")
            places.append(place)
    error: dict[str, Any] = {"message": _explained(threw), "name": threw.name}
    first = places[0] if places else _missing_export(threw, bundle)
    if first is not None:
        error |= {"location": str(first), "source_line": first.source_line.strip()}
    if threw.inner:
        # It was thrown inside of the call, where the place says more than the call's own.
        error |= {name: threw.inner[name] for name in _INNER if name in threw.inner}
    if threw.data:
        error["data"] = threw.data
    if frames:
        error["stack"] = f"{threw.name}: {threw.message}\n" + "\n".join(frames)
    return Failed(error, threw.call)


def _inner_frames(threw: Threw) -> list[str]:
    stack = (threw.inner or {}).get("stack", "")
    return [line for line in stack.splitlines() if _FRAME.match(line)]


def module_of(site: str | None, bundle: Bundle) -> str | None:
    """The module that a call's ``site`` is in, or None when that is not known."""
    place = _place(site or "", bundle, "", a_call=False)
    return None if place is None else place.path


def call_place(site: str | None, bundle: Bundle) -> Place | None:
    """The place in the agent's own source of a call's ``site``, or None when it is not known."""
    return _place(site or "", bundle, "", a_call=True)


def place_of(site: str | None, bundle: Bundle) -> str:
    """``file:line:column`` in the agent's own source for a call's ``site``, or empty when it is not known."""
    return str(call_place(site, bundle) or "")


def _place(frame: str, bundle: Bundle, message: str, *, a_call: bool) -> Place | None:
    found = _FRAME.match(frame)
    if found is None or not any(module.path == found["path"] for module in bundle.modules):
        return None
    path, line, column = found["path"], int(found["line"]), int(found["column"])
    if bundle.module(path).language == "starlark":
        pass  # its frames name the place of the source itself
    elif a_call:
        line, column = call_start(bundle.module(path).code, line, column, _CALLERS)
    else:
        line, column = fault_place(bundle.module(path).code, line, column, message)
    return Place(path, *bundle.locate(path, line, column))


def _missing_export(threw: Threw, bundle: Bundle) -> Place | None:
    """The engine names what is imported from where, and not the module that imports it."""
    found = _NO_EXPORT.fullmatch(threw.message)
    if found is None:
        return None
    for module in bundle.modules:
        if found["module"] not in (path for _, path in module.imports):
            continue
        for token in tokenize(module.source):
            if token.text == found["name"]:
                lines = Lines(module.source)
                line, column = lines.place(token.start)
                return Place(module.path, line, column, lines.text(line))
    return None


def _explained(threw: Threw) -> str:
    if threw.message == "out of memory":
        return "out of memory: the agent reached the bound of its memory"
    return threw.message
