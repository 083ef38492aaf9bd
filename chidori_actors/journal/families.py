"""Which runs come from which: branches from history, kept replays and imported copies, by the run they come from.

A child is entered under its parent in the transaction that puts it into the list of runs, and lies with its own keys.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .run_ids import is_run_id
from .store import Store
from .writes import Write

if TYPE_CHECKING:
    from .runs import RunMeta

CHILD_PREFIX = b"child/"
"""The keys in ``meta`` of children: this, the parent's id, a zero byte, the child's id."""


def parent_of(meta: "RunMeta") -> str | None:
    """The id of the run that this one comes from, which need not be in the store; None for one of its own."""
    if meta.branch is not None:
        return str(meta.branch["parent_run_id"])
    if meta.origin_run_id not in (None, meta.id):
        return meta.origin_run_id
    return None if meta.lineage is None else str(meta.lineage["parent_run_id"])


def child_writes(meta: "RunMeta") -> list[Write]:
    """The writes that enter a run under its parent, if it has one."""
    key = _key(meta)
    return [] if key is None else [Write("meta", key, b"")]


def drop_child_writes(meta: "RunMeta") -> list[Write]:
    """The writes after which it is not there any more."""
    key = _key(meta)
    return [] if key is None else [Write("meta", key, None)]


def child_ids(store: Store, run_id: str, *, limit: int | None = None) -> Iterator[str]:
    """The ids of the runs that come from that one, at most ``limit``; of one of them nothing more may be there."""
    prefix = CHILD_PREFIX + run_id.encode() + b"\x00"
    return (key[len(prefix) :].decode() for key in store.keys("meta", prefix, limit=limit))


def _key(meta: "RunMeta") -> bytes | None:
    parent = parent_of(meta)
    if parent is None or not is_run_id(parent):  # an imported file may name anything
        return None
    return CHILD_PREFIX + parent.encode() + b"\x00" + meta.id.encode()
