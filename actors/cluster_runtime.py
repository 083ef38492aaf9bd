"""What fronts have in the place of a local runtime: the same methods, done by the hosts of a cluster."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import ray

from chidori_actors.answers import Prepared
from chidori_actors.assembly import mcp_config
from chidori_actors.errors import NotResumable
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.languages.bundle import Bundle
from chidori_actors.placement.need import need_for
from chidori_actors.policy import Policy, Profile
from chidori_actors.runtime import LocalRuntime, RunResult
from chidori_actors.session.attendance import Attendance, Nobody
from chidori_actors.session.observer import Unobserved
from chidori_actors.session.outcome import Paused
from chidori_actors.settings import Settings
from chidori_actors.vm.machine import Bounds

from .attended_run import AttendedRun
from .calls import answer
from .cluster import ClusterHandles, connect
from .directory import ClusterDirectory
from .following import Following
from .host_end import HostLink
from .news import Action, Told
from .remote_store import RemoteStore
from .supervisor_link import SupervisorLink
from .work import Conditions, Kind, Listening, Source, Work, recorded_version

_UNATTENDED = Attendance()


class ClusterRuntime:
    """Implements ``chidori_actors.runtime.Runtime`` as the front that is called ``front``.

    Runs whose texts are kept for later (``Attendance.publish``) are sessions of a server: they do not end with it. All
    others are stopped when nobody waits for them any more.
    """

    def __init__(
        self, front: str, settings: Settings, policy: Policy, image_every: int, store: Store, following: Following
    ) -> None:
        self.settings = settings
        self.store = store
        self._front = front
        self._following = following
        self._numbers = count(1)
        self._need = need_for(settings.resources)
        paths = settings.mcp_config.absolute() if settings.mcp_config is not None else None
        self._conditions = Conditions(replace(settings, mcp_config=paths), policy, image_every)
        self._sources: dict[str, Source] = {}
        # What needs no host: replays, and the end of runs that nobody drives.
        self._here = LocalRuntime(settings, store, policy, Bounds(), image_every)

    @property
    def live_vms(self) -> int:
        return self._here.live_vms

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
        mcp_config(self.settings)
        arguments = {
            "entry": entry.absolute(),  # a host has another working directory
            "input_json": input_json,
            "model": model or self.settings.model,
            "tool_folders": tuple(folder.absolute() for folder in tool_folders),
            "served": served,
            "attempt_number": attempt_number,
            "idempotency_key": idempotency_key,
            "policy_profile": policy_profile,
        }
        return await self._drive("run", run_id or str(uuid.uuid4()), arguments, attendance, bundle)

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
        arguments = {
            "entry": None if entry is None else entry.absolute(),
            "allow_source_change": allow_source_change,
            "warnings": tuple(warnings),
            "policy_profile": policy_profile,
        }
        return await self._drive("resume", get_run(self.store, run_id).id, arguments, attendance, current)

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
        arguments = {
            "run_id": run_id,
            "at": at,
            "result": result,
            "error": error,
            "note": note,
            "served": served,
            "policy_profile": policy_profile,
        }
        return await self._drive("branch", new_id or str(uuid.uuid4()), arguments, attendance)

    async def replay(
        self,
        run_id: str,
        *,
        until: int | None = None,
        current: Bundle | None = None,
        attendance: Attendance = _UNATTENDED,
    ) -> RunResult:
        return await self._here.replay(run_id, until=until, current=current, attendance=attendance)

    async def replay_as(
        self, run_id: str, new_id: str, *, served: bool = False, attendance: Attendance = _UNATTENDED
    ) -> RunResult:
        return await self._drive("replay_as", new_id, {"run_id": run_id, "served": served}, attendance)

    async def give_up(self, run_id: str, reason: str, *, cancelled: bool = False) -> RunResult:
        return await self._here.give_up(run_id, reason, cancelled=cancelled)

    async def is_attendable(self, run_id: str) -> bool:
        return await self._following.is_under_way(run_id)

    async def attend(self, run_id: str, attendance: Attendance) -> RunResult:
        run = AttendedRun(run_id, self._listening(attendance), attendance, self._following.act)
        if not await self._following.attend(run):
            raise NotResumable(f"run {run_id} is not under way any more")
        result = await self._following.result(run)
        return await self._answered_late(run, result, attendance)

    async def close(self) -> None:
        await self._following.aclose()
        await self._here.close()

    async def _drive(
        self,
        kind: Kind,
        run_id: str,
        arguments: dict[str, Any],
        attendance: Attendance,
        bundle: Bundle | None = None,
    ) -> RunResult:
        work = Work(
            run_id=run_id,
            kind=kind,
            number=next(self._numbers),
            conditions=self._conditions,
            listening=self._listening(attendance),
            arguments=arguments,
            source=None if bundle is None else self._source(bundle),
            need=self._need,
            recorded=recorded_version(self.store, run_id),
        )
        run = AttendedRun(run_id, work.listening, attendance, self._following.act, work)
        await self._following.begin(run, work)
        result = await self._following.result(run)
        return await self._answered_late(run, result, attendance)

    async def _answered_late(self, run: AttendedRun, result: RunResult, attendance: Attendance) -> RunResult:
        """The run was being put to rest while it was answered here: it goes on with that."""
        if not run.late or not isinstance(result.rest, Paused):
            return result
        prepared = Prepared(run.late, attendance.questions)
        again = replace(attendance, questions=prepared, holding=run.goes_on_as)
        return await self._drive("resume", run.run_id, {}, again)

    def _listening(self, attendance: Attendance) -> Listening:
        published = attendance.publish is not None
        unobserved = isinstance(attendance.observer, Unobserved)
        return Listening(
            front=self._front,
            # Whoever has the texts kept reads what it shows from the store, and only counts what ends.
            wants="nothing" if unobserved else "ends" if published else "everything",
            publish=published,
            questions=not isinstance(attendance.questions, Nobody),
            board=attendance.board is not None,
        )

    def _source(self, bundle: Bundle) -> Source:
        source = self._sources.get(bundle.hash)
        if source is None:
            source = self._sources[bundle.hash] = Source(bundle.hash, ray.put(bundle.to_json()))
        return source


class _RayHost:
    """A ``HostLink`` to a host that is a Ray actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def begin(self, front: str, works: Sequence[Work]) -> None:
        await answer(self._actor.begin.remote(front, works))

    async def follow(self, front: str, after: int) -> list[Told]:
        told: list[Told] = await answer(self._actor.follow.remote(front, after))
        return told

    async def attend(self, run_id: str, listening: Listening) -> bool:
        found: bool = await answer(self._actor.attend.remote(run_id, listening))
        return found

    async def act(self, front: str, actions: Sequence[Action]) -> None:
        await answer(self._actor.act.remote(front, actions))


