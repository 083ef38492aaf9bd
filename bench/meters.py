"""Where a process's time goes: JavaScript, VMs, the rest of Python, the journal, and waiting. Measured from outside.

The product has no counter for this in its steps. For the time of a measurement the functions in question are replaced
by ones that also read this thread's processor time, which costs about 0.5 us a call.
"""

import asyncio
import functools
import selectors
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from chidori_actors.journal.store import Store
from chidori_actors.journal.writes import Write
from chidori_actors.vm.machine import Machine

T = TypeVar("T")
Span = tuple[float, float]
"""From and to, by ``time.perf_counter``."""

_STEP = ("step",)
_SUBMIT = ("submit", "commit", "increment")
_VM = ("__init__", "restore", "image", "close")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds unless it says otherwise.

    ``cpu`` is of all threads, ``loop_cpu`` of the event loop's alone. ``javascript`` are steps, ``vm`` is making,
    restoring, imaging and freeing VMs; both are in ``loop_cpu`` unless a step went to the pool. ``idle`` is when the
    event loop had nothing to do, ``idle_for_journal`` the part of it in which a transaction was under way.
    ``journal`` is from the begin of transactions to their fsync, ``journal_cpu`` the processor time of their thread.
    ``submitted`` are bytes of keys and values.
    """

    wall: float
    cpu: float
    loop_cpu: float
    javascript: float
    vm: float
    idle: float
    idle_for_journal: float
    journal: float
    journal_cpu: float
    steps: int
    vms: int
    transactions: int
    submissions: int
    submitted: int

    @property
    def python(self) -> float:
        """Processor time of the event loop's thread outside of VMs."""
        return max(0.0, self.loop_cpu - self.javascript - self.vm)

    @property
    def stalled(self) -> float:
        """When the event loop had something to do and did not get on: other threads and processes had the cores."""
        return max(0.0, self.wall - self.idle - self.loop_cpu)


class Idleness(selectors.DefaultSelector):
    """A selector that notes when its event loop waited."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Span] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        began = time.perf_counter()
        try:
            return super().select(timeout)
        finally:
            self.spans.append((began, time.perf_counter()))


class Stopwatch:
    """Processor time of the calling threads in functions, each without that of other watched ones inside of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._inside = threading.local()

    @contextmanager
    def watching(self, owner: type, name: str) -> Iterator[None]:
        """Watch the method ``name`` of ``owner`` until the end of the context."""
        found = vars(owner)[name]
        plain: Callable[..., Any] = getattr(owner, name)
        self.seconds[name], self.calls[name] = 0.0, 0

        @functools.wraps(plain)
        def timed(*args: object, **named: object) -> Any:
            outer = getattr(self._inside, "seconds", 0.0)
            self._inside.seconds = 0.0
            began = time.thread_time()
            try:
                return plain(*args, **named)
            finally:
                took = time.thread_time() - began
                self.seconds[name] += took - self._inside.seconds
                self.calls[name] += 1
                self._inside.seconds = outer + took

        setattr(owner, name, timed)
        try:
            yield
        finally:
            setattr(owner, name, found)


class Submissions:
    """What is submitted to a store, through whichever of its methods."""

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0

    @contextmanager
    def counting(self, kind: type[Store], name: str) -> Iterator[None]:
        """Count calls of the method ``name`` of stores of that class until the end of the context."""
        found: Callable[..., Any] = vars(kind)[name]

        @functools.wraps(found)
        def counted(*args: object, **named: object) -> Any:
            self.count += 1
            self.bytes += sum(_size(value) for value in (*args, *named.values()))
            return found(*args, **named)

        setattr(kind, name, counted)
        try:
            yield
        finally:
            setattr(kind, name, found)


def _size(value: object) -> int:
    """Bytes of keys and values, when these are writes."""
    if not isinstance(value, list | tuple):
        return 0
    return sum(len(write.key) + len(write.value or b"") for write in value if isinstance(write, Write))


class Transactions:
    """When transactions of a store in this process were under way, and what their thread took of a processor."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._loop_thread = threading.get_ident()
        self._cpu: dict[int, Span] = {}

    def took(self, seconds: float) -> None:
        """One ended now, on this thread, after so long."""
        ended = time.perf_counter()
        self.spans.append((ended - seconds, ended))
        thread, cpu = threading.get_ident(), time.thread_time()
        if thread != self._loop_thread:  # a lone run's commits are made by the event loop, and are in its time
            first, _ = self._cpu.get(thread, (cpu, cpu))
            self._cpu[thread] = first, cpu

    @property
    def cpu(self) -> float:
        """Processor seconds from the end of the first transaction on."""
        return sum(last - first for first, last in self._cpu.values())


def overlap(one: Sequence[Span], other: Sequence[Span]) -> float:
    """For how many seconds a span of ``one`` and one of ``other`` were under way; each is in order and disjoint."""
    total = 0.0
    first = second = 0
    while first < len(one) and second < len(other):
        begin = max(one[first][0], other[second][0])
        end = min(one[first][1], other[second][1])
        total += max(0.0, end - begin)
        if one[first][1] < other[second][1]:
            first += 1
        else:
            second += 1
    return total


def run_metered(main: Callable[[Idleness], Awaitable[T]]) -> T:
    """``asyncio.run`` on an event loop that notes when it waits."""
    idleness = Idleness()

    async def begin() -> T:
        return await main(idleness)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(idleness)) as runner:
        return runner.run(begin())


async def metered(work: Callable[[], Awaitable[object]], store: Store, idleness: Idleness) -> Spent:
    """Do ``work`` on this event loop and say where the time went; ``store`` is the one that it writes to."""
    watch, submissions, transactions = Stopwatch(), Submissions(), Transactions()
    with ExitStack() as stack:
        for name in (*_STEP, *_VM):
            stack.enter_context(watch.watching(Machine, name))
        for name in _SUBMIT:
            stack.enter_context(submissions.counting(type(store), name))
        store.watch_commits(transactions.took)
        idleness.spans.clear()
        began, cpu, loop_cpu = time.perf_counter(), time.process_time(), time.thread_time()
        await work()
        wall, cpu, loop_cpu = (
            time.perf_counter() - began,
            time.process_time() - cpu,
            time.thread_time() - loop_cpu,
        )
        idle = list(idleness.spans)
    store.watch_commits(lambda seconds: None)
    return Spent(
        wall=wall,
        cpu=cpu,
        loop_cpu=loop_cpu,
        javascript=sum(watch.seconds[name] for name in _STEP),
        vm=sum(watch.seconds[name] for name in _VM),
        idle=sum(end - begin for begin, end in idle),
        idle_for_journal=overlap(idle, transactions.spans),
        journal=sum(end - begin for begin, end in transactions.spans),
        journal_cpu=transactions.cpu,
        steps=watch.calls["step"],
        vms=watch.calls["__init__"],
        transactions=len(transactions.spans),
        submissions=submissions.count,
        submitted=submissions.bytes,
    )
