"""Whether an agent would start: its modules are compiled and run, and no call of theirs is answered."""

import time
from dataclasses import asdict

from ..errors import SourceError
from ..languages.bundle import Bundle
from ..settings import Settings
from ..vm.engine import load_engine
from ..vm.machine import Bounds, Machine, StepOverran, Threw, VmFailed
from .failure import describe_failure
from .program import BundleSources, make_program

_ENTRY = "<check>"


class _CheckedSources:
    """The agent's modules behind an entry that imports them and calls nothing."""

    def __init__(self, bundle: Bundle) -> None:
        self._entry = bundle.entry
        self._agent = BundleSources(bundle)

    def resolve(self, base: str, specifier: str) -> str | None:
        return _ENTRY if specifier == _ENTRY else self._agent.resolve(base, specifier)

    def code(self, name: str) -> str | None:
        if name != _ENTRY:
            return self._agent.code(name)
        return (
            f'import {{ agent as checked }} from "{self._entry}";\n'
            "export function agent() {\n"
            '  if (typeof checked !== "function") throw new TypeError("`agent` is not a function");\n'
            "}\n"
        )


def check_agent(bundle: Bundle, settings: Settings) -> None:
    """Find the faults that the transform does not see; top-level code runs, the function ``agent`` does not.

    Raises:
        SourceError: a module does not compile, an import names no export, or top-level code throws or never
            ends.
    """
    program = make_program(
        bundle,
        asdict(settings.runtime_policy),
        seed="",
        path="",
        input_json=b"{}",
        epoch_ms=int(time.time() * 1000),
    )
    bounds = Bounds()
    machine = Machine(load_engine(), bounds)
    try:
        said = machine.begin(
            program.config | {"entry": _ENTRY},
            program.input,
            _CheckedSources(bundle),
            program.epoch_ms,
            bounds.step_seconds,
        )
    except StepOverran:
        raise SourceError(
            f"the code outside of functions ran for {bounds.step_seconds:g} s", path=bundle.entry
        ) from None
    except VmFailed as failure:
        raise SourceError(str(failure), path=bundle.entry) from None
    finally:
        machine.close()
    for item in said:
        if isinstance(item, Threw):
            raise _fault(item, bundle)


def _fault(threw: Threw, bundle: Bundle) -> SourceError:
    error = describe_failure(threw, bundle).error
    message = error["message"] if error["name"] == "Error" else f"{error['name']}: {error['message']}"
    if "location" not in error:
        return SourceError(message, path=bundle.entry)
    path, line, column = error["location"].rsplit(":", 2)
    return SourceError(message, path=path, line=int(line), column=int(column), source_line=error["source_line"])
