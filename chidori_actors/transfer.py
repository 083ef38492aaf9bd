"""Runs from one store to another, as checkpoint files."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .errors import ChidoriError
from .history import tree_manifest
from .imported_run import ImportedRun, describe_import
from .imported_source import Source, with_source
from .journal.actors import actor_writes
from .journal.bundles import get_bundle
from .journal.checkpoint import parse_checkpoint
from .journal.checkpoint_export import export_checkpoint
from .journal.lanes import encode_entry, new_lane
from .journal.lease import Lease
from .journal.run_ids import is_run_id
from .journal.runs import RunMeta, run_writes
from .journal.store import Store, Write
from .journal.tree import run_tree

_OWNER = "chidori import"


def export_run(store: Store, meta: RunMeta, *, head: Mapping[str, Any] | None = None) -> bytes:
    """The checkpoint file of a run, its actors and its source included: another store needs nothing else to replay it
    or, when it is at rest, to go on with it. Images stay behind: VMs and forks are made anew from the record. The
    fields of ``head`` come first.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    tree = run_tree(store, meta)
    digests = {actor.meta.bundle for actor in tree.actors if actor.meta is not None and actor.meta.bundle is not None}
    return export_checkpoint(
        meta,
        tree,
        manifest=tree_manifest(store, meta, tree),
        bundle=None if meta.bundle is None else get_bundle(store, meta.bundle),
        bundles={digest: get_bundle(store, digest) for digest in sorted(digests)},
        head=head,
    )


async def import_checkpoint(
    store: Store,
    data: bytes,
    *,
    run_id: str | None = None,
    source: Source | None = None,
    revise: Callable[[RunMeta], RunMeta] = lambda meta: meta,
) -> RunMeta:
    """Store the run of a checkpoint file, ours or another implementation's, under ``run_id`` or its own id.

    What the file lacks is said in ``warnings`` of the run. One of another implementation has no status: its run
    is ``running`` without an owner, so that it can be continued. ``source`` is for a file that does not carry its own.
    ``revise`` may say otherwise, or more, of the run before it is stored.

    Raises:
        ChidoriError: the file is not a checkpoint, or a run of that id is in the store.
        UsageError: it has its source, and ``source`` was given.
        SourceMismatch: ``source`` is not that of its manifest.
        StoreError: the store cannot be written.
    """
    checkpoint = parse_checkpoint(data)
    if source is not None:
        checkpoint = with_source(checkpoint, source)
    run_id = run_id or checkpoint.session_id
    if not is_run_id(run_id):
        raise ChidoriError(f"{run_id!r} is not a run id", hint="give one with --as: 1 to 128 of A-Z a-z 0-9 _ . : -")
    _refuse_taken(store, run_id)
    imported = describe_import(store, checkpoint, run_id)
    lease = await Lease.acquire(store, run_id, _OWNER)
    try:
        _refuse_taken(store, run_id)
        meta = revise(replace(imported.meta, lane=await new_lane(store, run_id)))
        # One transaction: an import that was cut off leaves nothing behind.
        await store.commit([*_writes(imported, meta.lane), *run_writes(meta, new=True)], fence=lease.fence)
    finally:
        lease.release()
    return meta


def _writes(imported: ImportedRun, root: int) -> Iterator[Write]:
    """Everything but the run's description; its lanes begin at ``root``."""
    yield from imported.source
    for lane, entries in enumerate(imported.lanes, start=root):
        for number, entry in enumerate(entries):
            yield from encode_entry(lane, number, entry)
    for actor in imported.actors:
        yield from actor_writes(replace(actor, lane=root + actor.lane, parent_lane=root + actor.parent_lane))


def _refuse_taken(store: Store, run_id: str) -> None:
    if store.get("runs", run_id.encode()) is not None:
        raise ChidoriError(
            f"run {run_id} is in the store already", hint="give the imported one another id with --as RUN_ID"
        )
