"""Runs from one store to another, as checkpoint files."""

from dataclasses import replace

from .errors import ChidoriError
from .history import effective_lane, manifest
from .imported_run import describe_import
from .journal.bundles import get_bundle
from .journal.checkpoint import export_checkpoint, parse_checkpoint
from .journal.lanes import encode_entry, new_lane
from .journal.lease import Lease
from .journal.runs import RunMeta, is_run_id, run_writes
from .journal.store import Store

_OWNER = "chidori import"


def export_run(store: Store, meta: RunMeta) -> bytes:
    """The checkpoint file of a run, its source included: another store needs nothing else to replay it.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    bundle = None if meta.bundle is None else get_bundle(store, meta.bundle)
    return export_checkpoint(meta, effective_lane(store, meta), manifest=manifest(store, meta), bundle=bundle)


async def import_checkpoint(store: Store, data: bytes, *, run_id: str | None = None) -> RunMeta:
    """Store the run of a checkpoint file, ours or another implementation's, under ``run_id`` or its own id.

    What the file lacks is said in ``warnings`` of the run. One of another implementation has no status: its run
    is ``running`` without an owner, so that it can be continued.

    Raises:
        ChidoriError: the file is not a checkpoint, or a run of that id is in the store.
        StoreError: the store cannot be written.
    """
    checkpoint = parse_checkpoint(data)
    run_id = run_id or checkpoint.session_id
    if not is_run_id(run_id):
        raise ChidoriError(f"{run_id!r} is not a run id", hint="give one with --as: 1 to 128 of A-Z a-z 0-9 _ . : -")
    _refuse_taken(store, run_id)
    imported = describe_import(store, checkpoint, run_id)
    lease = await Lease.acquire(store, run_id, _OWNER)
    try:
        _refuse_taken(store, run_id)
        meta = replace(imported.meta, lane=await new_lane(store))
        lane = [
            write for number, entry in enumerate(imported.entries) for write in encode_entry(meta.lane, number, entry)
        ]
        # One transaction: an import that was cut off leaves nothing behind.
        await store.commit([*imported.source, *lane, *run_writes(meta, new=True)], fence=lease.fence)
    finally:
        lease.release()
    return meta


def _refuse_taken(store: Store, run_id: str) -> None:
    if store.get("runs", run_id.encode()) is not None:
        raise ChidoriError(
            f"run {run_id} is in the store already", hint="give the imported one another id with --as RUN_ID"
        )
