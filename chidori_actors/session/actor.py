"""An actor: one VM, one host-promise table, one lane.

Its loop: settlements go into the VM, new calls come out, each is performed and its settlement committed, and a
settlement that is durable goes into the VM.
"""

import asyncio
from dataclasses import replace

from .. import exact_json
from ..journal.lanes import Settled, Started
from ..journal.store import Write
from ..templates import template_reader
from ..turns import Turns
from ..vm.image import ImageRejected
from ..vm.machine import Aborted, Call, Printed, Returned, Said, VmFailed
from .actor_images import ActorImages
from .actor_spec import ActorSpec, Stop
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
from .live_parts import ABORTED, Part
from .long_wait import LongWait
from .made_calls import MadeCalls
from .outcome import Cancelled, Completed, Failed, Paused, Reached, RecordEnded, Rest, bound_exceeded
from .past import load_past
from .promise_table import PromiseTable
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
        self._long_wait = LongWait(lane, self._runner.committed)
        self._images = ActorImages(run, lane, shared.engine, self._vm, run.image_every)
        self._inheritance = Inheritance(spec.inherited, spec.past, run, in_branch=spec.is_branch)
        self._past = spec.past
        self._promises = PromiseTable(spec, run, self._runner, self._forks, self._containers, self._inheritance)
        self._table = self._promises.calls
        self._resting = Resting(self._table, self._inheritance, watcher, run.board)
        self._made = MadeCalls(spec, run, lane)
        # How many of the recorded settlements the VM was given.
        self._replayed = 0
        self._waits = False
        self._left: list[tuple[LiveCall, Settled]] = []
        # How it is ended from outside.
        self._ended: Cancelled | Failed | None = None
        self._rest: Rest | None = None

    async def run(self, closing: Closing) -> Rest:
        """The actor's life. ``closing`` gives the writes that belong to its end; they are committed with it.

        Cancelling stops its calls and leaves the record as it is: the run can be resumed.

        Raises:
            ReplayDivergence: the agent made other calls than its record has.
            StoreError: the journal cannot be written.
        """
        with self._run.drain.actor(self._runner.wake), self._run.parts.actor(self._abort_part):
            return await self._live_and_end(closing)

    async def _live_and_end(self, closing: Closing) -> Rest:
        try:
            try:
                while self._spec.live and self._run.drain.is_on and self._ended is None:
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
        self._end(Cancelled(reason))

    def _end(self, rest: Cancelled | Failed) -> None:
        self._ended = rest
        for call in self._table.values():
            self._runner.stop(call)
        self._runner.wake.set()

    def abort(self, part: Part, reason: str) -> None:
        """End a part of the whole run: see ``ActorRef``."""
        self._run.parts.abort(part, reason)

    def _abort_part(self, part: Part, reason: str) -> None:
        if part.actor is not None:
            if part.actor == self._spec.path and (self._rest or self._ended) is None and self._runner.is_open:
                self._end(Failed({"message": reason, "name": ABORTED, "own_code": False}))
        else:
            self._promises.abort(part.seq, reason)

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
            self._stop_inside()
        for ordinal in self._past.pending:
            self._enter(self._made.recorded(self._past.started[ordinal], self._past))

    async def _replay(self) -> None:
        """Give the VM what it was given before, in the same order. Its calls are compared as they come."""
        turns = Turns()
        for settled in self._past.deliveries:
            if self._rest is not None:
                break
            await turns.over()
            started = self._inheritance.started(settled.ordinal) or self._recorded(settled.ordinal)
            said = await self._vm.deliver([self._calls.delivery(started, settled)])
            self._replayed += 1
            self._gave(settled)
            if settled.ordinal > 0:
                self._run.observer.call_ended(self._made.path(settled.ordinal), started, settled, True)
            if self._spec.stop == Stop(settled.ordinal):
                self._hear_last(said)
            else:
                await self._hear_ready(said)
                self._stop_inside()
        if isinstance(self._rest, Reached):
            return
        if self._rest is not None:
            # The agent ended before it was given these; they are settled all the same.
            for settled in self._past.deliveries:
                self._table.pop(settled.ordinal, None)
        # A call that is in the record was made before the last of its settlements, so the agent has made it again.
        for ordinal, started in self._past.started.items():
            if ordinal > self._made.made_last:
                raise missing_call(started)

    def _hear_last(self, said: list[Said]) -> None:
        """Where a replay stops: what the agent does next is not compared."""
        for item in said:
            if isinstance(item, Printed):
                self._run.observer.printed(item.level, item.text)
        self._rest = Reached()

    def _stop_inside(self) -> None:
        """Stop where the call was made inside of which the replay goes on."""
        stop = self._spec.stop
        if stop is None or not stop.inside or stop.ordinal > self._made.made_last or self._rest is not None:
            return
        started, fork = self._past.started[stop.ordinal], None
        if self._run.functions[started.function].forks(exact_json.loads(started.args)):
            fork = self._forks.replayed(stop.ordinal, self._promises.pending())
        self._rest = Reached(fork)

    def _recorded(self, ordinal: int) -> Started:
        """The call whose recorded settlement is due; it waits for it no more."""
        call = self._table.pop(ordinal, None)
        if call is None and not self._promises.was_given_up(ordinal):
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
            self._promises.issue_all(self._past.started, ended=self._rest is not None)
            self._past.release()
            try:
                with self._long_wait:
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
            if self._ended and self._rest is None:
                self._rest = self._ended
            if self._rest is not None:
                # Nobody is given these any more, whether they came before the end or after it.
                while runner.has_ready:
                    self._take_ready()
                if self._ended or not self._promises.is_finishing:
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
            self._long_wait.begin()
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
        return not at_work and self._promises.is_idle

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
                self._promises.give_up(item.ordinal)
            elif isinstance(item, Printed):
                self._run.observer.printed(item.level, item.text)
            else:
                self._rest = describe_failure(item, self._spec.bundle)
        self._promises.fork(self._tail, ended=self._rest is not None)
        self._promises.issue_new(ended=self._rest is not None)

    def _enter(self, call: LiveCall | None) -> None:
        if call is not None:
            ordinal = call.started.ordinal
            is_new = ordinal not in self._past.started
            self._promises.enter(call, is_new=is_new, has_settled=ordinal in self._past.settled)
