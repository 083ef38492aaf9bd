"""What the store knows of a run, put together for whoever looks at it: calls, records, manifest, owner."""

from typing import Any

from .errors import StoreError
from .journal.blobs import DAMAGED_HINT
from .journal.bundles import get_bundle
from .journal.images import newest_image
from .journal.lanes import Entry, apply_retries, read_lane
from .journal.lease import holder
from .journal.manifest import Engine, build_manifest
from .journal.records import Record, call_records
from .journal.runs import RunMeta, get_run
from .journal.store import Store
from .languages.bundle import Bundle
from .vm.engine import PRELUDE_VERSION

INTERRUPTED = "interrupted"
"""What a run is called whose status is ``running`` although no live process owns it."""


def effective_lane(store: Store, meta: RunMeta) -> list[Entry]:
    """The run's calls as they count: without what a resume took back.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    return apply_retries(read_lane(store, meta.lane))


def records(store: Store, meta: RunMeta) -> list[Record]:
    """The records of the calls that have ended (wire contract, section 4), in the order in which they ended.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    return call_records(effective_lane(store, meta), origin_run_id=meta.origin_run_id)


def is_running(store: Store, run_id: str) -> bool:
    """Whether a live process owns the run.

    Raises:
        StoreError: the lease cannot be read.
    """
    return holder(store, run_id) is not None


def current_status(store: Store, meta: RunMeta) -> str:
    """The run's status, or ``interrupted`` when it is ``running`` and no live process owns it."""
    if meta.status != "running" or is_running(store, meta.id):
        return meta.status
    # Its owner may have ended it between the reading of ``meta`` and the look at the lease.
    status = get_run(store, meta.id).status
    return INTERRUPTED if status == "running" else status


def stored_bundle(store: Store, meta: RunMeta) -> Bundle | None:
    """The source that the run was started with; None for one that was imported without it.

    Raises:
        StoreError: it is missing or damaged.
    """
    if meta.bundle is None:
        return None
    try:
        return Bundle.from_json(get_bundle(store, meta.bundle))
    except ValueError as error:
        raise StoreError(f"the source bundle of run {meta.id} cannot be read: {error}", hint=DAMAGED_HINT) from None


def manifest(store: Store, meta: RunMeta) -> dict[str, Any]:
    """The run's manifest (wire contract, section 5).

    ``engine_build`` and ``golden_image`` are those of the newest image and null without one, because then any
    engine continues the run. ``questions`` are the open ones, as the session view has them.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    bundle = stored_bundle(store, meta)
    image, _ = newest_image(store, meta.lane)
    engine = None
    if image is not None:
        engine = Engine(image.header["engine_build"], image.header["golden"], PRELUDE_VERSION)
    built = build_manifest(
        meta,
        effective_lane(store, meta),
        source=_no_source(meta) if bundle is None else bundle.manifest(),
        engine=engine,
        snapshot_file=None if image is None else f"images/{image.lane}/{image.delivered}",
    )
    return {**built, **_engine_facts(engine), "questions": list(meta.pending)}


def _engine_facts(engine: Engine | None) -> dict[str, Any]:
    return {
        "engine_build": engine.engine_build if engine else None,
        "golden_image": engine.golden_image if engine else None,
        "prelude_version": PRELUDE_VERSION,
    }


def _no_source(meta: RunMeta) -> dict[str, Any]:
    return {"entry": {"path": meta.agent, "hash": None}, "modules": [], "module_graph": []}
