"""When an actor's VM is imaged, and what of it goes into the store."""

import time
from collections.abc import Iterable

from ..journal.images import image_write, thin_images
from ..journal.store import Write
from ..vm.engine import Engine
from .call_runner import CallRunner
from .context import RunContext
from .lane_writer import LaneWriter
from .vm_host import VmHost

IMAGE_EVERY = 64
"""At least so many settlements lie between two images of a running actor …"""
_IMAGE_WORTH = 10
"""… and so many times the time that the last image took: a resume repeats at most that much JavaScript."""

_FIRST_COST = 0.001
"""What an image takes, in seconds, as far as is known before the first."""


class ActorImages:
    """Images of one actor. ``golden`` is of those that this actor went on from or took, so only they may bring its VM
    back; None when there is none."""

    def __init__(self, run: RunContext, lane: LaneWriter, engine: Engine, vm: VmHost, every: int) -> None:
        self._run = run
        self._lane = lane
        self._engine = engine
        self._vm = vm
        self._every = every
        self._taken_at = 0
        self._cost = _FIRST_COST
        self.golden: str | None = None

    def restored(self) -> None:
        """The VM goes on from a stored image."""
        self._taken_at = self._vm.delivered
        self.golden = self._engine.golden

    @property
    def is_due(self) -> bool:
        """Whether an image is worth its cost by now."""
        settlements = self._vm.delivered - self._taken_at
        return settlements >= self._every and self._vm.seconds >= _IMAGE_WORTH * self._cost

    def take(self, calls: CallRunner, pending: Iterable[int], made_last: int, inherited: Iterable[int]) -> list[Write]:
        """Writes for an image of the VM now, in place of most of the older ones.

        ``pending`` are the places in the lane of the calls that it waits for, ``made_last`` is the ordinal of the last
        call that it made, ``inherited`` are the keys of the calls of its parent that may still settle.
        """
        began = time.perf_counter()
        image = self._vm.image()
        self._vm.seconds = 0.0
        header = {
            "golden": image.golden,
            "engine_build": self._engine.build,
            "memory_bytes": image.memory_bytes,
            "length": self._lane.length,
            "tail": calls.tail,
            "pending": list(pending),
            "made_last": made_last,
            "seq": self._run.numbers.seq,
            "index": self._run.numbers.index,
            "last_ms": self._run.last_ms,
            "attempt": self._run.attempt,
            "inherited": list(inherited),
        }
        self._taken_at = self._vm.delivered
        self.golden = image.golden
        # Of the older ones a few stay, for branches from the run's history.
        writes = thin_images(self._run.store, self._lane.lane, self._taken_at, self._every)
        writes.append(image_write(self._lane.lane, self._taken_at, header, image.encode(self._engine.golden_memory)))
        self._cost = time.perf_counter() - began
        return writes
