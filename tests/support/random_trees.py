"""Random agents with branches, sub-agents and tools, and what imposes the order of events on the whole tree."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from chidori_actors.host.function import HostError, HostResult
from chidori_actors.journal.lanes import Settled
from chidori_actors.journal.store import Write
from chidori_actors.placement.local import LocalSystem
from chidori_actors.session import vm_host
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.children import ChildGroup, ContainerCancelled
from chidori_actors.session.containers import Containers
from chidori_actors.session.context import ActorRef, Closing, RunContext, Watcher
from chidori_actors.session.host_calls import Flush, LiveCall
from chidori_actors.session.lane_writer import LaneWriter
from chidori_actors.session.live_parts import Part
from chidori_actors.session.outcome import Rest

from .random_agents import HEAD, TAIL, Conductor, bodies, leaf, nested, several

_TREE_HEAD = """
  const forked = (all: any[]): string =>
    note(`forked ${JSON.stringify(all.map((each) => (each?.status === "rejected" ? each.reason.message : each)))}`);
  const inside = async (found: Promise<unknown>): Promise<string> => note(`inside ${JSON.stringify(await found)}`);
  const background = async (text: string): Promise<string> => {
    ask(text).then((first) => ask(`behind ${first}`)).catch((error) => note(`background ${error.message}`));
    return note("begun");
  };
  const shared = chidori.prompt("shared");
  const derived = shared.then((text) => note(`derived ${text}`));