@asynccontextmanager
async def open_cluster_runtime(settings: Settings, policy: Policy, image_every: int) -> AsyncIterator[ClusterRuntime]:
    """What runs agents on the cluster at ``settings.ray_address``.

    Raises:
        ChidoriError: there is no such cluster.
    """
    assert settings.ray_address is not None
    joined_before = ray.is_initialized()
    try:
        handles = await connect(settings.ray_address, None)
        async with runtime_on(handles, settings, policy, image_every) as runtime:
            yield runtime
    finally:
        if not joined_before:
            ray.shutdown()


@asynccontextmanager
async def runtime_on(
    handles: ClusterHandles, settings: Settings, policy: Policy, image_every: int
) -> AsyncIterator[ClusterRuntime]:
    """What runs agents on that cluster, of which this process is a client."""
    front, config = _front_name(), handles.config

    def find(host: str) -> HostLink:
        return _RayHost(ray.get_actor(host, namespace=config.namespace))

    store = RemoteStore(front, handles.shards, config)
    directory = ClusterDirectory(front, SupervisorLink(config))
    try:
        following = Following(front, store, directory, find)
        runtime = ClusterRuntime(front, settings, policy, image_every, store, following)
        try:
            yield runtime
        finally:
            await runtime.close()
    finally:
        await directory.aclose()
        store.close()


@contextmanager
def open_cluster_store(settings: Settings) -> Iterator[Store]:
    """The store of the cluster at ``settings.ray_address``.

    Raises:
        ChidoriError: there is no such cluster.
    """
    assert settings.ray_address is not None
    joined_before = ray.is_initialized()
    try:
        handles = asyncio.run(connect(settings.ray_address, None))
        store = RemoteStore(_front_name(), handles.shards, handles.config)
        try:
            yield store
        finally:
            store.close()
    finally:
        if not joined_before:
            ray.shutdown()


def _front_name() -> str:
    return f"front-{secrets.token_hex(6)}"
