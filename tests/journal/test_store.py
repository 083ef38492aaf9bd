"""The store against a real LMDB: places, commits, scans, several processes, damage."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest

from chidori_actors.errors import LeaseLost, StoreError
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Fence, Write

from .conftest import mount

LIMIT_S = 60.0


def _python(code: str, *args: object) -> subprocess.CompletedProcess[bytes]:
    """Run ``code`` in another process."""
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)


def _lane(number: int, value: bytes = b"v") -> Write:
    return Write("lanes", number.to_bytes(16, "big"), value)


async def test_what_was_committed_is_read_after_the_store_is_opened_again(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "a" / "store")
    await store.commit([_lane(1), Write("runs", b"r", b"meta")])
    await store.commit([Write("runs", b"r", None)])
    store.close()
    again = LocalStore.open(tmp_path / "a" / "store", create=False)
    assert again.get("lanes", (1).to_bytes(16, "big")) == b"v"
    assert again.get("runs", b"r") is None
    again.close()


async def test_relaxed_store_is_read_by_another_process(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s", durability="relaxed")
    await store.commit([_lane(7, b"seven")])
    code = "from pathlib import Path\nimport sys\nfrom chidori_actors.journal.local_store import LocalStore\n"
    code += "print(LocalStore.open(Path(sys.argv[1])).get('lanes', (7).to_bytes(16, 'big')))"
    output = _python(code, tmp_path / "s")
    assert output.stdout.strip() == b"b'seven'"
    store.close()


async def test_a_thousand_submissions_take_few_transactions_and_keep_their_order(store: LocalStore) -> None:
    finished: list[int] = []
    ended = asyncio.Event()

    def note(number: int) -> Callable[[BaseException | None], None]:
        def done(error: BaseException | None) -> None:
            assert error is None
            finished.append(number)
            if len(finished) == 1000:
                ended.set()

        return done

    for number in range(1000):
        store.submit([Write("meta", b"last", b"%d" % number)], None, note(number))
    await asyncio.wait_for(ended.wait(), LIMIT_S)
    assert finished == list(range(1000))
    assert store.get("meta", b"last") == b"999"
    store.close()
    with lmdb.open(str(store.path), max_dbs=8) as raw:
        assert raw.info()["last_txnid"] < 100


async def test_a_cancelled_waiter_does_not_undo_the_write(store: LocalStore) -> None:
    task = asyncio.create_task(store.commit([_lane(1)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.flush()
    assert store.get("lanes", (1).to_bytes(16, "big")) == b"v"


async def test_a_fence_that_fell_fails_its_own_submission_only(store: LocalStore) -> None:
    epoch = await store.increment(b"epoch/run-1")
    stale = store.commit([_lane(1)], fence=Fence("run-1", epoch - 1))
    unknown = store.commit([_lane(2)], fence=Fence("run-2", 1))
    good = store.commit([_lane(3)], fence=Fence("run-1", epoch))
    plain = store.commit([_lane(4)])
    results = await asyncio.gather(stale, unknown, good, plain, return_exceptions=True)
    assert [type(result) for result in results] == [LeaseLost, LeaseLost, type(None), type(None)]
    assert [int.from_bytes(key, "big") for key, _ in store.scan("lanes")] == [3, 4]


async def test_a_key_that_does_not_fit_is_refused_before_it_can_spoil_a_batch(store: LocalStore) -> None:
    with pytest.raises(ValueError, match="512 bytes"):
        await store.commit([Write("lanes", b"k" * 512, b"v")])
    with pytest.raises(ValueError, match="0 bytes"):
        await store.commit([Write("lanes", b"", b"v")])
    await store.commit([Write("lanes", b"k" * 511, b"v")])
    assert store.get("lanes", b"k" * 511) == b"v"


async def test_counters_give_every_caller_another_number(store: LocalStore) -> None:
    numbers = await asyncio.gather(*(store.increment(b"lanes") for _ in range(50)))
    assert sorted(numbers) == list(range(1, 51))


async def test_a_callback_that_fails_does_not_keep_the_others_from_hearing(store: LocalStore) -> None:
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: told.append(context["message"]))

    def fail(error: BaseException | None) -> None:
        raise RuntimeError("a bug")

    store.submit([_lane(1)], None, fail)
    await store.commit([_lane(2)])
    assert told == ["the callback of a journal commit failed"]


def _journal_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "journal commits"]


async def test_stores_of_one_path_share_their_environment_and_close_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "s")
    one, two = LocalStore.open(tmp_path / "s"), LocalStore.open(tmp_path / "link")
    assert len(_journal_threads()) == 1
    await one.commit([_lane(1)])
    one.close()
    one.close()
    await two.commit([_lane(2)])
    assert [value for _, value in two.scan("lanes")] == [b"v", b"v"]
    with pytest.raises(StoreError, match="was closed"):
        one.get("lanes", b"x")
    with pytest.raises(StoreError, match="'strict'"):
        LocalStore.open(tmp_path / "s", durability="relaxed")
    two.close()
    assert _journal_threads() == []


async def test_close_commits_what_waits(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s")
    for number in range(100):
        store.submit([_lane(number)], None, lambda error: None)
    store.close()
    again = LocalStore.open(tmp_path / "s")
    assert len(list(again.scan("lanes"))) == 100
    again.close()


async def test_scans_of_every_direction_prefix_start_and_limit_agree_with_sorted_keys(store: LocalStore) -> None:
    keys = [
        b"a",
        b"a\xff",
        b"a\xff\xff",
        b"b",
        *(b"b%04d" % number for number in range(600)),
        b"c",
        b"\xff\xff",
    ]
    await store.commit([Write("memory", key, b"x" * 5000) for key in keys])
    for prefix in (b"", b"a", b"a\xff", b"b", b"b01", b"\xff", b"nothing"):
        for start in (None, b"a", b"b", b"b0123", b"b0123x", b"\xff\xff\xff"):
            for limit in (None, 1, 300):
                matching = [key for key in sorted(keys) if key.startswith(prefix)]
                forward = [key for key in matching if start is None or key >= start]
                back = [key for key in reversed(matching) if start is None or key <= start]
                found = [key for key, _ in store.scan("memory", prefix, start=start, limit=limit)]
                assert found == forward[:limit]
                found = [key for key, _ in store.scan("memory", prefix, start=start, limit=limit, reverse=True)]
                assert found == back[:limit]


async def test_a_scan_holds_no_transaction_while_the_caller_works(store: LocalStore) -> None:
    await store.commit([_lane(number) for number in range(600)])
    scan = store.scan("lanes")
    next(scan)
    await store.commit([_lane(number, b"new") for number in range(600)])
    assert [value for _, value in scan][-1] == b"new"


async def test_a_map_that_another_process_enlarged_is_adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chidori_actors.journal.environment._MAP_SIZES", (1 << 20,))
    store = LocalStore.open(tmp_path / "s")
    code = "import lmdb,sys\nenv = lmdb.open(sys.argv[1], map_size=1 << 26, max_dbs=8)\n"
    code += "db = env.open_db(b'lanes')\n"
    code += "with env.begin(write=True) as txn: txn.put(b'big', b'x' * (8 << 20), db=db)"
    assert _python(code, tmp_path / "s").returncode == 0
    assert len(store.get("lanes", b"big") or b"") == 8 << 20
    await store.commit([_lane(1)])
    store.close()


async def test_a_full_map_is_an_error_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chidori_actors.journal.environment._MAP_SIZES", (1 << 20,))
    store = LocalStore.open(tmp_path / "s")
    await store.commit([_lane(1)])
    with pytest.raises(StoreError, match="no room left"):
        await store.commit([_lane(2, b"x" * (2 << 20))])
    await store.commit([_lane(3)])
    assert [int.from_bytes(key, "big") for key, _ in store.scan("lanes")] == [1, 3]
    store.close()


async def _refusal(store: LocalStore, write: Write) -> StoreError | None:
    try:
        await store.commit([write])
    except StoreError as error:
        return error
    return None


async def test_a_full_disk_is_named_and_loses_nothing(small_disk: Path) -> None:
    store = LocalStore.open(small_disk / "s")
    await store.commit([_lane(0)])
    writes = [_lane(number, os.urandom(50_000)) for number in range(1, 100)]
    results = [await _refusal(store, write) for write in writes]
    refused = [result for result in results if result is not None]
    assert refused
    assert "is full" in str(refused[0])
    assert "free some space and resume" in (refused[0].hint or "")
    kept = [int.from_bytes(key, "big") for key, _ in store.scan("lanes")]
    assert kept == [0, *(number for number, result in enumerate(results, start=1) if result is None)]
    await store.commit([Write("lanes", key, None) for key, _ in store.scan("lanes", limit=1)])
    store.close()


async def test_a_read_only_disk_is_named(small_disk: Path) -> None:
    LocalStore.open(small_disk / "s").close()
    assert mount("-o", "remount,ro", str(small_disk))
    with pytest.raises(StoreError, match="read-only"):
        LocalStore.open(small_disk / "s")
    with pytest.raises(StoreError, match="read-only"):
        LocalStore.open(small_disk / "new")


def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(StoreError, match="no store at") as caught:
            LocalStore.open(place, create=False)
        assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "chidori.sqlite"
    file.write_bytes(b"SQLite format 3\0")
    with pytest.raises(StoreError, match="is a file, not a store"):
        LocalStore.open(file)
    with pytest.raises(StoreError, match=r"a part of that path is a file"):
        LocalStore.open(file / "below")
    with pytest.raises(StoreError, match="other files in it"):
        LocalStore.open(tmp_path)
    foreign = tmp_path / "foreign"
    with lmdb.open(str(foreign)) as raw, raw.begin(write=True) as transaction:
        transaction.put(b"theirs", b"1")
    with pytest.raises(StoreError, match="of another program"):
        LocalStore.open(foreign)
    assert file.read_bytes() == b"SQLite format 3\0"
    with lmdb.open(str(foreign)) as raw, raw.begin() as transaction:
        assert dict(transaction.cursor()) == {b"theirs": b"1"}


async def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s")
    await store.commit([Write("meta", b"format", b"5")])
    store.close()
    with pytest.raises(StoreError, match=r"newer version of chidori-actors \(format 5, this version knows 4\)"):
        LocalStore.open(tmp_path / "s")
    with pytest.raises(StoreError, match="newer version"):
        LocalStore.open(tmp_path / "s")


async def test_a_store_of_an_older_format_is_refused(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s")
    await store.commit([Write("meta", b"format", b"1")])
    store.close()
    with pytest.raises(StoreError, match=r"development version .* \(format 1, this version knows 4\)") as caught:
        LocalStore.open(tmp_path / "s")
    assert caught.value.hint


async def test_a_damaged_file_is_named_and_never_kills_the_process(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "s")
    await store.commit([_lane(number, os.urandom(3000)) for number in range(300)])
    store.close()
    data = tmp_path / "s" / "data.mdb"
    whole = data.read_bytes()
    code = "import sys\nfrom pathlib import Path\nfrom chidori_actors.errors import StoreError\n"
    code += "from chidori_actors.journal.local_store import LocalStore\ntry:\n"
    code += " print(len(list(LocalStore.open(Path(sys.argv[1])).scan('lanes'))))\n"
    code += "except StoreError as error: print(error)"
    for damaged in (b"not a database" * 10_000, whole[: len(whole) // 2], whole[:8192]):
        data.write_bytes(damaged)
        ended = _python(code, tmp_path / "s")
        assert ended.returncode == 0, ended.stderr.decode()
        assert re.search(rb"is damaged|failed", ended.stdout), ended.stdout


WRITER = """
import asyncio, sys
from pathlib import Path
from typing import Any
from chidori_actors.journal.local_store import LocalStore, Write

