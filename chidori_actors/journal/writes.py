"""What a transaction is made of: keys set or removed, and the fence that must still stand."""

from dataclasses import dataclass
from typing import Literal, get_args

Database = Literal[
    "runs",
    "by_time",
    "lanes",
    "actors",
    "images",
    "forks",
    "events",
    "blobs",
    "condemned",
    "memory",
    "approvals",
    "meta",
]
DATABASES: tuple[Database, ...] = get_args(Database)


@dataclass(frozen=True, slots=True)
class Write:
    """One key of one database set to ``value``, or removed when ``value`` is None.

    ``blobs`` is content-addressed: a key that is there already is left as it is.
    """

    database: Database
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a run: holds as long as nobody else has acquired the run's lease since."""

    run_id: str
    epoch: int

    @property
    def key(self) -> bytes:
        """Where the store keeps the run's epoch (database ``meta``)."""
        return epoch_key(self.run_id)


def owner_key(run_id: str) -> bytes:
    """The key in ``meta`` of who owns the run, or owned it last, in words."""
    return b"owner/" + run_id.encode()


def epoch_key(run_id: str) -> bytes:
    """The key in ``meta`` of the epoch of a run; its value is an unsigned 8-byte big-endian number."""
    return b"epoch/" + run_id.encode()
