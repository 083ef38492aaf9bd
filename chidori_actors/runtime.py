"""What runs agents on a store, here or on a cluster: all that fronts know of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from .journal.local_store import LocalStore
from .journal.store import Store
from .languages.bundle import Bundle
from .local_runtime import LocalRuntime
from .policy import Policy, Profile
from .run_result import RunResult
from .session.actor_images import IMAGE_EVERY
from .session.attendance import Attendance
from .settings import Settings
from .vm.machine import Bounds

__all__ = ["LocalRuntime", "RunResult", "Runtime", "open_runtime"]

_UNATTENDED = Attendance()
_BOUNDS = Bounds()


class Runtime(Protocol):
    """Runs agents on one store. Made by ``open_runtime``."""

    @property
    def settings(self) -> Settings: ...

    @property
    def store(self) -> Store: ...

    @property
    def live_vms(self) -> int:
        """How many VMs its runs have in this process's memory now."""
        ...

    async def run(
        self,
        bundle: Bundle,
        entry: Path,
        input_json: bytes = b"{}",
        *,
        run_id: str | None = None,
        model: str | None = None,
        tool_folders: Sequence[Path] = (),
        served: bool = False,
        attempt_number: int | None = None,
        idempotency_key: str | None = None,
        policy_profile: Profile | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        """Run an agent from its beginning until it ends or pauses.

        ``entry`` is where ``bundle`` was loaded from, with tools of ``tool_folders`` besides those beside it.
        Cancelling leaves the run resumable.

        Raises:
            UsageError: ``run_id`` is not an id or is taken; the configuration of MCP servers cannot be read.
            StoreError: the journal cannot be written.
        """
        ...

    async def resume(
        self,
        run_id: str,
        *,
        current: Bundle | None = None,
        entry: Path | None = None,
        allow_source_change: bool = False,
        warnings: Sequence[str] = (),
        policy_profile: Profile | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        """Continue an interrupted, paused or failed run; a completed one is replayed.

        ``current`` is the source on disk, to be compared with the recorded one; None goes on with the recorded source.
        With ``allow_source_change`` the run is replayed with ``current`` and goes on from there. ``entry`` is where
        the agent's file is from now on, None where it was. ``warnings`` are kept with the run, and so is
        ``policy_profile`` when it is stricter than what the run is held to.

        Raises:
            RunNotFound, RunOwned, StoreError: see there.
            ManifestMismatch: the run cannot be continued by this runtime, or the source changed.
            UsageError: the configuration of MCP servers cannot be read.
            ReplayDivergence: the agent made other calls than its record has.
        """
        ...

    async def replay(
        self,
        run_id: str,
        *,
        until: int | None = None,
        current: Bundle | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        """Run the recorded source, or ``current``, against the record alone: no provider, no network, nothing is
        written.

        ``until`` is the seq of a call: the replay stops as soon as that has been given its outcome (``Reached``), also
        inside of branches, sub-agents and tools. Cancelling ends it.

        Raises:
            ReplayDivergence: the agent made other calls than the record has.
            UsageError: the run has no call ``until`` that ended.
            NotResumable: there is no source.
        """
        ...

    async def branch(
        self,
        run_id: str,
        at: int,
        *,
        result: bytes | None = None,
        error: str | None = None,
        note: str | None = None,
        new_id: str | None = None,
        served: bool = False,
        policy_profile: Profile | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        """Make a run that begins as the run ``run_id`` did, up to its call with the seq ``at``, and run it.

        That call answers with ``result`` (JSON text) or fails with the message ``error``; ``note`` is kept in its
        record. Calls in flight then are made again, under the id of the new run: ``new_id``, or a fresh one. A
        ``served`` one is a server's to take up again. It is held to ``policy_profile`` and to what ``run_id`` is.

        Raises:
            RunNotFound, StoreError: see there.
            UsageError: ``new_id`` is not an id or is taken, the call cannot have that outcome, or the configuration of
                MCP servers cannot be read.
            ManifestMismatch: the run cannot be continued by this runtime.
        """
        ...

    async def replay_as(
        self, run_id: str, new_id: str, *, served: bool = False, attendance: Attendance = _UNATTENDED
    ) -> RunResult:
        """The same as ``replay``, kept as a run of its own, ``new_id``, which shares the whole record.

        A ``served`` one is a server's to take up again, should it be continued from a pause.

        Raises:
            NotResumable: it is under way, or was interrupted: there is no whole record yet.
            RunNotFound, StoreError, ReplayDivergence: see there.
        """
        ...

    async def give_up(self, run_id: str, reason: str, *, cancelled: bool = False) -> RunResult:
        """End a run that cannot go on here, as failed or as cancelled; a failed one can still be resumed by hand.

        Raises:
            RunOwned: a live process owns it.
        """
        ...

    async def is_attendable(self, run_id: str) -> bool:
        """Whether the run is under way where another process than the one that began it can attend it: on a cluster."""
        ...

    async def attend(self, run_id: str, attendance: Attendance) -> RunResult:
        """Attend a run that is under way, from now on: its open questions are posted, and its end is waited for.

        Cancelling the wait leaves the run as it is.

        Raises:
            NotResumable: it is not attendable.
        """
        ...

    async def close(self) -> None:
        """Stop the runs that end with this process, which stay resumable, and free everything but the store."""
        ...


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    policy: Policy | None = None,
    create: bool = True,
    bounds: Bounds = _BOUNDS,
    image_every: int = IMAGE_EVERY,
) -> AsyncIterator[Runtime]:
    """A runtime on the store that ``settings`` name, or on that of the cluster at ``settings.ray_address``; leaving the
    context stops its runs and closes the store. A cluster has ``bounds`` of its own.

    Raises:
        StoreError: the store cannot be opened.
        UsageError: the policy cannot be read; there is no such cluster.
    """
    policy = policy or Policy.load(settings)
    async with _opened(settings, policy, create, bounds, image_every) as runtime:
        yield runtime


def _opened(
    settings: Settings, policy: Policy, create: bool, bounds: Bounds, image_every: int
) -> AbstractAsyncContextManager[Runtime]:
    if settings.ray_address is None:
        return _local(settings, policy, create, bounds, image_every)
    from .placement.clusters import find_system  # of no use to runs in this process

    return find_system(f"--address {settings.ray_address}").open_runtime(settings, policy, image_every)


@asynccontextmanager
async def _local(
    settings: Settings, policy: Policy, create: bool, bounds: Bounds, image_every: int
) -> AsyncIterator[Runtime]:
    store = LocalStore.open(settings.store, durability=settings.durability, create=create)
    try:
        runtime = LocalRuntime(settings, store, policy, bounds, image_every)
        try:
            yield runtime
        finally:
            await runtime.close()
    finally:
        store.close()
