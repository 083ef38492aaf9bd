"""A client's connection to one journal shard: what it sends in order, what it asks, which locks it holds there."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ray.exceptions import RayError, RayTaskError

from chidori_actors.errors import LeaseLost, StoreError
from chidori_actors.journal.local_store import LocalStore

from .config import ClusterConfig
from .journal_messages import Committed, Locked, Result, Submitted
from .shards import ShardAddress

_BATCH_BYTES = 4 << 20
_BATCH_ITEMS = 2000
_ATTEMPT_S = 5.0
_ATTEMPTS_BEFORE_LOST = 4
"""At least so often it is asked again: one answer that does not come says little."""
_BEAT_S = 1.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 1.0

Ended = Callable[[Result], None]


@dataclass(slots=True)
class _Waiting:
    submitted: Submitted
    ended: Ended
    size: int


class ShardLink:
    """Sends to a shard until it answers, or until it could not be reached for ``config.lost_after_s``."""

    def __init__(self, client: str, address: ShardAddress, config: ClusterConfig, is_here: bool) -> None:
        self._client = client
        self._shard = address.actor
        self._config = config
        self._path = address.path
        self._name = f"shard {address.index} of the journal {config.store}"
        self._reader = LocalStore.open(address.path, durability=config.durability, create=False) if is_here else None
        self._queue: deque[_Waiting] = deque()
        self._under_way: list[_Waiting] = []
        self._number = 0
        self._generation: str | None = None
        self._held: set[str] = set()
        self._failed: dict[str, int] = {}
        self._failing_since: float | None = None
        self._sender: asyncio.Task[None] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._unlocking: set[asyncio.Task[None]] = set()
        self._closed = False
        self.lost = False
        self.on_lost: Callable[[], None] = lambda: None
        self.took: Callable[[float], None] | None = None

    @property
    def reachable(self) -> bool:
        """Whether the shard answered the last time."""
        return self._failing_since is None

    @property
    def reader(self) -> LocalStore | None:
        """Its store, when that is on this node."""
        return self._reader

    def submit(self, submitted: Submitted, ended: Ended) -> None:
        """Send it behind everything that was submitted before; ``ended`` is called on this event loop, later."""
        if self._closed:
            raise self._closed_error()
        size = sum(len(write.key) + len(write.value or b"") for write in submitted.writes)
        self._queue.append(_Waiting(submitted, ended, size))
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send())
        self.begin_beat()

    def begin_beat(self) -> None:
        """Give signs of life from now on: the shard keeps our locks for them, and we notice when it is lost."""
        if self._beat is None and not self._closed:
            self._beat = asyncio.get_running_loop().create_task(self._beat_on())

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        # One turn of the loop: what is submitted in it goes in one batch.
        await asyncio.sleep(0)
        try:
            while self._queue:
                batch = self._under_way = self._take()
                began = time.perf_counter()
                results = await self._commit([waiting.submitted for waiting in batch]) if batch else []
                if self.took is not None:
                    self.took(time.perf_counter() - began)
                for waiting, result in zip(batch, results, strict=True):
                    self._note(waiting.submitted, result)
                    loop.call_soon(waiting.ended, result)
                self._under_way = []
        finally:
            self._sender = None

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < _BATCH_ITEMS and (not batch or size + self._queue[0].size <= _BATCH_BYTES):
            waiting = self._queue.popleft()
            fence = waiting.submitted.fence
            if fence is not None and self._failed.get(fence.run_id) == fence.epoch:
                # What its owner has queued behind a write that failed would leave a gap in a lane.
                asyncio.get_running_loop().call_soon(waiting.ended, _stopped(fence.run_id))
                continue
            batch.append(waiting)
            size += waiting.size
        return batch

    def _note(self, submitted: Submitted, result: Result) -> None:
        if submitted.fence is not None and isinstance(result, Exception) and not isinstance(result, LeaseLost):
            self._failed[submitted.fence.run_id] = submitted.fence.epoch

    async def _commit(self, batch: list[Submitted]) -> list[Result]:
        self._number += 1
        try:
            answer: Committed = await self._ask("commit", self._client, self._number, batch)
        except StoreError as error:
            return [StoreError(str(error), hint=error.hint) for _ in batch]
        await self._met(answer.generation)
        return answer.results

    async def _beat_on(self) -> None:
        while not self.lost:
            try:
                await self._met(await self._ask("hello", self._client))
            except StoreError:
                return
            await asyncio.sleep(_BEAT_S)

    async def _met(self, generation: str) -> None:
        """A shard that began anew has to hear which locks we hold."""
        while generation != self._generation:
            try:
                generation, gone = await self._ask("assert_locks", self._client, sorted(self._held))
            except StoreError:
                return  # whoever sends next is told
            self._asserted(generation, gone)

    def _asserted(self, generation: str, gone: list[str]) -> None:
        self._generation = generation
        # Their new owners have raised the epochs: what we still write for these runs is refused.
        self._held.difference_update(gone)

    async def _ask(self, method: str, *args: object) -> Any:
        """What the shard answers; asked again and again while it cannot be reached.

        Raises:
            StoreError: it could not be reached for too long, or it refused.
        """
        pause = _FIRST_PAUSE_S
        while True:
            began, timeout = self._attempt()
            try:
                answer = await asyncio.wait_for(getattr(self._shard, method).remote(*args), timeout)
            except (RayError, TimeoutError) as error:
                self._failed_attempt(error, began)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE_S)
            else:
                self._failing_since = None
                return answer

    def ask_now(self, method: str, *args: object) -> Any:
        """The same, while this thread waits.

        Raises:
            StoreError: it could not be reached for too long, or it refused.
        """
        pause = _FIRST_PAUSE_S
        while True:
            began, timeout = self._attempt()
            try:
                # Not `ray.get`, which warns in an async actor: reads are not asynchronous, and here they are meant.
                answer = getattr(self._shard, method).remote(*args).future().result(timeout)
            except (RayError, TimeoutError) as error:
                self._failed_attempt(error, began)
                time.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE_S)
            else:
                self._failing_since = None
                return answer

    def _attempt(self) -> tuple[float, float]:
        """When an attempt begins, and how many seconds it may take."""
        if self.lost:
            raise self._lost_error()
        now = time.monotonic()
        since = now if self._failing_since is None else self._failing_since
        patience = self._config.lost_after_s
        return now, max(0.01, min(_ATTEMPT_S, patience / _ATTEMPTS_BEFORE_LOST, since + patience - now))

    def _failed_attempt(self, error: Exception, began: float) -> None:
        if isinstance(error, RayTaskError):
            cause = error.cause if isinstance(error.cause, Exception) else error
            if isinstance(cause, StoreError):
                raise StoreError(str(cause), hint=cause.hint) from None
            raise StoreError(f"{self._name} failed: {cause}", hint="see the log of its actor") from error
        if self._failing_since is None:
            self._failing_since = began
        if time.monotonic() - self._failing_since >= self._config.lost_after_s:
            self.lost = True
            self.on_lost()
            raise self._lost_error() from error

    def _closed_error(self) -> StoreError:
        return StoreError(f"the connection to {self._name} was closed")

    def _lost_error(self) -> StoreError:
        return StoreError(
            f"{self._name} cannot be reached: it has not answered for {self._config.lost_after_s:g} s",
            hint="see that its node and its disk are well (`chidori cluster status`); nothing that was recorded is "
            "lost, and the runs can be resumed",
        )

    def lock(self, run_id: str) -> bool:
        """Whether the run is ours from now on; this thread waits for the answer."""
        if run_id in self._held:
            return False
        while True:
            answer: Locked = self.ask_now("lock", self._client, run_id, self._generation)
            if answer.locked is not None:
                break
            self._asserted(*self.ask_now("assert_locks", self._client, sorted(self._held)))
        if answer.locked:
            self._held.add(run_id)
        return answer.locked

    async def take(self, run_id: str) -> bool:
        """The same; only the caller waits."""
        if run_id in self._held:
            return False
        while True:
            answer: Locked = await self._ask("lock", self._client, run_id, self._generation)
            if answer.locked is not None:
                break
            self._asserted(*await self._ask("assert_locks", self._client, sorted(self._held)))
        if answer.locked:
            self._held.add(run_id)
        return answer.locked

    def unlock(self, run_id: str) -> None:
        """Give the run free if it is ours; does not wait."""
        if run_id not in self._held:
            return
        self._held.discard(run_id)
        # Calls of one caller come in their order: a lock that is asked for next finds it done.
        reference = self._shard.unlock.remote(self._client, run_id)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        task = loop.create_task(self._unlocked(run_id, reference))
        self._unlocking.add(task)
        task.add_done_callback(self._unlocking.discard)

    async def _unlocked(self, run_id: str, reference: Any) -> None:
        """See that it has come through, unless the run was locked anew meanwhile."""
        while run_id not in self._held:
            try:
                await reference
            except RayError:
                await asyncio.sleep(_LAST_PAUSE_S)
                if self.lost:
                    return
                if run_id not in self._held:
                    reference = self._shard.unlock.remote(self._client, run_id)
            else:
                return

    def close(self) -> None:
        """End it; what waits is not sent any more, and its submitters are told so. Idempotent."""
        self._closed = True
        for task in (self._sender, self._beat, *self._unlocking):
            if task is not None and not task.get_loop().is_closed():
                task.cancel()
        if self._sender is not None and not self._sender.get_loop().is_closed():
            for waiting in (*self._under_way, *self._queue):
                self._sender.get_loop().call_soon(waiting.ended, self._closed_error())
        self._queue.clear()
        self._sender = self._beat = None
        if self._reader is not None:
            self._reader.close()


def _stopped(run_id: str) -> StoreError:
    return StoreError(
        f"run {run_id} stopped writing to the store after a write of it had failed",
        hint="resume the run: nothing that was recorded is lost",
    )
