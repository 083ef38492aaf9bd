"""An actor: one VM, one host-promise table, one lane.

Its loop: settlements go into the VM, new calls come out, each is performed and its settlement committed, and a
settlement that is durable goes into the VM.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from ..host.function import HostFunction
from ..journal.lanes import Settled, Started
from ..journal.store import Write
from ..languages.bundle import Bundle
from ..vm.image import ImageRejected
from ..vm.machine import Aborted, Call, Printed, Returned, Said, VmFailed
from .actor_images import IMAGE_EVERY, ActorImages
from .call_runner import CallRunner
from .context import RunContext
from .divergence import check_same_call, missing_call, unrecorded_call
from .failure import describe_failure, place_of
from .host_calls import HostCalls, LiveCall
from .lane_writer import LaneWriter
from .outcome import Completed, Failed, Paused, RecordEnded, Rest
from .past import Past, load_past
from .vm_host import History, Program, VmHost, VmResources


@dataclass(frozen=True, slots=True)
class ActorSpec:
    """What an actor is started from.

    ``live`` False: it replays its record and makes no call. ``record_complete``: the record is of an actor that
    ended, so the agent must make exactly its calls. ``waiting``: ordinals of calls that waited for a person.
    """

    path: str
    program: Program
    bundle: Bundle
    default_model: str | None
    past: Past
    live: bool = True
    record_complete: bool = False
    waiting: frozenset[int] = frozenset()
    image_every: int = IMAGE_EVERY


class Actor:
    """Runs one agent until it ends or nothing of it can go on."""

    def __init__(self, spec: ActorSpec, run: RunContext, lane: LaneWriter, shared: VmResources) -> None:
        self._spec = spec
        self._run = run
        self._lane = lane
        self._calls = HostCalls(run)
        self._runner = CallRunner(run, lane, self._calls)
        self._vm = VmHost(shared, spec.program, self._history)
        self._images = ActorImages(run, lane, shared.engine, self._vm, spec.image_every)
        self._past = spec.past
        self._attempt = spec.past.attempt
        # The host-promise table: what the VM waits for.
        self._table: dict[int, LiveCall] = {}
        # The ordinal of the last call that the VM made.
        self._made_last = 0
        self._aborted: set[int] = set()
        self._rest: Rest | None = None

    async def run(self, closing: Callable[[Rest], Iterable[Write]]) -> Rest:
        """The actor's life. ``closing`` gives the writes that belong to its end; they are committed with it.

        Cancelling stops its calls and leaves the record as it is: the run can be resumed.

        Raises:
            ReplayDivergence: the agent made other calls than its record has.
            StoreError: the journal cannot be written.
        """
        try:
            try:
                await self._start()
                await self._replay()
                if self._spec.live:
                    await self._live()
            except VmFailed as failure:
                self._rest = Failed({"message": str(failure), "name": "BoundExceeded"})
            if self._rest is None and self._spec.record_complete:
                self._rest = self._at_rest()
            rest = self._rest or RecordEnded()
            if self._spec.live:
                await self._close(rest, closing(rest))
            return rest
        except asyncio.CancelledError:
            # What is under way then is shown by `trace` and compared at a resume.
            if self._spec.live:
                self._lane.submit(lambda error: None)
            raise
        finally:
            self._vm.close()

    # -- from the record --------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self._past.image is not None:
            try:
                self._vm.restore(self._past.image)
                self._images.restored()
                self._made_last = self._past.image.header["made_last"]
                self._calls.reveal_again(self._past.image.header["revealed"])
            except ImageRejected as reason:
                self._run.observer.warned(f"{reason}; the run is replayed from its start")
                self._past = load_past(self._run.store, self._lane.lane, None)
        if self._past.image is None:
            self._hear(await self._vm.begin())
        for ordinal in self._past.pending:
            self._adopt(self._past.started[ordinal])

    async def _replay(self) -> None:
        """Give the VM what it was given before, in the same order. Its calls are compared as they come."""
        for settled in self._past.deliveries:
            if self._rest is not None:
                break
            call = self._table.pop(settled.ordinal, None)
            if call is None:
                if settled.ordinal in self._aborted:
                    call = self._recorded_call(self._past.started[settled.ordinal])
                else:
                    raise missing_call(self._past.started[settled.ordinal])
            said = await self._vm.deliver([self._calls.delivery(call.started, settled)])
            self._run.observer.call_ended(call.path, call.started, settled, True)
            self._hear(said)
        if self._rest is not None:
            # The agent ended before it was given these; they are settled all the same.
            for settled in self._past.deliveries:
                self._table.pop(settled.ordinal, None)
        # A call that is in the record was made before the last of its settlements, so the agent has made it again.
        for ordinal, started in self._past.started.items():
            if ordinal > self._made_last:
                raise missing_call(started)

    def _history(self, delivered: int) -> History:
        past = load_past(self._run.store, self._lane.lane, self._images.golden, at_most=delivered)
        missing = past.deliveries[: delivered - past.delivered]
        messages = [self._calls.delivery(past.started[settled.ordinal], settled) for settled in missing]
        return History(past.image, messages)

    # -- live -------------------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        async with self._runner.open():
            for call in list(self._table.values()):
                # The agent may have ended before the crash: then only what is finished anyway is made.
                if self._rest is None or call.function.finishes:
                    self._issue(call, again=call.started.ordinal in self._past.started)
            for ordinal in self._aborted & self._table.keys():
                self._give_up(ordinal)
            self._past.release()
            await self._settle_and_step()

    async def _settle_and_step(self) -> None:
        runner = self._runner
        while runner.fault is None:
            if self._rest is not None:
                if not any(call.function.finishes and call.question is None for call in self._table.values()):
                    return
            elif runner.has_ready:
                await self._step()
                continue
            elif all(call.question is not None for call in self._table.values()):
                self._rest = self._at_rest()
                return
            await runner.wake.wait()
            runner.wake.clear()
            if self._rest is not None:
                self._take_ready()

    async def _step(self) -> None:
        ready = self._take_ready()
        said = await self._vm.deliver([self._calls.delivery(call.started, settled) for call, settled in ready])
        self._hear(said)
        if self._rest is None and self._images.is_due:
            self._lane.submit(self._runner.committed, self._image())

    def _take_ready(self) -> list[tuple[LiveCall, Settled]]:
        ready = self._runner.take_ready()
        for call, _ in ready:
            self._table.pop(call.started.ordinal, None)
        return ready

    def _image(self) -> list[Write]:
        """Writes for an image of the VM now. Every call that it waits for is in the lane, or goes there with it."""
        pending = [call.number for call in self._table.values()]
        return self._images.take(self._runner, pending, self._made_last, self._attempt)

    def _at_rest(self) -> Rest:
        questions = [call.question for call in self._table.values() if call.question is not None]
        if questions:
            return Paused(tuple(sorted(questions, key=lambda question: question.seq)))
        return Failed(
            {
                "message": "the agent waits for a promise that nothing can settle: no call is under way",
                "name": "Error",
            }
        )

    # -- what the VM says -------------------------------------------------------------------------------------------

    def _hear(self, said: list[Said]) -> None:
        for item in said:
            if isinstance(item, Call):
                self._made(item)
            elif isinstance(item, Returned):
                self._rest = Completed(item.output)
            elif isinstance(item, Aborted):
                self._abort(item.ordinal)
            elif isinstance(item, Printed):
                self._run.observer.printed(item.level, item.text)
            else:
                self._rest = describe_failure(item, self._spec.bundle)

    def _made(self, made: Call) -> None:
        self._made_last = made.ordinal
        function = self._run.functions[made.function]
        recorded = self._past.started.get(made.ordinal)
        if recorded is not None and recorded.args == made.args and recorded.function == made.function:
            self._adopt(recorded)
            return
        args = orjson.loads(made.args)
        if function.record_args is not None:
            args = function.record_args(args, self._spec.default_model)
        if recorded is not None:
            check_same_call(recorded, made.function, dict(args), place_of(made.site, self._spec.bundle))
            self._adopt(recorded)
        elif self._spec.live:
            self._begin_call(made, function, args)
        elif self._spec.record_complete:
            place = place_of(made.site, self._spec.bundle)
            raise unrecorded_call(self._run.next_seq(), made.function, place)

    def _begin_call(self, made: Call, function: HostFunction, args: dict[str, object]) -> None:
        started = Started(
            ordinal=made.ordinal,
            seq=self._run.next_seq(),
            after=made.after,
            function=made.function,
            args=made.args if function.record_args is None else orjson.dumps(args),
            at_ms=self._run.now_ms(),
            site=made.site or None,
            attempt=self._attempt,
        )
        call = LiveCall(started, function, args, self._path(made.ordinal), self._lane.append(started))
        self._table[made.ordinal] = call
        self._run.observer.call_started(call.path, started)
        if self._runner.is_open:
            self._issue(call, again=False)

    def _adopt(self, started: Started) -> None:
        """The VM waits for a call that the record knows."""
        cancelled = self._past.settled.get(started.ordinal)
        if cancelled is None or cancelled.delivered:
            self._table[started.ordinal] = self._recorded_call(started)

    def _recorded_call(self, started: Started) -> LiveCall:
        function = self._run.functions[started.function]
        return LiveCall(
            started,
            function,
            orjson.loads(started.args),
            self._path(started.ordinal),
            self._past.numbers[started.ordinal],
            # The process that made it may have got as far as doing it.
            in_effect=started.ordinal not in self._spec.waiting,
        )

    def _path(self, ordinal: int) -> str:
        return f"{self._spec.path}/{ordinal}" if self._spec.path else str(ordinal)

    def _abort(self, ordinal: int) -> None:
        if self._runner.is_open:
            self._give_up(ordinal)
        else:
            self._aborted.add(ordinal)

    def _issue(self, call: LiveCall, *, again: bool) -> None:
        ordinal = call.started.ordinal
        if ordinal not in self._aborted:
            call.interrupted = again and ordinal not in self._spec.waiting
            self._runner.issue(call)

    def _give_up(self, ordinal: int) -> None:
        """The agent aborted a call: stop it unless its settlement is on its way already."""
        call = self._table.get(ordinal)
        if call is not None and not call.settling:
            del self._table[ordinal]
            self._runner.give_up(call)

    # -- the end ----------------------------------------------------------------------------------------------------

    async def _close(self, rest: Rest, writes: Iterable[Write]) -> None:
        """Record what was still under way, keep or drop images, and commit it all with ``writes``."""
        ended: list[tuple[LiveCall, Settled]] = []
        images: list[Write] = []
        if isinstance(rest, Paused):
            images = self._image()
        else:
            ended = [(call, self._runner.cancel(call)) for call in self._table.values() if not call.settling]
            if isinstance(rest, Completed):
                images = self._images.drop()
        await self._lane.commit([*images, *writes])
        for call, settled in ended:
            self._run.observer.call_ended(call.path, call.started, settled, False)
