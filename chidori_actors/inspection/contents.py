"""The lanes and calls of one run put together, and what they add up to."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..call_places import actor_source
from ..journal.actors import ActorKind, ActorMeta
from ..journal.lanes import RUN_LANES, Entry, Retried, Started
from ..journal.runs import RunMeta
from ..journal.store import Store
from ..journal.tree import TreeActor, read_tree
from ..turns import Turns
from .lane_entries import LaneEntries
from .pictured import PicturedCall, PicturedLane

CONTAINERS = frozenset({"parallel", "tool", "call_agent"})


class TakenBack(Exception):
    """What was read of a lane does not count any more: a call of it is made again."""


@dataclass(slots=True)
class Contents:
    """What was read of a run. ``shared`` is what it has of which other run (``RunTree.shared``); what settled up to the
    index ``recorded_through`` was not done by this run itself."""

    root: PicturedLane
    shared: Sequence[tuple[int, str]] = ()
    recorded_through: int = 0
    lanes: dict[int, PicturedLane] = field(default_factory=dict)
    by_path: dict[str, PicturedLane] = field(default_factory=dict)
    by_seq: dict[int, PicturedCall] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    """Of the calls that have ended: how many came to what, and how many are ``recorded``."""
    only_told: int = 0
    """Of the calls under way: how many are not in the store yet."""
    _ordered: list[PicturedLane] | None = None
    _listed: list[PicturedCall] | None = None

    @property
    def ordered(self) -> list[PicturedLane]:
        """All lanes in the order of the tree: an actor right after the call that contains it began."""
        if self._ordered is None:
            self._ordered = list(self.root.within())
        return self._ordered

    @property
    def listed(self) -> list[PicturedCall]:
        """All calls by their seqs."""
        if self._listed is None:
            self._listed = sorted(self.by_seq.values(), key=lambda call: call.seq)
        return self._listed

    def is_recorded(self, call: PicturedCall) -> bool:
        """Whether another run or an imported record gave its result."""
        return call.ended is not None and call.index <= self.recorded_through

    def origin(self, call: PicturedCall, own: str | None) -> str | None:
        """The run whose record it is, ``own`` being this run's (a record's ``origin_run_id``)."""
        if call.ended is None:
            return own
        return next((run_id for index, run_id in self.shared if call.index < index), own)

    def add_lane(self, number: int, meta: ActorMeta, *, grows: bool) -> PicturedLane | None:
        """A new actor, or one that was told of before; None when the call that contains it is not known: it does not
        count, or not yet."""
        parent = self.by_seq.get(meta.parent_seq)
        if parent is None:
            return None
        source = actor_source(meta, {path: lane.source for path, lane in _around(parent)})
        told = self.by_path.get(meta.path)
        if told is not None and told.number < 0:
            del self.lanes[told.number]
            told.number, told.meta, told.source, told.grows = number, meta, source, grows
            self.enter(told)
            return told
        lane = PicturedLane(number, meta.path, meta, parent, source, grows=grows)
        self.enter(lane)
        insort(parent.lane.inside, lane, key=lambda each: each.place)
        return lane

    def told_lane(self, path: str) -> PicturedLane | None:
        """The actor with that path, of which a call is told: its description is in the store no earlier than an end of
        one of its calls. None when the call that contains it is not known."""
        known = self.by_path.get(path)
        if known is not None:
            return known
        above, _, last = path.rpartition("/")
        is_branch = last.startswith("b")
        around, _, ordinal = (above if is_branch else path).rpartition("/")
        lane = self.told_lane(around)
        parent = None if lane is None else lane.calls.get(int(ordinal))
        if lane is None or parent is None:
            return None
        kind: ActorKind = "branch" if is_branch else "tool" if parent.function == "tool" else "sub_agent"
        number, index = -1 - len(self.lanes), int(last[1:]) if is_branch else 0
        meta = ActorMeta(number, path, kind, lane.number, parent.seq, index, "running", parent.begin_ms)
        return self.add_lane(number, meta, grows=False)

    @property
    def has_open_container(self) -> bool:
        """Whether a call is under way that actors answer."""
        return any(call.function in CONTAINERS for lane in self.ordered for call in lane.open.values())

    @property
    def is_told_only(self) -> bool:
        """Whether there is anything in it that is not in the store yet."""
        return self.only_told > 0 or any(number < 0 for number in self.lanes)

    def enter(self, lane: PicturedLane) -> None:
        """Know a lane by its number and path."""
        self.lanes[lane.number] = self.by_path[lane.path] = lane
        self._ordered = None

    def take(self, lane: PicturedLane, entry: Entry, place: int, later_ms: int = 0) -> PicturedCall | None:
        """The next entry of a lane, which is shown ``later_ms`` later than it was recorded; the call whose end it is.

        Raises:
            TakenBack: it takes back others.
            StoreError: it is the end of a call that was never made.
        """
        if isinstance(entry, Started):
            known = lane.calls.get(entry.ordinal)
            self.only_told -= known is not None and known.started is None
            self.begin(lane, entry, place, later_ms)
        elif isinstance(entry, Retried):
            raise TakenBack
        elif not entry.inherited:
            recorded = entry.index <= self.recorded_through
            call = lane.end(entry, place, recorded=recorded, later_ms=later_ms)
            self.ended[str(call.ended)] += 1
            self.ended["recorded"] += recorded
            return call
        return None

    def begin(self, lane: PicturedLane, started: Started, place: int | None, later_ms: int = 0) -> bool:
        """A call of a lane, which is not in the store yet when it has no ``place``; whether it was new.

        Raises:
            TakenBack: it was told of with another number: its actor was lost, and has begun anew.
        """
        known = lane.calls.get(started.ordinal)
        if known is not None and known.started is None and known.seq != started.seq:
            raise TakenBack
        call = lane.begin(started, place, later_ms)
        if call is None:
            return False
        self.by_seq[call.seq] = call
        self.only_told += place is None
        listed = self._listed
        if listed is not None:
            if listed and listed[-1].seq > call.seq:
                listed.insert(bisect_left(listed, call.seq, key=lambda each: each.seq), call)
            else:
                listed.append(call)
        return True


def _around(call: PicturedCall) -> Iterable[tuple[str, PicturedLane]]:
    lane: PicturedLane | None = call.lane
    while lane is not None:
        yield lane.path, lane
        lane = None if lane.parent is None else lane.parent.lane


async def read_contents(store: Store, meta: RunMeta) -> Contents:
    """All of a run, in slices: others have their turns meanwhile.

    Raises:
        StoreError: an entry or a description is missing or damaged.
        RunNotFound: it is a branch of a run that is gone.
    """
    entries = LaneEntries(store)
    await entries.read_family(meta)
    places: dict[int, dict[tuple[int, int], tuple[int, int]]] = {}
    lengths: dict[int, int] = {}

    def read(lane: int) -> Iterator[Entry]:
        found = places[lane] = {}
        lengths[lane] = 0
        for entry, later_ms in entries.lane(lane):
            found[_key(entry)] = lengths[lane], later_ms
            lengths[lane] += 1
            yield entry

    tree = await read_tree(store, meta, read=read)
    contents = Contents(PicturedLane(meta.lane, "", None, None, meta.bundle), tree.shared)
    contents.recorded_through = _recorded_through(tree.actors, tree.shared, meta)
    contents.enter(contents.root)
    turns = Turns()
    for actor in tree.actors:
        grows = actor.lane - actor.lane % RUN_LANES == meta.lane
        lane = contents.root
        if actor.meta is not None:
            added = contents.add_lane(actor.lane, actor.meta, grows=grows)
            assert added is not None  # each comes after its parent
            lane = added
        lane.length, lane.later_ms = lengths[actor.lane], entries.later_ms(actor.lane)
        for entry in actor.entries:
            contents.take(lane, entry, *places[actor.lane][_key(entry)])
            await turns.over()
    return contents


def _recorded_through(actors: Iterable[TreeActor], shared: Sequence[tuple[int, str]], meta: RunMeta) -> int:
    if shared:
        return max(index for index, _ in shared) - 1
    if not meta.replayed_calls:
        return 0
    # An imported record: what ended first in it is what was there.
    indexes = sorted(entry.index for actor in actors for entry in actor.settled.values())
    return indexes[min(meta.replayed_calls, len(indexes)) - 1] if indexes else 0


def _key(entry: Entry) -> tuple[int, int]:
    """What tells an entry from the others of its lane; a call that is made again has another ``attempt``."""
    if isinstance(entry, Started):
        return entry.ordinal, -entry.attempt
    return (0, 0) if isinstance(entry, Retried) else (entry.ordinal, entry.index)
