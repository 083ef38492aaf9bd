"""Opening an LMDB environment as a store, and its transactions.

LMDB's behaviour relied on here (lmdb.h of 0.9, and tried with py-lmdb 3.0): a map larger than the disk costs
address space only; ``set_mapsize`` must not run while this process has a transaction open, and nothing checks
it; a file that is shorter than its own page count kills the reader with SIGBUS; a write that the disk had
room for only in part is reported as EIO, one it had no room for at all as ENOSPC.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import lmdb

from ..errors import StoreError
from ..settings import Durability
from .locks import DirectoryLock
from .store_errors import store_error
from .writes import DATABASES, Write

FORMAT = 4
FORMAT_KEY = b"format"
DATA_FILE = "data.mdb"
LEASES = "leases"
_COMPACTED = "data.mdb.compacted"
_OWN_NAMES = frozenset({DATA_FILE, _COMPACTED, "lock.mdb", LEASES})
_GIB = 1 << 30
_MAP_SIZES = (256 * _GIB, 64 * _GIB, 16 * _GIB, 4 * _GIB, _GIB)
_MAX_READERS = 4096
_SPARE_READERS = 4


class _Gate:
    """Counts the transactions that are open, so that the map is changed while there are none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0

    def enter(self) -> None:
        with self._changed:
            self._inside += 1

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            if not self._inside:
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            while self._inside:
                self._changed.wait()
            yield


class Environment:
    """An open LMDB environment with the store's databases."""

    def __init__(self, path: Path, environment: lmdb.Environment, lock: DirectoryLock) -> None:
        self.path = path
        self._environment = environment
        self._lock = lock
        self._gate = _Gate()
        with environment.begin(write=True) as transaction:
            self.databases = _databases(path, environment, transaction)
        environment.reader_check()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator["lmdb.Transaction[bytes]"]:
        """A transaction: committed at the end, aborted when the block raises.

        Raises:
            StoreError: it could not be begun or committed.
        """
        try:
            transaction = self._begin(write)
            try:
                with transaction:
                    yield transaction
            finally:
                self._gate.leave()
        except (lmdb.Error, OSError) as error:
            raise store_error(error, self.path) from error

    def _begin(self, write: bool) -> "lmdb.Transaction[bytes]":
        """A new transaction inside the gate, after adopting a map that another process has made larger."""
        while True:
            self._gate.enter()
            try:
                return self._environment.begin(write=write)
            except lmdb.MapResizedError:
                self._gate.leave()
            except BaseException:
                self._gate.leave()
                raise
            with self._gate.alone():
                self._environment.set_mapsize(0)

    def apply(self, transaction: "lmdb.Transaction[bytes]", writes: Sequence[Write]) -> None:
        """Make the writes within the transaction."""
        for write in writes:
            database = self.databases[write.database]
            if write.value is None:
                transaction.delete(write.key, db=database)
            else:
                transaction.put(write.key, write.value, db=database, overwrite=write.database != "blobs")

    def replace_with_compacted(self) -> None:
        """Put a copy without free pages in the place of the data file, and close. Only when open ``alone``.

        The old file stays until the copy is on the disk; a copy that was cut off is overwritten by the next.

        Raises:
            StoreError: the copy cannot be written, or the data file is damaged; the store is as it was.
        """
        copy = self.path / _COMPACTED
        try:
            descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                self._environment.copyfd(descriptor, compact=True)
                os.fsync(descriptor)
            except BaseException:
                copy.unlink()
                raise
            finally:
                os.close(descriptor)
            self._environment.close()
            copy.replace(self.path / DATA_FILE)
            self._lock.sync()
        except (lmdb.Error, OSError) as error:
            raise store_error(error, self.path) from error
        finally:
            self.close()

    def close(self) -> None:
        """Close it; no transaction may be open. Idempotent."""
        with self._gate.alone():
            self._environment.close()
        self._lock.close()


def open_environment(path: Path, *, durability: Durability, create: bool, alone: bool = False) -> Environment:
    """Open the store at ``path``, a directory; with ``create`` make it when there is none.

    ``alone``: nobody else, in this process or another, may have it open until it is closed.

    Raises:
        StoreError: there is no store, something else is there, another version wrote it, it is unusable or in use.
    """
    try:
        _check_place(path, create)
        try:
            lock = DirectoryLock(path, alone=alone)
        except BlockingIOError:
            raise _in_use(path, alone) from None
        return _open_locked(path, durability, lock)
    except (lmdb.Error, OSError) as error:
        raise store_error(error, path) from error


def _in_use(path: Path, alone: bool) -> StoreError:
    if alone:
        return StoreError(
            f"the store {path} is in use",
            hint="stop the runs and servers that use it, in other terminals too, then run the command again",
        )
    return StoreError(
        f"the store {path} is being compacted", hint="run the command again when the compaction has ended"
    )


