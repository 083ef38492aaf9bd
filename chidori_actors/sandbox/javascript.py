"""JavaScript that nobody trusts: a fresh VM of the agents' engine, without anything that leads to a host."""

import re

import wasmtime

from ..languages.call_sites import fault_place
from ..vm.engine import Engine
from ..vm.imports import NoModules
from ..vm.machine import Bounds, Machine, Printed, Returned, Threw, VmFailed, random_words
from .execution import Execution, Outcome, SandboxFault, out_of_memory, placed, too_deep

_BEFORE = 3
"""So many lines stand before the source in what the engine compiles (prelude/realm.js)."""
_BEGINNING = "\n" * (_BEFORE - 1) + ";\n"
_FRAME = re.compile(r"<input>:(\d{1,9}):(\d{1,9})\b")
_OUT_OF_MEMORY = ("InternalError", "out of memory")


class JavaScript:
    """Runs a function body, or an expression, that has ``input``."""

    def __init__(self) -> None:
        self._engine = Engine()

    def execute(self, execution: Execution) -> Outcome:
        """The value that the source returns.

        Raises:
            SandboxFault: it threw, went beyond a bound, or has no value that JSON can carry.
        """
        memory_mb: int = execution.options["memory_mb"]
        try:
            machine = Machine(self._engine, Bounds(memory_bytes=memory_mb << 20))
        except wasmtime.WasmtimeError:  # not even the engine fits
            raise out_of_memory(memory_mb) from None
        config = {"source": execution.source, "random": random_words(execution.seed)}
        try:
            # No clock ticks in this process: a signal ends what takes too long.
            said = machine.begin(config, execution.input, NoModules(), execution.now_ms, seconds=1.0)
        except VmFailed as failed:
            if failed.bound == "memory":
                raise out_of_memory(memory_mb) from None
            if failed.bound == "stack":
                raise too_deep() from None
            raise SandboxFault(_of_source(str(failed))) from None
        finally:
            machine.close()
        printed = "".join(f"{item.text}\n" for item in said if isinstance(item, Printed))
        for item in said:
            if isinstance(item, Returned):
                return Outcome(item.output, printed)
            if isinstance(item, Threw):
                if (item.name, item.message) == _OUT_OF_MEMORY:
                    raise out_of_memory(memory_mb)
                raise _thrown(item, execution.source, printed)
        raise SandboxFault(
            "the source waits for something that never happens: a sandbox has no timers", printed=printed
        )


def _thrown(threw: Threw, source: str, printed: str) -> SandboxFault:
    if not threw.stack and threw.message.startswith("the agent threw "):
        return SandboxFault(_of_source(threw.message), printed=printed)  # something that is not an error
    line, column = _place(threw, source)
    return SandboxFault(
        placed(f"{threw.name}: {threw.message}", line),
        thrown=threw.name,
        line=line,
        column=column,
        printed=printed,
    )


def _of_source(message: str) -> str:
    """A message of the VM, which takes what it runs for an agent."""
    return message.replace("the agent", "the source", 1)


def _place(threw: Threw, source: str) -> tuple[int | None, int | None]:
    found = _FRAME.search(threw.stack)
    if found is None:
        return None, None
    line, column = fault_place(_BEGINNING + source, int(found[1]), int(found[2]), threw.message)
    line, lines = line - _BEFORE, source.count("\n") + 1
    if line > lines:  # its end came too early
        return lines, None
    return (line, column) if line > 0 else (None, None)
