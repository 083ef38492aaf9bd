"""A VM without a session: the test plays the host."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from chidori_actors.vm.engine import Engine, load_engine
from chidori_actors.vm.machine import Bounds, Call, Machine, Returned, Said, Threw

CONFIG: dict[str, Any] = {
    "entry": "agent.js",
    "exported": "agent",
    "random": [1, 2, 3, 4],
    "date": "fixed",
    "maps_sets": "serialize",
}
NOW_MS = 1_700_000_000_000


@dataclass
class DictSources:
    """Modules by name; a specifier is the name behind ``./``."""

    modules: Mapping[str, str]

    def resolve(self, base: str, specifier: str) -> str | None:
        name = specifier.removeprefix("./")
        return name if name in self.modules else None

    def code(self, name: str) -> str | None:
        return self.modules.get(name)


@dataclass
class Vm:
    """A begun VM, and everything that it said."""

    machine: Machine
    said: list[Said] = field(default_factory=list)

    def give(self, ordinal: int, value: Any = None, *, now_ms: int = NOW_MS) -> list[Said]:
        """Let a call succeed with ``value``; what the VM says then."""
        return self._hear(self.machine.step([(now_ms, b"[%d,1,%b]" % (ordinal, orjson.dumps(value)))]))

    def refuse(self, ordinal: int, **failure: Any) -> list[Said]:
        """Let a call fail."""
        return self._hear(self.machine.step([(NOW_MS, b"[%d,0,%b]" % (ordinal, orjson.dumps(failure)))]))

    def fork(self, index: int = 0, *, call: int | None = None, random: Sequence[int] = (5, 6, 7, 8)) -> "Vm":
        """Branch ``index`` of the ``parallel`` call with that ordinal (default: the one made last)."""
        if call is None:
            call = max(made.ordinal for made in self.calls if made.function == "parallel")
        machine = Machine.restore(load_engine(), self.machine.fork_image(), Bounds())
        config = {"call": call, "index": index, "random": list(random)}
        return Vm(machine, machine.fork(config, NOW_MS, 10))

    def _hear(self, said: list[Said]) -> list[Said]:
        self.said += said
        return said

    @property
    def calls(self) -> list[Call]:
        return [item for item in self.said if isinstance(item, Call)]

    @property
    def end(self) -> Returned | Threw | None:
        return next((item for item in self.said if isinstance(item, Returned | Threw)), None)

    @property
    def output(self) -> Any:
        """What the agent returned, parsed."""
        assert isinstance(self.end, Returned), self.said
        return orjson.loads(self.end.output)

    @property
    def threw(self) -> Threw:
        assert isinstance(self.end, Threw), self.said
        return self.end

    def args(self, index: int = -1) -> Any:
        """The parsed args of a call."""
        return orjson.loads(self.calls[index].args)


def begin(
    body: str,
    value: bytes = b"{}",
    *,
    bounds: Bounds | None = None,
    modules: Mapping[str, str] | None = None,
    engine: Engine | None = None,
    seconds: float = 10,
    **config: Any,
) -> Vm:
    """Begin an agent whose function has ``body`` (parameters ``input`` and ``chidori``)."""
    imports = "".join(f'import * as {name.removesuffix(".js")} from "./{name}";' for name in modules or {})
    source = f"{imports}export async function agent(input, chidori) {{\n{body}\n}}"
    machine = Machine(engine or load_engine(), bounds or Bounds())
    sources = DictSources({"agent.js": source, **(modules or {})})
    return Vm(machine, machine.begin(CONFIG | config, value, sources, NOW_MS, seconds))


def run_to_end(body: str, value: bytes = b"{}", answer: Callable[[Call], Any] = lambda call: None, **how: Any) -> Vm:
    """Begin an agent and answer its calls, in order, until it ends."""
    vm = begin(body, value, **how)
    answered = 0
    while vm.end is None and answered < len(vm.calls):
        call = vm.calls[answered]
        answered += 1
        vm.give(call.ordinal, answer(call))
    vm.machine.close()
    return vm
