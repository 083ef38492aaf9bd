"""The one place that puts a run together: run, resume, replay, the benchmarks and every later front use it."""

import getpass
import os
import secrets
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from .errors import ChidoriError, UsageError
from .history import stored_bundle
from .host.function import HostServices
from .host.resources import Resources
from .host.secrets import Secrets
from .host.table import host_functions
from .journal.bundles import bundle_write
from .journal.images import drop_images
from .journal.lanes import Retried, lane_length, new_lane
from .journal.lease import Lease
from .journal.manifest import check_manifest
from .journal.memory import StoredMemory
from .journal.runs import ABI, RunMeta, get_run, is_run_id, run_writes
from .journal.store import Fence, Store, Write
from .languages.bundle import Bundle, compare
from .placement.local import LocalSystem
from .placement.system import ActorSystem
from .policy import Policy
from .session.actor import ActorSpec
from .session.actor_images import IMAGE_EVERY
from .session.attendance import Attendance
from .session.context import RunContext
from .session.lane_writer import LaneWriter
from .session.outcome import Rest
from .session.past import Past, load_past
from .session.program import make_program
from .session.run_state import at_rest
from .settings import Settings
from .templates import template_reader
from .vm.engine import load_engine
from .vm.machine import Bounds

_UNATTENDED = Attendance()
_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run stands: what the store knows of it now, and the rest it came to."""

    meta: RunMeta
    rest: Rest


class Runtime:
    """Runs agents on one store. Made by ``open_runtime``."""

    def __init__(self, settings: Settings, store: Store, policy: Policy, bounds: Bounds, image_every: int) -> None:
        self.settings = settings
        self.store = store
        self._policy = policy
        self._bounds = bounds
        self._image_every = image_every
        self._resources = Resources()
        self._system: ActorSystem | None = None

    async def run(
        self,
        bundle: Bundle,
        entry: Path,
        input_json: bytes = b"{}",
        *,
        run_id: str | None = None,
        model: str | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        """Run an agent from its beginning until it ends or pauses.

        ``entry`` is where ``bundle`` was loaded from. Cancelling leaves the run resumable.

        Raises:
            UsageError: ``run_id`` is not an id or is taken.
            StoreError: the journal cannot be written.
        """
        run_id = run_id or str(uuid.uuid4())
        if not is_run_id(run_id):
            raise UsageError(f"{run_id!r} is not a run id", hint="use 1 to 128 of A-Z a-z 0-9 _ . : -")
        self._refuse_taken(run_id)
        lease = await Lease.acquire(self.store, run_id, _owner())
        try:
            self._refuse_taken(run_id)  # another may have run and ended while we waited for the lease
            now_ms = int(time.time() * 1000)
            digest, bundle_in = bundle_write(bundle.to_json())
            meta = RunMeta(
                id=run_id,
                agent=str(entry),
                status="running",
                input=input_json,
                created_at_ms=now_ms,
                updated_at_ms=now_ms,
                seed=secrets.token_hex(16),
                epoch_ms=now_ms,
                lane=await new_lane(self.store),
                policy=asdict(self.settings.runtime_policy),
                model=model or self.settings.model,
                bundle=digest,
            )
            await self.store.commit([bundle_in, *run_writes(meta, new=True)], fence=lease.fence)
            return await self._live(meta, bundle, Past(), lease.fence, attendance)
        finally:
            lease.release()

    def _refuse_taken(self, run_id: str) -> None:
        if self.store.get("runs", run_id.encode()) is not None:
            raise UsageError(f"run {run_id} exists already", hint=f"continue it with `chidori resume … {run_id}`")

    async def resume(
        self,
        run_id: str,
        *,
        current: Bundle | None = None,
        allow_source_change: bool = False,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        """Continue an interrupted, paused or failed run; a completed one is replayed.

        ``current`` is the source on disk, to be compared with the recorded one; None goes on with the recorded source.
        With ``allow_source_change`` the run is replayed with ``current`` and goes on from there.

        Raises:
            RunNotFound, RunOwned, StoreError: see there.
            ManifestMismatch: the run cannot be continued by this runtime, or the source changed.
            ReplayDivergence: the agent made other calls than its record has.
        """
        meta = _resumable(self.store, run_id)
        if meta.status == "completed":
            return await self.replay(meta.id, attendance=attendance)
        lease = await Lease.acquire(self.store, meta.id, _owner())
        try:
            meta = _resumable(self.store, meta.id)
            if meta.status == "completed":  # by its former owner, while we waited for the lease
                return await self.replay(meta.id, attendance=attendance)
            check_manifest(
                {"abi": meta.abi, "policy": meta.policy},
                {"abi": ABI, "policy": asdict(self.settings.runtime_policy)},
            )
            bundle, changed = self._source(meta, current, allow_source_change)
            if changed:
                # Only a source that fits the record takes the place of the recorded one, which may be the last copy.
                await self._replay(meta, bundle, False, _UNATTENDED)
            meta = await self._reopen(meta, bundle, changed, lease.fence)
            past = load_past(self.store, meta.lane, None if changed else load_engine().golden)
            return await self._live(meta, bundle, past, lease.fence, attendance)
        finally:
            lease.release()

    async def replay(self, run_id: str, *, attendance: Attendance = _UNATTENDED) -> RunResult:
        """Run the recorded source against the record alone: no provider, no network, nothing is written.

        Raises:
            ReplayDivergence: the agent made other calls than the record has.
        """
        meta = get_run(self.store, run_id)
        attendance.observer.run_started(meta.id)
        complete = meta.status in ("completed", "failed")
        return RunResult(meta, await self._replay(meta, self._bundle(meta), complete, attendance))

    async def close(self) -> None:
        """Stop every run, which stays resumable, and free everything."""
        if self._system is not None:
            await self._system.close()
        await self._resources.aclose()
        self.store.close()

    async def _replay(self, meta: RunMeta, bundle: Bundle, complete: bool, attendance: Attendance) -> Rest:
        """Run ``bundle`` against the record; ``complete``: the agent must make exactly the recorded calls."""
        past = load_past(self.store, meta.lane, None)
        context = self._context(meta, bundle, None, past, attendance)
        spec = replace(self._spec(meta, bundle, past), live=False, record_complete=complete)
        lane = LaneWriter(self.store, Fence(meta.id, 0), meta.lane, past.length)
        return await self._actors().spawn(spec, context, lane, lambda rest: ()).wait()

    async def _live(self, meta: RunMeta, bundle: Bundle, past: Past, fence: Fence, attendance: Attendance) -> RunResult:
        context = self._context(meta, bundle, fence, past, attendance)
        final = meta

        def closing(rest: Rest) -> Iterable[Write]:
            nonlocal final
            final = at_rest(meta, rest, context)
            return run_writes(final, new=False)

        attendance.observer.run_started(meta.id)
        for reason in past.rejected:
            attendance.observer.warned(reason)
        lane = LaneWriter(self.store, fence, meta.lane, past.length)
        rest = await self._actors().spawn(self._spec(meta, bundle, past), context, lane, closing).wait()
        return RunResult(final, rest)

    async def _reopen(self, meta: RunMeta, bundle: Bundle, changed: bool, fence: Fence) -> RunMeta:
        """Take back what ended a failed run, and note that it is running again."""
        now_ms = int(time.time() * 1000)
        lane = LaneWriter(self.store, fence, meta.lane, lane_length(self.store, meta.lane))
        stale_images = changed
        if meta.status == "failed":
            by_bound = meta.error is not None and meta.error.get("name") == "BoundExceeded"
            if meta.failed_ordinal is None and not changed and not by_bound:
                raise ChidoriError(
                    f"run {meta.id} was ended by its agent's own code, not by a call: it would fail again",
                    hint="mend the source and resume with --allow-source-change; recorded calls are not made again",
                )
            past = load_past(self.store, meta.lane, load_engine().golden)
            failed = meta.failed_ordinal or 0
            lane.append(Retried(failed, now_ms))
            # Or the image's VM has seen the answer that is taken back.
            stale_images = changed or failed not in (settled.ordinal for settled in past.deliveries)
        writes = drop_images(self.store, meta.lane, keep=()) if stale_images else []
        reopened = replace(meta, status="running", error=None, failed_ordinal=None, updated_at_ms=now_ms)
        if changed:
            digest, bundle_in = bundle_write(bundle.to_json())
            writes.append(bundle_in)
            reopened = replace(reopened, bundle=digest)
        # Its questions are asked anew. After a crash none may look open whose call has been made meanwhile.
        await lane.commit([*writes, *run_writes(replace(reopened, pending=()), new=False)])
        return reopened

    def _spec(self, meta: RunMeta, bundle: Bundle, past: Past) -> ActorSpec:
        program = make_program(
            bundle, meta.policy, seed=meta.seed, path="", input_json=meta.input, epoch_ms=meta.epoch_ms
        )
        return ActorSpec(
            path="",
            program=program,
            bundle=bundle,
            default_model=meta.model,
            past=past,
            waiting=frozenset(
                # A call in doubt has perhaps happened, however often its question is asked.
                int(question["path"])
                for question in meta.pending
                if question["kind"] != "in_doubt"
            ),
            image_every=self._image_every,
        )

    def _context(
        self, meta: RunMeta, bundle: Bundle, fence: Fence | None, past: Past, attendance: Attendance
    ) -> RunContext:
        services = HostServices(
            settings=self.settings,
            run_id=meta.id,
            default_model=meta.model,
            questions=attendance.questions,
            events=attendance.observer,
            memory=StoredMemory(self.store),
            secrets=Secrets(self.settings.environ, meta.seed, self._policy.hosts_for),
            refusal=self._policy.refusal,
            read_template=template_reader(bundle, Path(meta.agent).parent),
            resources=self._resources,
        )
        return RunContext(
            run_id=meta.id,
            store=self.store,
            fence=fence,
            policy=self._policy,
            functions=host_functions(),
            services=services,
            observer=attendance.observer,
            seq=past.seq,
            index=past.index,
            last_ms=max(meta.epoch_ms, past.last_ms),
        )

    def _source(self, meta: RunMeta, current: Bundle | None, allow_change: bool) -> tuple[Bundle, bool]:
        """The source to go on with, and whether it is another than the recorded one."""
        if current is not None and meta.bundle is None:
            return current, True  # imported from an implementation that does not carry the source
        recorded = self._bundle(meta)
        if current is None:
            return recorded, False
        if not allow_change:
            compare(recorded, current)
        return current, current.hash != recorded.hash

    def _bundle(self, meta: RunMeta) -> Bundle:
        bundle = stored_bundle(self.store, meta)
        if bundle is None:
            raise ChidoriError(
                f"run {meta.id} was imported without its source", hint="give the agent's file to `chidori resume`"
            )
        return bundle

    def _actors(self) -> ActorSystem:
        if self._system is None:
            self._system = LocalSystem(load_engine(), self._bounds)
        return self._system


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    policy: Policy | None = None,
    create: bool = True,
    bounds: Bounds = _BOUNDS,
    image_every: int = IMAGE_EVERY,
) -> AsyncIterator[Runtime]:
    """A runtime on the store that ``settings`` name; leaving the context stops its runs and closes the store.

    Raises:
        StoreError: the store cannot be opened.
        UsageError: the policy cannot be read.
    """
    policy = policy or Policy.load(settings)
    store = Store.open(settings.store, durability=settings.durability, create=create)
    runtime = Runtime(settings, store, policy, bounds, image_every)
    try:
        yield runtime
    finally:
        await runtime.close()


def _resumable(store: Store, run_id: str) -> RunMeta:
    meta = get_run(store, run_id)
    if meta.status == "cancelled":
        raise ChidoriError(f"run {meta.id} was cancelled", hint="start a new run, or look at it with `chidori trace`")
    return meta


@cache
def _owner() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
