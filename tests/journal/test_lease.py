"""One owner of a run at a time, also across processes and after SIGKILL."""

import subprocess
import sys
from pathlib import Path

import pytest

from chidori_actors.errors import LeaseLost, RunOwned
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.store import Store, Write

LIMIT_S = 60.0
HOLDER = """
import asyncio, sys
from pathlib import Path
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.store import Store

async def main():
    store = Store.open(Path(sys.argv[1]))
    lease = await Lease.acquire(store, "run-1", "chidori run")
    print(lease.fence.epoch, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


async def test_a_second_acquisition_in_one_process_is_refused_until_the_release(store: Store) -> None:
    lease = await Lease.acquire(store, "run-1", "chidori serve")
    with pytest.raises(
        RunOwned, match=r"run run-1 is owned by chidori serve \(pid \d+, since .+\)"
    ) as caught:
        await Lease.acquire(store, "run-1", "chidori resume")
    assert caught.value.hint
    lease.release()
    lease.release()
    assert list(store.leases.iterdir()) == []
    again = await Lease.acquire(store, "run-1", "chidori resume")
    assert again.fence.epoch == lease.fence.epoch + 1
    again.release()


async def test_a_run_is_not_kept_by_the_lease_of_another_run(store: Store) -> None:
    one = await Lease.acquire(store, "run-1", "a test")
    two = await Lease.acquire(store, "run-2", "a test")
    await store.commit([Write("lanes", b"1", b"v")], fence=one.fence)
    await store.commit([Write("lanes", b"2", b"v")], fence=two.fence)
    one.release()
    two.release()


def _holder(path: Path) -> "subprocess.Popen[bytes]":
    """A process that owns run-1 and has printed its epoch."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


async def test_a_live_process_keeps_its_run_and_a_killed_one_loses_it_at_once(tmp_path: Path) -> None:
    holder = _holder(tmp_path / "s")
    assert holder.stdout is not None
    epoch = int(holder.stdout.readline())
    store = Store.open(tmp_path / "s")
    with pytest.raises(RunOwned, match=rf"owned by chidori run \(pid {holder.pid}, since"):
        await Lease.acquire(store, "run-1", "chidori resume")
    holder.kill()
    holder.communicate(timeout=LIMIT_S)
    lease = await Lease.acquire(store, "run-1", "chidori resume")
    assert lease.fence.epoch == epoch + 1
    lease.release()
    store.close()


async def test_an_owner_whose_lease_file_was_removed_can_write_nothing_more(store: Store) -> None:
    former = await Lease.acquire(store, "run-1", "the first")
    for file in store.leases.iterdir():
        file.unlink()
    owner = await Lease.acquire(store, "run-1", "the second")
    with pytest.raises(LeaseLost, match="run run-1 was taken over"):
        await store.commit([Write("lanes", b"k", b"v")], fence=former.fence)
    await store.commit([Write("lanes", b"k", b"v")], fence=owner.fence)
    former.release()
    with pytest.raises(RunOwned, match="the second"):
        await Lease.acquire(store, "run-1", "the third")
    owner.release()


async def test_a_lease_file_that_is_not_written_yet_still_refuses(store: Store) -> None:
    lease = await Lease.acquire(store, "run-1", "the first")
    (file,) = store.leases.iterdir()
    file.write_bytes(b"")
    with pytest.raises(RunOwned, match="owned by another process"):
        await Lease.acquire(store, "run-1", "the second")
    lease.release()
