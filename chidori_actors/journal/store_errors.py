"""Failures of LMDB and of the disk under it, in words."""

import errno
import os
from pathlib import Path

import lmdb

from ..errors import StoreError

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
