"""The supervisor on a real Ray, over hosts that hold nothing."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import ray

from actors.calls import answer
from actors.cluster import ClusterHandles, connect, stop_cluster
from actors.config import ClusterConfig, Need
from chidori_actors.errors import ChidoriError, UsageError
from chidori_actors.placement.clusters import ClusterStatus

from .stub_hosts import BROKEN, STUB, StubWork

_LIMIT_S = 60.0


@asynccontextmanager
async def _cluster(path: Path, namespace: str, **options: Any) -> AsyncIterator[ClusterHandles]:
    config = ClusterConfig(store=path / "store", namespace=namespace, **{"hosts": 2, **options})
    async with asyncio.timeout(_LIMIT_S):
        handles = await connect("auto", config, host_class=STUB)
        try:
            assert await handles.supervisor.settled.remote() is None
            yield handles
        finally:
            await stop_cluster(handles)


async def _status(handles: ClusterHandles) -> ClusterStatus:
    status: ClusterStatus = await answer(handles.supervisor.status.remote())
    return status


async def _until(handles: ClusterHandles, true: Callable[[ClusterStatus], bool]) -> None:
    while True:
        if true(await _status(handles)):
            return
        await asyncio.sleep(0.05)


async def _pid(handles: ClusterHandles, name: str) -> int:
    found = {host.name: host.pid for host in (await _status(handles)).hosts}[name]
    assert found is not None
    return found


async def _begin(handles: ClusterHandles, *run_ids: str) -> list[str]:
    """Start the runs; their hosts."""
    names: list[str] = await handles.supervisor.place.remote("front-1", len(run_ids))
    for name, run_id in zip(names, run_ids, strict=True):
        await _host(handles, name).begin.remote("front-1", [StubWork(run_id)])
    return names


def _host(handles: ClusterHandles, name: str) -> Any:
    return ray.get_actor(name, namespace=handles.config.namespace)


async def _new_home(handles: ClusterHandles, run_id: str, old: str) -> str:
    while True:
        home = await handles.supervisor.locate.remote(run_id)
        if home is not None and home != old:
            return str(home)
        await asyncio.sleep(0.05)


async def test_actors_are_spread_over_the_hosts_and_hosts_are_added_when_all_are_full(
    tmp_path: Path, namespace: str
) -> None:
    async with _cluster(tmp_path, namespace, hosts=2, max_hosts=3, actors_per_host=3) as handles:
        placed = await handles.supervisor.place.remote("front-1", 4)
        assert sorted(Counter(placed).values()) == [2, 2]
        placed = await handles.supervisor.place.remote("front-1", 2)
        assert len(set(placed)) == 2
        third = await handles.supervisor.place.remote("front-1", 1)
        hosts = (await _status(handles)).hosts
        assert len(hosts) == 3
        assert {host.name: host.actors for host in hosts}[third[0]] == 1


async def test_what_a_host_placed_is_given_back_and_wakes_who_waits(tmp_path: Path, namespace: str) -> None:
    async with _cluster(tmp_path, namespace, hosts=1, max_hosts=1, actors_per_host=2) as handles:
        (home,) = await _begin(handles, "run-a")
        assert await handles.supervisor.place.remote(home, 5) == [home]
        waiting = asyncio.ensure_future(answer(handles.supervisor.place.remote("front-2", 1)))
        await _until(handles, lambda status: status.waiting == 1)
        assert not waiting.done()
        await handles.supervisor.release.remote(home, {home: 1})
        assert await waiting == [home]


async def test_the_runs_of_a_killed_host_begin_on_another_one_which_takes_its_place(
    tmp_path: Path, namespace: str
) -> None:
    async with _cluster(tmp_path, namespace) as handles:
        first, second = await _begin(handles, "run-a", "run-b")
        os.kill(await _pid(handles, first), signal.SIGKILL)
        assert await _new_home(handles, "run-a", first) != first
        assert await handles.supervisor.locate.remote("run-b") == second
        (loss,) = (await _status(handles)).losses
        assert (loss.host, loss.runs, "\n" in loss.reason) == (first, 1, False)
        assert loss.reason.startswith("The actor is dead because its worker process has died")
        resumed = [
            work
            for host in (await _status(handles)).hosts
            if host.state == "up"
            for work in await _host(handles, host.name).hosted.remote()
        ]
        assert StubWork("run-a", begun=True) in resumed
        assert StubWork("run-b") in resumed
        await _until(handles, lambda status: [host.state for host in status.hosts] == ["up", "up"])


async def test_the_runs_of_a_frozen_host_begin_elsewhere(tmp_path: Path, namespace: str) -> None:
    async with _cluster(tmp_path, namespace, lost_after_s=1.0) as handles:
        (frozen,) = await _begin(handles, "run-a")
        pid = await _pid(handles, frozen)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert await _new_home(handles, "run-a", frozen) != frozen
            status = await _status(handles)
            assert frozen not in {host.name for host in status.hosts}
            assert [loss.reason for loss in status.losses] == ["it answered nothing for 1 s"]
        finally:
            _continue(pid)


def _continue(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return  # Ray has ended it


async def test_a_killed_supervisor_knows_everything_again(tmp_path: Path, namespace: str) -> None:
    async with _cluster(tmp_path, namespace, actors_per_host=7) as handles:
        names = await _begin(handles, "run-a", "run-b", "run-c")
        before = await _status(handles)
        os.kill(await handles.supervisor.__ray_call__.remote(_process_id), signal.SIGKILL)
        found = await _again(handles, "locate", "run-c")
        assert found == names[2]
        after = await _status(handles)
        assert {(host.name, host.actors, host.runs, host.room) for host in after.hosts} == {
            (host.name, host.actors, host.runs, host.room) for host in before.hosts
        }
        os.kill(await _pid(handles, names[1]), signal.SIGKILL)
        assert await _new_home(handles, "run-b", names[1]) in {host.name for host in after.hosts}


def _process_id(actor: object) -> int:
    return os.getpid()


async def _again(handles: ClusterHandles, method: str, *args: object) -> Any:
    """Call the supervisor while Ray starts it again."""
    while True:
        try:
            return await getattr(handles.supervisor, method).remote(*args)
        except ray.exceptions.ActorUnavailableError:
            await asyncio.sleep(0.05)


async def test_a_host_that_joins_no_cluster_ever_is_named_with_its_reason(tmp_path: Path, namespace: str) -> None:
    config = ClusterConfig(store=tmp_path / "store", namespace=namespace, hosts=1)
    async with asyncio.timeout(_LIMIT_S):
        handles = await connect("auto", config, host_class=BROKEN)
        try:
            assert "this machine lacks what it needs" in await handles.supervisor.settled.remote()
        finally:
            await stop_cluster(handles)


async def test_an_actor_that_needs_what_no_node_has_is_refused(tmp_path: Path, namespace: str) -> None:
    async with _cluster(tmp_path, namespace) as handles:
        with pytest.raises(ChidoriError, match=r"no node of the cluster has 1 GPU: .* has 4 CPU, 0 GPU") as refused:
            await answer(handles.supervisor.place.remote("front-1", 1, Need(gpus=1)))
        assert refused.value.hint is not None


async def test_an_actor_that_needs_cpus_gets_a_host_that_has_them(tmp_path: Path, namespace: str) -> None:
    async with _cluster(tmp_path, namespace) as handles:
        (name,) = await handles.supervisor.place.remote("front-1", 1, Need(cpus=2))
        host = next(host for host in (await _status(handles)).hosts if host.name == name)
        assert (host.need, host.room) == ("2 CPU", 1)


async def test_the_node_of_the_journal_and_unknown_nodes_are_not_drained(tmp_path: Path, namespace: str) -> None:
    async with _cluster(tmp_path, namespace) as handles:
        node = (await _status(handles)).nodes[0]
        with pytest.raises(UsageError, match="holds the journal"):
            await answer(handles.supervisor.drain.remote(node.id[:6]))
        with pytest.raises(UsageError, match="no node of the cluster is 'nowhere'"):
            await answer(handles.supervisor.drain.remote("nowhere"))


async def test_a_cluster_with_another_store_is_not_taken_for_the_one_that_is_asked_for(
    tmp_path: Path, namespace: str
) -> None:
    async with _cluster(tmp_path, namespace) as handles:
        same = await connect("auto", handles.config)
        assert same.config == handles.config
        other = ClusterConfig(store=tmp_path / "other", namespace=namespace)
        with pytest.raises(UsageError, match="the cluster runs with store"):
            await connect("auto", other)
        assert (await connect("auto", other, wishes=())).config == handles.config


async def test_stopping_tells_which_runs_were_under_way(tmp_path: Path, namespace: str) -> None:
    config = ClusterConfig(store=tmp_path / "store", namespace=namespace, hosts=2)
    async with asyncio.timeout(_LIMIT_S):
        handles = await connect("auto", config, host_class=STUB)
        await _begin(handles, "run-a", "run-b")
        report = await stop_cluster(handles)
    assert (report.hosts, report.shards, list(report.runs)) == (2, 1, ["run-a", "run-b"])
    assert namespace not in {actor["namespace"] for actor in ray.util.list_named_actors(all_namespaces=True)}


@pytest.mark.slow
async def test_a_new_node_gets_hosts_and_a_drained_one_loses_its_runs_to_others(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.actors.growing_cluster", str(tmp_path / "store")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
    )
    output, _ = await process.communicate()
    assert output.decode().splitlines()[-1:] == ["done"]
