"""The parts of docs/scale.md, measured on this machine: sessions, branches, calls, the journal, messages."""

import asyncio
import secrets
import statistics
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Store
from chidori_actors.journal.writes import Write

from .meters import Spent, Transactions
from .scale_model import Cost, Journal, Parts
from .scenery import own_store
from .throughput import in_this_process
from .workloads import Workload

_SESSIONS = 300
_FORKS, _BRANCHES = 20, 20
_FEW, _MANY = 1, 11
_LATENCY_MS = 50.0
ROUNDS = ((1, 60), (10, 20), (100, 20), (1000, 6), (2000, 4))
"""Submissions at once, and how often."""
_SUBMISSION_WRITES, _SUBMISSION_BYTES = 3, 400

Round = tuple[float, float, float]
"""Transactions or batches, submissions in all of them, and what they took."""


def measure(times: int = 3) -> Parts:
    """Everything that one process shows, medians of ``times``; takes about half a minute."""
    costs = [_costs() for _ in range(times)]
    session, branch, call = (_median_cost([one[index] for one in costs]) for index in range(3))
    return Parts(session, branch, call, journal(times)[0])


def _costs() -> tuple[Cost, Cost, Cost]:
    """What a session, a branch and a call add: the differences between workloads that have more or fewer of them."""
    few = _of(in_this_process(Workload("few", _SESSIONS, 0, _FEW, _LATENCY_MS)))
    many = _of(in_this_process(Workload("many", _SESSIONS, 0, _MANY, _LATENCY_MS)))
    forks = _of(in_this_process(Workload("forks", _FORKS, _BRANCHES, _FEW, _LATENCY_MS)))
    call = _sum((1 / (_SESSIONS * (_MANY - _FEW)), many), (-1 / (_SESSIONS * (_MANY - _FEW)), few))
    session = _sum((1 / _SESSIONS, few), (-_FEW, call))
    branches = _FORKS * _BRANCHES
    branch = _sum((1 / branches, forks), (-_FORKS / branches, session), (-_FEW, call))
    return session, branch, call


def _of(spent: Spent) -> Cost:
    return Cost(spent.loop_cpu * 1e6, spent.javascript * 1e6, spent.submissions, spent.submitted)


def _sum(*terms: tuple[float, Cost]) -> Cost:
    return Cost(*(sum(factor * getattr(cost, field.name) for factor, cost in terms) for field in fields(Cost)))


def _median_cost(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(cost, field.name) for cost in costs) for field in fields(Cost)))


# -- the journal -------------------------------------------------------------------------------------------------------


def submission() -> list[Write]:
    """Writes of the size that a call's have."""
    size = _SUBMISSION_BYTES // _SUBMISSION_WRITES - 16
    return [Write("lanes", secrets.token_bytes(16), secrets.token_bytes(size)) for _ in range(_SUBMISSION_WRITES)]


def journal(times: int = 3) -> tuple[Journal, Journal]:
    """A store alone, with nothing else in its process: how long its transactions take, and their processor time."""
    rounds = [_rounds() for _ in range(times)]
    return _median_journal([one for one, _ in rounds]), _median_journal([cpu for _, cpu in rounds])


def _median_journal(found: Sequence[Journal]) -> Journal:
    return Journal(
        statistics.median(one.transaction_us for one in found), statistics.median(one.submission_us for one in found)
    )


def _rounds() -> tuple[Journal, Journal]:
    async def rounds(path: Path) -> list[tuple[Round, Round]]:
        store = LocalStore.open(path)
        try:
            return [await _round(store, count, times) for count, times in ROUNDS]
        finally:
            store.close()

    with own_store() as settings:
        found = asyncio.run(rounds(settings.store))
    wall, cpu = fit([one for one, _ in found]), fit([cpu for _, cpu in found])
    return Journal(wall[0] * 1e6, wall[1] * 1e6), Journal(cpu[0] * 1e6, cpu[1] * 1e6)


async def _round(store: Store, count: int, times: int) -> tuple[Round, Round]:
    """Submit ``count`` at once, so often: transactions, submissions, and seconds; and the same in processor time."""
    watched = Transactions()
    store.watch_commits(watched.took)
    await store.commit(submission())  # the thread's time before it does not count
    watched.spans.clear()
    for _ in range(times):
        writes = [submission() for _ in range(count)]
        await asyncio.gather(*(store.commit(each) for each in writes))
    made, submitted = float(len(watched.spans)), float(count * times)
    return (made, submitted, sum(end - begin for begin, end in watched.spans)), (made, submitted, watched.cpu)


def fit(rounds: Sequence[Round]) -> tuple[float, float]:
    """``a`` and ``b`` of ``took = a * batches + b * submissions``, by least squares of the relative errors.

    Raises:
        ValueError: every round has as many submissions in a batch, which tells nothing apart.
    """
    weighted = [(batches / took, count / took) for batches, count, took in rounds if took > 0]
    aa = sum(a * a for a, _ in weighted)
    ab = sum(a * b for a, b in weighted)
    bb = sum(b * b for _, b in weighted)
    ya, yb = sum(a for a, _ in weighted), sum(b for _, b in weighted)
    determinant = aa * bb - ab * ab
    if determinant <= 1e-12 * aa * bb:
        raise ValueError("the rounds do not differ in how many submissions a batch has")
    return (ya * bb - yb * ab) / determinant, (yb * aa - ya * ab) / determinant
