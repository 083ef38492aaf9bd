"""Opening an LMDB environment as a store, its transactions, and its failures in words.

LMDB's behaviour relied on here (lmdb.h of 0.9, and tried with py-lmdb 3.0): a map larger than the disk costs
address space only; ``set_mapsize`` must not run while this process has a transaction open, and nothing checks
it; a file that is shorter than its own page count kills the reader with SIGBUS; a write that the disk had
room for only in part is reported as EIO, one it had no room for at all as ENOSPC.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from ..errors import StoreError
from ..settings import Durability
from .writes import DATABASES

FORMAT = 1
FORMAT_KEY = b"format"
DATA_FILE = "data.mdb"
LEASES = "leases"
_OWN_NAMES = frozenset({DATA_FILE, "lock.mdb", LEASES})
_GIB = 1 << 30
_MAP_SIZES = (256 * _GIB, 64 * _GIB, 16 * _GIB, 4 * _GIB, _GIB)
_MAX_READERS = 4096
_SPARE_READERS = 4
_ROOM = 1 << 20  # a disk with less than this free is called full
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_CORRUPTED = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.PageFullError)


def store_error(error: Exception, path: Path) -> StoreError:
    """What went wrong with the store at ``path`` and how to get out, from an LMDB or an OS error."""
    code = error.errno if isinstance(error, OSError) else getattr(error, "code", None)
    if code in _NO_SPACE or isinstance(error, lmdb.DiskError) or (code == errno.EIO and _is_full(path)):
        return StoreError(
            f"the disk that holds {path} is full",
            hint="free some space and resume: nothing that was recorded is lost",
        )
    if isinstance(error, lmdb.MapFullError):
        return StoreError(
            f"the store {path} has no room left in this process's memory map",
            hint="raise the limit on address space (ulimit -v) and resume: nothing that was recorded is lost",
        )
    if code in _REFUSED or isinstance(error, lmdb.ReadonlyError):
        return StoreError(
            f"the store {path} cannot be written: permission denied or read-only",
            hint="give this user write access to it, or set CHIDORI_DB_PATH to another directory",
        )
    if isinstance(error, lmdb.VersionMismatchError):
        return StoreError(
            f"the store {path} was written by another version of LMDB",
            hint="use the version that wrote it, or set CHIDORI_DB_PATH to another directory",
        )
    if isinstance(error, _CORRUPTED):
        return StoreError(
            f"the store {path} is damaged: {_reason(error)}",
            hint="restore it from a backup, or move it away to begin a new one",
        )
    return StoreError(
        f"the store {path} failed: {_reason(error)}",
        hint="see that the disk is well and has room, then run the command again",
    )


def _is_full(path: Path) -> bool:
    try:
        room = os.statvfs(path)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _ROOM


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) or type(error).__name__


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

    def __init__(self, path: Path, environment: lmdb.Environment) -> None:
        self.path = path
        self._environment = environment
        self._gate = _Gate()
        try:
            with environment.begin(write=True) as transaction:
                self.databases = _databases(path, environment, transaction)
            environment.reader_check()
        except BaseException:
            environment.close()
            raise

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

    def close(self) -> None:
        """Close it; no transaction may be open."""
        with self._gate.alone():
            self._environment.close()


def open_environment(path: Path, *, durability: Durability, create: bool) -> Environment:
    """Open the store at ``path``, a directory; with ``create`` make it when there is none.

    Raises:
        StoreError: there is no store, something else is there, a newer version wrote it, or it is unusable.
    """
    try:
        _check_place(path, create)
        raw = _open_mapped(path, durability)
        try:
            _fill_to_length(path, raw)
        except BaseException:
            raw.close()
            raise
        return Environment(path, raw)
    except (lmdb.Error, OSError) as error:
        raise store_error(error, path) from error


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
    """The handles of our databases, made in a new store; refuses a store that is not ours or too new."""
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
    if int(written) > FORMAT:
        raise StoreError(
            f"the store {path} was written by a newer version of chidori-actors "
            f"(format {int(written)}, this version knows {FORMAT})",
            hint="upgrade chidori-actors, or set CHIDORI_DB_PATH to another directory",
        )
