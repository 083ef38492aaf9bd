"""Dropping runs that nobody needs any more, and the large values that only they had.

Meant for a process of its own; other processes may use the store meanwhile. A run is taken out of the list in one
transaction, which also notes its lanes; these go afterwards, in small ones. A blob that nothing referred to is first
set aside in ``condemned``: from then on whoever refers to it writes it anew, because every reference is committed
together with its blob. A second look at all references therefore finds everything that came in between, and puts it
back. Whatever is cut off is finished by the next collection.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..errors import StoreError
from .bases import BASE_PREFIX, read_base
from .families import drop_child_writes
from .framing import blob_references
from .given_variables import given_prefix
from .idempotency import drop_key_writes
from .lanes import RUN_LANES, run_lanes_prefix
from .lease import holder
from .runs import RunMeta, decode_run, time_key
from .store import Database, Store, Write
from .writes import epoch_key, owner_key

_DROPPING = b"dropping/"
_LANE_BYTES = 8
_BATCH_RUNS = 200
_BATCH_WRITES = 1000
_BATCH_BYTES = 16 << 20
_ENDED = frozenset({"completed", "failed", "cancelled"})
_LOCK = "garbage collection"  # no run has this id
_TAKING_OUT = "taking runs out"  # nor this one
_PAUSE_S = 0.01
_TOLD_EVERY = 256
_WITH_BLOBS: tuple[Database, ...] = ("runs", "actors", "lanes")
_BY_LANE: tuple[Database, ...] = ("lanes", "actors", "images", "forks", "events")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed: runs, keys and values of theirs, blobs. Bytes are as they were stored.

    ``kept`` are the ids of runs that were old enough: one that is kept is a branch of them, or a process owns them.
    """

    runs: int
    values: int
    value_bytes: int
    blobs: int
    blob_bytes: int
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a collection would remove: ``runs``, the bytes of their values, blobs; ``kept`` as ``Collected`` has it."""

    runs: tuple[RunMeta, ...]
    value_bytes: int
    blobs: int
    blob_bytes: int
    kept: tuple[str, ...]


@dataclass(slots=True)
class _Removed:
    count: int = 0
    size: int = 0

    def add(self, key: bytes, value: bytes) -> None:
        self.count += 1
        self.size += len(key) + len(value)


class _Batch:
    """Writes, committed in transactions of bounded size."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writes: list[Write] = []
        self._size = 0

    async def add(self, *writes: Write) -> None:
        """Take ``writes``, which go into one transaction."""
        self._writes += writes
        self._size += sum(len(write.value or b"") for write in writes)
        if len(self._writes) >= _BATCH_WRITES or self._size >= _BATCH_BYTES:
            await self.commit()

    async def commit(self) -> None:
        """Commit what is left."""
        writes, self._writes, self._size = self._writes, [], 0
        await self._store.commit(writes)


Tell = Callable[[str], None]
"""Hears what goes on, often."""


def _tell_nobody(text: str) -> None: ...


async def collect(store: Store, *, older_than_ms: int | None, now_ms: int, tell: Tell = _tell_nobody) -> Collected:
    """Drop the ended runs that began more than ``older_than_ms`` before ``now_ms``, and what only they referred to.

    Times are milliseconds, since 1970. None drops no run. A run that is running, paused or owned by a process stays,
    and so does every run of which a kept one is a branch. Memory is not touched. ``tell`` hears what goes on.

    Raises:
        StoreError: another process collects, or the store cannot be written; the next collection goes on.
    """
    locks = store.locks()
    if not locks.lock(_LOCK):
        raise StoreError(
            f"garbage of the store {store.path} is being collected already",
            hint="run the command again when that has ended",
        )
    try:
        values, blobs = _Removed(), _Removed()
        await _remove_contents(store, values, tell)
        old = _old_runs(store, older_than_ms, now_ms)
        async with runs_kept(store):
            dropped = _take_out(store, old)
        await _remove_contents(store, values, tell)
        await _sweep(store, blobs, tell)
    finally:
        locks.unlock(_LOCK)
    kept = tuple(meta.id for meta in old if meta.lane not in dropped)
    return Collected(len(dropped), values.count, values.size, blobs.count, blobs.size, kept)


