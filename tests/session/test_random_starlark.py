"""Random Starlark programs come to what Python makes of them, also resumed from any state a crash can leave."""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from chidori_actors.host.function import HostCall, HostResult, HostServices
from chidori_actors.journal.store import Write
from chidori_actors.runtime import Runtime
from chidori_actors.session.outcome import Completed, Failed, Rest
from tests.session.test_random_agents import RELAXED, RUN, observe_writes, patched, store_after_crash
from tests.session.test_random_trees import Tree, settled_in, tree_in
from tests.support.agents import functions_with, make_settings, records_of, start, within, write_agent
from tests.support.random_starlark import Program, Said, programs, scripted_prompt
from tests.support.systems import open_runtime

HANGS_AFTER_S = 20
MOST_CRASHES = 12
"""So many of the states of a run are resumed; the run has more of them when it is long."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One complete execution: its end, its actors, the prompts that were asked by path, and every write it made."""

    rest: Rest
    tree: Tree
    asked: Sequence[str]
    batches: list[list[Write]]


class CountedPrompts:
    """The scripted prompts, with the paths of those that were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def run(self, call: HostCall, services: HostServices) -> HostResult:
        self.asked.append(call.path)
        return await scripted_prompt(call, services)


def said_in(runtime: Runtime) -> list[Said]:
    """The run's prompts and timers as the record has them, those of branches in the order of the branches."""

    def place(path: str) -> list[int]:
        return [int(part.removeprefix("b")) for part in path.split("/")]

    records = sorted(records_of(runtime.store, RUN), key=lambda record: place(record["path"]))
    return [
        Said("timer", record["args"]["ms"])
        if record["function"] == "timer"
        else Said("prompt", record["args"]["text"], record["result"], record.get("error"))
        for record in records
        if record["function"] in ("prompt", "timer")
    ]


def check_rest(rest: Rest, program: Program) -> None:
    if program.error is None:
        assert isinstance(rest, Completed), rest
        assert rest.output.decode() == program.output
    else:
        assert isinstance(rest, Failed), rest
        assert rest.error["message"] == program.error


async def execute(folder: Path, program: Program) -> Execution:
    """Run and replay; both must come to what Python makes of the program, with the same calls in the same order."""
    prompts, batches = CountedPrompts(), list[list[Write]]()
    agent = write_agent(folder, program.source, "agent.star")
    with patched(functions_with(prompt=prompts.run)) as patch:
        observe_writes(patch, batches)
        async with open_runtime(make_settings(folder / "store", RELAXED), image_every=1) as runtime:
            ran = await within(HANGS_AFTER_S, start(runtime, agent, run_id=RUN))
            check_rest(ran.rest, program)
            assert said_in(runtime) == program.calls
            written, asked = len(batches), tuple(prompts.asked)
            assert (await within(HANGS_AFTER_S, runtime.replay(RUN))).rest == ran.rest
            assert (len(batches), tuple(prompts.asked)) == (written, asked), "a replay writes and asks nothing"
            return Execution(ran.rest, tree_in(runtime.store), asked, batches)


async def resume_after_crash(folder: Path, program: Program, original: Execution) -> None:
    """Resume in ``folder``'s store: the run ends as the original did, and asks what has no answer in the store."""
    prompts = CountedPrompts()
    with patched(functions_with(prompt=prompts.run)):
        async with open_runtime(make_settings(folder, RELAXED), image_every=3) as runtime:
            left = set(original.asked) - set(settled_in(runtime.store))
            resumed = await within(HANGS_AFTER_S, runtime.resume(RUN))
            assert resumed.rest == original.rest
            assert sorted(prompts.asked) == sorted(left)
            assert said_in(runtime) == program.calls
            assert tree_in(runtime.store) == original.tree
            assert (await within(HANGS_AFTER_S, runtime.replay(RUN))).rest == original.rest


async def crash_and_resume(program: Program) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = await execute(folder, program)
        states = range(1, len(original.batches) + 1)
        chosen = random.Random(program.source).sample(states, min(MOST_CRASHES, len(states)))
        for kept in sorted(chosen):
            for images in (True, False):
                crashed = folder / f"crashed {kept} {images}"
                if await store_after_crash(crashed, original.batches[:kept], images=images):
                    await resume_after_crash(crashed, program, original)


async def run_and_replay(program: Program) -> None:
    with tempfile.TemporaryDirectory() as name:
        await execute(Path(name), program)


def check_evaluation(seed: int, count: int) -> None:
    for program in islice(programs(seed, most_calls=250), count):
        print(program.source)
        asyncio.run(run_and_replay(program))


def check_crashes(seed: int, count: int) -> None:
    for program in islice(programs(seed, most_calls=40), count):
        print(program.source)
        asyncio.run(crash_and_resume(program))


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
def test_programs_come_to_what_python_makes_of_them_with_the_same_calls_in_order() -> None:
    check_evaluation(0, 10)


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
def test_programs_resumed_from_crashes_end_as_if_there_had_been_none() -> None:
    check_crashes(1, 2)


@pytest.mark.slow
@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
def test_many_programs_come_to_what_python_makes_of_them() -> None:
    check_evaluation(2, 80)


@pytest.mark.slow
@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
def test_many_programs_resumed_from_crashes() -> None:
    check_crashes(3, 8)
