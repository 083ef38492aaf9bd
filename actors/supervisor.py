"""The supervisor: the Ray actor that starts hosts, hears of their deaths, and says where actors are placed."""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError

from chidori_actors.errors import StoreError, UsageError
from chidori_actors.placement.clusters import ClusterStatus, DrainReport, StopReport

from .cluster_nodes import live_nodes
from .config import ClusterConfig, Need
from .grants import Grants
from .growth import ANY, Start
from .host_processes import HOST, death, find_hosts, is_host, new_name, start_host
from .journal_control import JournalControl
from .losses import Losses
from .overview import overview
from .registry import Registry
from .rehoming import Rehoming
from .shards import find_shards
from .status import HostLoad

if TYPE_CHECKING:
    from .work import Work

_ROUND_S = 2.0
_MOVING_S = 5.0
"""So long ``locate`` waits for a run that is between two homes."""
_EVACUATION_S = 600.0
_FUNERAL_S = 2.0
"""So long a busy host may take to end what belonged to a dead one, before that goes on elsewhere regardless."""
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class _Member:
    """A host's Ray actor; ``lost`` is set when it is held for dead."""

    actor: Any
    lost: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Ray starts it again when it dies; then it asks the hosts what they do. What it must remember besides is in its
    arguments, which Ray keeps, and which nodes are being drained is in the journal.
    """

    def __init__(self, config: ClusterConfig, host_class: str = HOST) -> None:
        self._config = config
        self._host_class = host_class
        self._registry = Registry(config)
        self._hosts: dict[str, _Member] = {}
        self._loads: dict[str, HostLoad] = {}
        self._wake = asyncio.Event()
        self._grants = Grants(self._registry, self._wake.set)
        self._rehoming = Rehoming(self._registry, self._grants, self._find, self._spawn, self._tell)
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovered = asyncio.Event()
        self._changed = asyncio.Condition()
        self._failure: str | None = None
        self._failures = 0
        self._not_before = 0.0
        self._stopped = False
        self._losses = Losses()
        self._journal = JournalControl(())
        self._life: asyncio.Task[None] | None = None

    def _begin_life(self) -> None:
        """Whatever is called first, also after a restart, begins it: hosts call again and again."""
        if self._life is None:
            self._life = asyncio.create_task(self._live())

    async def _ready(self) -> None:
        self._begin_life()
        await self._recovered.wait()

    async def _live(self) -> None:
        try:
            await self._recover()
            while True:
                await self._round()
                self._wake.clear()
                try:
                    await asyncio.wait_for(self._wake.wait(), _ROUND_S)
                except TimeoutError:
                    continue
        except BaseException:
            # Half a supervisor is worse than none: a new one finds out all that this one knew.
            traceback.print_exc()
            os._exit(1)

    # What hosts and fronts call

    async def config(self) -> ClusterConfig:
        """What the cluster was started with."""
        self._begin_life()
        return self._config

    async def settled(self) -> str | None:
        """Returns once the hosts that are started ahead are up: None, or why one could not start."""
        await self._ready()
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure is not None or self._is_settled())
        return None if self._is_settled() else self._failure

    async def join(self, host: str, node_id: str) -> None:
        """The host is up."""
        await self._ready()
        await self._up(host)

    async def place(self, client: str, count: int, need: Need | None = None) -> list[str]:
        """The hosts for at most ``count`` actors, at least one, each named once for every actor that is booked on it;
        waits while there is no room at all.

        ``client`` is the host whose run wants them, and gives them back by ``release``; or a front, of which each is
        the root of a run that its host will say it drives.

        Raises:
            ChidoriError: too many wait, or no node has what is needed.
        """
        await self._ready()
        return await self._grants.get(client, count, need or ANY)

    async def release(self, client: str, host_counts: Mapping[str, int]) -> None:
        """So many actors that ``client`` placed have ended on each host, or will not begin there."""
        await self._ready()
        if is_host(client) and client not in self._hosts:
            return  # what it had was given free when it was lost
        self._registry.release(client, host_counts, time.monotonic())
        self._grants.serve()

    async def report(self, host: str, changes: Sequence["Work | str"]) -> None:
        """The host is the home of the run of each work from now on, and no more of the runs of these ids: they have
        ended or paused, and the room of their roots is free."""
        await self._ready()
        now = time.monotonic()
        for change in changes:
            if isinstance(change, str):
                self._registry.rests(host, change, now)
            else:
                self._registry.drives(host, change, now)
        self._grants.serve()
        await self._tell()

    async def locate(self, run_id: str) -> str | None:
        """The host that drives the run; None when nobody does. Waits some seconds while it is between two homes, and is
        empty then if it is so still."""
        await self._ready()

        def known() -> bool:
            run = self._registry.runs.get(run_id)
            return run is None or run.host is not None

        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(known), _MOVING_S)
            except TimeoutError:
                return ""
        run = self._registry.runs.get(run_id)
        return None if run is None else run.host or ""

    async def gone(self, host: str) -> None:
        """Somebody heard that the host is dead."""
        member = self._hosts.get(host)
        if member is None:
            return
        try:
            await asyncio.wait_for(member.actor.ping.remote(), self._config.lost_after_s)
        except (ActorUnavailableError, TimeoutError):
            return  # whoever watches it decides
        except RayActorError as died:
            await self._bury(host, str(died))

    # What an operator asks

    async def status(self) -> ClusterStatus:
        """The cluster as it is now."""
        await self._ready()
        shards, losses = self._journal.shards, self._losses.latest
        return await overview(self._config, self._registry, self._loads, shards, losses, self._failure)

    async def drain(self, node: str) -> DrainReport:
        """Move everything away from the node, which takes nothing from now on.

        Raises:
            UsageError: no node is called so, or it holds the journal.
            StoreError: the journal cannot keep that it is so.
        """
        await self._ready()
        began = time.monotonic()
        found = self._registry.find_node(node)
        if any(shard.node_id == found.id for shard in self._journal.shards):
            raise UsageError(
                f"node {found.id[:8]} ({found.address}) holds the journal, which cannot move",
                hint="`chidori cluster stop` ends the cluster, its runs can be resumed; drain the other nodes",
            )
        hosts = self._registry.drain(found.id)
        await self._journal.keep_draining(self._registry.draining)
        runs, actors = sum(len(host.runs) for host in hosts), sum(host.actors for host in hosts)
        self._wake.set()
        evacuated = await asyncio.gather(*(self._evacuate(host.name) for host in hosts))
        cut_off = [host.name for host, left in zip(hosts, evacuated, strict=True) if not left]
        seconds = time.monotonic() - began
        return DrainReport(found.id, found.address, len(hosts), runs, actors, seconds, cut_off)

    async def stop(self) -> StopReport:
        """End all hosts; what they did can be resumed from its record. The next start uses all nodes."""
        await self._ready()
        self._stopped = True
        runs = sorted(self._registry.runs)
        names = list(self._hosts)
        await asyncio.gather(*(self._end(name, "the cluster was stopped") for name in names))
        with suppress(StoreError):  # a full disk must not keep the cluster from being stopped
            await self._journal.keep_draining(())
        return StopReport(len(names), 0, runs)

    # Hosts

    async def _recover(self) -> None:
        self._journal = JournalControl(await find_shards(self._config))
        self._registry.draining |= await self._journal.draining()
        self._registry.see_nodes(await asyncio.to_thread(live_nodes))
        found = await asyncio.to_thread(find_hosts, self._config)
        await asyncio.gather(*(self._adopt(name, host) for name, host in found.items()))
        for name, load in self._loads.items():
            self._registry.adopt_placed(name, load.placed, time.monotonic())
        for name in self._hosts.keys() & self._registry.leaving:
            self._spawn(self._evacuate(name))
        await self._forget_dead(found)
        self._recovered.set()
        await self._tell()

    async def _forget_dead(self, found: Collection[str]) -> None:
        """Hosts that died while there was no supervisor hold their runs still; whoever follows these resumes them."""
        dead = {client for client in await self._journal.clients() if is_host(client) and client not in found}
        await asyncio.gather(*map(self._journal.forget, dead))

    async def _adopt(self, name: str, host: Any) -> None:
        try:
            load, works = await asyncio.wait_for(
                asyncio.gather(host.ping.remote(), host.hosted.remote()), self._config.lost_after_s
            )
        except (TimeoutError, RayError):
            # What it drove is not known; whoever follows such a run resumes it.
            await self._journal.forget(name)
            ray.kill(host)
            return
        self._registry.adopt(name, Start(load.node_id, load.need), works, time.monotonic())
        self._loads[name] = load
        self._keep(name, host)

    async def _round(self) -> None:
        """Look at the nodes, start what is missing, end what is not needed."""
        # Ray's own calls about nodes block while its head is away.
        gone = self._registry.see_nodes(await asyncio.to_thread(live_nodes))
        for name in gone:
            self._spawn(self._bury(name, "its node is gone"))
        now = time.monotonic()
        self._registry.expire(now)
        for name in self._registry.idle(now):
            self._spawn(self._end(name, "it was idle"))
        if not self._stopped and now >= self._not_before:
            for start in self._registry.wanted():
                self._start(start)
        self._grants.serve()

    def _start(self, start: Start) -> None:
        name = new_name()
        self._registry.starting(name, start)
        self._keep(name, start_host(name, start, self._config, self._host_class))

    def _keep(self, name: str, host: Any) -> None:
        self._hosts[name] = _Member(host)
        self._spawn(self._attend(name, host))

    async def _attend(self, name: str, host: Any) -> None:
        """Hear what the host says of itself until it is lost."""

        def heard(load: HostLoad) -> None:
            self._loads[name] = load
            now = time.monotonic()
            self._registry.observe(name, load.placed, now, journal_reachable=load.journal_reachable)
            self._spawn(self._up(name))

        await self._bury(name, await death(host, self._config, heard))

    async def _up(self, name: str) -> None:
        entry = self._registry.hosts.get(name)
        if entry is None or entry.state != "starting":
            return
        self._registry.up(name, time.monotonic())
        self._failure, self._failures = None, 0
        self._grants.serve()
        await self._tell()

    async def _bury(self, name: str, reason: str) -> None:
        """The host is lost, whatever it still does; its runs go on elsewhere."""
        entry = self._registry.hosts.get(name)
        if entry is None or name not in self._hosts:
            return
        if entry.state != "starting":
            self._losses.note(name, entry.node, len(entry.runs), reason)
        elif not self._stopped:
            self._failures += 1
            self._failure = reason
            self._not_before = time.monotonic() + min(_LONGEST_PAUSE_S, 0.5 * 2.0**self._failures)
        await self._end(name, reason)

    async def _end(self, name: str, reason: str) -> None:
        """There is to be no such host any more; what runs it has yet go on elsewhere."""
        member = self._hosts.pop(name, None)
        if member is None:
            return
        member.lost.set()
        print(f"{name} ends: {reason}", file=sys.stderr, flush=True)
        need = self._registry.hosts[name].need
        self._loads.pop(name, None)
        runs = self._registry.lose(name, time.monotonic())
        self._grants.drop(name)
        await self._journal.forget(name)
        ray.kill(member.actor)
        # What goes on elsewhere for its runs would meet what their next homes begin.
        await asyncio.gather(*(self._bury_at(other, name) for other in self._others()))
        self._wake.set()
        await self._tell()
        if runs and not self._stopped:
            self._spawn(self._rehoming.resume(runs, need))

    def _find(self, name: str) -> Any | None:
        member = self._hosts.get(name)
        return None if member is None or self._stopped else member.actor

    def _others(self) -> list[_Member]:
        """The hosts that may have something of another one."""
        begun = (name for name, entry in self._registry.hosts.items() if entry.state != "starting")
        return [] if self._stopped else [self._hosts[name] for name in begun if name in self._hosts]

    async def _bury_at(self, other: _Member, name: str) -> None:
        """Returns soon also when the other one is dead or frozen, too."""

        async def bury() -> None:
            with suppress(RayError):
                await other.actor.bury.remote(name)

        heard = [asyncio.create_task(bury()), asyncio.create_task(other.lost.wait())]
        await asyncio.wait(heard, timeout=_FUNERAL_S, return_when=asyncio.FIRST_COMPLETED)
        for task in heard:
            task.cancel()
        await asyncio.wait(heard)

    async def _evacuate(self, name: str) -> bool:
        """Whether the host let go of all it had."""
        member = self._hosts.get(name)
        if member is None:
            return True
        try:
            await asyncio.wait_for(member.actor.evacuate.remote(), _EVACUATION_S)
        except (TimeoutError, RayError):
            traceback.print_exc()
        entry = self._registry.hosts.get(name)
        left = entry is None or not entry.runs
        await self._end(name, "its node was drained")
        return left

    def _is_settled(self) -> bool:
        hosts = self._registry.hosts.values()
        return any(host.state == "up" for host in hosts) and not any(host.state == "starting" for host in hosts)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(self._crashing(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _crashing(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception:
            traceback.print_exc()
            os._exit(1)
