"""Random trees of actors: a replay, and a resume from any state a crash can leave, give what the run gave."""

import asyncio
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.forks import fork_write, get_fork
from chidori_actors.journal.lanes import Settled, Started
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store, Write
from chidori_actors.placement.local import LocalSystem
from chidori_actors.runtime import Runtime
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import RunContext
from chidori_actors.session.outcome import Completed, Failed, Rest
from chidori_actors.session.past import load_past
from tests.session.test_random_agents import RELAXED, RUN, bounded, observe_writes, patched, store_after_crash
from tests.support.agents import RecordingObserver, functions_with, make_settings, start, write_agent
from tests.support.random_agents import HEAD, TAIL, Conductor, left_of, scripted_world
from tests.support.random_trees import staged, tree_sources
from tests.support.systems import open_runtime
from tests.support.trees import lanes_of

HANGS_AFTER_S = 20

Loss = Literal["nothing", "images", "fork images", "damaged forks"]
"""What a store loses besides what a crash leaves out: all of it can be made anew from the history."""

Spawned = list[tuple[ActorSpec, RunContext]]


@dataclass(frozen=True, slots=True)
class ActorEnd:
    """How an actor stands: its status and outcome, its calls by ordinal, and the answers it got, in order."""

    status: str
    outcome: Any
    calls: Mapping[int, tuple[Any, ...]]
    answers: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Tree:
    """A run's actors by path, and the paths below which executions may differ: what a failure or an end cut off."""

    actors: Mapping[str, ActorEnd]
    cut: frozenset[str]

    def is_cut(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}/") for each in self.cut)


@dataclass(frozen=True, slots=True)
class Execution:
    """One complete execution. ``order`` has the paths of what settled, in order; ``afterwards`` are those of them that
    settled when their actors had ended."""

    rest: Rest
    tree: Tree
    order: list[str]
    afterwards: frozenset[str]
    batches: list[list[Write]] = field(repr=False)


def path_of(actor: str, ordinal: int) -> str:
    return f"{actor}/{ordinal}" if actor else str(ordinal)


def tree_in(store: Store) -> Tree:
    meta = get_run(store, RUN)
    ends = {"": (meta.status, meta.output or meta.error)}
    ends |= {actor.path: (actor.status, actor.output or actor.error) for actor in run_actors(store, meta.lane)}
    actors: dict[str, ActorEnd] = {}
    cut: set[str] = {path for path, (status, _) in ends.items() if path and status not in ("completed", "failed")}
    for path, entries in lanes_of(store, RUN).items():
        calls = {entry.ordinal: entry for entry in entries if isinstance(entry, Started)}
        settled = {entry.ordinal: entry for entry in entries if isinstance(entry, Settled)}
        answers = [(entry.ordinal, entry.value, entry.error) for entry in settled.values() if entry.delivered]
        made = {ordinal: (call.function, call.args, call.site) for ordinal, call in calls.items()}
        actors[path] = ActorEnd(*ends[path], made, answers)
        for ordinal in calls:
            cut |= _cut_off(path_of(path, ordinal), settled.get(ordinal), ends.keys())
    return Tree(actors, frozenset(cut))


def _cut_off(call: str, settled: Settled | None, actors: Any) -> set[str]:
    """What nobody waited for inside of a call: everything when it was cancelled, the other branches when one failed."""
    if settled is None or not settled.delivered:
        return {call}
    if settled.error is None:
        return set()
    failed = (settled.error.get("data") or {}).get("branch")
    branches = {path for path in actors if path.rpartition("/b")[0] == call}
    return branches - {f"{call}/b{failed}"}


def settled_in(store: Store) -> list[str]:
    """The paths of what was settled, also of what branches inherited, in the order of the whole run."""
    settled = [
        (entry.index, path_of(actor, entry.ordinal))
        for actor, entries in lanes_of(store, RUN).items()
        for entry in entries
        if isinstance(entry, Settled) and entry.delivered
    ]
    return [path for _, path in sorted(settled)]


@contextmanager
def observe_spawns(spawned: Spawned) -> Iterator[None]:
    original = LocalSystem.spawn

    def observed(system: LocalSystem, spec: ActorSpec, run: RunContext, *rest: Any) -> Any:
        spawned.append((spec, run))
        return original(system, spec, run, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalSystem, "spawn", observed)
        yield


async def replay_actors(runtime: Runtime, spawned: Spawned) -> set[str]:
    """Replay every actor by itself: each ends as it did. The paths of the calls whose answers these were given."""
    observer = RecordingObserver()
    for spec, run in spawned:
        lane = get_run(runtime.store, RUN).lane if spec.meta is None else spec.meta.lane
        past = load_past(runtime.store, lane, None)
        again = replace(spec, past=past, live=False, record_complete=False)
        writer = run.lane_writer(lane, past.length)
        ref = run.spawn(again, replace(run, observer=observer), writer, lambda rest: ())
        rest = await asyncio.wait_for(ref.wait(), HANGS_AFTER_S)
        actor = tree_in(runtime.store).actors[spec.path]
        if actor.status == "completed":
            assert rest == Completed(actor.outcome)
        elif actor.status == "failed" and not isinstance(rest, Failed):
            assert "waits for a promise" in actor.outcome["message"], spec.path
    return {path for path, *_ in observer.of("call_ended")}