"""
_TOOL_HEAD = (
    'export const tool = { name: "helper", description: "Helps.", parameters: { type: "object" } };\n'
    + HEAD.replace("function agent(", "function run(")
)
_OPTIONS = ("{}", "{ concurrency: 1 }", "{ concurrency: 2 }", "{ settle: true }", "{ settle: true, concurrency: 2 }")


def _tree_leaf() -> st.SearchStrategy[str]:
    few = st.integers(0, 4)
    return st.one_of(
        leaf(),
        few.map(lambda i: f'background("prompt {i}")'),
        st.just('inside(chidori.callAgent("child.ts", { start: n++ }))'),
        st.just('inside(chidori.tool("helper", { start: n++ }))'),
        st.just("shared.then((text) => note(`shared ${text}`))"),
        st.just("shared"),
        st.just("derived.then((text) => note(`after ${text}`))"),
    )


def _forking(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    thunks = several(children).map(lambda parts: ", ".join(f"() => {part}" for part in parts))
    return st.tuples(thunks, st.sampled_from(_OPTIONS)).map(
        lambda made: f"chidori.parallel([{made[0]}], {made[1]}).then(forked)"
    )


def tree_sources() -> st.SearchStrategy[Mapping[str, str]]:
    """Source files by name: an agent, a sub-agent and a tool, which end, one way or the other."""
    part = st.recursive(
        _tree_leaf(), lambda inner: st.one_of(_forking(inner), _forking(inner), nested(inner)), max_leaves=7
    )
    small = st.recursive(leaf(), lambda inner: st.one_of(nested(inner), _forking(inner)), max_leaves=3)
    flat = st.recursive(leaf(), nested, max_leaves=2)
    return st.fixed_dictionaries(
        {
            "agent.ts": bodies(part).map(lambda body: f"{HEAD}{_TREE_HEAD}{body}{TAIL}"),
            "child.ts": bodies(small).map(lambda body: f"{HEAD}{_TREE_HEAD}{body}{TAIL}"),
            "tools/helper.ts": bodies(flat).map(lambda body: f"{_TOOL_HEAD}{body}{TAIL}"),
        }
    )


class HeldRef:
    """An actor whose inherited settlements reach it at their turns."""

    def __init__(self, ref: ActorRef, path: str, stage: "Stage") -> None:
        self._ref = ref
        self._path = path
        self._stage = stage

    async def wait(self) -> Rest:
        return await self._ref.wait()

    def cancel(self, reason: str | None = None) -> None:
        self._ref.cancel(reason)

    def abort(self, part: Part, reason: str) -> None:
        self._ref.abort(part, reason)

    async def drained(self) -> None:
        await self._ref.drained()

    def inherit(self, key: int, settled: Settled | None) -> None:
        if settled is None:
            self._ref.inherit(key, None)
            self._stage.leave(f"{self._path}/{key}")
        else:
            self._stage.hold(f"{self._path}/{key}", lambda: self._ref.inherit(key, settled))


class Stage:
    """Lets what happens between the actors of a tree happen in the conductor's order too."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._held: set[asyncio.Task[None]] = set()
        self._waiting: set[str] = set()
        self._groups: set[ChildGroup] = set()
        self._stops: dict[ChildGroup, asyncio.Event] = {}

    def hold(self, path: str, then: Callable[[], None]) -> None:
        """Do ``then`` at the turn of ``path``; never when it has none."""

        async def at_turn() -> None:
            await self._conductor.turn(path).wait()
            then()
            self._waiting.discard(path)
            self._conductor.leave(path)
            for group in self._groups:
                group._changed()

        self._waiting.add(path)
        task = asyncio.create_task(at_turn())
        self._held.add(task)
        task.add_done_callback(self._held.discard)

    def holds(self, group: ChildGroup) -> bool:
        """Whether something is still to be done, so that no actor may conclude that nothing can go on."""
        self._groups.add(group)
        return not self._waiting.isdisjoint(self._conductor.order)

    def leave(self, path: str) -> None:
        """That will not settle."""
        self._conductor.leave(path)

    def ended(self, path: str) -> None:
        """Nothing of this actor, or inside of this container, settles any more."""
        for each in [each for each in self._conductor.order if not path or each.startswith(f"{path}/")]:
            self._conductor.leave(each)

    async def contain(self, call: LiveCall, answer: Awaitable[HostResult]) -> HostResult:
        """The answer of a container, good or bad, at its turn."""
        try:
            result = await answer
        except (HostError, ContainerCancelled):
            await self._turn_or_stop(call)
            raise
        await self._turn_or_stop(call)
        return result

    async def _turn_or_stop(self, call: LiveCall) -> None:
        # A call that fails before it has started anything has no group to be stopped.
        self.ended(call.path)
        stopped = asyncio.Event() if call.container is None else self._stops.setdefault(call.container, asyncio.Event())
        waits = [asyncio.create_task(event.wait()) for event in (self._conductor.turn(call.path), stopped)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if stopped.is_set():
            self._conductor.leave(call.path)
            raise ContainerCancelled

    def stop(self, group: ChildGroup) -> None:
        """Whoever made the container's call does not want it any more."""
        self._stops.setdefault(group, asyncio.Event()).set()

    def close(self) -> None:
        for task in self._held:
            task.cancel()


@contextmanager
def staged(conductor: Conductor) -> Iterator[None]:
    """The actors of every run settle in the conductor's order, also between one another."""
    stage = Stage(conductor)
    spawn, perform, cancel = LocalSystem.spawn, Containers.perform, ChildGroup.cancel
    resting: Callable[[ChildGroup], bool] = ChildGroup.__dict__["resting"].fget

    def held_spawn(
        system: LocalSystem,
        spec: ActorSpec,
        run: RunContext,
        lane: LaneWriter,
        closing: Closing,
        watcher: Watcher | None = None,
    ) -> ActorRef:
        def closed(rest: Rest) -> Iterable[Write]:
            stage.ended(spec.path)
            return closing(rest)

        return HeldRef(spawn(system, spec, run, lane, closed, watcher), spec.path, stage)

    async def held_perform(containers: Containers, call: LiveCall, make_durable: Flush) -> HostResult:
        return await stage.contain(call, perform(containers, call, make_durable))

    def told_cancel(group: ChildGroup) -> None:
        cancel(group)
        stage.stop(group)

    with pytest.MonkeyPatch.context() as patch:
        # A step that leaves the event loop would let the next turn begin before it.
        patch.setattr(vm_host, "LOOP_SECONDS", 10)
        patch.setattr(LocalSystem, "spawn", held_spawn)
        patch.setattr(Containers, "perform", held_perform)
        patch.setattr(ChildGroup, "cancel", told_cancel)
        patch.setattr(ChildGroup, "resting", property(lambda group: not stage.holds(group) and resting(group)))
        yield
    stage.close()
