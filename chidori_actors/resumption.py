"""Whether a recorded run can be continued here, and with which source."""

from dataclasses import asdict
from pathlib import Path

from .errors import NotResumable
from .history import stored_bundle
from .journal.manifest import check_manifest
from .journal.runs import ABI, RunMeta, get_run
from .journal.store import Store
from .languages.bundle import Bundle, compare
from .settings import Settings


def resumable(store: Store, run_id: str) -> RunMeta:
    """The run of that id.

    Raises:
        RunNotFound: there is none.
        NotResumable: it was cancelled.
    """
    meta = get_run(store, run_id)
    if meta.status == "cancelled":
        raise NotResumable(f"run {meta.id} was cancelled", hint="start a new run, or look at it with `chidori trace`")
    return meta


def check_continuable(meta: RunMeta, settings: Settings) -> None:
    """Compare the run's manifest with this runtime.

    Raises:
        ManifestMismatch: the run cannot be continued here.
    """
    runtime = {"abi": ABI, "policy": asdict(settings.runtime_policy)}
    check_manifest({"abi": meta.abi, "policy": meta.policy}, runtime)


def recorded_bundle(store: Store, meta: RunMeta) -> Bundle:
    """The source that the run was started with.

    Raises:
        NotResumable: it was imported without one.
    """
    bundle = stored_bundle(store, meta)
    if bundle is None:
        raise NotResumable(
            f"run {meta.id} was imported without its source",
            hint="give the agent's file to `chidori resume`, or import it again with --agent FILE and --as",
        )
    return bundle


def moved_to(entry: Path, recorded: str) -> str:
    """The path of an agent's file that is ``entry`` now; the ``recorded`` one when it names the same file."""
    return recorded if entry.resolve() == Path(recorded).resolve() else str(entry)


def source_to_continue(
    store: Store, meta: RunMeta, current: Bundle | None, *, allow_change: bool
) -> tuple[Bundle, bool]:
    """The source to go on with, and whether it may be another than the recorded one.

    ``current`` is the source on disk; None goes on with the recorded one.

    Raises:
        ManifestMismatch: they differ, and that is not allowed.
    """
    if current is not None and meta.bundle is None:
        return current, True  # imported from an implementation that does not carry the source
    recorded = recorded_bundle(store, meta)
    if current is None:
        return recorded, False
    if not allow_change:
        compare(recorded, current)
    # What is different may be a sub-agent, which the recorded source of the run does not hold.
    return current, allow_change or current.hash != recorded.hash
