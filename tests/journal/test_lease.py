"""One owner of a run at a time, also across processes and after SIGKILL."""

import subprocess
import sys
from pathlib import Path

import pytest

from chidori_actors.errors import LeaseLost, RunOwned, StoreError
from chidori_actors.journal.lease import Lease, holder
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Write
from chidori_actors.journal.writes import epoch_key, owner_key

LIMIT_S = 60.0
HOLDER = """
import asyncio, sys
from pathlib import Path
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.local_store import LocalStore

async def main():
    store = LocalStore.open(Path(sys.argv[1]))
    lease = await Lease.acquire(store, "run-1", "chidori run")
    print(lease.fence.epoch, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


async def test_a_second_acquisition_in_one_process_is_refused_until_the_release(store: LocalStore) -> None:
    lease = await Lease.acquire(store, "run-1", "chidori serve")
    with pytest.raises(RunOwned, match=r"run run-1 is owned by chidori serve \(pid \d+, since .+\)") as caught:
        await Lease.acquire(store, "run-1", "chidori resume")
    assert caught.value.hint
    lease.release()
    lease.release()
    again = await Lease.acquire(store, "run-1", "chidori resume")
    assert again.fence.epoch == lease.fence.epoch + 1
    again.release()


async def test_a_run_is_not_kept_by_the_lease_of_another_run(store: LocalStore) -> None:
    one = await Lease.acquire(store, "run-1", "a test")
    two = await Lease.acquire(store, "run-2", "a test")
    await store.commit([Write("lanes", b"1", b"v")], fence=one.fence)
    await store.commit([Write("lanes", b"2", b"v")], fence=two.fence)
    one.release()
    two.release()


def _holder(path: Path) -> "subprocess.Popen[bytes]":
    """A process that owns run-1 and has printed its epoch."""
    return subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_a_live_process_keeps_its_run_and_a_killed_one_loses_it_at_once(tmp_path: Path) -> None:
    holder = _holder(tmp_path / "s")
    assert holder.stdout is not None
    epoch = int(holder.stdout.readline())
    store = LocalStore.open(tmp_path / "s")
    with pytest.raises(RunOwned, match=rf"owned by chidori run \(pid {holder.pid}, since"):
        await Lease.acquire(store, "run-1", "chidori resume")
    holder.kill()
    holder.communicate(timeout=LIMIT_S)
    lease = await Lease.acquire(store, "run-1", "chidori resume")
    assert lease.fence.epoch == epoch + 1
    lease.release()
    store.close()


async def test_an_owner_whose_lock_was_lost_can_write_nothing_more(store: LocalStore) -> None:
    former = await Lease.acquire(store, "run-1", "the first")
    # What another process does that found the lock file removed.
    await store.increment(epoch_key("run-1"))
    with pytest.raises(LeaseLost, match="run run-1 was taken over"):
        await store.commit([Write("lanes", b"k", b"v")], fence=former.fence)
    assert store.get("lanes", b"k") is None
    former.release()


async def test_an_owner_that_has_not_written_its_name_yet_still_refuses(store: LocalStore) -> None:
    lease = await Lease.acquire(store, "run-1", "the first")
    await store.commit([Write("meta", owner_key("run-1"), None)])
    with pytest.raises(RunOwned, match="owned by another process"):
        await Lease.acquire(store, "run-1", "the second")
    lease.release()


async def test_the_holder_of_a_run_is_named_without_taking_it(store: LocalStore) -> None:
    assert holder(store, "run-1") is None
    lease = await Lease.acquire(store, "run-1", "the first")
    assert (holder(store, "run-1") or "").startswith("the first (pid ")
    lease.release()
    assert holder(store, "run-1") is None


async def test_a_lock_file_that_cannot_be_opened_is_an_error_of_the_store(store: LocalStore) -> None:
    if store.leases.exists():
        store.leases.rmdir()
    store.leases.write_text("in the way")
    with pytest.raises(StoreError, match=r"the store .* failed") as caught:
        holder(store, "run-1")
    assert caught.value.hint


async def test_the_locks_of_one_store_do_not_end_with_another_opening_of_it(tmp_path: Path) -> None:
    holder_process = _holder(tmp_path / "s")
    assert holder_process.stdout is not None
    holder_process.stdout.readline()
    for _ in range(2):
        store = LocalStore.open(tmp_path / "s")
        with pytest.raises(RunOwned):
            await Lease.acquire(store, "run-1", "chidori resume")
        store.close()
    holder_process.kill()
    holder_process.communicate(timeout=LIMIT_S)
