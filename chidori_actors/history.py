"""What the store knows of a run, put together for whoever looks at it: calls, records, manifest, owner."""

from typing import Any

from .journal.actors import run_actors
from .journal.forks import fork_sizes
from .journal.images import image_sizes, newest_image
from .journal.lease import holder
from .journal.manifest import Engine, build_manifest
from .journal.records import Record, call_path
from .journal.runs import RunMeta, get_run
from .journal.store import Store
from .journal.tree import RunTree, run_tree
from .languages.bundle import Bundle
from .stored_source import read_bundle
from .vm.engine import PRELUDE_VERSION

INTERRUPTED = "interrupted"
"""What a run is called whose status is ``running`` although no live process owns it."""


def records(store: Store, meta: RunMeta) -> list[Record]:
    """The records of the calls of all actors that have ended (wire contract, section 4), in the order in which they
    ended. Those that a branch from history shares with its parent name it in ``origin_run_id``.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    return run_tree(store, meta).records(meta.origin_run_id)


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
    return None if meta.bundle is None else read_bundle(store, meta.bundle, f"run {meta.id}")


def manifest(store: Store, meta: RunMeta) -> dict[str, Any]:
    """The run's manifest (wire contract, section 5), its calls those of all actors.

    ``engine_build`` and ``golden_image`` are those of the root's newest image and null without one, because then any
    engine continues the run. ``questions`` are the open ones, as the session view has them.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    return tree_manifest(store, meta, run_tree(store, meta))


def tree_manifest(store: Store, meta: RunMeta, tree: RunTree) -> dict[str, Any]:
    """The same for somebody who has the run's tree already."""
    bundle = stored_bundle(store, meta)
    image, _ = newest_image(store, meta.lane)
    engine = None
    if image is not None:
        engine = Engine(image.header["engine_build"], image.header["golden"], PRELUDE_VERSION)
    built = build_manifest(
        meta,
        [(actor.path, actor.entries) for actor in tree.actors],
        source=_no_source(meta) if bundle is None else bundle.manifest(),
        engine=engine,
        snapshot_file=None if image is None else f"images/{image.lane}/{image.delivered}",
    )
    return {**built, **_engine_facts(engine), "questions": list(meta.pending)}


def snapshot(store: Store, meta: RunMeta) -> dict[str, Any]:
    """The manifest, and which images the run has stored: of its actors and, for branches to begin with, at forks.

    ``images`` and ``forks`` are ``[{path, lane, after, bytes}]``: the actor's path or that of the call of ``parallel``,
    the lane, the number of settlements that the VM had been given, and the size in the store. Never the images' bytes.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    tree = run_tree(store, meta)
    actors = {actor.lane: actor.path for actor in run_actors(store, meta.lane)} | {meta.lane: ""}
    calls = {
        (actor.lane, call.seq): call_path(actor.path, call.ordinal) for actor in tree.actors for call in actor.calls
    }
    images = [
        {"path": actors[lane], "lane": lane, "after": delivered, "bytes": size}
        for lane, delivered, size in image_sizes(store, meta.lane)
        if lane in actors
    ]
    forks = [
        {"path": calls[lane, seq], "lane": lane, "after": delivered, "bytes": size}
        for lane, seq, delivered, size in fork_sizes(store, meta.lane)
        if (lane, seq) in calls
    ]
    return {**tree_manifest(store, meta, tree), "images": images, "forks": forks}


def _engine_facts(engine: Engine | None) -> dict[str, Any]:
    return {
        "engine_build": engine.engine_build if engine else None,
        "golden_image": engine.golden_image if engine else None,
        "prelude_version": PRELUDE_VERSION,
    }


def _no_source(meta: RunMeta) -> dict[str, Any]:
    return {"entry": {"path": meta.agent, "hash": None}, "modules": [], "module_graph": []}
