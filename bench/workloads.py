"""What the throughput benchmark runs: many sessions at once, branches, trees of them, and sessions that pause."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from chidori_actors.host.function import Question
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Completed, Paused

from .scenery import complete, start

_AT_ONCE = 1000
"""So many sessions are begun or resumed at once where they wait for a person."""


@dataclass(frozen=True, slots=True)
class Workload:
    """``sessions`` at once, each with a fork of ``branches`` (0: none) that make ``calls`` calls each, in sequence.

    A call takes ``latency_ms``. With ``pauses`` a session asks a person once and does nothing else; it is resumed with
    the answer when all have paused.
    """

    name: str
    sessions: int
    branches: int
    calls: int
    latency_ms: float
    pauses: bool = False

    @property
    def total_calls(self) -> int:
        """Calls of all sessions, without those of ``parallel``."""
        return self.sessions if self.pauses else self.sessions * max(1, self.branches) * self.calls

    @property
    def actors(self) -> int:
        """VMs that it needs at once."""
        return self.sessions * (1 + self.branches)

    @property
    def latency_bound(self) -> float:
        """Seconds that it takes when nothing but the calls takes time."""
        return 0.0 if self.pauses else self.calls * self.latency_ms / 1000

    def __str__(self) -> str:
        if self.pauses:
            return f"{self.sessions:,} sessions paused and resumed"
        branches = f" x {self.branches:,} branches" if self.branches else ""
        return f"{self.sessions:,} sessions{branches} x {self.calls:,} calls of {self.latency_ms:g} ms"


_DEFAULTS = {
    "sessions": Workload("sessions", 1000, 0, 10, 50),
    "branches": Workload("branches", 1, 500, 1, 50),
    "trees": Workload("trees", 100, 20, 3, 50),
    "paused": Workload("paused", 10_000, 0, 1, 0, pauses=True),
}
NAMES = tuple(_DEFAULTS)


def workload(
    name: str,
    *,
    agents: int | None = None,
    branches: int | None = None,
    calls: int | None = None,
    latency_ms: float | None = None,
) -> Workload:
    """The scenario of that name, with other numbers where they are given and mean something for it."""
    usual = _DEFAULTS[name]
    return Workload(
        name,
        usual.sessions if agents is None else agents,
        usual.branches if branches is None or not usual.branches else branches,
        usual.calls if calls is None or usual.pauses else calls,
        usual.latency_ms if latency_ms is None or usual.pauses else latency_ms,
        usual.pauses,
    )


async def perform(runtime: Runtime, load: Workload) -> None:
    """Run all of it to its end.

    Raises:
        RuntimeError: a session failed, or did not pause where it should.
    """
    if load.pauses:
        await _pause_and_resume(runtime, load.sessions)
        return
    options = {"branches": load.branches, "calls": load.calls, "ms": load.latency_ms}
    async with asyncio.TaskGroup() as group:
        for _ in range(load.sessions):
            group.create_task(complete(runtime, "throughput", **options))


async def _pause_and_resume(runtime: Runtime, sessions: int) -> None:
    waiting: list[str] = []

    async def pause(_: int) -> None:
        result = await start(runtime, "asking", Attendance())
        if not isinstance(result.rest, Paused):
            raise RuntimeError(f"the benchmark's agent did not pause: {result.rest}")
        waiting.append(result.meta.id)

    async def answer(run_id: str) -> None:
        result = await runtime.resume(run_id, attendance=Attendance(questions=_Person()))
        if not isinstance(result.rest, Completed):
            raise RuntimeError(f"the benchmark's agent did not complete: {result.rest}")

    await _each(range(sessions), pause)
    await _each(waiting, answer)


async def _each(items: Iterable[int] | Iterable[str], work: Callable[..., Awaitable[None]]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(item: int | str) -> None:
        async with places:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(one(item))


class _Person:
    """Answers every question at once."""

    async def ask(self, question: Question) -> str:
        return "yes"
