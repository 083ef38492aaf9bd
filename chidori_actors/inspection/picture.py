"""A picture of one run that follows it: what is new in the store is read, what was read before is kept."""

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol

from ..answers import OpenQuestion
from ..call_places import CallPlaces
from ..errors import RunNotFound
from ..history import INTERRUPTED, current_status
from ..journal.actors import ActorMeta, changed_actors
from ..journal.events import EndedCall, last_event, read_events
from ..journal.lanes import Started, read_lane
from ..journal.runs import RunMeta, decode_run
from ..journal.store import Store
from ..turns import Turns
from .contents import Contents, TakenBack, read_contents
from .pictured import Ended, PicturedCall, PicturedLane, State
from .streams import Streams, read_streams

_LOOKED_AT = 32
"""So many actors of which no call ended are looked at each time: a look at the lane of one may cost a message."""


_RUN_ENDED: Mapping[str, Ended] = {"completed": "done", "failed": "failed", "cancelled": "cancelled"}


class Attended(Protocol):
    """A run that is under way where it can be watched."""

    @property
    def questions(self) -> Sequence[OpenQuestion]:
        """What is open now."""
        ...

    @property
    def under_way(self) -> Mapping[str, Started]:
        """The calls that have begun and not ended, by their paths: those that may be repeated are not in the store
        at once."""
        ...


