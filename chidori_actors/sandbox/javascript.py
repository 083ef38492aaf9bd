"""JavaScript that nobody trusts: a fresh VM of the agents' engine, without anything that leads to a host."""

import hashlib
import re
import struct

from ..vm.engine import Engine
from ..vm.machine import Bounds, Machine, Printed, Returned, Threw, VmFailed
from .execution import Execution, Outcome, SandboxFault, out_of_memory

_BEFORE = 3
"""So many lines stand before the source in what the engine compiles (prelude/realm.js)."""
_FRAME = re.compile(r"\(?<input>:(\d+):(\d+)\)?")


class NoModules:
    """Answers imports: there are none."""

    def resolve(self, base: str, specifier: str) -> str | None:
        return None

    def code(self, name: str) -> str | None:
        return None


class JavaScript:
    """Runs a function body, or an expression, that has ``input``."""

    def __init__(self) -> None:
        self._engine = Engine()

    def execute(self, execution: Execution) -> Outcome:
        """The value that the source returns.

        Raises:
            SandboxFault: it threw, went beyond a bound, or has no value that JSON can carry.
        """
        memory_mb = int(execution.options["memory_mb"])
        machine = Machine(self._engine, Bounds(memory_bytes=memory_mb << 20))
        config = {"source": execution.source, "random": _random_state(execution.seed)}
        try:
            # No clock ticks in this process: a signal ends what takes too long.
            said = machine.begin(config, execution.input, NoModules(), execution.now_ms, seconds=1.0)
        except VmFailed as failed:
            if failed.bound == "memory":
                raise out_of_memory(memory_mb) from None
            if failed.bound == "stack":
                raise SandboxFault("the source's calls are nested too deep", bound="stack") from None
            raise SandboxFault(str(failed)) from None
        finally:
            machine.close()
        printed = "".join(f"{item.text}\n" for item in said if isinstance(item, Printed))
        for item in said:
            if isinstance(item, Returned):
                return Outcome(item.output, printed)
            if isinstance(item, Threw):
                raise _thrown(item, printed)
        raise SandboxFault(
            "the source waits for something that never happens: a sandbox has no timers", printed=printed
        )


def _thrown(threw: Threw, printed: str) -> SandboxFault:
    line, column = _place(threw.stack)
    where = "" if line is None else f" (line {line})"
    return SandboxFault(
        f"{threw.name}: {threw.message}{where}",
        thrown=threw.name,
        line=line,
        column=column,
        printed=printed,
    )


def _place(stack: str) -> tuple[int | None, int | None]:
    found = _FRAME.search(stack)
    if found is None:
        return None, None
    line = int(found[1]) - _BEFORE
    return (line, int(found[2])) if line > 0 else (None, None)


def _random_state(seed: str) -> list[int]:
    return list(struct.unpack_from("<4I", hashlib.sha256(f"random:{seed}".encode()).digest()))
