"""The family of a run: where it comes from, and all that comes from there."""

import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .errors import StoreError
from .journal.families import child_ids, child_writes, parent_of
from .journal.runs import RunMeta, decode_run, get_run
from .journal.store import Store, Write
from .turns import Turns

MOST_NODES = 1000
_ENTERED = b"children entered"
DEEPEST = 100
"""Readers of JSON do not take any depth."""


@dataclass(slots=True, eq=False)
class FamilyNode:
    """A run, and those that come from it; ``meta`` is None for one that is not in the store. It has no large input or
    output: all of a family at once could take more memory than there is."""

    id: str
    meta: RunMeta | None
    children: list["FamilyNode"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Family:
    """``more``: there are runs that it was too large for."""

    root: FamilyNode
    more: bool


async def enter_all(store: Store) -> None:
    """Enter the runs of a store that was written before children were; once for each store.

    Raises:
        StoreError: the store cannot be written.
    """
    if store.get("meta", _ENTERED) is not None:
        return
    writes, turns = [Write("meta", _ENTERED, b"")], Turns()
    for key, value in store.scan("runs"):
        await turns.over()
        with contextlib.suppress(StoreError):  # nobody can read what is damaged; the others are entered
            writes += child_writes(decode_run(store, key.decode(), value, blobs=False))
    await store.commit(writes)


async def family_of(store: Store, run: RunMeta) -> Family:
    """The family of a run, from its oldest ancestor down; of a very large one the ancestors of ``run`` come first."""
    line, more = _line_of(store, run)
    known = {node.id: node for node in line}
    for parent, child in pairwise(line):
        parent.children.append(child)
    left, turns = MOST_NODES - len(line), Turns()
    waiting = deque((node, depth) for depth, node in enumerate(line))
    while waiting:
        node, depth = waiting.popleft()
        ids = [child for child in child_ids(store, node.id, limit=left + 2) if child not in known]
        if ids and (depth + 1 >= DEEPEST or len(ids) > left):
            more = True
            ids = [] if depth + 1 >= DEEPEST else ids[:left]
        for run_id in ids:
            await turns.over()
            meta = _stored(store, run_id)
            if meta is not None:
                left -= 1
                child = FamilyNode(run_id, meta)
                known[run_id] = child
                node.children.append(child)
                waiting.append((child, depth + 1))
        node.children.sort(key=_age)
    return Family(line[0], more)


def _line_of(store: Store, run: RunMeta) -> tuple[Sequence[FamilyNode], bool]:
    """The run after its ancestors, the oldest first, and whether there are more. What is not stored has no known
    parent."""
    line = deque([FamilyNode(run.id, run)])
    known = {run.id}
    while (meta := line[0].meta) is not None and (parent := parent_of(meta)) is not None:
        # An imported run may name any, its own children too.
        if parent in known or len(line) >= DEEPEST // 2:
            return list(line), parent not in known
        known.add(parent)
        line.appendleft(FamilyNode(parent, _stored(store, parent)))
    return list(line), False


def _stored(store: Store, run_id: str) -> RunMeta | None:
    try:
        meta = get_run(store, run_id, blobs=False)
    except StoreError:
        return None  # it is not there, or damaged: the others are shown
    return meta if meta.id == run_id else None  # a prefix of another's id is not it


def _age(node: FamilyNode) -> tuple[int, str]:
    return (0 if node.meta is None else node.meta.created_at_ms), node.id
