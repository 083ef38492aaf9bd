"""What the server counts: calls, tokens, cost, journal commits, and how many sessions and VMs there are."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from aiohttp import web

from ..errors import StoreError
from ..journal.lanes import Settled, Started
from ..journal.runs import Status, stored_status
from ..journal.store import Store
from ..totals import Totals
from .exposition import CONTENT_TYPE, Histogram, Labels, histogram, metric

_CALL_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_COMMIT_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_COUNTED_AT_ONCE = 200
_REST_FACTOR = 20


class Metrics:
    """Counters of this process, from its start on. ``commit_seconds`` may be called from any thread."""

    def __init__(self) -> None:
        self._calls: dict[Labels, Histogram] = {}
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._rested: Counter[str] = Counter()
        self._commits = Histogram(_COMMIT_BOUNDS)
        self._totals = Totals()

    def call_ended(self, call: Started, settled: Settled) -> None:
        """A call that was made here came to its end."""
        labels = (("function", call.function),)
        if labels not in self._calls:
            self._calls[labels] = Histogram(_CALL_BOUNDS)
        self._calls[labels].observe(settled.duration_ms / 1000)
        outcome = "cancelled" if settled.cancelled is not None else "ok" if settled.error is None else "error"
        self._outcomes[call.function, outcome] += 1
        self._totals.add((call, settled))

    def rested(self, status: str) -> None:
        """A run came to rest so."""
        self._rested[status] += 1

    def commit_seconds(self, seconds: float) -> None:
        """A transaction of the journal took so long."""
        self._commits.observe(seconds)

    def render(self, sessions: Mapping[str, int], live_sessions: int, live_vms: int) -> str:
        """All of it in Prometheus' text format; ``sessions`` are those of the store by status."""
        lines = (
            *metric("chidori_sessions", "gauge", "Sessions in the store by status.", _by("status", sessions)),
            *metric("chidori_live_sessions", "gauge", "Sessions under way in this server.", [((), live_sessions)]),
            *metric("chidori_live_vms", "gauge", "VMs in memory.", [((), live_vms)]),
            *metric("chidori_runs_rested_total", "counter", "Runs that came to rest.", _by("status", self._rested)),
            *metric("chidori_calls_total", "counter", "Host calls that ended.", self._call_outcomes()),
            *histogram("chidori_call_duration_seconds", "How long host calls took.", self._calls),
            *histogram("chidori_journal_commit_seconds", "Transactions of the journal.", {(): self._commits}),
            *self._prompts(),
        )
        return "".join(lines)

    def _call_outcomes(self) -> Iterator[tuple[Labels, float]]:
        for (function, outcome), count in sorted(self._outcomes.items()):
            yield (("function", function), ("outcome", outcome)), count

    def _prompts(self) -> Iterator[str]:
        models = sorted(self._totals.models.items())
        yield from metric(
            "chidori_tokens_total",
            "counter",
            "Tokens of prompts by model.",
            (
                ((("model", model), ("direction", direction)), count)
                for model, sums in models
                for direction, count in (("input", sums.input_tokens), ("output", sums.output_tokens))
            ),
        )
        yield from metric(
            "chidori_cost_dollars_total",
            "counter",
            "Cost of prompts in US dollars, as far as prices are known.",
            (((("model", model),), sums.cost_usd) for model, sums in models),
        )
        yield from metric(
            "chidori_unpriced_prompts_total",
            "counter",
            "Prompts whose cost is not known.",
            (((("model", model),), sums.unpriced) for model, sums in models),
        )


class SessionCount:
    """How many sessions of a store have which status. Reads the whole list, and so not more often than it can afford:
    what took a second stands for twenty."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counting = asyncio.Lock()
        self._found: Mapping[str, int] = {}
        self._stands_until = 0.0

    async def get(self) -> Mapping[str, int]:
        """The number for every status; ``damaged`` are those whose description cannot be read, if there are any."""
        async with self._counting:
            began = time.monotonic()
            if began >= self._stands_until:
                self._found = await self._count()
                ended = time.monotonic()
                self._stands_until = ended + _REST_FACTOR * (ended - began)
            return self._found

    async def _count(self) -> Mapping[str, int]:
        found = Counter[str](dict.fromkeys(get_args(Status), 0))
        for number, (key, value) in enumerate(self._store.scan("runs"), start=1):
            try:
                found[stored_status(self._store, key.decode(), value)] += 1
            except StoreError:
                found["damaged"] += 1
            if not number % _COUNTED_AT_ONCE:
                await asyncio.sleep(0)
        return found


class MetricsPage:
    """``GET /metrics``."""

    def __init__(
        self, metrics: Metrics, store: Store, live_sessions: Callable[[], int], live_vms: Callable[[], int]
    ) -> None:
        self._metrics = metrics
        self._sessions = SessionCount(store)
        self._live_sessions = live_sessions
        self._live_vms = live_vms

    async def handle(self, request: web.Request) -> web.Response:
        sessions = await self._sessions.get()
        text = self._metrics.render(sessions, self._live_sessions(), self._live_vms())
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def _by(label: str, counts: Mapping[str, int]) -> Iterator[tuple[Labels, float]]:
    for value, count in sorted(counts.items()):
        yield ((label, value),), count
