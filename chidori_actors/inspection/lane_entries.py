"""The entries of all lanes of a run, read at once."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from ..journal.bases import LaneBase, LanePart, known_parts, run_bases
from ..journal.framing import damaged
from ..journal.lanes import RUN_LANES, Entry, Settled, read_lane, read_own_entries
from ..journal.runs import RunMeta, get_run
from ..journal.store import Store
from ..turns import Turns


class LaneEntries:
    """Entries without large args and values, by lane. Those of lanes that were not read are read one by one.

    What a run shares with another may be days older. It is to be shown as if the run had come that far when it was
    stored: each entry comes with the milliseconds by which it is shown later than it was recorded.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own: defaultdict[int, list[Entry]] = defaultdict(list)
        self._first: dict[int, int] = {}
        self._bases: dict[int, LaneBase] = {}
        self._later: dict[int, int] = {}
        """By the root lanes of the runs that were read."""

    async def read_family(self, meta: RunMeta) -> None:
        """Read the run's lanes and those of the runs that it is a branch of.

        Raises:
            StoreError: an entry is missing or damaged.
            RunNotFound: one of these runs is gone.
        """
        await self._read(meta.lane, 0)
        while meta.branch is not None:
            parent = get_run(self._store, str(meta.branch["parent_run_id"]))
            later = self._later[meta.lane]
            await self._read(parent.lane, later)
            left_at_ms = self._last_end_ms(parent, int(meta.branch["at_index"]))
            self._later[parent.lane] = later + meta.created_at_ms - left_at_ms
            meta = parent

    def later_ms(self, lane: int) -> int:
        """By how much later what is stored under that lane is shown."""
        return self._later.get(lane - lane % RUN_LANES, 0)

    def _last_end_ms(self, run: RunMeta, index: int) -> int:
        """When the last call of the run had ended that has no higher index: where it was left."""
        own = (entries for lane, entries in self._own.items() if lane - lane % RUN_LANES == run.lane)
        ends = (entry for entries in own for entry in entries if isinstance(entry, Settled))
        return max((end.at_ms for end in ends if end.index <= index), default=run.created_at_ms)

    async def _read(self, root_lane: int, later_ms: int) -> None:
        turns = Turns()
        self._later[root_lane] = later_ms
        self._bases |= run_bases(self._store, root_lane)
        for lane, number, entry in read_own_entries(self._store, root_lane):
            self._first.setdefault(lane, number)
            self._own[lane].append(entry)
            await turns.over()

    def lane(self, lane: int) -> Iterator[tuple[Entry, int]]:
        """The entries of that lane, those shared with its base first, and how much later each is shown.

        Raises:
            StoreError: one is missing or damaged.
        """
        number = 0
        for part in known_parts(self._bases.get, lane):
            later_ms = self.later_ms(part.lane)
            for entry in self._part(part, number):
                yield entry, later_ms
                number += 1
            if part.stop is not None and number < part.stop:
                raise damaged(self._store, f"entry {number} of lane {part.lane}")

    def _part(self, part: LanePart, start: int) -> Iterator[Entry]:
        left = None if part.stop is None else part.stop - start
        if part.lane - part.lane % RUN_LANES not in self._later:
            return read_lane(self._store, part.lane, start=start, limit=left, blobs=False)
        first = self._first.get(part.lane, start)
        if first > start:
            raise damaged(self._store, f"entry {start} of lane {part.lane}")
        own = self._own.get(part.lane, ())
        return islice(own, start - first, None if left is None else start - first + left)
