"""Group commit: one thread takes whatever is waiting into one transaction."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import lmdb

from ..errors import LeaseLost, StoreError
from .environment import Environment
from .writes import Fence, Write

_MAX_BATCH = 2000
_LONE_STREAK = 4
"""So many submissions in a row by one run, each made while nothing else was under way, and it is taken to be alone."""
_LONE_SECONDS = 0.002
"""A lone commit that takes longer goes to the thread next time: the event loop must not wait for a slow disk."""
_MAX_KEY = 511  # LMDB's limit as it is built
_COUNTER_BYTES = 8


@dataclass(slots=True)
class Submission:
    """Writes that wait for their transaction; ``error`` and ``count`` are set by it.

    ``alone`` says that the submitter can do nothing else meanwhile. ``counter`` is a key of ``meta`` whose number goes
    up by one; ``count`` is the new number.
    """

    writes: Sequence[Write]
    fence: Fence | None
    counter: bytes | None
    loop: asyncio.AbstractEventLoop
    done: Callable[["Submission"], None]
    alone: bool = False
    error: Exception | None = None
    count: int = 0


def check_keys(writes: Sequence[Write]) -> None:
    """Raises ``ValueError`` for a key that LMDB cannot hold."""
    for write in writes:
        if not 0 < len(write.key) <= _MAX_KEY:
            raise ValueError(f"a key of {write.database} has {len(write.key)} bytes; 1 to {_MAX_KEY} fit")


def _finish(batch: list[Submission]) -> None:
    """Tell each submitter, on its own loop; one that fails does not keep the others from hearing."""
    for submission in batch:
        try:
            submission.done(submission)
        except Exception as error:
            submission.loop.call_exception_handler(
                {"message": "the callback of a journal commit failed", "exception": error}
            )


class Committer:
    """The writer of one environment. Submissions are committed in the order in which they came."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._waiting: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._failed: dict[str, int] = {}
        self._pending = 0
        self._took: Callable[[float], None] | None = None
        self._lone_run: str | None = None
        self._streak = 0
        # A daemon: a program that forgets to close the store still ends; what was acknowledged is durable.
        self._thread = threading.Thread(target=self._run, name="journal commits", daemon=True)
        self._thread.start()

    def watch(self, took: Callable[[float], None]) -> None:
        """Tell ``took`` how many seconds each transaction took, on the thread that made it."""
        self._took = took

    def submit(self, submission: Submission) -> None:
        """Queue it. Raises ``ValueError`` for a key that LMDB cannot hold, before it can spoil a batch."""
        check_keys(submission.writes)
        if self._is_lone(submission):
            self._commit_here(submission)
            return
        self._pending += 1
        self._waiting.put(submission)

    def _is_lone(self, submission: Submission) -> bool:
        run = submission.fence.run_id if submission.alone and submission.fence is not None else None
        self._streak = self._streak + 1 if run is not None and run == self._lone_run else 0
        self._lone_run = run
        return self._streak >= _LONE_STREAK and not self._pending

    def _commit_here(self, submission: Submission) -> None:
        """Two changes of thread cost 0.1 ms; a run that has the process to itself saves them."""
        began = time.perf_counter()
        self._commit([submission])
        if time.perf_counter() - began > _LONE_SECONDS:
            self._streak = 0
        submission.loop.call_soon(_finish, [submission])

    def _finished(self, batch: list[Submission]) -> None:
        self._pending -= len(batch)
        _finish(batch)

    def close(self) -> None:
        """Commit everything that waits, then end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._take()
            if batch:
                self._commit(batch)
                self._acknowledge(batch)

    def _take(self) -> tuple[list[Submission], bool]:
        """Wait for a submission, and take those that came meanwhile too; and whether this was the end."""
        batch: list[Submission] = []
        submission = self._waiting.get()
        while submission is not None:
            batch.append(submission)
            if len(batch) == _MAX_BATCH or self._waiting.empty():
                return batch, False
            submission = self._waiting.get()
        return batch, True

    def _commit(self, batch: list[Submission]) -> None:
        began = time.perf_counter()
        self._write(batch)
        if self._took is not None:
            self._took(time.perf_counter() - began)

    def _write(self, batch: list[Submission]) -> None:
        try:
            with self._environment.transaction(write=True) as transaction:
                for submission in batch:
                    self._apply(transaction, submission)
        except StoreError as error:
            # Each waiter raises an exception of its own: a shared one would collect all their tracebacks.
            for submission in batch:
                self._fail(submission, StoreError(str(error), hint=error.hint))
        except Exception as error:
            # A write with a value that is not bytes: the submitters' mistake, and the writer must outlive it.
            for submission in batch:
                self._fail(submission, error)

    def _fail(self, submission: Submission, error: Exception) -> None:
        submission.error = error
        if submission.fence is not None:
            # What its owner has queued behind would leave a gap in a lane. A new owner has another epoch.
            self._failed[submission.fence.run_id] = submission.fence.epoch

    def _apply(self, transaction: "lmdb.Transaction[bytes]", submission: Submission) -> None:
        databases = self._environment.databases
        fence = submission.fence
        if fence is not None:
            epoch = transaction.get(fence.key, db=databases["meta"])
            if epoch is None or int.from_bytes(epoch, "big") != fence.epoch:
                submission.error = LeaseLost(
                    f"run {fence.run_id} was taken over by another process; this one stopped writing to it",
                    hint="nothing is lost: the other process goes on with the run; see `chidori runs`",
                )
                return
            if self._failed.get(fence.run_id) == fence.epoch:
                submission.error = StoreError(
                    f"run {fence.run_id} stopped writing to the store after a write of it had failed",
                    hint="resume the run: nothing that was recorded is lost",
                )
                return
        self._environment.apply(transaction, submission.writes)
        if submission.counter is not None:
            stored = transaction.get(submission.counter, db=databases["meta"])
            submission.count = int.from_bytes(stored or b"", "big") + 1
            number = submission.count.to_bytes(_COUNTER_BYTES, "big")
            transaction.put(submission.counter, number, db=databases["meta"])

    def _acknowledge(self, batch: list[Submission]) -> None:
        """One wake-up per event loop, however many waited."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Submission]] = {}
        for submission in batch:
            by_loop.setdefault(submission.loop, []).append(submission)
        for loop, finished in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._finished, finished)
            except RuntimeError:
                # The loop was closed while its writes were under way: they are durable, and nobody waits.
                continue
