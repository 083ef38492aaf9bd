"""Runs what stands outside of functions in a bundle's modules, and then an entry of ours; no host call is answered."""

from collections.abc import Sequence
from dataclasses import asdict

from ..errors import SourceError
from ..languages.bundle import Bundle
from ..languages.lexer import Lines
from ..settings import RuntimePolicy
from ..vm.engine import load_engine
from ..vm.machine import Bounds, Machine, Said, StepOverran, Threw, VmFailed
from .failure import describe_failure
from .program import BundleSources, make_program

_ENTRY = "<entry>"
_BOUNDS = Bounds()


class _Behind:
    """The bundle's modules behind an entry with this code."""

    def __init__(self, bundle: Bundle, code: str) -> None:
        self._bundle = BundleSources(bundle)
        self._code = code

    def resolve(self, base: str, specifier: str) -> str | None:
        # The entry imports the bundle's as the prelude does.
        return _ENTRY if specifier == _ENTRY else self._bundle.resolve(base, specifier)

    def code(self, name: str) -> str | None:
        return self._code if name == _ENTRY else self._bundle.code(name)


def run_top_level(
    bundle: Bundle, entry_code: str, policy: RuntimePolicy, *, epoch_ms: int, seconds: float = _BOUNDS.step_seconds
) -> Sequence[Said]:
    """Run a module with ``entry_code``, which imports what it needs of the bundle and exports ``agent``; what it said.

    Raises:
        SourceError: the code ran for more than ``seconds``, or exceeded another bound.
    """
    program = make_program(bundle, asdict(policy), seed="", path="", input_json=b"{}", epoch_ms=epoch_ms)
    machine = Machine(load_engine(), _BOUNDS)
    try:
        return machine.begin(
            program.config | {"entry": _ENTRY}, program.input, _Behind(bundle, entry_code), epoch_ms, seconds
        )
    except StepOverran:
        raise SourceError(f"the code outside of functions ran for {seconds:g} s", path=bundle.entry) from None
    except VmFailed as failure:
        raise SourceError(str(failure), path=bundle.entry) from None
    finally:
        machine.close()


def thrown_fault(threw: Threw, bundle: Bundle) -> SourceError:
    """What the code threw, at its place."""
    error = describe_failure(threw, bundle).error
    message = error["message"] if error["name"] == "Error" else f"{error['name']}: {error['message']}"
    return fault_at(error.get("location", ""), message, bundle)


def fault_at(place: str, message: str, bundle: Bundle, *, hint: str | None = None) -> SourceError:
    """A fault at ``path:line:column`` of the source as written; of the entry when ``place`` is empty."""
    if not place:
        return SourceError(message, path=bundle.entry, hint=hint)
    path, line, column = place.rsplit(":", 2)
    text = Lines(bundle.module(path).source).text(int(line))
    return SourceError(message, path=path, line=int(line), column=int(column), source_line=text, hint=hint)
