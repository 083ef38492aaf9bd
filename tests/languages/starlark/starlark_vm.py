"""A Starlark agent in a VM without a session: the test plays the host."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from chidori_actors.errors import SourceError
from chidori_actors.languages.starlark.compile import compile_module
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Bounds, Call, Machine, Printed, Returned, Said, Threw
from tests.support.vm import CONFIG, DictSources

from .reference import Outcome

ENTRY = "t.star"
_CONFIG: dict[str, Any] = CONFIG | {"entry": ENTRY, "values": "text"}
_BOUNDS = Bounds(step_seconds=20)
# Random programs can make lists of millions, for which the reference has no bound.
_BESIDE_THE_REFERENCE = Bounds(step_seconds=20, memory_bytes=1 << 30)


@dataclass
class StarlarkVm:
    """A begun VM and everything that it said. Values go in and come out as JSON text."""

    machine: Machine
    said: list[Said] = field(default_factory=list)

    def give(self, ordinal: int, value: Any = None, *, text: str | None = None) -> None:
        """Let a call succeed with ``value``, or with what ``text`` says."""
        result = json.dumps(value) if text is None else text
        self.said += self.machine.step([(0, b"[%d,1,%b]" % (ordinal, orjson.dumps(result)))])

    def refuse(self, ordinal: int, **failure: Any) -> None:
        self.said += self.machine.step([(0, b"[%d,0,%b]" % (ordinal, orjson.dumps(failure)))])

    def fork(self, index: int, call: int) -> "StarlarkVm":
        machine = Machine.restore(load_engine(), self.machine.fork_image(), Bounds())
        return StarlarkVm(machine, machine.fork({"call": call, "index": index, "random": [5, 6, 7, 8]}, 0, 10))

    @property
    def calls(self) -> list[Call]:
        return [item for item in self.said if isinstance(item, Call)]

    @property
    def printed(self) -> list[tuple[str, str]]:
        """Level and text of each line."""
        return [(item.level, item.text) for item in self.said if isinstance(item, Printed)]

    @property
    def output(self) -> str:
        """What the agent returned, as JSON text."""
        (end,) = [item for item in self.said if isinstance(item, Returned | Threw)]
        assert isinstance(end, Returned), end
        return end.output.decode()

    @property
    def threw(self) -> Threw:
        (end,) = [item for item in self.said if isinstance(item, Returned | Threw)]
        assert isinstance(end, Threw), end
        return end


def begin(
    text: str, input_json: str = "{}", *, modules: Mapping[str, str] | None = None, bounds: Bounds = _BOUNDS
) -> StarlarkVm:
    """Begin the agent ``text``; ``modules`` are other files by name."""
    codes = {name: compile_module(name, other).code for name, other in (modules or {}).items()}
    codes[ENTRY] = compile_module(ENTRY, text).code
    machine = Machine(load_engine(), bounds)
    return StarlarkVm(machine, machine.begin(_CONFIG, orjson.dumps(input_json), DictSources(codes), 0, 20))


def run_ours(text: str) -> Outcome:
    """What a program, which assigns ``result``, comes to in our VM."""
    try:
        vm = begin(text + "\ndef agent(): return result\n", bounds=_BESIDE_THE_REFERENCE)
    except SourceError as fault:
        return Outcome(None, fault.reason, fault.line or 0, refused=True)
    end = vm.said[-1]
    vm.machine.close()
    if isinstance(end, Returned):
        return Outcome(str(orjson.loads(end.output)))
    assert isinstance(end, Threw), end
    place = re.search(r"t\.star:(\d+):", end.stack)
    message = end.message if end.name == "StarlarkError" else f"{end.name}: {end.message}"
    return Outcome(None, message, int(place[1]) if place else 0)
