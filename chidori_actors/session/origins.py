"""What an actor starts from: a module and its input, or the memory of another actor and a function in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..vm.engine import Engine
from ..vm.image import Image
from ..vm.imports import Sources
from ..vm.machine import Bounds, Machine, Said

Begun = tuple[Machine, list[Said]]


class Origin(Protocol):
    """Can make an actor's VM as it was at its beginning, any number of times."""

    def begin(self, engine: Engine, bounds: Bounds, seconds: float) -> Begun:
        """A VM that has begun, and what it said.

        Raises:
            StepOverran: it took longer than ``seconds``.
            VmFailed: a bound was exceeded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Program:
    """Modules whose entry's function is called. ``config`` is for prelude/realm.js, ``input`` is JSON text."""

    sources: Sources
    config: dict[str, Any]
    input: bytes
    epoch_ms: int

    def begin(self, engine: Engine, bounds: Bounds, seconds: float) -> Begun:
        machine = Machine(engine, bounds)
        return machine, machine.begin(self.config, self.input, self.sources, self.epoch_ms, seconds)


@dataclass(frozen=True, slots=True)
class Fork:
    """A parent's image, shared by all its branches, and which function of which ``parallel`` call to run in it."""

    image: Image
    config: Mapping[str, Any]
    epoch_ms: int

    def begin(self, engine: Engine, bounds: Bounds, seconds: float) -> Begun:
        machine = Machine.restore(engine, self.image, bounds)
        return machine, machine.fork(dict(self.config), self.epoch_ms, seconds)