def _open_locked(path: Path, durability: Durability, lock: DirectoryLock) -> Environment:
    with ExitStack() as undo:
        undo.callback(lock.close)
        raw = _open_mapped(path, durability)
        undo.callback(raw.close)
        _fill_to_length(path, raw)
        environment = Environment(path, raw, lock)
        undo.pop_all()
    return environment


def _check_place(path: Path, create: bool) -> None:
    """Make the directory, or see that what is there is ours (or empty)."""
    if path.exists() and not path.is_dir():
        raise StoreError(
            f"{path} is a file, not a store; it was left as it is",
            hint="set CHIDORI_DB_PATH to a directory that does not exist yet",
        )
    names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if DATA_FILE in names:
        return
    if names - _OWN_NAMES:
        raise StoreError(
            f"{path} is a directory with other files in it, not a store; it was left as it is",
            hint="set CHIDORI_DB_PATH to a directory that is empty or does not exist yet",
        )
    if not create:
        raise StoreError(
            f"no store at {path}",
            hint="run an agent first (it makes one), or set CHIDORI_DB_PATH to where the store is",
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(
            f"the store cannot be made at {path}: a part of that path is a file",
            hint="set CHIDORI_DB_PATH to another directory",
        ) from error


def _open_mapped(path: Path, durability: Durability) -> lmdb.Environment:
    """Open with the largest map that this process's limit on address space allows."""
    refused: Exception | None = None
    for size in _MAP_SIZES:
        try:
            # No writemap: with it a full disk is a SIGBUS instead of an error.
            return lmdb.Environment(
                str(path),
                map_size=size,
                max_dbs=len(DATABASES),
                max_readers=_MAX_READERS,
                max_spare_txns=_SPARE_READERS,
                sync=durability == "strict",
                readahead=False,
                mode=0o600,
            )
        except lmdb.MemoryError as error:
            refused = error
    raise StoreError(
        f"the store {path} cannot be mapped into memory: {refused}",
        hint="raise the limit on address space (ulimit -v) to at least 2 GB",
    )


def _fill_to_length(path: Path, environment: lmdb.Environment) -> None:
    """Extend a file that was cut short, so that reading what is missing is an error and not a SIGBUS."""
    file = path / DATA_FILE

    def length() -> int:
        return (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]

    if file.stat().st_size >= length():
        return
    with environment.begin(write=True):  # keeps writers of other processes away
        if length() > environment.info()["map_size"]:
            raise lmdb.CorruptedError("its page count is wrong")
        if file.stat().st_size < length():
            os.truncate(file, length())


def _databases(
    path: Path, environment: lmdb.Environment, transaction: "lmdb.Transaction[bytes]"
) -> dict[str, "lmdb._Database"]:
    """The handles of our databases, made in a new store; refuses a store that is not ours or of another format."""
    try:
        meta = environment.open_db(b"meta", txn=transaction, create=False)
        written = transaction.get(FORMAT_KEY, db=meta)
    except (lmdb.NotFoundError, lmdb.IncompatibleError):
        written = None
    if written is None and transaction.stat()["entries"]:
        raise StoreError(
            f"{path} is a database of another program; it was left as it is",
            hint="set CHIDORI_DB_PATH to a directory that is empty or does not exist yet",
        )
    if written is not None:
        _check_format(path, written)
    databases: dict[str, lmdb._Database] = {
        name: environment.open_db(name.encode(), txn=transaction) for name in DATABASES
    }
    if written is None:
        transaction.put(FORMAT_KEY, str(FORMAT).encode(), db=databases["meta"])
    return databases


def _check_format(path: Path, written: bytes) -> None:
    if not written.isdigit():
        raise StoreError(
            f"the store {path} is damaged: its format number is {written[:20]!r}",
            hint="restore it from a backup, or move it away to begin a new one",
        )
    if int(written) < FORMAT:
        raise StoreError(
            f"the store {path} was written by a development version of chidori-actors "
            f"(format {int(written)}, this version knows {FORMAT})",
            hint="move it away to begin a new one, or set CHIDORI_DB_PATH to another directory",
        )
    if int(written) > FORMAT:
        raise StoreError(
            f"the store {path} was written by a newer version of chidori-actors "
            f"(format {int(written)}, this version knows {FORMAT})",
            hint="upgrade chidori-actors, or set CHIDORI_DB_PATH to another directory",
        )


def real_path(path: Path) -> Path:
    """The directory that ``path`` means, a leading ``~`` and symbolic links followed.

    Raises:
        StoreError: they lead nowhere.
    """
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError) as error:  # nobody's home, a loop of links
        raise StoreError(
            f"the store's path {path} leads nowhere: {error}", hint="set CHIDORI_DB_PATH to another directory"
        ) from None
