"""Compaction: the store gets smaller, nobody else has it open, and a kill at any point loses nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chidori_actors.errors import StoreError
from chidori_actors.journal.compaction import compact
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Write

LIMIT_S = 60.0


def _key(number: int) -> bytes:
    return number.to_bytes(16, "big")


async def _fill(path: Path) -> dict[bytes, bytes]:
    """A store of which most was removed; what it still has in its lanes."""
    store = LocalStore.open(path, durability="relaxed")
    await store.commit([Write("lanes", _key(number), os.urandom(20_000)) for number in range(100)])
    await store.commit([Write("lanes", _key(number), None) for number in range(5, 100)])
    left = dict(store.scan("lanes"))
    store.close()
    return left


def _content(path: Path) -> dict[bytes, bytes]:
    store = LocalStore.open(path, create=False)
    found = dict(store.scan("lanes"))
    store.close()
    return found


async def test_a_compacted_store_has_the_same_content_in_fewer_bytes(tmp_path: Path) -> None:
    left = await _fill(tmp_path / "s")
    before = (tmp_path / "s" / "data.mdb").stat()
    done = compact(tmp_path / "s")
    assert (done.before, done.after) == (before.st_size, (tmp_path / "s" / "data.mdb").stat().st_size)
    assert done.after < done.before / 4
    assert (tmp_path / "s" / "data.mdb").stat().st_mode == before.st_mode
    assert _content(tmp_path / "s") == left
    store = LocalStore.open(tmp_path / "s")
    await store.commit([Write("lanes", _key(500), b"new")])
    store.close()
    assert compact(tmp_path / "s").after <= done.after + (1 << 16)
    assert _content(tmp_path / "s") == left | {_key(500): b"new"}


OPENER = """
import sys
from pathlib import Path
from chidori_actors.errors import StoreError
from chidori_actors.journal.local_store import LocalStore
try:
    store = LocalStore.open(Path(sys.argv[1]))
except StoreError as error:
    print(error, flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


def _opener(path: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", OPENER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_a_store_that_is_open_anywhere_is_not_compacted(tmp_path: Path) -> None:
    left = await _fill(tmp_path / "s")
    store = LocalStore.open(tmp_path / "s")
    with pytest.raises(StoreError, match=r"the store .* is in use") as caught:
        compact(tmp_path / "s")
    assert caught.value.hint
    store.close()
    opener = _opener(tmp_path / "s")
    assert opener.stdout is not None
    assert opener.stdout.readline() == b"open\n"
    with pytest.raises(StoreError, match="in use"):
        compact(tmp_path / "s")
    opener.kill()
    opener.communicate(timeout=LIMIT_S)
    compact(tmp_path / "s")
    assert _content(tmp_path / "s") == left


async def test_nobody_opens_a_store_that_is_being_compacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await _fill(tmp_path / "s")
    told: list[bytes] = []
    fsync = os.fsync

    def fsync_and_look(descriptor: int) -> None:
        fsync(descriptor)
        command = [sys.executable, "-c", OPENER, str(tmp_path / "s")]
        told.append(subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=True, input=b"").stdout)

    monkeypatch.setattr(os, "fsync", fsync_and_look)
    compact(tmp_path / "s")
    assert len(told) == 2
    assert all(b"is being compacted" in text for text in told)


KILLED = """
import os, resource, signal, sys
from pathlib import Path
from chidori_actors.journal.compaction import compact

left = int(sys.argv[2])

def step(original):
    def counted(*args, **options):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return original(*args, **options)
    return counted

if left < 0:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
os.fsync, os.close = step(os.fsync), step(os.close)
Path.replace = step(Path.replace)
compact(Path(sys.argv[1]))
"""


def _compact_and_die(path: Path, steps: int) -> int:
    """Compact in a process that kills itself after so many steps, or for -1 amid the copy; its exit code."""
    command = [sys.executable, "-c", KILLED, str(path), str(steps)]
    ended = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
    assert ended.returncode in (0, -signal.SIGKILL, -signal.SIGXFSZ), ended.stderr.decode()
    return ended.returncode


async def test_a_compaction_killed_at_any_point_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    codes: list[int] = []
    while 0 not in codes and len(codes) < 20:
        left = await _fill(path)
        codes.append(_compact_and_die(path, len(codes) - 1))
        assert _content(path) == left
    assert codes == [-signal.SIGXFSZ, *[-signal.SIGKILL] * (len(codes) - 2), 0]
    assert len(codes) >= 6
    assert sorted(entry.name for entry in path.iterdir()) == ["data.mdb", "lock.mdb"]


def test_where_no_store_is_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        compact(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


async def test_a_copy_that_cannot_be_written_leaves_the_store_as_it_is(tmp_path: Path) -> None:
    left = await _fill(tmp_path / "s")
    (tmp_path / "s" / "data.mdb.compacted").mkdir()
    with pytest.raises(StoreError) as caught:
        compact(tmp_path / "s")
    assert caught.value.hint
    (tmp_path / "s" / "data.mdb.compacted").rmdir()
    assert _content(tmp_path / "s") == left


async def test_a_disk_without_room_for_the_copy_is_named_and_nothing_is_left_behind(small_disk: Path) -> None:
    store = LocalStore.open(small_disk / "s")
    await store.commit([Write("lanes", _key(number), os.urandom(20_000)) for number in range(30)])
    content = dict(store.scan("lanes"))
    store.close()
    with pytest.raises(StoreError, match="is full"):
        compact(small_disk / "s")
    assert sorted(entry.name for entry in (small_disk / "s").iterdir()) == ["data.mdb", "lock.mdb"]
    assert _content(small_disk / "s") == content