def foresee(store: Store, *, older_than_ms: int | None, now_ms: int, tell: Tell = _tell_nobody) -> Foreseen:
    """What ``collect`` would remove now; nothing is changed. ``tell`` hears what goes on.

    Raises:
        StoreError: the store cannot be read.
    """
    old = _old_runs(store, older_than_ms, now_ms)
    going = {meta.lane: meta for meta in old if holder(store, meta.id) is None}
    bases = list(store.scan("meta", BASE_PREFIX))
    leaving = going.keys() - _needed(going, [*_branches(store), *_shared_lanes(store, bases)])
    runs = tuple(meta for meta in old if meta.lane in leaving)
    values, blobs = _Removed(), _Removed()
    for number, meta in enumerate(runs, start=1):
        for _, key, value in _contents(store, meta.lane):
            values.add(key, value)
        tell(f"looking at run {number} of {len(runs)} …")
    referred = _references(store, tell, without=runs)
    for key, value in store.scan("blobs"):
        if key not in referred:
            blobs.add(key, value)
    kept = tuple(meta.id for meta in old if meta.lane not in leaving)
    return Foreseen(runs, values.size, blobs.count, blobs.size, kept)


def drop_run_writes(store: Store, meta: RunMeta) -> list[Write]:
    """The writes after which the store has no such run; its lanes are left to the next ``collect``."""
    run_id = meta.id.encode()
    approvals = (Write("approvals", key, None) for key in store.keys("approvals", run_id + b"\x00"))
    return [
        Write("runs", run_id, None),
        Write("by_time", time_key(meta), None),
        Write("meta", epoch_key(meta.id), None),
        Write("meta", owner_key(meta.id), None),
        *drop_key_writes(store, meta.idempotency_key, meta.id),
        *drop_child_writes(meta),
        *approvals,
        *(Write("meta", key, None) for key in store.keys("meta", given_prefix(meta.id))),
        Write("meta", _DROPPING + meta.lane.to_bytes(_LANE_BYTES, "big"), b""),
    ]


@asynccontextmanager
async def runs_kept(store: Store) -> AsyncIterator[None]:
    """While this lasts nobody else takes a run out of the list.

    Who makes a branch looks for its parent meanwhile: in a store in several pieces, the bases of branches do not lie
    in one transaction with the runs that these need.
    """
    locks = store.locks()
    while True:
        if locks.lock(_TAKING_OUT):
            break
        await asyncio.sleep(_PAUSE_S)  # no lock tells when it is free
    try:
        yield
    finally:
        locks.unlock(_TAKING_OUT)


def _runs(store: Store) -> Iterator[RunMeta]:
    """All runs whose description can be read; a damaged one is left alone."""
    for key, value in store.scan("runs"):
        try:
            yield decode_run(store, key.decode(), value)
        except StoreError:
            continue


def _ended_runs(store: Store) -> Iterator[RunMeta]:
    return (meta for meta in _runs(store) if meta.status in _ENDED)


def _old_runs(store: Store, older_than_ms: int | None, now_ms: int) -> list[RunMeta]:
    if older_than_ms is None:
        return []
    return [meta for meta in _ended_runs(store) if meta.created_at_ms < now_ms - older_than_ms]


def _take_out(store: Store, old: list[RunMeta]) -> set[int]:
    """Take those of ``old`` that can go out of the list of runs; their root lanes."""
    locks = store.locks()
    ours = {meta.id for meta in old if locks.lock(meta.id)}
    try:
        # Its former owner may have gone on with a run until its lock was ours.
        going = {meta.lane: meta for meta in _ended_runs(store) if meta.id in ours}
        named = _branches(store)
        # The youngest first: no branch may be left without the run that it came from.
        waiting = sorted(going, reverse=True)
        dropped: set[int] = set()
        for start in range(0, len(waiting), _BATCH_RUNS):
            dropped |= _take_out_some(store, going, waiting[start : start + _BATCH_RUNS], named)
        return dropped
    finally:
        for run_id in ours:
            locks.unlock(run_id)


def _take_out_some(
    store: Store, going: Mapping[int, RunMeta], lanes: Sequence[int], named: Sequence[tuple[int, int]]
) -> set[int]:
    farewells = {lane: drop_run_writes(store, going[lane]) for lane in lanes}
    leaving: set[int] = set()

    def choose(bases: list[tuple[bytes, bytes]]) -> list[Write]:
        leaving.clear()
        leaving.update(farewells.keys() - _needed(going, [*named, *_shared_lanes(store, bases)]))
        return [write for lane in leaving for write in farewells[lane]]

    # In one transaction with the look at the bases: a branch made at this moment is seen, or finds its parent gone.
    store.decide("meta", BASE_PREFIX, choose)
    return leaving