class RunPicture:
    """The run of that id. ``refresh`` first; the rest then says what was read.

    ``version`` changes whenever anything else does. ``waiting`` are the seqs of the calls of which nothing goes on
    before a person answers: those that ask, and those that contain nothing else. ``places`` has the agents' sources.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._reading = asyncio.Lock()
        self._nonce = secrets.token_hex(4)
        self._changes = 0
        self._described = b""
        self._event = 0
        self._descriptions: dict[int, bytes] = {}
        self._unplaced: dict[int, ActorMeta] = {}
        self._looked_at = 0
        self._followed = False
        self._is_whole = False
        self._read: Contents | None = None
        self.streams = Streams()
        self.meta: RunMeta | None = None
        self.status = ""
        self.live = False
        self.questions: Sequence[OpenQuestion] = ()
        self.waiting: frozenset[int] = frozenset()
        self.places = CallPlaces(store, f"run {run_id}")

    @property
    def version(self) -> str:
        return f"{self._nonce}.{self._changes}"

    @property
    def contents(self) -> Contents:
        """What was read."""
        assert self._read is not None
        return self._read

    @property
    def run(self) -> RunMeta:
        """The run's description as it was read."""
        assert self.meta is not None
        return self.meta

    @property
    def call_count(self) -> int:
        """How many calls it has; 0 before it was read."""
        return 0 if self._read is None else len(self._read.by_seq)

    @property
    def started_ms(self) -> int:
        """When it began; what it shares with another run did before it was stored."""
        return min(self.run.created_at_ms, *(lane.begin_ms for lane in (self.contents.root,) if lane.calls), 2**53)

    @property
    def now_ms(self) -> int:
        """Until when it goes: the server's clock while it is under way, else when the last thing happened in it."""
        if self.live:
            return int(time.time() * 1000)
        if self.status != INTERRUPTED:
            return max(self.run.updated_at_ms, self.run.created_at_ms)
        return max(self.run.created_at_ms, *(lane.last_ms for lane in self.contents.ordered))

    # -- what it says -----------------------------------------------------------------------------------------------

    def state(self, call: PicturedCall) -> State:
        """What a call is doing, or what it came to."""
        if call.ended is not None:
            return call.ended
        if self.status in _RUN_ENDED:
            return "cancelled"  # another implementation's run may end and leave it without a word
        return "waiting" if call.seq in self.waiting or self._rests else "running"

    def lane_state(self, lane: PicturedLane) -> State:
        """The same of an actor."""
        if lane.meta is None and self.status in _RUN_ENDED:
            return _RUN_ENDED[self.status]
        if lane.ended is not None:
            return lane.ended
        if lane.meta is not None and self.status in _RUN_ENDED:
            return "cancelled"
        return "waiting" if self._rests or self._all_wait(lane) else "running"

    def wait_ms(self, call: PicturedCall) -> int:
        """How long it waited, see waiting.py; one that asks has waited since it began."""
        if call.ended is None and any(question["seq"] == call.seq for question in self.questions):
            return max(0, self.now_ms - call.begin_ms)
        return call.wait_ms

    def counts(self) -> dict[str, int]:
        """How many calls are in each state, and how many were ``recorded`` by another run."""
        ended = self.contents.ended
        counts: dict[str, int] = {
            "running": 0,
            "waiting": 0,
            **{state: ended[state] for state in ("done", "failed", "cancelled")},
            "recorded": ended["recorded"],
        }
        for lane in self.contents.ordered:
            for call in lane.open.values():
                counts[self.state(call)] += 1
        return counts

    @property
    def _rests(self) -> bool:
        return self.status in ("paused", "awaitingapproval")

    def _all_wait(self, lane: PicturedLane) -> bool:
        return bool(lane.open) and all(call.seq in self.waiting for call in lane.open.values())

    # -- reading ----------------------------------------------------------------------------------------------------

    async def refresh(self, attended: Attended | None) -> None:
        """Read what is new; ``attended`` is the run when it is under way where it can be watched.

        Raises:
            RunNotFound: it is not in the store (any more).
            StoreError: something of it is missing or damaged.
        """
        async with self._reading:
            try:
                if await self._refresh(attended):
                    self._changes += 1
            except BaseException:
                self._is_whole = False  # it may be half of what it should be
                raise

    async def _refresh(self, attended: Attended | None) -> bool:
        described = self._store.get("runs", self._run_id.encode())
        if described is None:
            raise RunNotFound(f"no run {self._run_id} in the store {self._store.path}")
        changed = described != self._described
        if changed:
            self.meta, self._described = decode_run(self._store, self._run_id, described), described
        changed |= self._take_status(attended)
        if not self._is_whole or not await self._follow(changed):
            await self._read_all()
            changed = True
        elif self._followed:
            changed = True
        contents = self.contents
        if attended is not None:
            try:
                changed |= self._take_told(contents, attended.under_way)
            except TakenBack:
                await self._read_all()
                self._take_told(self.contents, attended.under_way)
                changed = True
        elif contents.is_told_only:
            # What was told of and never written: its process has ended.
            await self._read_all()
            changed = True
        return self._take_waiting() or changed

    def _take_status(self, attended: Attended | None) -> bool:
        before = self.status, self.live, self.questions
        meta = self.run
        self.live = attended is not None
        self.status = meta.status
        if attended is None and meta.status == "running":
            self.status = current_status(self._store, meta)
            self.live = self.status == "running"
        if attended is not None and meta.status == "running":
            self.questions = list(attended.questions)
        else:
            self.questions = list(meta.pending) if self._rests else []
        return before != (self.status, self.live, self.questions)

    async def _read_all(self) -> None:
        # The number of the newest event first: what comes in between is news.
        self._event = last_event(self._store, self.run.lane)
        self._unplaced, self._descriptions = {}, {}
        # Only what is described from now on is new.
        turns = Turns()
        for _ in changed_actors(self._store, self.run.lane, self._descriptions):
            await turns.over()
        self._read = await read_contents(self._store, self.run)
        self._is_whole = True
        under_way = [call.seq for lane in self._read.ordered for call in lane.open.values()]
        self.streams = await read_streams(self._store, self.run.lane, under_way if self.live else (), up_to=self._event)

    async def _follow(self, described: bool) -> bool:
        """Read on; False when what was read before does not count any more."""
        self._followed = False
        contents, turns = self.contents, Turns()
        stirred: set[int] = {self.run.lane} if described else set()
        newest = self._event
        for number, event in read_events(self._store, self.run.lane, after=newest):
            newest = number
            if isinstance(event, EndedCall):
                stirred.add(event.lane)
            else:
                self.streams.take(event)
            await turns.over()
        if not (described or newest > self._event or self.status == "running"):
            return True
        try:
            for lane in self._to_be_looked_at(contents, stirred, everything=described and not self.live):
                await self._follow_lane(contents, lane, turns)
            # An actor may begin, and make its first call, without any call's end.
            if stirred or contents.has_open_container:
                for number in await self._follow_actors(contents, turns):
                    await self._follow_lane(contents, contents.lanes[number], turns)
            # Those whose container was read after them.
            while placed := [number for number in list(self._unplaced) if self._place(contents, number)]:
                for number in placed:
                    await self._follow_lane(contents, contents.lanes[number], turns)
        except TakenBack:
            return False
        self._event = newest
        return True

    async def _follow_actors(self, contents: Contents, turns: Turns) -> set[int]:
        """Read which actors there are and how they stand; those that have news."""
        stirred = set()
        for meta in changed_actors(self._store, self.run.lane, self._descriptions):
            lane = contents.lanes.get(meta.lane)
            if lane is None:
                self._unplaced[meta.lane] = meta
                if not self._place(contents, meta.lane):
                    continue
            else:
                lane.meta = meta
            self._followed = True
            stirred.add(meta.lane)
            await turns.over()
        return stirred

    def _place(self, contents: Contents, number: int) -> bool:
        lane = contents.add_lane(number, self._unplaced[number], grows=True)
        if lane is not None:
            del self._unplaced[number]
            self._followed = True
        return lane is not None

    def _to_be_looked_at(
        self, contents: Contents, stirred: Iterable[int], *, everything: bool
    ) -> Sequence[PicturedLane]:
        chosen = {number: contents.lanes[number] for number in stirred if number in contents.lanes}
        quiet = [lane for lane in contents.ordered if lane.grows and lane.ended is None and lane.number not in chosen]
        if not everything and len(quiet) > _LOOKED_AT:
            # By turns.
            first = self._looked_at % len(quiet)
            self._looked_at = first + _LOOKED_AT
            quiet = [*islice([*quiet[first:], *quiet[:first]], _LOOKED_AT)]
        return [*chosen.values(), *quiet]

    async def _follow_lane(self, contents: Contents, lane: PicturedLane, turns: Turns) -> None:
        for entry in read_lane(self._store, lane.number, start=lane.length, blobs=False):
            only_told = contents.only_told
            ended = contents.take(lane, entry, lane.length)
            if ended is not None:
                self.streams.drop(ended.seq)
            lane.length += 1
            # A call that was told of has come into the store: nothing else is to be seen.
            self._followed |= contents.only_told == only_told
            await turns.over()

    def _take_told(self, contents: Contents, under_way: Mapping[str, Started]) -> bool:
        changed = False
        for path, started in under_way.items():
            lane = contents.told_lane(path.rpartition("/")[0])
            if lane is not None:
                changed |= contents.begin(lane, started, None)
        return changed

    def _take_waiting(self) -> bool:
        """Find out of which calls nothing goes on: from the inside to the outside."""
        asked = {question["seq"] for question in self.questions}
        waiting: set[int] = set()
        inside: dict[int, bool] = {}
        for lane in reversed(self.contents.ordered) if asked else ():
            for call in lane.open.values():
                if call.seq in asked or inside.get(call.seq, False):
                    waiting.add(call.seq)
            if lane.parent is not None and lane.ended is None:
                waits = bool(lane.open) and all(call.seq in waiting for call in lane.open.values())
                inside[lane.parent.seq] = inside.get(lane.parent.seq, True) and waits
        changed, self.waiting = self.waiting != waiting, frozenset(waiting)
        return changed
