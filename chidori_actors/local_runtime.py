"""Runs whose actors this process starts: the one place that puts a run together, on every host of a cluster too."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

from .assembly import Surroundings, mcp_config, root_spec, run_context
from .branch_points import Edit
from .branching import check_at_rest, make_branch, make_copy
from .errors import ChidoriError, NotResumable
from .host.mcp_config import McpConfig
from .host.resources import Resources
from .journal.bundles import bundle_write
from .journal.call_count import recorded_calls
from .journal.lanes import new_lane
from .journal.lease import Lease
from .journal.runs import RunMeta, get_run, run_writes
from .journal.store import Fence, Store, Write
from .journal.tree import read_tree, run_tree
from .languages.bundle import Bundle
from .ownership import new_run, owner
from .placement.local import LocalSystem
from .placement.system import ActorSystem
from .policy import Policy, Profile, strictest_profile
from .reopening import reopen
from .replaying import replay_along, way_to
from .resumption import check_continuable, moved_to, recorded_bundle, resumable, source_to_continue
from .run_result import RunResult
from .session.actor_spec import ActorSpec
from .session.attendance import Attendance
from .session.context import ActorRef, Closing, RunContext, Watcher
from .session.lane_writer import LaneWriter
from .session.outcome import Cancelled, Completed, Failed, Rest, bound_exceeded
from .session.past import Past, load_past, read_past
from .session.run_state import at_rest
from .settings import Settings
from .vm.engine import Engine, load_engine
from .vm.machine import Bounds

_UNATTENDED = Attendance()


class LocalRuntime:
    """A ``Runtime`` on a store that whoever opened it closes. ``system`` makes where its actors live, at the first.

    ``resources`` are closed by whoever gives them.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        policy: Policy,
        bounds: Bounds,
        image_every: int,
        system: Callable[[Engine, Bounds], ActorSystem] = LocalSystem,
        resources: Resources | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self._bounds = bounds
        self._make_system = system
        self._own_resources = Resources()
        self._system: ActorSystem | None = None
        used = self._own_resources if resources is None else resources
        self._surroundings = Surroundings(settings, store, policy, used, self._spawn, image_every)

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
        mcp = mcp_config(self.settings)  # a run that cannot begin leaves nothing behind
        async with new_run(self.store, run_id) as fence:
            now_ms = int(time.time() * 1000)
            digest, bundle_in = bundle_write(bundle.to_json())
            meta = RunMeta(
                id=fence.run_id,
                agent=str(entry),
                status="running",
                input=input_json,
                created_at_ms=now_ms,
                updated_at_ms=now_ms,
                seed=secrets.token_hex(16),
                epoch_ms=now_ms,
                lane=await new_lane(self.store, fence.run_id),
                policy=asdict(self.settings.runtime_policy),
                model=model or self.settings.model,
                bundle=digest,
                tool_folders=tuple(str(folder) for folder in tool_folders),
                served=served,
                tries=1,
                attempt_number=attempt_number,
                idempotency_key=idempotency_key,
                policy_profile=policy_profile,
            )
            await self.store.commit([bundle_in, *run_writes(meta, new=True)], fence=fence)
            return await self._live(meta, bundle, Past(), fence, attendance, mcp)

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
        meta = resumable(self.store, run_id)
        if meta.status == "completed":
            return await self.replay(meta.id, attendance=attendance)
        mcp = mcp_config(self.settings)
        lease = await Lease.acquire(self.store, meta.id, owner())
        try:
            meta = resumable(self.store, meta.id)
            if meta.status == "completed":  # by its former owner, while we waited for the lease
                return await self.replay(meta.id, attendance=attendance)
            check_continuable(meta, self.settings)
            bundle, changed = source_to_continue(self.store, meta, current, allow_change=allow_source_change)
            profile = strictest_profile(meta.policy_profile, policy_profile)
            meta = replace(meta, warnings=tuple(dict.fromkeys((*meta.warnings, *warnings))), policy_profile=profile)
            if entry is not None:
                meta = replace(meta, agent=moved_to(entry, meta.agent))
            if changed:
                # Only a source that fits the record takes the place of the recorded one, which may be the last copy.
                await self._replay(meta, bundle, False, _UNATTENDED)
            failed = meta.status == "failed"
            meta, writes = reopen(self.store, meta, bundle if changed else None)
            await self.store.commit(writes, fence=lease.fence)
            if failed:
                # What was taken back is in its record no more.
                meta = replace(meta, calls=run_tree(self.store, meta).calls_ended)
                await self.store.commit(run_writes(replace(meta, pending=()), new=False), fence=lease.fence)
            past = load_past(self.store, meta.lane, None if changed else load_engine().golden)
            return await self._live(meta, bundle, past, lease.fence, attendance, mcp)
        finally:
            lease.release()

    async def replay(
        self,
        run_id: str,
        *,
        until: int | None = None,
        current: Bundle | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        meta = get_run(self.store, run_id)
        bundle = recorded_bundle(self.store, meta) if current is None else current
        legs = None if until is None else way_to(meta, await read_tree(self.store, meta), until)
        attendance.observer.run_started(meta.id)
        async with self._replaying(meta, bundle, attendance) as (context, root):
            if legs is not None:
                return RunResult(meta, await replay_along(context, root, legs, changed=current is not None))
            root = replace(root, record_complete=meta.status in ("completed", "failed"))
            return RunResult(meta, await _replayed(context, root, meta.lane))

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
        edit = Edit(at, result, error, note)
        mcp = mcp_config(self.settings)
        parent = get_run(self.store, run_id)
        check_continuable(parent, self.settings)
        recorded_bundle(self.store, parent)  # without a source there is nothing to run
        async with new_run(self.store, new_id) as fence:
            now_ms = int(time.time() * 1000)
            meta = await make_branch(self.store, parent, edit, fence, now_ms, served=served, profile=policy_profile)
            past = load_past(self.store, meta.lane, load_engine().golden)
            return await self._live(meta, recorded_bundle(self.store, meta), past, fence, attendance, mcp)

    async def replay_as(
        self, run_id: str, new_id: str, *, served: bool = False, attendance: Attendance = _UNATTENDED
    ) -> RunResult:
        parent = get_run(self.store, run_id)
        check_at_rest(parent)
        bundle = recorded_bundle(self.store, parent)
        async with new_run(self.store, new_id) as fence:
            meta = await make_copy(self.store, parent, fence, int(time.time() * 1000), served=served)
            attendance.observer.run_started(meta.id)
            complete = meta.status in ("completed", "failed")
            rest = await self._replay(meta, bundle, complete, attendance)
            if isinstance(rest, Completed):
                meta = replace(meta, output=rest.output)
                await self.store.commit(run_writes(meta, new=False), fence=fence)
            return RunResult(meta, rest)

    async def give_up(self, run_id: str, reason: str, *, cancelled: bool = False) -> RunResult:
        lease = await Lease.acquire(self.store, run_id, owner())
        try:
            meta = get_run(self.store, run_id)
            rest = Cancelled(reason) if cancelled else bound_exceeded(reason)
            meta = replace(
                meta,
                status="cancelled" if cancelled else "failed",
                error=rest.error if isinstance(rest, Failed) else {"message": reason},
                pending=(),
                calls=recorded_calls(self.store, meta),
                updated_at_ms=int(time.time() * 1000),
            )
            await self.store.commit(run_writes(meta, new=False), fence=lease.fence)
        finally:
            lease.release()
        return RunResult(meta, rest)

    async def is_attendable(self, run_id: str) -> bool:
        return False  # a run ends with the process that drives it, and is attended there

    async def attend(self, run_id: str, attendance: Attendance) -> RunResult:
        raise NotResumable(f"run {run_id} is not under way on a cluster")

    async def close(self) -> None:
        if self._system is not None:
            await self._system.close()
        await self._own_resources.aclose()

    async def _replay(self, meta: RunMeta, bundle: Bundle, complete: bool, attendance: Attendance) -> Rest:
        """Run ``bundle`` against the record; ``complete``: the agent must make exactly the recorded calls."""
        async with self._replaying(meta, bundle, attendance) as (context, root):
            return await _replayed(context, replace(root, record_complete=complete), meta.lane)

    @asynccontextmanager
    async def _replaying(
        self, meta: RunMeta, bundle: Bundle, attendance: Attendance
    ) -> AsyncIterator[tuple[RunContext, ActorSpec]]:
        """What a replay takes: the run's context and its root, which makes no call."""
        past, fence = await read_past(self.store, meta.lane), Fence(meta.id, 0)
        async with run_context(self._surroundings, meta, bundle, fence, past, attendance, None) as context:
            yield context, replace(root_spec(context, meta, bundle, past), live=False)

    async def _live(
        self, meta: RunMeta, bundle: Bundle, past: Past, fence: Fence, attendance: Attendance, mcp: McpConfig | None
    ) -> RunResult:
        final = meta
        attendance.observer.run_started(meta.id)
        for reason in past.rejected:
            attendance.observer.warned(reason)
        for tool in bundle.broken_tools:
            attendance.observer.warned(f"the tool {tool.path} cannot be used: {tool.reason}")
        async with run_context(self._surroundings, meta, bundle, fence, past, attendance, mcp) as context:

            def closing(rest: Rest) -> Iterable[Write]:
                nonlocal final
                final = at_rest(meta, rest, context)
                return run_writes(final, new=False)

            lane = context.lane_writer(meta.lane, past.length)
            root = context.spawn(root_spec(context, meta, bundle, past), context, lane, closing)
            attendance.holding(root)
            try:
                rest = await root.wait()
            except (asyncio.CancelledError, ChidoriError):
                if meta.served and final is meta:
                    # It was stopped, and whoever did that knows why: that is none of the crashes that are counted.
                    stopped = replace(meta, tries=0, pending=())
                    self.store.submit(run_writes(stopped, new=False), fence, lambda error: None)
                raise
        return RunResult(final, rest)

    @property
    def live_vms(self) -> int:
        return 0 if self._system is None else self._system.live_vms

    def _spawn(
        self, spec: ActorSpec, run: RunContext, lane: LaneWriter, closing: Closing, watcher: Watcher | None = None
    ) -> ActorRef:
        if self._system is None:
            self._system = self._make_system(load_engine(), self._bounds)
        return self._system.spawn(spec, run, lane, closing, watcher)


async def _replayed(context: RunContext, root: ActorSpec, lane: int) -> Rest:
    return await context.spawn(root, context, context.lane_writer(lane, root.past.length), lambda rest: ()).wait()
