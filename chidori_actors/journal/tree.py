"""A run as the tree of its actors: which of them count, and what each did."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..turns import Turns
from .actors import ActorMeta, run_actors
from .framing import damaged
from .lanes import Entry, Retried, Settled, Started, apply_retries, read_lane
from .records import Record, tree_records
from .runs import RunMeta, get_run
from .store import Store


@dataclass(frozen=True, slots=True)
class TreeActor:
    """One actor; ``meta`` is None for the root.

    ``lane`` is where it is stored, which may be among the lanes of a run that this one is a branch of. ``entries`` are
    those that count (``apply_retries``), ``attempt`` is one more than the number of times that some were taken back.
    """

    lane: int
    entries: Sequence[Entry]
    attempt: int
    meta: ActorMeta | None = None

    @property
    def path(self) -> str:
        """Its path in the run, empty for the root."""
        return "" if self.meta is None else self.meta.path

    @property
    def calls(self) -> Iterator[Started]:
        """Its calls, in the order in which it made them."""
        return (entry for entry in self.entries if isinstance(entry, Started))

    @property
    def settled(self) -> dict[int, Settled]:
        """What its own calls came to, by their ordinals."""
        settlements = (entry for entry in self.entries if isinstance(entry, Settled))
        return {entry.ordinal: entry for entry in settlements if not entry.inherited}

    def settled_before(self, index: int) -> list[Settled]:
        """What its calls came to before that place in the run-wide order."""
        return [settled for settled in self.settled.values() if settled.index < index]


@dataclass(frozen=True, slots=True)
class RunTree:
    """The actors of a run that count: the root, and those inside of calls that count. Each comes after its parent.

    ``shared`` says what a branch from history has of which run, as ``tree_records`` takes it.
    """

    actors: Sequence[TreeActor]
    shared: Sequence[tuple[int, str]] = ()

    def call(self, seq: int) -> tuple[TreeActor, Started, Settled | None] | None:
        """The call with that number, the actor that made it, and what it came to if it ended."""
        for actor in self.actors:
            for call in actor.calls:
                if call.seq == seq:
                    return actor, call, actor.settled.get(call.ordinal)
        return None

    @property
    def calls_ended(self) -> int:
        """How many records it has."""
        return sum(len(actor.settled) for actor in self.actors)

    def records(self, origin_run_id: str | None) -> list[Record]:
        """The records of the calls that have ended, in the order in which they ended (wire contract, section 4).

        Raises:
            StoreError: a call ended that never began.
        """
        lanes = ((actor.path, actor.entries) for actor in self.actors)
        return tree_records(lanes, origin_run_id, shared=self.shared)


@dataclass(frozen=True, slots=True)
class _Generation:
    """A run and the actors that it has stored, by the call that contains them.

    ``until`` is None for the run itself. Of one that it is a branch of, what settled before that index is shared.
    """

    run_id: str
    until: int | None
    actors: Mapping[int, Sequence[ActorMeta]]

    def inside(self, call: Started, settled: Settled | None) -> Sequence[ActorMeta]:
        """The actors of the call, as far as this run has them for all."""
        if self.until is not None and (settled is None or settled.index >= self.until):
            return ()
        return self.actors.get(call.seq, ())


Revise = Callable[[Entry], Entry]
ReadLane = Callable[[int], Iterable[Entry]]


def _as_it_is(entry: Entry) -> Entry:
    return entry


def run_tree(store: Store, meta: RunMeta) -> RunTree:
    """The run's actors that count, with their lanes.

    A branch from history has stored those actors anew that had not ended where it left its parent; those inside of
    calls that were settled by then are read from its parent.

    Raises:
        StoreError: an entry or a description is missing or damaged.
        RunNotFound: the run is a branch of one that is not in the store.
    """
    reading = _Reading(store, meta, _as_it_is, partial(read_lane, store))
    for _ in reading.steps():
        pass
    return reading.tree()


async def read_tree(
    store: Store, meta: RunMeta, *, revise: Revise = _as_it_is, read: ReadLane | None = None
) -> RunTree:
    """The same, in slices: others have their turns meanwhile. ``revise`` makes of each entry what is kept of it;
    ``read`` gives the entries of a lane, when somebody has them already.

    Raises:
        StoreError, RunNotFound: as ``run_tree`` does.
    """
    reading, turns = _Reading(store, meta, revise, read or partial(read_lane, store)), Turns()
    for _ in reading.steps():
        await turns.over()
    return reading.tree()


class _Reading:
    """Reads a run's actors, one entry after the other."""

    def __init__(self, store: Store, meta: RunMeta, revise: Revise, read: ReadLane) -> None:
        self._root = meta.lane
        self._revise = revise
        self._read = read
        self._generations = _generations(store, meta)
        self._found: list[TreeActor] = []

    def steps(self) -> Iterator[None]:
        """Read one more entry at each step."""
        waiting: deque[tuple[int, ActorMeta | None, int | None]] = deque([(self._root, None, None)])
        while waiting:
            lane, meta, until = waiting.popleft()
            entries: list[Entry] = []
            for entry in self._read(lane):
                entries.append(self._revise(entry))
                yield
            actor = _actor(lane, entries, meta, until)
            self._found.append(actor)
            settled = actor.settled
            for call in actor.calls:
                waiting.extend(_inside(self._generations, call, settled.get(call.ordinal)))

    def tree(self) -> RunTree:
        # Of the youngest first: what the oldest shares, all others have from it.
        shared = [(each.until, each.run_id) for each in self._generations if each.until is not None]
        return RunTree(self._found, tuple(reversed(shared)))


def _inside(
    generations: Iterable[_Generation], call: Started, settled: Settled | None
) -> Iterator[tuple[int, ActorMeta, int | None]]:
    """The actors inside of a call: each one's lane, description, and up to which index it counts."""
    for generation in generations:
        metas = generation.inside(call, settled)
        if metas:
            for meta in sorted(metas, key=lambda each: each.index):
                yield meta.lane, meta, generation.until
            return


def _generations(store: Store, meta: RunMeta) -> list[_Generation]:
    generations = [_Generation(meta.id, None, _by_call(store, meta))]
    until: int | None = None
    while meta.branch is not None:
        at_index = int(meta.branch["at_index"])
        until = at_index if until is None else min(until, at_index)
        parent = get_run(store, str(meta.branch["parent_run_id"]))
        if parent.lane >= meta.lane:
            raise damaged(store, f"the description of run {meta.id}")
        meta = parent
        generations.append(_Generation(meta.origin_run_id or meta.id, until, _by_call(store, meta)))
    return generations


def _by_call(store: Store, meta: RunMeta) -> Mapping[int, Sequence[ActorMeta]]:
    by_call: defaultdict[int, list[ActorMeta]] = defaultdict(list)
    for actor in run_actors(store, meta.lane):
        by_call[actor.parent_seq].append(actor)
    return by_call


def _actor(lane: int, entries: list[Entry], meta: ActorMeta | None, until: int | None) -> TreeActor:
    if until is not None:
        entries = _settled_before(entries, until)
    attempt = 1 + sum(isinstance(entry, Retried) for entry in entries)
    return TreeActor(lane, apply_retries(entries), attempt, meta)


def _settled_before(entries: Iterable[Entry], until: int) -> list[Entry]:
    """The entries of an actor that had ended when its run came to ``until``; it may have been retried since."""
    kept: list[Entry] = []
    length = 0
    for entry in entries:
        kept.append(entry)
        if isinstance(entry, Settled):
            if entry.index >= until:
                break
            length = len(kept)
    return kept[:length]
