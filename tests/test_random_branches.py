"""Random trees of actors: a branch from any of their calls, with the answer that it had, ends as the run did."""

import asyncio
import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.lanes import Settled, Started
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.vm.machine import inherited_key
from tests.session.test_random_agents import RELAXED, RUN, bounded, patched
from tests.session.test_random_trees import HANGS_AFTER_S, Execution, execute, path_of
from tests.support.agents import functions_with, make_settings
from tests.support.random_agents import Conductor
from tests.support.random_trees import staged, tree_sources
from tests.support.systems import open_runtime
from tests.support.trees import lanes_of

AT_MOST = 5
"""So many calls of a tree are branched at."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that has a result, and its places in the order of calls and of ends."""

    path: str
    seq: int
    index: int
    value: bytes


def answered(store: Store) -> list[Answered]:
    found: list[Answered] = []
    for actor, entries in lanes_of(store, RUN).items():
        seqs = {entry.ordinal: entry.seq for entry in entries if isinstance(entry, Started)}
        found += [
            Answered(path_of(actor, entry.ordinal), seqs[entry.ordinal], entry.index, entry.value)
            for entry in entries
            if isinstance(entry, Settled) and not entry.inherited and entry.value is not None
        ]
    return found


def origin_of(path: str) -> str:
    """The path of the call itself when ``path`` is of what a branch inherits of it, else ``path``."""
    parts = path.split("/")
    levels, ordinal = divmod(-int(parts[-1]), -inherited_key(-1) - 1)
    return path if path.rpartition("/")[2][0] != "-" else "/".join([*parts[: -3 - 2 * levels], str(ordinal)])


def conduct(order: list[str], original: Execution) -> Conductor:
    """What settled although it was aborted may be cancelled this time, and then no branch of a fork gets it."""
    conductor = Conductor(order, original.afterwards)
    observer = conductor.observer

    def ended(path: str) -> None:
        settled: Settled = observer.seen[-1][3]
        for each in list(conductor.order):
            if each == path or (not settled.delivered and origin_of(each) == path):
                conductor.leave(each)

    observer.when_ended = ended
    return conductor


async def branch_at(runtime: Runtime, original: Execution, call: Answered) -> None:
    """Branch at a call that answers as it did, when everything after it comes in the order in which it came."""
    actors = run_actors(runtime.store, get_run(runtime.store, RUN).lane)
    # One that is ending may still be given what its parent passes on.
    over = tuple(f"{actor.path}/" for actor in actors if actor.ended is not None and actor.ended < call.index)
    order = [path for path in original.order[original.order.index(call.path) + 1 :] if not path.startswith(over)]
    conductor = conduct(order, original)
    new_id = f"branch-{call.seq}"
    with patched(functions_with(**conductor.functions())), staged(conductor):
        watched = Attendance(observer=conductor.observer)
        branching = runtime.branch(RUN, call.seq, result=call.value, new_id=new_id, attendance=watched)
        try:
            branched = await asyncio.wait_for(branching, HANGS_AFTER_S)
        except TimeoutError:
            raise AssertionError(f"a branch at {call.path} hangs; still to settle: {conductor.order}") from None
        assert branched.rest == original.rest, call.path
        assert (await asyncio.wait_for(runtime.replay(new_id), HANGS_AFTER_S)).rest == original.rest, call.path


async def check(sources: Mapping[str, str], seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = await execute(folder, sources, seed)
        async with open_runtime(make_settings(folder / "store", RELAXED), image_every=chance.choice((1, 3))) as runtime:
            # Of what settled when its actor had ended nobody knows any more when that was.
            calls = [call for call in answered(runtime.store) if call.path not in original.afterwards]
            for call in chance.sample(calls, min(AT_MOST, len(calls))):
                await branch_at(runtime, original, call)


random_trees = given(sources=tree_sources(), seed=st.integers(0, 2**32))


# Shrinking a hang takes minutes: leave `phases` out to have that done.
@settings(bounded, max_examples=12, derandomize=True, phases=[Phase.generate])
@random_trees
@pytest.mark.only_local("it watches and steers the actors of one process")
def test_a_branch_with_the_recorded_answer_ends_as_the_run(sources: Mapping[str, str], seed: int) -> None:
    asyncio.run(check(sources, seed))


@pytest.mark.slow
@settings(bounded, max_examples=60, derandomize=True, phases=[Phase.generate])
@random_trees
@pytest.mark.only_local("it watches and steers the actors of one process")
def test_many_random_branches(sources: Mapping[str, str], seed: int) -> None:
    asyncio.run(check(sources, seed))
