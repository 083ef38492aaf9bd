"""Stores whose file was cut short below LMDB: what is left is read or refused in words. LMDB may also stop the process
at an assertion of its own; nothing reads memory that is not there."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .recorded import Recorded

# Looks at everything in each of the stores that are named, and tells how it ended.
LOOK = """
import sys
from pathlib import Path
from chidori_actors.errors import StoreError
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.writes import DATABASES

for name in sys.argv[1:]:
    print("store", name, flush=True)
    try:
        store = LocalStore.open(Path(name))
        try:
            for database in DATABASES:
                for key, value in store.scan(database):
                    bytes(value)
        finally:
            store.close()
        print("looked at", flush=True)
    except StoreError as error:
        print("refused", str(error).replace(chr(10), " "), flush=True)
"""


def _look(stores: list[Path]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", LOOK, *map(str, stores)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _spoilt(recorded: Recorded, folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.mkdir()
    (path / "data.mdb").write_bytes(data)
    return path


def _data(recorded: Recorded) -> bytes:
    return (recorded.folder / "kept" / "data.mdb").read_bytes()


@pytest.mark.parametrize("count", [pytest.param(12, id="short"), pytest.param(200, id="long", marks=pytest.mark.slow)])
def test_a_file_that_was_cut_short_is_read_or_refused(count: int, recorded: Recorded, tmp_path: Path) -> None:
    whole, chosen = _data(recorded), random.Random(count)
    ends = [0, 1, 100, 4096, 8192, 8193, len(whole) - 1, *(chosen.randrange(len(whole)) for _ in range(count))]
    stores = [_spoilt(recorded, tmp_path, f"cut-{number}-{end}", whole[:end]) for number, end in enumerate(ends)]
    while stores:
        ended = _look(stores)
        stopped = ended.returncode == -signal.SIGABRT and "mdb.c" in ended.stderr and "Assertion" in ended.stderr
        assert ended.returncode == 0 or stopped, ended.stdout[-500:] + ended.stderr[-2000:]
        stores = stores[sum(line.startswith("store ") for line in ended.stdout.splitlines()) :]
    shutil.rmtree(tmp_path)
