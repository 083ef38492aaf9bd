"""An actor: one VM, one host-promise table, one lane.

Its loop: settlements go into the VM, new calls come out, each is performed and its settlement committed, and a
settlement that is durable goes into the VM.
"""

import asyncio
from dataclasses import replace

from ..journal.lanes import Settled, Started
from ..journal.store import Write
from ..templates import template_reader
from ..vm.image import ImageRejected
from ..vm.machine import Aborted, Call, Printed, Returned, Said, VmFailed
from .actor_images import ActorImages
from .actor_spec import ActorSpec
from .asking import Asking
from .call_runner import CallRunner, Ready
from .containers import Containers
from .context import Closing, RunContext, Watcher
from .divergence import missing_call
from .failure import describe_failure
from .forks import Forks
from .host_calls import HostCalls, LiveCall
from .inheritance import Inheritance
from .lane_writer import LaneWriter
from .made_calls import MadeCalls
from .outcome import Cancelled, Completed, Paused, RecordEnded, Rest, bound_exceeded
from .past import load_past
from .resting import Resting
from .vm_host import History, VmHost, VmResources


class Actor:
    """Runs one agent, branch or tool until it ends or nothing of it can go on. ``watcher`` is who started it."""

    def __init__(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, shared: VmResources, watcher: Watcher | None
    ) -> None:
        self._spec = spec
        self._run = run
        self._lane = lane
        self._vm = VmHost(shared, spec.origin, self._history)
        self._forks = Forks(run, lane, shared.engine, self._vm)
        self._containers = Containers(run, spec, lane.lane, shared.engine.golden, self._forks, self._calls_rest)
        services = replace(run.services, read_template=template_reader(spec.bundle, spec.folder))
        texts = spec.bundle.language == "starlark"
        asking = Asking(run, self._calls_rest)
        self._calls = HostCalls(run, services, asking, self._containers.perform, texts=texts)
        self._runner = CallRunner(run, lane, self._calls)
        self._images = ActorImages(run, lane, shared.engine, self._vm, run.image_every)
        self._inheritance = Inheritance(spec.inherited, spec.past, run, in_branch=spec.is_branch)
        self._past = spec.past
        # The host-promise table: what the VM waits for.
        self._table: dict[int, LiveCall] = {}
        self._resting = Resting(self._table, self._inheritance, watcher, run.board)
        self._made = MadeCalls(spec, run, lane)
        # How many of the recorded settlements the VM was given.
        self._replayed = 0
        self._waits = False
        # What the VM called in the step that is under way, and which of its calls fork it.
        self._new: list[LiveCall] = []
        self._forking: list[LiveCall] = []
        self._aborted: set[int] = set()
        self._left: list[tuple[LiveCall, Settled]] = []
        self._cancelled: Cancelled | None = None
        self._rest: Rest | None = None

    async def run(self, closing: Closing) -> Rest:
        """The actor's life. ``closing`` gives the writes that belong to its end; they are committed with it.

        Cancelling stops its calls and leaves the record as it is: the run can be resumed.

        Raises:
            ReplayDivergence: the agent made other calls than its record has.
            StoreError: the journal cannot be written.
        """
        with self._run.drain.actor(self._runner.wake):
            return await self._live_and_end(closing)

    async def _live_and_end(self, closing: Closing) -> Rest:
        try:
            try:
                while self._spec.live and self._run.drain.is_on and self._cancelled is None:
                    await self._until_woken()
                await self._start()
                await self._replay()
            except VmFailed as failure:
                self._rest = bound_exceeded(str(failure))
            if self._spec.live:
                await self._live()
            if self._rest is None and self._spec.record_complete:
                self._rest = self._resting.end()
            rest = self._rest or RecordEnded()
            if self._spec.live:
                images = self._image() if isinstance(rest, Paused) else []
                await self._lane.commit([*images, *closing(rest)])
            for call, settled in self._left:
                self._run.observer.call_ended(call.path, call.started, settled, False)
            return rest
        except asyncio.CancelledError:
            # What is under way then is shown by `trace` and compared at a resume.
            if self._spec.live:
                imaged = self._waits and self._rest is None and not self._runner.is_committing
                self._lane.submit(lambda error: None, self._image() if imaged else ())
            raise
        finally:
            self._vm.close()

    def cancel(self, reason: str | None = None) -> None:
        """End the actor and everything inside of it, recorded as cancelled."""
        self._cancelled = Cancelled(reason)
        for call in self._table.values():
            self._runner.stop(call)
        self._runner.wake.set()

    async def drained(self) -> None:
        """Drain the whole run: see ``ActorRef``."""
        await self._run.drain.drained()

    def inherit(self, key: int, settled: Settled | None) -> None:
        """A call of the parent, ``key`` in here, was settled; None: it never will be."""
        taken = self._inheritance.take(key, settled)
        if taken is not None:
            self._runner.inherit(*taken)
        self._resting.goes_on()
        self._runner.wake.set()

    def _calls_rest(self) -> None:
        """A call began to rest, or does not rest any more."""
        self._resting.changed()
        self._runner.wake.set()

    # -- from the record --------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self._past.image is not None:
            try:
                self._vm.restore(self._past.image)
                self._images.restored()
                self._made.made_last = self._past.image.header["made_last"]
            except ImageRejected as reason:
                self._run.observer.warned(f"{reason}; the run is replayed from its start")
                self._past = load_past(self._run.store, self._lane.lane, None)
        if self._past.image is None:
            await self._hear_ready(await self._vm.begin())
        for ordinal in self._past.pending:
            self._enter(self._made.recorded(self._past.started[ordinal], self._past))

    async def _replay(self) -> None:
        """Give the VM what it was given before, in the same order. Its calls are compared as they come."""
        for settled in self._past.deliveries:
            if self._rest is not None:
                break
            started = self._inheritance.started(settled.ordinal) or self._recorded(settled.ordinal)
            said = await self._vm.deliver([self._calls.delivery(started, settled)])
            self._replayed += 1
            self._gave(settled)
            if settled.ordinal > 0:
                self._run.observer.call_ended(self._made.path(settled.ordinal), started, settled, True)
            await self._hear_ready(said)
        if self._rest is not None:
            # The agent ended before it was given these; they are settled all the same.
            for settled in self._past.deliveries:
                self._table.pop(settled.ordinal, None)
        # A call that is in the record was made before the last of its settlements, so the agent has made it again.
        for ordinal, started in self._past.started.items():
            if ordinal > self._made.made_last:
                raise missing_call(started)

    def _recorded(self, ordinal: int) -> Started:
        """The call whose recorded settlement is due; it waits for it no more."""
        call = self._table.pop(ordinal, None)
        if call is None and ordinal not in self._aborted:
            raise missing_call(self._past.started[ordinal])
        return self._past.started[ordinal]

    def _history(self, delivered: int) -> History:
        past = load_past(self._run.store, self._lane.lane, self._images.golden, at_most=delivered)
        missing = past.deliveries[: delivered - past.delivered]
        messages = [
            self._calls.delivery(self._inheritance.started(settled.ordinal) or past.started[settled.ordinal], settled)
            for settled in missing
        ]
        return History(past.image, messages)

    # -- live -------------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        async with self._runner.open():
            for call in list(self._table.values()):
                # The agent may have ended before the crash: then only what is finished anyway is made, and actors are
                # started that are still to be recorded as cancelled.
                inside = self._run.actors.has_any(call.started.seq)
                if self._rest is None or call.function.finishes or inside:
                    self._issue(call, again=call.started.ordinal in self._past.started)
            for ordinal in self._aborted & self._table.keys():
                self._give_up(ordinal)
            self._past.release()
            try:
                await self._settle_and_step()
            except VmFailed as failure:
                self._rest = bound_exceeded(str(failure))
            if self._runner.fault is None and not isinstance(self._rest, Paused):
                # The actor ended: what was still under way is recorded with its end.
                left = list(self._table.values())
                self._left = await self._runner.cancel(left)
                if isinstance(self._rest, Completed):
                    # One that failed or was cancelled may be made to go on, and then these are made again.
                    for call in left:
                        self._forks.drop(call)

    async def _settle_and_step(self) -> None:
        runner = self._runner
        while runner.fault is None:
            if self._cancelled and self._rest is None:
                self._rest = self._cancelled
            if self._rest is not None:
                # Nobody is given these any more, whether they came before the end or after it.
                while runner.has_ready:
                    self._take_ready()
                if self._cancelled or not self._is_finishing():
                    return
            elif runner.has_ready:
                if not self._run.drain.is_on:
                    self._resting.goes_on()
                    await self._step()
                    continue
            elif self._resting.is_quiet and not runner.is_committing:
                self._rest = self._resting.rest()
                if self._rest is not None:
                    return
            # Only here is the VM known to be where the record says that it is.
            self._waits = True
            await self._until_woken()
            self._waits = False

    async def _until_woken(self) -> None:
        drain, wake = self._run.drain, self._runner.wake
        if drain.is_on:
            drain.park(wake, self._is_idle())
        await wake.wait()
        wake.clear()
        drain.park(wake, False)

    def _is_idle(self) -> bool:
        """Whether nothing is lost when the actor is stopped now."""
        at_work = self._rest is not None or self._runner.is_committing
        return not at_work and all(call.is_idle for call in self._table.values())

    def _is_finishing(self) -> bool:
        return any(call.function.finishes and call.question is None for call in self._table.values())

    async def _step(self) -> None:
        # One by one, as in a replay: a fork has seen what came before the call that it belongs to, and nothing later.
        started, settled = self._take_ready()
        await self._hear_ready(await self._vm.deliver([self._calls.delivery(started, settled)]))
        if self._rest is None and self._images.is_due:
            self._lane.submit(self._runner.committed, self._image())

    def _take_ready(self) -> Ready:
        started, settled = self._runner.take_ready()
        self._table.pop(settled.ordinal, None)
        self._gave(settled)
        return started, settled

    def _gave(self, settled: Settled) -> None:
        """What forks from now on has seen this settlement; what forked before has not."""
        self._inheritance.given(settled.ordinal)
        self._containers.inherit(settled.ordinal, settled)

    def _tail(self) -> int:
        """The place in the lane of the first settlement that the VM was not given yet."""
        recorded = self._past.deliveries
        if self._replayed < len(recorded):
            return self._past.places[recorded[self._replayed].ordinal]
        return self._runner.tail

    def _image(self) -> list[Write]:
        """Writes for an image of the VM now. Every call that it waits for is in the lane, or goes there with it."""
        pending = [call.number for call in self._table.values()]
        inherited = [key for key, _ in self._inheritance.pending()]
        return self._images.take(self._runner, pending, self._made.made_last, inherited)

    # -- what the VM says -------------------------------------------------------------------------------------------

    async def _hear_ready(self, said: list[Said]) -> None:
        # Each of them may be a call that needs a number.
        if self._run.numbers.ready < len(said):
            await self._run.numbers.make_ready(calls=len(said))
        self._hear(said)

    def _hear(self, said: list[Said]) -> None:
        for item in said:
            if isinstance(item, Call):
                self._enter(self._made.take(item, self._past))
            elif isinstance(item, Returned):
                self._rest = Completed(item.output)
            elif isinstance(item, Aborted):
                self._abort(item.ordinal)
            elif isinstance(item, Printed):
                self._run.observer.printed(item.level, item.text)
            else:
                self._rest = describe_failure(item, self._spec.bundle)
        self._fork()
        self._issue_new()

    def _issue_new(self) -> None:
        """Begin what the VM called and has not given up since. An agent that ended has it finished or cancelled."""
        new, self._new = self._new, []
        if self._runner.is_open:
            for call in new:
                if call.started.ordinal in self._table and (self._rest is None or call.function.finishes):
                    self._issue(call, again=False)

    def _fork(self) -> None:
        """The VM is where its branches begin: before it is given anything else, its memory is kept for them."""
        forking = [call for call in self._forking if call.started.ordinal in self._table]
        self._forking = []
        if forking and self._rest is None:
            pending = [(ordinal, call.started) for ordinal, call in self._table.items()]
            self._forks.take(forking, [*pending, *self._inheritance.pending()], self._tail())

    def _enter(self, call: LiveCall | None) -> None:
        """The VM waits for the call."""
        if call is None:
            return
        ordinal = call.started.ordinal
        self._table[ordinal] = call
        is_new = ordinal not in self._past.started
        if is_new:
            self._new.append(call)
        if self._spec.live and call.function.forks(call.args) and ordinal not in self._past.settled:
            if not is_new and self._forks.is_known(call):
                self._forks.expect(call)
            else:
                # A new one, or that of an imported run, which comes without images.
                self._forking.append(call)

    def _abort(self, ordinal: int) -> None:
        if self._runner.is_open:
            self._give_up(ordinal)
        else:
            self._aborted.add(ordinal)

    def _issue(self, call: LiveCall, *, again: bool) -> None:
        if call.started.ordinal not in self._aborted:
            call.interrupted = again and call.path not in self._run.waiting
            self._runner.issue(call)

    def _give_up(self, ordinal: int) -> None:
        """The agent aborted a call: stop it unless its settlement is on its way already."""
        call = self._table.get(ordinal)
        if call is not None and not call.settling:
            del self._table[ordinal]
            self._runner.give_up(call, lambda settled: self._containers.cancelled(call, settled))
