"""Where an actor forked: the image that its branches start from, and what it was waiting for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import StoreError
from ..host.function import HostError
from ..journal.blobs import DAMAGED_HINT
from ..journal.forks import StoredFork, fork_write, get_fork
from ..journal.lanes import Settled, Started, apply_retries, read_lane
from ..journal.store import Write
from ..vm.engine import Engine
from ..vm.image import Image, ImageRejected
from ..vm.machine import VmFailed
from .context import RunContext
from .host_calls import TIMER, LiveCall
from .lane_writer import LaneWriter
from .outcome import BOUND_EXCEEDED
from .vm_host import VmHost


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """``pending`` are the calls, by key, that can settle in the branches too; ``settled`` what the store knows of them
    already (a cancelled one never settles)."""

    image: Image
    pending: Mapping[int, Started]
    settled: tuple[Settled, ...] = ()


class Forks:
    """The forks of one actor."""

    def __init__(self, run: RunContext, lane: LaneWriter, engine: Engine, vm: VmHost) -> None:
        self._run = run
        self._lane = lane
        self._engine = engine
        self._vm = vm
        self._points: dict[int, ForkPoint] = {}
        self._headers: dict[int, tuple[int, Mapping[str, Any]]] = {}
        # What was settled since the actor knows again of a fork that the store has, until its point is asked for.
        self._missed: dict[int, list[Settled]] = {}

    def take(self, forking: Iterable[LiveCall], pending: Iterable[tuple[int, Started]], tail: int) -> None:
        """The VM forks now, for the calls ``forking`` that it has just made; the image goes into the lane with them.

        ``pending`` are the calls that the VM waits for, with their keys; ``tail`` is the place in the lane of the first
        settlement that it was not given yet.
        """
        image, pending = self._vm.fork_image(), list(pending)
        encoded = image.encode(self._engine.golden_memory)
        for call in forking:
            seq = call.started.seq
            others = _others(call.started.ordinal, pending)
            self._points[seq] = ForkPoint(image, others)
            header = {
                "golden": image.golden,
                "tail": tail,
                "pending": [self._describe(*each) for each in others.items()],
            }
            self._headers[seq] = self._vm.delivered, header
            self._lane.attach([fork_write(self._lane.lane, seq, self._vm.delivered, header, encoded)])

    def replayed(self, ordinal: int, pending: Iterable[tuple[int, Started]]) -> ForkPoint:
        """Where the actor forks now, in a replay, for the call ``ordinal``; nothing is kept."""
        return ForkPoint(self._vm.fork_image(), _others(ordinal, pending))

    def inherit(self, settled: Settled) -> None:
        """A call was settled, before somebody asked for the points at which it was pending."""
        for seq, point in self._points.items():
            if settled.ordinal in point.pending:
                self._points[seq] = replace(point, settled=(*point.settled, settled))
        for missed in self._missed.values():
            missed.append(settled)

    def expect(self, call: LiveCall) -> None:
        """The point of this fork, which the store has, will be asked for."""
        self._missed[call.started.seq] = []

    def _describe(self, key: int, started: Started) -> dict[str, Any]:
        # The args are needed where a value is made anew at every delivery.
        unrecorded = self._run.functions[started.function].unrecorded is not None
        args = started.args.decode() if unrecorded else "{}"
        return {"key": key, "function": started.function, "args": args, "site": started.site}

    def is_known(self, call: LiveCall) -> bool:
        """Whether the store knows where the actor forked for ``call``."""
        return get_fork(self._run.store, self._lane.lane, call.started.seq) is not None

    async def point(self, call: LiveCall) -> ForkPoint:
        """Where the actor forked for ``call``: from memory, from the store, or from the actor's history.

        Raises:
            StoreError: the store has nothing of it.
            HostError: a bound was exceeded when the history was repeated.
        """
        seq = call.started.seq
        known = self._points.pop(seq, None)
        if known is not None:
            return known
        stored = get_fork(self._run.store, self._lane.lane, seq)
        if stored is None:
            raise StoreError(f"the fork of call #{seq} of run {self._run.run_id} is missing", hint=DAMAGED_HINT)
        self._headers[seq] = stored.delivered, stored.header
        pending = {each["key"]: _started(each) for each in stored.header["pending"]}
        try:
            image = await self._image(stored)
        except VmFailed as failure:
            raise HostError(str(failure), name=BOUND_EXCEEDED, writes=self.unused(call)) from None
        # Read last: what is settled while the image is made must not be missed.
        later = apply_retries(
            read_lane(self._run.store, self._lane.lane, start=stored.header["tail"]), delivered_before=stored.delivered
        )
        settled = tuple(
            entry
            for entry in (*later, *self._missed.pop(seq, ()))
            if isinstance(entry, Settled) and entry.ordinal in pending
        )
        return ForkPoint(image, pending, settled)

    async def _image(self, stored: StoredFork) -> Image:
        if stored.payload is not None and stored.header["golden"] == self._engine.golden:
            try:
                return Image.decode(self._engine.golden, stored.payload, self._engine.golden_memory)
            except ImageRejected as reason:
                self._run.observer.warned(f"{reason}; the fork is made from the history")
        return await self._vm.fork_image_at(stored.delivered)

    def ended(self, call: LiveCall) -> tuple[Write, ...]:
        """The writes that belong to the end of a fork's branches: nobody needs its image any more."""
        delivered, header = self._headers.pop(call.started.seq)
        return (fork_write(self._lane.lane, call.started.seq, delivered, header, None),)

    def unused(self, call: LiveCall) -> tuple[Write, ...]:
        """The same for a call that gets, or got, no branches, whether it forked or not."""
        seq = call.started.seq
        self._points.pop(seq, None)
        self._missed.pop(seq, None)
        if seq not in self._headers:
            stored = get_fork(self._run.store, self._lane.lane, seq) if call.function.forks(call.args) else None
            if stored is None:
                return ()
            self._headers[seq] = stored.delivered, stored.header
        return self.ended(call)

    def drop(self, call: LiveCall) -> None:
        """``unused``, written with what comes next. Should the call be made again after all, its fork is made anew."""
        self._lane.attach(self.unused(call))


def _others(ordinal: int, pending: Iterable[tuple[int, Started]]) -> dict[int, Started]:
    """The calls that can settle in the branches of a fork too."""
    # A timer calls a function of the parent, so nothing in a branch can wait for it.
    return {key: started for key, started in pending if started.function != TIMER and key != ordinal}


def _started(described: Mapping[str, Any]) -> Started:
    args = described["args"].encode()
    return Started(described["key"], 0, 0, described["function"], args, 0, site=described["site"])