def _branches(store: Store) -> list[tuple[int, int]]:
    """(root lane of a branch, root lane of the run it came from), as the runs say."""
    lanes = {meta.id: meta.lane for meta in _runs(store)}
    parents = ((meta.lane, meta.branch["parent_run_id"]) for meta in _runs(store) if meta.branch is not None)
    return [(lane, lanes[parent]) for lane, parent in parents if parent in lanes]


def _shared_lanes(store: Store, bases: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[int, int]]:
    """The same pairs, as the lanes need each other."""
    for key, value in bases:
        lane = int.from_bytes(key[len(BASE_PREFIX) :], "big")
        try:
            base = read_base(store, lane, value)
        except StoreError:
            continue  # nobody can read that lane; the run itself still names its parent
        yield _root(lane), _root(base.lane)


def _root(lane: int) -> int:
    return lane - lane % RUN_LANES


def _needed(going: Iterable[int], pairs: Iterable[tuple[int, int]]) -> set[int]:
    """Those of ``going`` that a lane which stays needs, also by way of others of them."""
    leaving = set(going)
    parents: defaultdict[int, list[int]] = defaultdict(list)
    for lane, parent in pairs:
        parents[lane].append(parent)
    needed: set[int] = set()
    look = [lane for lane in parents if lane not in leaving]
    while look:
        for parent in parents[look.pop()]:
            if parent in leaving and parent not in needed:
                needed.add(parent)
                look.append(parent)
    return needed


def _contents(store: Store, root_lane: int) -> Iterator[tuple[Database, bytes, bytes]]:
    """All that lies under the lanes of a run: database, key, value."""
    lanes = run_lanes_prefix(root_lane)
    places: list[tuple[Database, bytes]] = [(database, lanes) for database in _BY_LANE]
    for database, prefix in (*places, ("meta", BASE_PREFIX + lanes)):
        for key, value in store.scan(database, prefix):
            yield database, key, value


async def _remove_contents(store: Store, removed: _Removed, tell: Tell) -> None:
    """Remove all that lies under the lanes of runs that were taken out."""
    marks = list(store.keys("meta", _DROPPING))
    for number, mark in enumerate(marks, start=1):
        batch = _Batch(store)
        for database, key, value in _contents(store, int.from_bytes(mark[len(_DROPPING) :], "big")):
            if removed.count % _TOLD_EVERY == 0:
                tell(f"removing the contents of run {number} of {len(marks)} …")
            await batch.add(Write(database, key, None))
            removed.add(key, value)
        await batch.add(Write("meta", mark, None))
        await batch.commit()


async def _sweep(store: Store, removed: _Removed, tell: Tell) -> None:
    """Remove the blobs that nothing refers to."""
    await _judge(store, removed, tell)
    referred = _references(store, tell)
    unused = [key for key in store.keys("blobs") if key not in referred]
    batch = _Batch(store)
    for key in unused:
        value = store.get("blobs", key)
        if value is not None:
            await batch.add(Write("condemned", key, value), Write("blobs", key, None))
    await batch.commit()
    await _judge(store, removed, tell)


async def _judge(store: Store, removed: _Removed, tell: Tell) -> None:
    """Put back what is condemned and referred to all the same; remove the rest."""
    if next(store.keys("condemned", limit=1), None) is None:
        return
    referred = _references(store, tell)
    batch = _Batch(store)
    for key, value in store.scan("condemned"):
        if key in referred:
            await batch.add(Write("blobs", key, value), Write("condemned", key, None))
        else:
            await batch.add(Write("condemned", key, None))
            removed.add(key, value)
    await batch.commit()


def _references(store: Store, tell: Tell, *, without: Iterable[RunMeta] = ()) -> set[bytes]:
    """The keys of all blobs that anything may refer to, anything but the runs ``without``."""
    ids = {meta.id.encode() for meta in without}
    lanes = tuple(run_lanes_prefix(meta.lane) for meta in without)
    found: set[bytes] = set()
    entries = ((database, *entry) for database in _WITH_BLOBS for entry in store.scan(database))
    for number, (database, key, value) in enumerate(entries, start=1):
        if number % _TOLD_EVERY == 0:
            tell(f"looking for values that nothing refers to: {number} entries read …")
        if not (key in ids if database == "runs" else key.startswith(lanes)):
            found.update(blob_references(value))
    return found