async def main():
    store = LocalStore.open(Path(sys.argv[1]))
    base = int(sys.argv[2])
    for number in range(base, base + 100_000):
        await store.commit([Write("lanes", number.to_bytes(16, "big"), b"v" * 300)])
        print(number, flush=True)

asyncio.run(main())
"""


def test_what_a_killed_writer_was_told_is_there_beside_another_writer(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "s"), str(base)], stdout=subprocess.PIPE)
        for base in (0, 1_000_000)
    ]
    told: list[int] = []
    for writer in writers:
        assert writer.stdout is not None
        told += [int(writer.stdout.readline()) for _ in range(150)]
    for writer in writers:
        writer.kill()
    for writer in writers:
        assert writer.stdout is not None
        # Not communicate(): it does not see what readline() has buffered.
        rest = writer.stdout.read()
        writer.stdout.close()
        writer.wait(LIMIT_S)
        # The last line may be cut by the kill.
        told += [int(line) for line in rest.split(b"\n")[:-1]]
    store = LocalStore.open(tmp_path / "s")
    stored = {int.from_bytes(key, "big") for key, _ in store.scan("lanes")}
    assert set(told) <= stored
    assert len(stored - set(told)) <= len(writers)
    store.close()


async def test_an_owner_writes_nothing_after_a_write_of_its_failed(store: LocalStore) -> None:
    """A gap in a lane would make the run unreadable; its next owner may write."""
    lease = await Lease.acquire(store, "run", "me")
    await store.commit([_lane(1)], fence=lease.fence)
    unwritable: Any = "text"
    with pytest.raises(TypeError):
        await store.commit([Write("lanes", b"2", unwritable)], fence=lease.fence)
    with pytest.raises(StoreError, match="stopped writing"):
        await store.commit([_lane(3)], fence=lease.fence)
    lease.release()
    lease = await Lease.acquire(store, "run", "me")
    await store.commit([_lane(2)], fence=lease.fence)
    lease.release()