async def execute(folder: Path, sources: Mapping[str, str], seed: int) -> Execution:
    batches: list[list[Write]] = []
    spawned: Spawned = []
    (folder / "tools").mkdir()
    for name, source in sources.items():
        agent = folder / "agent.ts"
        write_agent(folder, source, name)
    with patched(functions_with(**scripted_world(random.Random(seed)))) as patch:
        observe_writes(patch, batches)
        async with open_runtime(make_settings(folder / "store", RELAXED), image_every=1) as runtime:
            with observe_spawns(spawned):
                ran = await asyncio.wait_for(start(runtime, agent, {"start": 5}, run_id=RUN), HANGS_AFTER_S)
            written = len(batches)
            given = await replay_actors(runtime, spawned)
            assert (await asyncio.wait_for(runtime.replay(RUN), HANGS_AFTER_S)).rest == ran.rest
            assert len(batches) == written, "a replay writes nothing"
            tree, settled = tree_in(runtime.store), settled_in(runtime.store)
            left = [path for path, actor in tree.actors.items() if actor.status == "running"]
            assert not left, f"actors of a run that ended are left running: {left}"
    afterwards = frozenset(path for path in settled if path not in given and "/-" not in path)
    return Execution(ran.rest, tree, settled, afterwards, batches)


async def lose(path: Path, loss: Loss) -> None:
    """Take from the store what can be made anew, or damage it."""
    store = LocalStore.open(path, durability="relaxed")
    try:
        writes: list[Write] = []
        for key, value in store.scan("forks"):
            lane, seq = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
            fork = get_fork(store, lane, seq)
            assert fork is not None
            if loss == "fork images":
                writes.append(fork_write(lane, seq, fork.delivered, fork.header, None))
            elif loss == "damaged forks" and fork.payload is not None:
                writes.append(Write("forks", key, value[:-1] + bytes([value[-1] ^ 1])))
        await store.commit(writes)
    finally:
        store.close()


async def resume_after_crash(folder: Path, original: Execution) -> None:
    """Resume in ``folder``'s store; the run must end as the original did, with the same calls and answers."""
    async with open_runtime(make_settings(folder, RELAXED), image_every=3) as runtime:
        done = settled_in(runtime.store)
        ended = [path for path, actor in tree_in(runtime.store).actors.items() if actor.status != "running"]
        order = [path for path in left_of(original.order, done) if not path.startswith(tuple(f"{e}/" for e in ended))]
        conductor = Conductor(order, original.afterwards)
        with patched(functions_with(**conductor.functions())), staged(conductor):
            watched = Attendance(observer=conductor.observer)
            try:
                resumed = await asyncio.wait_for(runtime.resume(RUN, attendance=watched), HANGS_AFTER_S)
            except TimeoutError:
                raise AssertionError(f"hangs; still to settle: {conductor.order}") from None
            assert resumed.rest == original.rest
            compare(original, tree_in(runtime.store))
            assert (await asyncio.wait_for(runtime.replay(RUN), HANGS_AFTER_S)).rest == original.rest


def compare(original: Execution, found: Tree) -> None:
    wanted = original.tree
    for path in wanted.actors.keys() | found.actors.keys():
        if wanted.is_cut(path) or found.is_cut(path):
            continue
        before, after = wanted.actors[path], found.actors[path]
        assert (path, after.status, after.outcome) == (path, before.status, before.outcome)
        assert (path, after.calls) == (path, before.calls)
        answers = [answer for answer in before.answers if path_of(path, answer[0]) not in original.afterwards]
        # A call that was settling when the agent aborted it may be cancelled this time.
        both = {ordinal for ordinal, *_ in answers} & {ordinal for ordinal, *_ in after.answers}
        assert [each for each in after.answers if each[0] in both] == [each for each in answers if each[0] in both]


async def check(sources: Mapping[str, str], seed: int, *, thorough: bool) -> None:
    losses: tuple[Loss, ...] = get_args(Loss)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = await execute(folder, sources, seed)
        for kept in range(1, len(original.batches) + 1):
            for loss in losses if thorough else (losses[kept % len(losses)],):
                crashed = folder / f"crashed {kept} {loss}"
                if await store_after_crash(crashed, original.batches[:kept], images=loss != "images"):
                    await lose(crashed, loss)
                    await resume_after_crash(crashed, original)


random_trees = given(sources=tree_sources(), seed=st.integers(0, 2**32))


FORK_BESIDE_A_SETTLEMENT = """
  const fork = async () => {
    await ask("first");
    return chidori.parallel([() => ask("inside"), async () => `${await ask("later")} ${n} ${trace.length}`]);
  };
  const change = async () => { note(`changed by ${await ask("second")}`); n++; };
  const value = await Promise.all([fork(), change(), ask("third")]);
"""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.only_local("it watches and steers the actors of one process")
def test_a_fork_has_seen_only_what_was_settled_before_its_call(seed: int) -> None:
    asyncio.run(check({"agent.ts": f"{HEAD}{FORK_BESIDE_A_SETTLEMENT}{TAIL}"}, seed, thorough=False))


# Shrinking a hang takes minutes: leave `phases` out to have that done.
@settings(bounded, max_examples=6, derandomize=True, phases=[Phase.generate])
@random_trees
@pytest.mark.only_local("it watches and steers the actors of one process")
def test_replay_and_resume_from_every_crash_give_what_the_tree_gave(sources: Mapping[str, str], seed: int) -> None:
    asyncio.run(check(sources, seed, thorough=False))


@pytest.mark.slow
@settings(bounded, max_examples=12, derandomize=True, phases=[Phase.generate])
@random_trees
@pytest.mark.only_local("it watches and steers the actors of one process")
def test_many_random_trees(sources: Mapping[str, str], seed: int) -> None:
    asyncio.run(check(sources, seed, thorough=True))
