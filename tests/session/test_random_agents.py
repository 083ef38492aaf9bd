"""Random small agents: a replay, and a resume from any state a crash can leave, give what the run gave."""

import asyncio
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chidori_actors.host.function import HostFunction
from chidori_actors.journal.lanes import Settled, apply_retries, read_lane
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Done, Fence, Store, Write
from chidori_actors.session import actor_images
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Rest
from tests.support.agents import (
    RecordingObserver,
    calls_of,
    functions_with,
    make_settings,
    records_of,
    start,
    use_functions,
    write_agent,
)
from tests.support.random_agents import Conductor, agent_sources, left_of, scripted_world
from tests.support.systems import open_runtime

RUN = "test-run"
RELAXED = {"CHIDORI_DURABILITY": "relaxed"}
HANGS_AFTER_S = 3


@dataclass(frozen=True, slots=True)
class Execution:
    """One complete execution: how it ended, its calls, the order of its answers, and every write it made.

    The first ``given`` answers were given to the agent; it had ended when the others came.
    """

    rest: Rest
    calls: list[tuple[Any, ...]]
    answers: list[tuple[Any, ...]]
    given: int
    batches: list[list[Write]]


@contextmanager
def patched(functions: dict[str, HostFunction], image_worth: int = 0) -> Iterator[pytest.MonkeyPatch]:
    """Runs use ``functions``, and take an image after every step however little it is worth."""
    with pytest.MonkeyPatch.context() as patch:
        use_functions(patch, functions)
        patch.setattr(actor_images, "_IMAGE_WORTH", image_worth)
        yield patch


def observe_writes(patch: pytest.MonkeyPatch, batches: list[list[Write]]) -> None:
    """Keep what is given to the store, in order: a crash leaves the first so many of these batches."""
    commit, submit = LocalStore.commit, LocalStore.submit

    async def observed_commit(store: LocalStore, writes: Sequence[Write], *, fence: Fence | None = None) -> None:
        batches.append(list(writes))
        await commit(store, writes, fence=fence)

    def observed_submit(
        store: LocalStore, writes: Sequence[Write], fence: Fence | None, done: Done, **how: Any
    ) -> None:
        batches.append(list(writes))
        submit(store, writes, fence, done, **how)

    patch.setattr(LocalStore, "commit", observed_commit)
    patch.setattr(LocalStore, "submit", observed_submit)


def calls_in(store: Store) -> list[tuple[Any, ...]]:
    return [(call.ordinal, call.function, call.args, call.site) for call in calls_of(store, RUN)]


def answers_in(store: Store) -> list[tuple[Any, ...]]:
    """Ordinal, value and error of what the VM was given, in order."""
    entries = apply_retries(read_lane(store, get_run(store, RUN).lane))
    return [
        (entry.ordinal, entry.value, entry.error) for entry in entries if isinstance(entry, Settled) and entry.delivered
    ]


async def execute(folder: Path, source: str, seed: int) -> Execution:
    batches: list[list[Write]] = []
    agent = write_agent(folder, source)
    with patched(functions_with(**scripted_world(random.Random(seed)))) as patch:
        observe_writes(patch, batches)
        async with open_runtime(make_settings(folder / "store", RELAXED), image_every=1) as runtime:
            ran = await asyncio.wait_for(start(runtime, agent, {"start": 5}, run_id=RUN), HANGS_AFTER_S)
            written = len(batches)
            records = records_of(runtime.store, RUN)
            observer = RecordingObserver()
            replay = runtime.replay(RUN, attendance=Attendance(observer=observer))
            replayed = await asyncio.wait_for(replay, HANGS_AFTER_S)
            given = len(observer.of("call_ended"))
            assert replayed.rest == ran.rest
            assert records_of(runtime.store, RUN) == records
            assert len(batches) == written, "a replay writes nothing"
            calls, answers = calls_in(runtime.store), answers_in(runtime.store)
    return Execution(ran.rest, calls, answers, given, batches)


async def store_after_crash(path: Path, batches: Sequence[list[Write]], *, images: bool) -> bool:
    """Make a store of what a crash left; whether the run is there and can be resumed."""
    store = LocalStore.open(path, durability="relaxed")
    try:
        writes = [write for batch in batches for write in batch if images or write.database != "images"]
        await store.commit(writes)
        return store.get("runs", RUN.encode()) is not None and get_run(store, RUN).status == "running"
    finally:
        store.close()


async def resume_after_crash(folder: Path, original: Execution) -> None:
    """Resume in ``folder``'s store; the run must end as the original did, with the same calls and answers."""
    settings = make_settings(folder, RELAXED)
    async with open_runtime(settings, image_every=3) as runtime:
        done = [str(ordinal) for ordinal, *_ in answers_in(runtime.store)]
        order = [str(ordinal) for ordinal, *_ in original.answers]
        conductor = Conductor(left_of(order, done), order[original.given :])
        with patched(functions_with(**conductor.functions())):
            watched = Attendance(observer=conductor.observer)
            resumed = await asyncio.wait_for(runtime.resume(RUN, attendance=watched), HANGS_AFTER_S)
            assert resumed.rest == original.rest
            assert calls_in(runtime.store) == original.calls
            wanted, answers = original.answers[: original.given], answers_in(runtime.store)
            # A call that was settling when the agent aborted it may be cancelled this time.
            both = {ordinal for ordinal, *_ in answers} & {ordinal for ordinal, *_ in wanted}
            assert [answer for answer in answers if answer[0] in both] == [
                answer for answer in wanted if answer[0] in both
            ]
            assert (await asyncio.wait_for(runtime.replay(RUN), HANGS_AFTER_S)).rest == original.rest


async def check(source: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original = await execute(folder, source, seed)
        for kept in range(1, len(original.batches) + 1):
            for images in (True, False):
                crashed = folder / f"crashed {kept} {images}"
                if await store_after_crash(crashed, original.batches[:kept], images=images):
                    await resume_after_crash(crashed, original)


random_agents = given(source=agent_sources(), seed=st.integers(0, 2**32))
bounded = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


# Shrinking a hang takes minutes: leave `phases` out to have that done.
@settings(bounded, max_examples=8, derandomize=True, phases=[Phase.generate])
@random_agents
@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
def test_replay_and_resume_from_every_crash_give_what_the_run_gave(source: str, seed: int) -> None:
    asyncio.run(check(source, seed))


@pytest.mark.slow
@settings(bounded, max_examples=60, derandomize=True, phases=[Phase.generate])
@random_agents
@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
def test_many_random_agents(source: str, seed: int) -> None:
    asyncio.run(check(source, seed))
