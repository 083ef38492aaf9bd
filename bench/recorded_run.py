"""A large run put into a store by the journal's own writers: nothing is executed."""

from collections.abc import Iterator

import orjson

from chidori_actors.journal.actors import ActorMeta, actor_writes
from chidori_actors.journal.events import EndedCall, event_write
from chidori_actors.journal.lanes import Settled, Started, encode_entry, new_lane
from chidori_actors.journal.runs import RunMeta, run_writes
from chidori_actors.journal.store import Store, Write

BEGAN_MS = 1_760_000_000_000
_AT_ONCE = 2000


async def store_run(store: Store, run_id: str, *, calls: int, branches: int, fails_every: int = 0) -> RunMeta:
    """A run of ``calls`` calls that completed. The first of the root's own 20 is a ``parallel`` of ``branches`` ones,
    among which the others are divided. Of all calls every ``fails_every``-th failed.
    """
    run = _Run(await new_lane(store, run_id), calls, branches, fails_every)
    writes: list[Write] = []
    for write in run.writes():
        writes.append(write)
        if len(writes) >= _AT_ONCE:
            await store.commit(writes)
            writes = []
    meta = RunMeta(
        id=run_id,
        agent="/project/recorded.ts",
        status="completed",
        input=b"{}",
        output=b'"done"',
        created_at_ms=BEGAN_MS,
        updated_at_ms=run.now_ms + 1,
        seed="00",
        epoch_ms=BEGAN_MS,
        lane=run.lane,
        policy={},
        call_count=run.seq,
        calls=run.seq,
        counted_events=run.events,
    )
    await store.commit([*writes, *run_writes(meta, new=True)])
    return meta


class _Run:
    def __init__(self, lane: int, calls: int, branches: int, fails_every: int) -> None:
        self.lane = lane
        self.seq = self.events = 0
        self.now_ms = BEGAN_MS
        self._fails_every = fails_every
        own = min(20, calls) if branches else calls
        self._own, self._branches = own, branches
        self._left = calls - own

    def writes(self) -> Iterator[Write]:
        # The container is the first call; what it contains is settled before it is.
        if self._branches:
            self.seq += 1
            args = orjson.dumps({"count": self._branches})
            yield from encode_entry(self.lane, 0, Started(1, 1, 0, "parallel", args, self.now_ms))
            began_ms = self.now_ms
            for index in range(self._branches):
                share = self._left // self._branches + (index < self._left % self._branches)
                yield from self._branch(index, share, began_ms)
            yield from encode_entry(self.lane, 1, Settled(1, self._next(), self.now_ms, 5.0, value=b"[]"))
            yield from self._ended(self.lane, 0, 1)
        first = 1 if self._branches else 0
        yield from self._calls(self.lane, first, self._own - first, None)

    def _branch(self, index: int, calls: int, at_ms: int) -> Iterator[Write]:
        lane = self.lane + 1 + index
        self.now_ms = at_ms + index % 7
        yield from self._calls(lane, 0, calls, 1)
        meta = ActorMeta(lane, f"1/b{index}", "branch", self.lane, 1, index, "completed", at_ms, output=b"null")
        yield from actor_writes(meta)

    def _calls(self, lane: int, first: int, count: int, parent: int | None) -> Iterator[Write]:
        for number in range(first, first + count):
            self.seq += 1
            args = orjson.dumps(
                {"text": f"Summarise part {self.seq} of the report", "model": "test/model", "type": None}
            )
            started = Started(number + 1, self.seq, number, "prompt", args, self.now_ms, parent_seq=parent)
            yield from encode_entry(lane, 2 * number, started)
            self.now_ms += 3
            failed = self._fails_every and self.seq % self._fails_every == 0
            settled = Settled(
                number + 1,
                self._next(),
                self.now_ms,
                3.0,
                value=None if failed else b'"part %d"' % self.seq,
                error={"message": "no", "name": "Error"} if failed else None,
                token_usage={"input_tokens": 10, "output_tokens": 5},
            )
            yield from encode_entry(lane, 2 * number + 1, settled)
            yield from self._ended(lane, 2 * number, 2 * number + 1)

    def _ended(self, lane: int, started: int, settled: int) -> Iterator[Write]:
        yield event_write(self.lane, self.events, EndedCall(lane, started, settled, self.events))

    def _next(self) -> int:
        self.events += 1
        return self.events
